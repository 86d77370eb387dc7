/* group: pictures that are looked at together: the good ones of a data set, its defects, what one
 * method has made.
 *
 *     g_autoptr(CgGroup) g = cg_group_open("CAGen", "out/", CG_GROUP_DEFECTIVE, NULL, error);
 *     cg_group_thin_out(g, 500);
 *     cg_group_describe(g, classifier, TRUE, error);
 *     ... g->features ...
 */
#ifndef CG_PIPELINE_GROUP_H
#define CG_PIPELINE_GROUP_H

#include "embedding/features.h"
#include "image/image.h"
#include "pipeline/classifier.h"

typedef struct {
    char *image;   /* path */
    char *mask;    /* path; NULL: none */
    char *normal;  /* path of the picture it was made from, if its manifest says so; NULL */
    char *prompt;  /* NULL: none */
    gboolean lent; /* the mask is another picture's */
} CgGroupImage;

typedef struct {
    char *name;
    char *path;
    GPtrArray *images;    /* CgGroupImage; empty for a group of features alone */
    CgFeatures *features; /* [images]; NULL before cg_group_describe */
} CgGroup;

typedef enum { CG_GROUP_GOOD, CG_GROUP_DEFECTIVE } CgGroupKind;

/* PATH: a folder of results (with manifest.jsonl; what was put aside is left out) or a data set in
 * any layout, of which the pictures of KIND and CATEGORY (NULL: all) are taken; or a file of
 * features (.npy, .safetensors), then the group has no pictures. CG_ERROR_MISSING when there are
 * none. */
CgGroup *cg_group_open(const char *name, const char *path, CgGroupKind kind, const char *category,
                       GError **error);
void cg_group_free(CgGroup *group);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgGroup, cg_group_free)

static inline const CgGroupImage *cg_group_image(const CgGroup *g, guint i)
{
    return g_ptr_array_index(g->images, i);
}

/* Keeps at most COUNT members, taken evenly. */
void cg_group_thin_out(CgGroup *group, guint count);

/* Gives pictures without mask those of FROM in turn, so that parts around masks show both groups at
 * the same places. */
void cg_group_lend_masks(CgGroup *group, const CgGroup *from);

/* The picture cut to a square around its mask, half as large again and at least a quarter of the
 * longer side; the whole picture without MASK (NULL). */
CgImage *cg_group_crop(const CgImage *image, const CgImage *mask);

/* The side to which pictures are shrunk where their pixels are the features. */
#define CG_GROUP_PIXELS 16

/* Fills the features of a group that has pictures: the colours (0 to 1) of each, shrunk to
 * CG_GROUP_PIXELS; AROUND_MASKS: of the part around its mask. Runs on all threads. */
gboolean cg_group_describe_pixels(CgGroup *group, gboolean around_masks, GError **error);

/* The same by CLASSIFIER: what its network has before the last layer. With progress. */
gboolean cg_group_describe(CgGroup *group, const CgClassifier *classifier, gboolean around_masks,
                           GError **error);

#endif
