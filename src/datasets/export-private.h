/* export-private: what the export formats share. */
#ifndef CG_DATASETS_EXPORT_PRIVATE_H
#define CG_DATASETS_EXPORT_PRIVATE_H

#include "base/file.h"
#include "base/json.h"
#include "datasets/export.h"

/* One image of the export. Paths are below OUT. */
typedef struct {
    const CgSample *sample;
    CgDatasetSplit split;
    char *image;         /* where it goes */
    char *mask;          /* where its mask goes, NULL for none */
    char *normal;        /* where its normal counterpart goes, NULL for none */
    char *normal_source; /* which file that is */
    char *prompt;        /* "scratch metal nut" */
} CgExportItem;

typedef struct {
    const CgDataset *dataset;
    const CgExportOptions *options;
    CgExportSummary *summary;
    GArray *items;      /* CgExportItem */
    GHashTable *origin; /* the data set's own manifest: image below the root -> json_t row */
    GPtrArray *classes; /* of detectors: "DEFECT" when the data set has one category, else
                         * "CATEGORY/DEFECT"; sorted, without the good ones */
} CgExport;

typedef struct {
    const char *name;
    /* Whether the format has a place for ITEM's sample; counts in the summary when not. */
    gboolean (*accepts)(CgExport *e, const CgExportItem *item);
    /* The folder that ITEM is numbered in, free with g_free; items of one folder get numbers from
     * 0 on, all of one width. */
    char *(*group)(const CgExport *e, const CgExportItem *item);
    /* Sets ITEM's image, mask and normal from its group and STEM (digits). */
    void (*place)(const CgExport *e, CgExportItem *item, const char *stem);
    /* What has to be written for one item besides image, mask and normal; nullable. */
    gboolean (*write)(CgExport *e, const CgExportItem *item, GError **error);
    /* Tables and settings at the end; nullable. */
    gboolean (*finish)(CgExport *e, GError **error);
} CgExportRules;

extern const CgExportRules cg_export_mvtec, cg_export_btad, cg_export_folder,
    cg_export_texture_bank, cg_export_triplet, cg_export_pairs, cg_export_coco, cg_export_yolo_seg;

/* RELATIVE below OUT. Free with g_free. */
char *cg_export_path(const CgExport *e, const char *relative);
/* Creates the folder that PATH lies in. */
gboolean cg_export_make_parent(const char *path, GError **error);
/* Writes TEXT to RELATIVE, with its folder. */
gboolean cg_export_write_text(const CgExport *e, const char *relative, const char *text,
                              GError **error);
/* The picture SOURCE at PATH as PNG: the same bytes when it is one. *LINKED is set when it became a
 * second name of the file. */
gboolean cg_export_copy_picture(const char *source, const char *path, gboolean link,
                                gboolean *linked, GError **error);
/* ROW as a line. Takes ROW over. */
gboolean cg_export_write_row(CgAtomicFile *file, json_t *row, GError **error);
/* NAME as a part of a file name: slashes and control characters become "_". Free with g_free. */
char *cg_export_name(const char *name);
/* The mask of ITEM's sample, as large as its image (checked). */
CgImage *cg_export_load_mask(const CgExportItem *item, GError **error);
/* The place of ITEM's class among them. */
guint cg_export_class(const CgExport *e, const CgExportItem *item);

static inline gboolean cg_export_item_is_good(const CgExportItem *item)
{
    return cg_sample_is_good(item->sample);
}
static inline CgExportItem *cg_export_item(const CgExport *e, guint i)
{
    return &g_array_index(e->items, CgExportItem, i);
}

#endif
