/* labelled: pictures with what they show: the defect types of data sets, "good" for normal ones. */
#ifndef CG_PIPELINE_LABELLED_H
#define CG_PIPELINE_LABELLED_H

#include "datasets/dataset.h"

/* What all defect types are called when they are one class. */
#define CG_LABEL_ANOMALOUS "anomalous"

typedef struct {
    char *path, *label;
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
/* All labels but "good" become CG_LABEL_ANOMALOUS. */
void cg_labelled_unite(GArray *pictures);
/* Their labels, "good" first, the others in order; strings, freed with the array. */
GPtrArray *cg_labelled_names(const GArray *pictures);

#endif
