/* dataset: one description of a folder of pictures, whatever layout it came in.
 *
 *     g_autoptr(CgDataset) d = cg_dataset_open("mvtec", CG_LAYOUT_AUTO, error);
 *     for (guint i = 0; i < d->samples->len; i++) {
 *         const CgSample *s = cg_dataset_sample(d, i);
 *         printf("%s %s %s\n", s->category, s->defect, s->image);
 *     }
 *
 * Opening reads names alone, except where a layout tells normal from defective by the mask's pixels
 * (KolektorSDD, KolektorSDD2). What is odd about the tree (masks without image, files that belong
 * nowhere) is kept as a list of problems and does not stop anybody; pixels are checked by
 * cg_dataset_check.
 */
#ifndef CG_DATASETS_DATASET_H
#define CG_DATASETS_DATASET_H

#include "image/image.h"

typedef enum {
    CG_LAYOUT_AUTO,
    /* CATEGORY/train/good/N.png, CATEGORY/test/DEFECT/N.png,
     * CATEGORY/ground_truth/DEFECT/N_mask.png (or N.png); also MPDD and converted BTAD. DIR may be
     * one category. */
    CG_LAYOUT_MVTEC,
    CG_LAYOUT_LOCO, /* as MVTec, with validation/good and ground_truth/DEFECT/N/ (several masks) */
    CG_LAYOUT_MVTEC2, /* MVTec AD 2: train, validation, test_public/{good,bad,ground_truth/bad} */
    CG_LAYOUT_BTAD,   /* as MVTec, with ok and ko; masks have the image's name */
    CG_LAYOUT_VISA,  /* CATEGORY/Data/Images/{Normal,Anomaly}, split_csv/1cls.csv, image_anno.csv */
    CG_LAYOUT_KSDD,  /* KolektorSDD: kosNN/PartM.jpg, kosNN/PartM_label.{bmp,png} */
    CG_LAYOUT_KSDD2, /* KolektorSDD2: {train,test}/N.png, {train,test}/N_GT.png */
    CG_LAYOUT_REALIAD, /* realiad_jsons/CATEGORY.json and realiad_SIZE/CATEGORY/... */
    CG_LAYOUT_TILE,    /* magnetic tile: MT_DEFECT/Imgs/NAME.jpg, NAME.png */
    /* DIR/good, DIR/DEFECT, DIR/masks/...; images right in DIR are normal; images/ with
     * annotations/ beside it. See layout_folder.c for the names of folders. */
    CG_LAYOUT_FOLDER,
    CG_LAYOUT_TEXTURES, /* DTD: images/CLASS/NAME.jpg, or any tree of pictures; all are normal */
    CG_LAYOUT_COUNT,
} CgLayout;

/* "mvtec", "loco", ...; also what the program takes as --layout. */
const char *cg_layout_name(CgLayout layout);
/* Also "auto", "mpdd", "dtd" and other names people use. CG_ERROR_USAGE lists what there is. */
gboolean cg_layout_parse(const char *name, CgLayout *layout, GError **error);

typedef enum { CG_DATASET_TRAIN, CG_DATASET_VALIDATION, CG_DATASET_TEST } CgDatasetSplit;
const char *cg_dataset_split_name(CgDatasetSplit split); /* "train", "validation", "test" */

/* How a mask file's values are to be read. */
typedef enum {
    CG_MASK_BINARY,  /* 0 and 255; cut at 128 */
    CG_MASK_SOFT,    /* values in between are usual in this data set; cut at 128 */
    CG_MASK_NONZERO, /* class numbers: all but 0 is defect */
} CgMaskRule;

/* Strings belong to the data set. */
typedef struct {
    const char *category; /* one pointer per category: comparable with == */
    const char *defect;   /* defect type, "good" for normal; one pointer per name */
    const char *image;    /* path, beginning with the data set's root */
    const char *mask;     /* path of a file, or of a folder whose pictures together are the mask
                           * (LOCO); NULL when there is none: most normal images */
    CgDatasetSplit split;
    CgMaskRule mask_rule;
} CgSample;

#define CG_DEFECT_GOOD "good"
gboolean cg_sample_is_good(const CgSample *sample);

typedef enum {
    CG_PROBLEM_UNPAIRED_MASK, /* a mask without image */
    CG_PROBLEM_MISSING_MASK,  /* a defective image without mask */
    CG_PROBLEM_STRAY,         /* a file or folder that the layout does not know */
    CG_PROBLEM_UNREADABLE,    /* a folder or file that cannot be read, or is corrupt */
    CG_PROBLEM_REFERENCE,     /* a table names what is not there, or a row makes no sense */
    CG_PROBLEM_NAME,          /* two files of one name */
    CG_PROBLEM_SIZE,          /* mask and image differ in size */
    CG_PROBLEM_MASK_VALUES,   /* not 0 and 255 */
    CG_PROBLEM_MASK_CONTENT,  /* empty for a defect, or not empty for a normal image */
    CG_PROBLEM_CHANNELS,      /* grey among colour, or a colour mask */
    CG_PROBLEM_DUPLICATE,     /* the same file in train and test */
    CG_PROBLEM_COUNT,
} CgProblemKind;
const char *cg_problem_kind_name(CgProblemKind kind); /* "unpaired-mask", ... */

typedef struct {
    CgProblemKind kind;
    char *path; /* begins with the root */
    char *text; /* what is wrong with it and what to do, without the path */
} CgProblem;

typedef struct {
    char *root; /* as given, without a slash at its end */
    CgLayout layout;
    GArray *samples;       /* CgSample, by category, split, defect ("good" first), image */
    GPtrArray *categories; /* const char *, in order of name */
    GPtrArray *problems;   /* CgProblem */
    gboolean drawn;        /* no official split: four fifths of the normal images were drawn for
                            * training, always the same ones; images of one part stay together */
    guint unlabelled;      /* images left out because nobody says what they show (MVTec AD 2's
                            * private test sets) */
    GStringChunk *strings;
} CgDataset;

/* PATH read as LAYOUT, or as the layout that it looks like. CG_ERROR_MISSING / CG_ERROR_IO when
 * PATH is no readable folder, CG_ERROR_FORMAT when it holds no images, fits no layout, or a table
 * (CSV, JSON) is broken. Links to folders are followed, but not in circles. */
CgDataset *cg_dataset_open(const char *path, CgLayout layout, GError **error);
void cg_dataset_free(CgDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDataset, cg_dataset_free)

static inline const CgSample *cg_dataset_sample(const CgDataset *dataset, guint i)
{
    return &g_array_index(dataset->samples, CgSample, i);
}

/* The category NAME, or with NULL the only one there is; a pointer of D's. CG_ERROR_MISSING or
 * CG_ERROR_USAGE, which tell what to do. */
const char *cg_dataset_choose_category(const CgDataset *dataset, const char *name, GError **error);

/* PATH (of a sample or problem) below the root: a pointer into PATH. */
const char *cg_dataset_relative(const CgDataset *dataset, const char *path);

/* good, ok, normal, ...: what normal images are called. */
gboolean cg_name_is_good(const char *name);
/* Bytes of the name of the image whose mask is NAME: "003_mask.png" -> "003". */
gsize cg_name_mask_stem(const char *name);

/* Name without its last extension. Free with g_free. */
char *cg_sample_stem(const CgSample *sample);

/* The sample's mask as grey 0 / 255, read by its rule; several files are united. A sample without
 * mask gets zeros of the image's size (a good one), or is CG_ERROR_MISSING (a defective one). The
 * size is the file's own: compare it with the image. */
CgImage *cg_sample_load_mask(const CgSample *sample, GError **error);

/* The paths of the mask's files: none, one or several (LOCO). Free with g_strfreev. */
char **cg_sample_mask_files(const CgSample *sample, GError **error);

#endif
