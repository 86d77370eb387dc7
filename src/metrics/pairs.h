/* pairs: which anomaly map belongs to which image of a data set, or to which mask.
 *
 * A map has its image's name with another extension (png, tif, tiff, pgm, npy), below its
 * folder: MAPS/CATEGORY/test/DEFECT/000.tiff, where CATEGORY (if there is one alone) and test may
 * be missing. Normal images may lie in good, ok or normal, whatever the data set calls them.
 */
#ifndef CG_METRICS_PAIRS_H
#define CG_METRICS_PAIRS_H

#include "datasets/split.h"

typedef struct {
    const char *category, *defect;
    char *map;
    CgSample sample;   /* image NULL when there is a mask alone */
    gboolean few_shot; /* in the split */
} CgPair;

typedef struct {
    GArray *pairs; /* CgPair, by category, then as in the data set */
    guint unused;  /* maps that belong to nothing */
    GStringChunk *strings;
} CgPairs;

void cg_pairs_free(CgPairs *pairs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPairs, cg_pairs_free)

/* The test images of DATASET (which must outlive the pairs), of CATEGORY alone unless NULL, each
 * with its map below MAPS. SPLIT (nullable) marks the images that were learnt from.
 * CG_ERROR_MISSING when an image has no map, when there is no such image, or when SPLIT has nothing
 * to do with them; CG_ERROR_FORMAT when an image has two maps. */
CgPairs *cg_pairs_from_dataset(const CgDataset *dataset, const char *category, const CgSplit *split,
                               const char *maps, GError **error);

/* The maps below MAPS with masks from MASKS: the same folders (or ground_truth instead of test) and
 * names, _mask, _GT or _label behind them or not. Maps in a folder good, ok or normal need none. */
CgPairs *cg_pairs_from_masks(const char *masks, const char *category, const char *maps,
                             GError **error);

/* The pair's mask as grey 0 / 255; NULL without error when nobody knows it (a defective image
 * without mask). A good image without image and mask gets the size of FALLBACK_WIDTH x HEIGHT. */
gboolean cg_pair_load_mask(const CgPair *pair, int fallback_width, int fallback_height,
                           CgImage **mask, GError **error);

#endif
