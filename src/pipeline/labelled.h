/* labelled: pictures with what they show: the defect types of data sets, "good" for normal ones. */
#ifndef CG_PIPELINE_LABELLED_H
#define CG_PIPELINE_LABELLED_H

#include "datasets/dataset.h"
#include "image/image.h"

/* What all defect types are called when they are one class. */
#define CG_LABEL_ANOMALOUS "anomalous"

typedef struct {
    char *path, *label;
    char *mask; /* NULL: none */
    CgMaskRule mask_rule;
    gboolean lent; /* the mask is another picture's */
} CgLabelled;

typedef struct {
    const char *data, *layout; /* the data set; layout NULL: as it looks */
    const char *category;      /* NULL: the only one */
    gboolean splits[3];        /* which of its splits, by CgDatasetSplit */
    const char *shots;         /* file of a few-shot split; NULL: none. Its images .. */
    gboolean with_shots;       /* .. are taken, whatever their split, or else left out */
} CgLabelledSource;

/* No pictures yet; array of CgLabelled, free with g_array_unref. */
GArray *cg_labelled_new(void);
/* Adds those of SOURCE; CG_ERROR_MISSING when there are none. */
gboolean cg_labelled_add(GArray *pictures, const CgLabelledSource *source, GError **error);
/* "train" (with validation), "test" or "all" into SPLITS. */
gboolean cg_labelled_parse_part(const char *name, gboolean splits[3]);
/* Takes out the pictures whose labels are not among KNOWN. Returns what they were, with commas, or
 * NULL. Free with g_free. */
char *cg_labelled_keep_known(GArray *pictures, GPtrArray *known);
/* Gives pictures without mask those of others of the array, so that the parts around masks show
 * good and defective ones at the same places. Which one is drawn by the picture's number. */
void cg_labelled_lend_masks(GArray *pictures);
/* The picture as RGB: whole, or with WINDOW the part around its mask (cg_group_crop), if it has
 * one. CG_ERROR_MISSING when a defective picture has none, CG_ERROR_SHAPE when its own mask has
 * another size. */
CgImage *cg_labelled_load(const CgLabelled *picture, gboolean window, GError **error);
/* All labels but "good" become CG_LABEL_ANOMALOUS. */
void cg_labelled_unite(GArray *pictures);
/* Their labels, "good" first, the others in order; strings, freed with the array. */
GPtrArray *cg_labelled_names(const GArray *pictures);

#endif
