/* lpips: how different two pictures look (Zhang et al. 2018, "The unreasonable effectiveness of
 * deep features as a perceptual metric"; the lpips package, version 0.1 of its linear heads).
 *
 * With f_l the activations of layer l of a classifier, each place's divided by their length, and
 * w_l >= 0 the weights of the head of that layer,
 *
 *     d(x, y) = sum over l of mean over places of sum over channels of w_lc (f_lc(x) - f_lc(y))^2.
 *
 * That is the squared Euclidean distance of two vectors, each of one picture alone:
 * sqrt(w_lc / places) f_lc. These are what is computed here; all that is asked of pairs follows.
 *
 * Parameters have the names of torchvision's AlexNet or VGG-16 ("features.0.weight") and of the
 * heads that the lpips package comes with ("lin0.model.1.weight").
 */
#ifndef CG_MODELS_LPIPS_H
#define CG_MODELS_LPIPS_H

#include "nn/layers.h"

#define CG_LPIPS_LAYERS   5
#define CG_LPIPS_MIN_SIDE 64

typedef enum { CG_LPIPS_ALEXNET, CG_LPIPS_VGG16 } CgLpipsTrunk;

typedef struct {
    CgLpipsTrunk trunk;
    CgParameterSet parameters;
    CgConv convs[13];
    CgTensor *heads[CG_LPIPS_LAYERS]; /* w_l [1, c, 1, 1], the set's */
    float *roots[CG_LPIPS_LAYERS];    /* their square roots [c] */
} CgLpips;

/* Binds all layers to B (structure only when B has no set). */
void cg_bind_lpips(CgBinder *b, CgLpips *l);
/* CG_ERROR_FORMAT when a head has a negative number. */
CgLpips *cg_lpips_new(const CgBuild *build, CgLpipsTrunk trunk, GError **error);
/* From COUNT files: one with the trunk, which says which of the two it is, and one with the heads,
 * or both in one. A trunk's own classifier is passed over. */
CgLpips *cg_lpips_open(CgEngine *engine, CgDType dtype, const char *const *paths, guint count,
                       GError **error);
void cg_lpips_free(CgLpips *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgLpips, cg_lpips_free)

const char *cg_lpips_name(const CgLpips *l); /* "AlexNet" */

/* Numbers in the vector of a picture of SIDE x SIDE. */
size_t cg_lpips_vector_size(const CgLpips *l, int side);
/* PICTURES [n, side, side, 3] f32 in [-1, 1], red first, at least CG_LPIPS_MIN_SIDE -> VECTORS
 * [n, cg_lpips_vector_size]. FALSE with the context's error. */
gboolean cg_lpips_describe(CgContext *cx, const CgLpips *l, CgTensor *pictures, float *vectors,
                           GError **error);

#endif
