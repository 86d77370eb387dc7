/* import: outlines drawn in labelme, or a COCO file, as a data set with masks.
 *
 * OUT/CATEGORY has MVTec's layout: images without any shape go to train/good, the others to
 * test/LABEL with their mask in ground_truth/LABEL; an image with shapes of several labels is of
 * the kind "combined". OUT/manifest.jsonl says which image came from where.
 *
 * Points are read in pixels from the upper left corner of the picture; a pixel belongs to the mask
 * when its centre is inside (see image/polygon.h).
 */
#ifndef CG_DATASETS_IMPORT_H
#define CG_DATASETS_IMPORT_H

#include <glib.h>

typedef struct {
    const char *images; /* folder of the images; NULL: beside the JSON files */
    const char *out;    /* new or empty */
    const char *category;
    gboolean link; /* hard links of PNG images instead of copies, where possible */
} CgImportOptions;

typedef struct {
    guint images, masks;
} CgImportSummary;

/* PATH is a folder of labelme's JSON files, one of them, or a COCO instances file. Shapes of
 * labelme: polygon, rectangle, circle. Segmentations of COCO: polygons, run lengths; an annotation
 * without any counts by its box. Everything is read and checked before anything is written.
 * CG_ERROR_FORMAT, CG_ERROR_MISSING (an image), CG_ERROR_SHAPE (sizes differ), CG_ERROR_UNSUPPORTED
 * (other shapes), the message naming the file. */
gboolean cg_dataset_import(const char *path, const CgImportOptions *options,
                           CgImportSummary *summary, GError **error);

#endif
