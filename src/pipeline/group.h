/* group: pictures that are looked at together: the good ones of a data set, its defects, what one
 * method has made.
 *
 *     g_autoptr(CgGroup) g = cg_group_open("CAGen", "out/", CG_GROUP_DEFECTIVE, NULL, error);
 *     cg_group_thin_out(g, 500);
 *     cg_group_describe(g, classifier, CG_VIEW_WINDOW, NULL, error);
 *     ... g->features ...
 */
#ifndef CG_PIPELINE_GROUP_H
#define CG_PIPELINE_GROUP_H

#include "embedding/features.h"
#include "image/image.h"
#include "models/lpips.h"
#include "pipeline/classifier.h"

typedef struct {
    char *image; /* path */
    char *category;
    char *name;    /* path within its category, "test/crack/000.png" */
    char *mask;    /* path; NULL: none */
    char *normal;  /* path of the picture it was made from, if its manifest says so; NULL */
    char *prompt;  /* NULL: none */
    gboolean lent; /* the mask is another picture's */
} CgGroupImage;

typedef struct {
    char *name;
    char *path;
    GPtrArray *images;    /* CgGroupImage, by category and name; empty: features alone */
    CgFeatures *features; /* [images]; NULL before cg_group_describe */
} CgGroup;

typedef enum { CG_GROUP_GOOD, CG_GROUP_DEFECTIVE } CgGroupKind;

/* PATH: a folder of results (cg_manifest_is_of_results; what was put aside is left out) or a data
 * set in any layout, of which the pictures of KIND and CATEGORY (NULL: all) are taken; or a file of
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

/* Gives pictures without mask those of FROM, so that parts around masks show both groups at the
 * same places. Which one, of its category where there are any, is drawn by the picture's name: it
 * does not depend on what else is in the group. */
void cg_group_lend_masks(CgGroup *group, const CgGroup *from);

/* MASK for IMAGE: as it is, or one that is LENT scaled to it. CG_ERROR_SHAPE, with the paths, when
 * the sizes differ otherwise. */
CgImage *cg_group_fit_mask(const CgImage *mask, const char *mask_path, const CgImage *image,
                           const char *image_path, gboolean lent, GError **error);

/* The picture cut to a square around its mask, half as large again and at least a quarter of the
 * longer side; the whole picture without MASK (NULL). */
CgImage *cg_group_crop(const CgImage *image, const CgImage *mask);

/* What of a picture is looked at. */
typedef enum {
    CG_VIEW_WHOLE,
    CG_VIEW_WINDOW, /* the part around its mask: cg_group_crop */
    CG_VIEW_MASKED, /* of it, what is in the mask; the rest has ImageNet's mean colour, which is
                       zero to networks */
    CG_VIEW_COUNT
} CgGroupView;
const char *cg_group_view_name(CgGroupView view); /* "whole", "window", "masked" */

/* Picture I as VIEW has it, RGB. Pictures without mask are whole in all views. CG_ERROR_SHAPE when
 * the mask has another size, unless it is lent. */
CgImage *cg_group_load(const CgGroup *group, guint i, CgGroupView view, GError **error);

/* The side to which pictures are shrunk where their pixels are the features. */
#define CG_GROUP_PIXELS 16

/* Fills the features of a group that has pictures, instead of those it has: the colours (0 to 1) of
 * each, shrunk to CG_GROUP_PIXELS. Runs on all threads. */
gboolean cg_group_describe_pixels(CgGroup *group, CgGroupView view, GError **error);

/* The same by CLASSIFIER: what its network has before the last layer. *LOGITS (nullable) of its
 * classes, [images, classes]. With progress. */
gboolean cg_group_describe(CgGroup *group, const CgClassifier *classifier, CgGroupView view,
                           CgTensor **logits, GError **error);

/* The LPIPS vectors of pictures squeezed to SIDE x SIDE, by LPIPS in f32. CG_ERROR_MEMORY when they
 * do not fit; with progress. */
CgFeatures *cg_group_perceive(const CgGroup *group, CgEngine *engine, const CgLpips *lpips,
                              int side, CgGroupView view, GError **error);

#endif
