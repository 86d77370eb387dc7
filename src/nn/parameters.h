/* parameters: how layers get their weights, by name.
 *
 * A model's layers are bound in one pass over its structure: each asks the binder for its tensors
 * by the diffusers name and the shape that the configuration implies. Where the tensors come from
 * is the source's business (a checkpoint, a generator, or nothing at all when the structure alone
 * is asked for). Problems are collected, so that a user sees all of them at once.
 */
#ifndef CG_NN_PARAMETERS_H
#define CG_NN_PARAMETERS_H

#include "nn/lora.h"
#include "ops/ops.h"

/* The tensor NAME, any float type, shaped as WANT; new reference. NULL after appending what is
 * wrong to PROBLEMS ("missing tensor ..."). Called once more with NAME NULL when binding is over,
 * for what can only be told then (tensors nobody asked for). */
typedef CgTensor *(*CgParameterLookup)(void *source, const char *name, const CgShape *want,
                                       GPtrArray *problems);
/* Called for each parameter when only the structure is asked for. */
typedef void (*CgParameterVisit)(void *data, const char *name, const CgShape *shape);
/* Whether the parameter NAME is trained. */
typedef gboolean (*CgParameterFilter)(const char *name);

/* The memory that packed weights will take. */
typedef struct {
    guint count;     /* of weights */
    guint64 fixed;   /* packed once and for good */
    guint64 largest; /* of those that are packed at each use, one at a time */
    guint64 sources; /* of the latter, what is no view of a file or store */
} CgPackedBytes;
/* TO with FROM's as well. */
void cg_packed_bytes_add(CgPackedBytes *to, const CgPackedBytes *from);

/* What a model owns: its packed weights and vectors. */
typedef struct {
    CgEngine *engine; /* borrowed: must outlive the set */
    GPtrArray *weights;
    GPtrArray *trained; /* of the weights, those that change */
    GPtrArray *tensors;
    GPtrArray *additions; /* of CgLowRank */
    guint64 count;        /* numbers in all parameters of the file */
    CgPackedBytes packed;
} CgParameterSet;

/* What a model is built from. */
typedef struct {
    CgEngine *engine; /* borrowed: must outlive the model */
    CgDType dtype;    /* what layers compute in */
    CgParameterLookup lookup;
    void *source;
    const char *where; /* names the weights in errors */
    /* Weights are packed from their source at each use: for what is seldom run, or too large. */
    gboolean unpacked;
    /* Training: gradients flow through the model .. */
    gboolean differentiable;
    /* .. and to its parameters, which are put into STORE (borrowed, outlives the model). NULL: the
     * model is frozen. */
    CgStore *store;
    /* Of a model with a store: which parameters; NULL: all. The others stay as they are in their
     * file and cost neither gradients nor moments. */
    CgParameterFilter trains;
    /* .. and additions to its linear layers, which are trained too (copied; see nn/lora.h). */
    CgLora lora;
} CgBuild;

typedef struct {
    CgParameterSet *set; /* gets what is created; NULL: structure only */
    CgBuild build;       /* lookup NULL: structure only */
    CgParameterVisit visit;
    void *visit_data;
    GPtrArray *problems; /* of char *, owned */
} CgBinder;

/* For cg_binder_init_visit: how much there is; DATA is a CgParameterCount. */
typedef struct {
    size_t count, total; /* parameters; numbers in them */
} CgParameterCount;
void cg_parameter_count_visit(void *data, const char *name, const CgShape *shape);

void cg_parameter_set_init(CgParameterSet *set, CgEngine *engine);
void cg_parameter_set_clear(CgParameterSet *set);
/* The store's numbers have changed: layers pack them again at their next use. */
void cg_parameter_set_changed(CgParameterSet *set);

/* SET is initialised here and belongs to the model; NULL: only the lookup is asked. */
void cg_binder_init(CgBinder *b, CgParameterSet *set, const CgBuild *build);
void cg_binder_init_visit(CgBinder *b, CgParameterVisit visit, void *data);
/* TRUE when there were no problems; else CG_ERROR_SHAPE with all of them in one message that
 * begins with the build's WHERE. Clears B either way. */
gboolean cg_binder_finish(CgBinder *b, GError **error);

#define CG_MAX_STACK 3

/* What is added to a linear layer, to each of COUNT parts of its output: scale * up(down(x)). */
typedef struct {
    int count, rank;
    float scale;
    CgKernel down[CG_MAX_STACK], up[CG_MAX_STACK]; /* [rank, in], [out / count, rank] */
} CgLowRank;

/* y = x w^T + b */
typedef struct {
    int in, out;
    CgKernel kernel;
    CgLowRank *addition; /* NULL: none; the set's */
} CgLinear;

typedef struct {
    CgConvGeometry geometry;
    CgKernel kernel;
    CgTensor *bias; /* f32 [c_out], or NULL: the weight's own, for adding a time embedding to it */
} CgConv;

/* Scale and shift of a group or layer norm. */
typedef struct {
    CgTensor *gamma, *beta; /* f32 [c] */
} CgNorm;

/* Scale, shift and running statistics of a batch norm. */
typedef struct {
    CgTensor *gamma, *beta;    /* f32 [c] */
    CgTensor *mean, *variance; /* f32 [c]; buffers of the store when there is one */
} CgBatchNorm;

/* PREFIX.weight [out, in] and, with BIAS, PREFIX.bias. */
void cg_bind_linear(CgBinder *b, CgLinear *layer, const char *prefix, int in, int out,
                    gboolean bias);
/* The same for what is a 1x1 convolution in the file: PREFIX.weight [out, in, 1, 1]. */
void cg_bind_pointwise(CgBinder *b, CgLinear *layer, const char *prefix, int in, int out,
                       gboolean bias);
/* COUNT (at most CG_MAX_STACK) matrices [out, in] of one input as one [count * out, in]: queries,
 * keys, values. */
void cg_bind_linear_stack(CgBinder *b, CgLinear *layer, const char *const *prefixes, int count,
                          int in, int out, gboolean bias);
/* PREFIX.weight [c_out, c_in, k, k] and, with BIAS, PREFIX.bias; zero padding PAD all round. */
void cg_bind_conv(CgBinder *b, CgConv *layer, const char *prefix, int c_in, int c_out, int k,
                  int stride, int pad, gboolean bias);
/* The same with any geometry. */
void cg_bind_conv_geometry(CgBinder *b, CgConv *layer, const char *prefix,
                           const CgConvGeometry *geometry, gboolean bias);
void cg_bind_norm(CgBinder *b, CgNorm *layer, const char *prefix, int c);
/* PREFIX.weight, .bias, .running_mean, .running_var. */
void cg_bind_batch_norm(CgBinder *b, CgBatchNorm *layer, const char *prefix, int c);
/* A plain tensor in its file's type, borrowed from the set; NULL in structure mode or if missing.
 */
CgTensor *cg_bind_tensor(CgBinder *b, const char *name, CgShape shape);

#endif
