/* ops: the operations that models are written in.
 *
 * An op takes a context and tensors and returns a new tensor that the caller owns. Engine failures
 * and cancellation are sticky: the context keeps the first error, further ops do nothing (and
 * return tensors of the right shape with undefined content), and whoever called the model asks
 * cg_context_ok() once at the end. Shape mismatches are programming errors and abort.
 *
 * With a tape in the context an op records its backward when one of its inputs is a variable.
 */
#ifndef CG_OPS_OPS_H
#define CG_OPS_OPS_H

#include "autograd/tape.h"

/* Time and work by kind, for the bench and for --verbose. */
typedef enum {
    CG_OP_CONV,
    CG_OP_LINEAR,
    CG_OP_ATTENTION,
    CG_OP_NORM,
    CG_OP_POINTWISE,
    CG_OP_MOVE,
    CG_OP_KINDS
} CgOpKind;
const char *cg_op_kind_name(CgOpKind kind);

typedef struct {
    double seconds[CG_OP_KINDS];
    double flops[CG_OP_KINDS]; /* multiply and add counted as two */
    guint64 calls[CG_OP_KINDS];
} CgProfile;

typedef struct {
    CgEngine *engine;
    CgDType dtype;      /* of activations: f32 or bf16 */
    GError *error;      /* the first failure, or NULL */
    CgProfile *profile; /* filled when not NULL */
    CgTape *tape;       /* borrowed; NULL: nothing is recorded */
    gboolean recompute; /* segments (cg_recompute) keep their inputs alone for the backward */
    gboolean again;     /* such a segment is being computed again */
} CgContext;

void cg_context_init(CgContext *cx, CgEngine *engine, CgDType dtype);
void cg_context_clear(CgContext *cx);
/* TRUE when nothing failed; else moves the error out and makes the context usable again. */
gboolean cg_context_ok(CgContext *cx, GError **error);

/* The weights of a convolution or linear layer: as the engine packed them, and the numbers
 * themselves where they are trained. */
typedef struct {
    CgWeight *packed;
    CgTensor *w, *bias; /* leaves of a store; NULL: frozen, or no bias */
} CgKernel;

/* y = act(sum + bias) + residual. in_place: residual has no other user, and may be written over. */
typedef struct {
    CgTensor *bias; /* f32 [c_out] instead of the layer's own */
    CgTensor *residual;
    gboolean in_place;
    CgActivation act;
} CgEpilogue;
#define CG_PLAIN ((CgEpilogue){0})

/* x [n, h, w, c_in] -> [n, h', w', c_out]. */
CgTensor *cg_conv2d(CgContext *cx, const CgConvGeometry *g, const CgKernel *k, CgTensor *x,
                    CgEpilogue ep);
/* x [.., in] -> [.., out]. */
CgTensor *cg_linear(CgContext *cx, int out, const CgKernel *k, CgTensor *x, CgEpilogue ep);
/* Queries q [n, tq, heads * d], keys and values side by side in kv [n, tk, 2 * heads * d]
 * -> [n, tq, heads * d]; scale 1 / sqrt(d). */
CgTensor *cg_attention_kv(CgContext *cx, CgTensor *q, CgTensor *kv, int heads);
/* Self-attention: queries, keys, values side by side in qkv [n, t, 3 * heads * d]. */
CgTensor *cg_attention_qkv(CgContext *cx, CgTensor *qkv, int heads, gboolean causal);
CgTensor *cg_group_norm(CgContext *cx, CgTensor *x, int groups, float eps, CgTensor *gamma,
                        CgTensor *beta, CgActivation act);
CgTensor *cg_layer_norm(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma, CgTensor *beta);
/* Over a batch x [n, .., c], as the engine's batch_norm; the running statistics (f32 [c], or NULL)
 * move. */
CgTensor *cg_batch_norm(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma, CgTensor *beta,
                        CgActivation act, float momentum, CgTensor *running_mean,
                        CgTensor *running_variance);
/* With given statistics; records nothing, so none of its inputs may be a variable. */
CgTensor *cg_batch_norm_fixed(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma,
                              CgTensor *beta, CgActivation act, const CgTensor *mean,
                              const CgTensor *variance);
CgTensor *cg_activate(CgContext *cx, CgActivation act, CgTensor *x);
CgTensor *cg_geglu(CgContext *cx, CgTensor *x);
/* a + scale * b. */
CgTensor *cg_add(CgContext *cx, CgTensor *a, CgTensor *b, float scale);
/* The same, written over A, which must have no other user; returns a new reference to A. Where a
 * tape needs A's numbers the result is a new tensor. */
CgTensor *cg_add_in_place(CgContext *cx, CgTensor *a, CgTensor *b, float scale);
/* factor * x; a new reference when it is 1. */
CgTensor *cg_scale(CgContext *cx, CgTensor *x, float factor);
/* x [n, .., c] + v [n or 1, c] (f32), written over X likewise. */
CgTensor *cg_add_channels_in_place(CgContext *cx, CgTensor *x, CgTensor *v);
/* x [n, .., .., c] -> [n, h, w, c]. */
CgTensor *cg_upsample_nearest(CgContext *cx, CgTensor *x, int64_t h, int64_t w);
/* The same; corners fall on corners. */
CgTensor *cg_upsample_bilinear(CgContext *cx, CgTensor *x, int64_t h, int64_t w);
CgTensor *cg_max_pool2d(CgContext *cx, const CgPoolGeometry *g, CgTensor *x);
/* x [n, .., c] -> [n, c]: the mean over all positions. */
CgTensor *cg_average_pool(CgContext *cx, CgTensor *x);
CgTensor *cg_concat(CgContext *cx, CgTensor *a, CgTensor *b);
/* To DTYPE; a new reference when it already is. */
CgTensor *cg_cast(CgContext *cx, CgTensor *x, CgDType dtype);

/* Rows IDS [n * t] of TABLE [rows, c], plus row i % t of POSITIONS [t or more, c]: -> f32 [n, t,
 * c]. Both in any float type. */
CgTensor *cg_embedding(CgContext *cx, CgTensor *table, CgTensor *positions, const gint32 *ids,
                       int n, int t);

/* A part of a network: a function of at most CG_RECORD_KEEPS tensors and of LAYER, which both must
 * give the same result when called again. */
typedef CgTensor *(*CgSegment)(CgContext *cx, const void *layer, CgTensor *const *inputs);
/* SEGMENT's result. With a tape and the context's recompute, its inside is not recorded but
 * computed again in the backward: memory for its inputs alone, one more forward of time. LAYER must
 * live until then; inputs may be NULL. */
CgTensor *cg_recompute(CgContext *cx, CgSegment segment, const void *layer, CgTensor *const *inputs,
                       int count);

#endif
