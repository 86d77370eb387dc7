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
    int kernel, stride; /* 0 stands for 1 */
    int pad[4];         /* top, bottom, left, right */
    gboolean residual, no_bias;
    gboolean other_bias; /* a bias given with the call */
    CgDType weight_type; /* of the stored weight */
    /* attention */
    int tk;
    gboolean causal;
    int gap; /* elements between the rows */
    /* norms; add: scale */
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
/* The result as new f32 [count]; what lies between strided rows must be untouched. */
CgTensor *optable_output(const OpRun *run);
void optable_free(OpRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OpRun, optable_free)

/* Multiplications and additions of one execution, and bytes that must be read and written. */
double optable_flops(const OpCase *c);
double optable_bytes(const OpCase *c, CgDType dtype);

#endif
