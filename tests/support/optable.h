/* optable: one table of engine operations, for tests and for the bench.
 *
 * A row says what is computed on which shapes; from it come the inputs (pseudo.h, so never zeros
 * and the same everywhere), the call, and the number of operations. test_ops_table compares every
 * engine with the reference on every row that is not large; bench_ops measures the large ones. To
 * add a case, add a row in optable.c.
 *
 *     OpRun *run = optable_prepare(row, engine, CG_F32);
 *     optable_reset(run);
 *     gboolean ok = optable_execute(run, &error);
 *     CgTensor *y = optable_output(run);
 */
#ifndef TESTS_SUPPORT_OPTABLE_H
#define TESTS_SUPPORT_OPTABLE_H

#include "engine/engine.h"

typedef enum {
    OP_CONV,
    OP_LINEAR,
    OP_ATTENTION,
    OP_GROUP_NORM,
    OP_LAYER_NORM,
    OP_ACTIVATE,
    OP_GEGLU,
    OP_ADD,
    OP_ADD_CHANNELS,
    OP_UPSAMPLE,
    OP_CONCAT,
    OP_SOFTMAX,
    OP_CAST, /* to the other one of f32 and bf16 */
    OP_SCALE,
    OP_BATCH_NORM,       /* with running statistics, which optable_output appends */
    OP_BATCH_NORM_FIXED, /* given statistics */
    OP_BILINEAR,
    OP_MAX_POOL,
    OP_AVERAGE_POOL,
} OpTableKind;

typedef struct {
    const char *name; /* unique; the inputs follow from it */
    OpTableKind op;
    gboolean large;         /* measured, not compared: too much for the reference */
    CgShape x;              /* of the first input; attention: [n, tq, heads, head_dim] */
    double mean, deviation; /* of the first input; deviation 0 stands for 1 */
    gboolean in_place;      /* y is the first input, or the residual if there is one */
    CgActivation act;
    /* conv and linear */
    int out;            /* c_out; concat: channels of the second input */
    int kernel, stride; /* also of max pooling; 0 stands for 1 */
    int pad[4];         /* top, bottom, left, right; max pooling: the first */
    gboolean residual, no_bias;
    gboolean other_bias; /* a bias given with the call */
    CgDType weight_type; /* of the stored weight */
    /* attention */
    int tk;
    gboolean causal;
    int gap; /* elements between the rows */
    /* norms; add and scale: scale */
    int groups;
    float eps, scale;
    int to_h, to_w; /* upsample */
    /* oneDNN splits some small shapes by the number of threads (a tiny image of many channels; one
     * row without AVX2), which changes the order of the sums: the last bits may differ. */
    gboolean threads_round;
    gboolean one_vector; /* add_channels: v [1, c] for all samples */
} OpCase;

const OpCase *optable_cases(guint *count);

typedef struct OpRun OpRun;

/* Makes inputs, weights and output. DTYPE is the type of the activations. */
OpRun *optable_prepare(const OpCase *c, CgEngine *engine, CgDType dtype);
/* Fills the output with NaN, or with the input when it is in place. */
void optable_reset(OpRun *run);
gboolean optable_execute(OpRun *run, GError **error);
/* The result as new f32 [count], and running statistics behind it; what lies between strided rows
 * must be untouched. */
CgTensor *optable_output(const OpRun *run);
void optable_free(OpRun *run);

/* The engines' backward kernels are checked and measured from the same rows: for a random dy, the
 * gradient of sum(dy y) by each input that has one.
 *
 *     optable_backward_prepare(run);
 *     ... optable_reset, optable_execute: some backward kernels need results of the forward
 *     optable_backward_reset(run);
 *     gboolean ok = optable_backward(run, &error);
 *     for (guint i = 0; i < optable_gradient_count(run); i++)
 *         CgTensor *g = optable_gradient(run, i);
 */

/* FALSE: there is no kernel for it, or the row is about an epilogue, which backward has no part
 * in. */
gboolean optable_has_backward(const OpCase *c);
/* Before the first execution. */
void optable_backward_prepare(OpRun *run);
/* Gradients of data become NaN, or dy when the row is in place; those of parameters get numbers
 * that the kernels must add to. */
void optable_backward_reset(OpRun *run);
gboolean optable_backward(OpRun *run, GError **error);
guint optable_gradient_count(const OpRun *run);
/* "dx", "dw", ... */
const char *optable_gradient_name(const OpRun *run, guint i);
/* Gradient I as new f32 [count]; of parameters, what was added. */
CgTensor *optable_gradient(const OpRun *run, guint i);
/* Of f32 runs: the input that gradient I belongs to, as new f32 [count]; and other numbers for it.
 */
CgTensor *optable_input(const OpRun *run, guint i);
void optable_input_set(OpRun *run, guint i, const CgTensor *values);
/* sum(dy y) after an execution. */
double optable_loss(const OpRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OpRun, optable_free)

/* Multiplications and additions of one execution, and bytes that must be read and written. */
double optable_flops(const OpCase *c);
double optable_bytes(const OpCase *c, CgDType dtype);
double optable_backward_flops(const OpCase *c);
double optable_backward_bytes(const OpCase *c, CgDType dtype);

#endif
