/* check: every problem of a data set's files, found before any long work. */
#ifndef CG_DATASETS_CHECK_H
#define CG_DATASETS_CHECK_H

#include "datasets/dataset.h"

/* Reads every image and mask and adds what it finds to D's problems (in order of path, with those
 * of the tree): files that do not decode, masks of another size than their image, values other than
 * 0 and 255 in binary masks, masks that are empty for a defect or not empty for a normal image,
 * images with other channels than most of their category, colour masks, and files that are the same
 * byte for byte in training and test, or under contradicting labels. Runs on all threads; the
 * result does not depend on them. FALSE only with CG_ERROR_CANCELLED or when images cannot be read
 * at all.
 */
gboolean cg_dataset_check(CgDataset *d, GError **error);

#endif
