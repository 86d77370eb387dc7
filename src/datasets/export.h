/* export: a data set in the form that other software reads.
 *
 *     CgExportOptions o = {.format = CG_EXPORT_MVTEC, .out = "for-anomalib"};
 *     cg_dataset_export(dataset, &o, &summary, error);
 *
 * Files appear complete or not at all. An export that was cut off goes on where it stopped when it
 * is run again with the same data set and options; a folder that holds anything else is refused.
 * Beside the data of each format, OUT gets
 *
 *     manifest.jsonl    one row per image: image, mask, category, defect, split, prompt, source
 *     export.json       what was exported, by which version; "done" when it is complete
 *
 * Images that the data set's own manifest calls dropped are left out.
 */
#ifndef CG_DATASETS_EXPORT_H
#define CG_DATASETS_EXPORT_H

#include "datasets/dataset.h"

typedef enum {
    /* OUT/CATEGORY/{train,test}/good/000.png, test/DEFECT/000.png,
     * ground_truth/DEFECT/000_mask.png. Nothing else lies below CATEGORY. */
    CG_EXPORT_MVTEC,
    /* The same with ok and ko, all defects together, masks named as their image. */
    CG_EXPORT_BTAD,
    /* OUT/CATEGORY/good (training), /normal (test), /DEFECT, /masks/DEFECT, and
     * OUT/CATEGORY.yaml for anomalib's Folder. */
    CG_EXPORT_FOLDER,
    /* OUT/CATEGORY_DEFECT/NAME.png: the surroundings of each defect, as a source of textures for
     * DRAEM and its kin; whole images from a set of textures. */
    CG_EXPORT_TEXTURE_BANK,
    /* OUT/{image,mask,normal}/000.png and OUT/triplets.jsonl; only images whose normal counterpart
     * the manifest of `cagen generate` or `cagen augment` names. */
    CG_EXPORT_TRIPLET,
    /* OUT/train/{image,conditioning_image}/000.png with OUT/train/metadata.jsonl, which the
     * ControlNet training of diffusers loads as it is, and OUT/train/prompt.json (source, target,
     * prompt) as the original ControlNet's tutorial has it. Defective images only. */
    CG_EXPORT_PAIRS,
    /* OUT/images/000.png, OUT/annotations/instances_SPLIT.json (polygons; holes joined to the
     * outline) and instances_SPLIT_rle.json (exact masks). One annotation per connected piece. */
    CG_EXPORT_COCO,
    /* OUT/images/SPLIT/000.png, OUT/labels/SPLIT/000.txt, OUT/data.yaml. */
    CG_EXPORT_YOLO_SEG,
    CG_EXPORT_COUNT,
} CgExportFormat;

/* "mvtec", "btad", "folder", "texture-bank", "triplet", "pairs", "coco", "yolo-seg". */
const char *cg_export_format_name(CgExportFormat format);
/* CG_ERROR_USAGE lists what there is. */
gboolean cg_export_format_parse(const char *name, CgExportFormat *format, GError **error);

typedef struct {
    CgExportFormat format;
    const char *out;
    const char *split; /* "train", "validation" or "test": everything goes there (COCO and YOLO);
                        * NULL keeps the data set's own splits */
    gboolean link;     /* hard links where an image can stay as it is and the file system allows
                        * it, else copies */
} CgExportOptions;

typedef struct {
    guint images, masks;  /* in the export */
    guint present;        /* of the images: there already from an interrupted run */
    guint linked;         /* of the images and normal counterparts */
    guint without_mask;   /* left out: defective, but nobody says where */
    guint not_in_layout;  /* left out: of a kind that the format has no place for */
    guint without_normal; /* left out: no normal counterpart known */
    guint dropped;        /* left out: the manifest calls it dropped */
} CgExportSummary;

/* CG_ERROR_USAGE when OUT holds something else, CG_ERROR_MISSING when nothing of DATASET fits the
 * format, CG_ERROR_SHAPE when a mask is not as large as its image. */
gboolean cg_dataset_export(const CgDataset *dataset, const CgExportOptions *options,
                           CgExportSummary *summary, GError **error);

#endif
