/* tape: reverse-mode differentiation.
 *
 * While a tape is in the context, an op whose inputs are variables records how gradients flow back
 * through it, and keeps what that needs. A variable is a tensor with a node: a leaf of the store
 * (a parameter that is trained), a watched input, or what was computed from such. Everything else
 * is constant and costs nothing: below frozen parts no tape is kept.
 *
 *     g_autoptr(CgTape) tape = cg_tape_new(engine, store);
 *     cx.tape = tape;
 *     CgTensor *loss = ... ops on cx ...;
 *     gboolean ok = cg_tape_backward(tape, loss, 1, error);   -> gradients in the store
 *
 * A gradient has the type of its variable, a leaf's is f32. The first contribution to a variable is
 * kept as it is, further ones are added; leaves' gradients are always added to.
 */
#ifndef CG_AUTOGRAD_TAPE_H
#define CG_AUTOGRAD_TAPE_H

#include "autograd/store.h"
#include "engine/engine.h"

typedef struct CgTape CgTape;

/* ENGINE and STORE (nullable: nothing but watched inputs) must outlive the tape. */
CgTape *cg_tape_new(CgEngine *engine, CgStore *store);
void cg_tape_free(CgTape *tape);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgTape, cg_tape_free)
/* Forgets all records and gradients of variables; tensors made before are constants from now on and
 * must not be used with the tape again. */
void cg_tape_clear(CgTape *tape);

/* Makes the constant T a variable whose gradient is kept. */
void cg_tape_watch(CgTape *tape, CgTensor *t);
/* The gradient of a watched T after a backward, borrowed; NULL when nothing depended on it. */
CgTensor *cg_tape_gradient(const CgTape *tape, const CgTensor *t);

/* Gradients of SCALE * sum(T) with respect to all variables that T was computed from. The records
 * are used up. T without a node (nothing trained took part) gives no gradients and is no error.
 * FALSE when an engine failed or the run was cancelled. */
gboolean cg_tape_backward(CgTape *tape, CgTensor *t, double scale, GError **error);

/* Nodes. */
#define CG_NODE_LEAF ((guint64)1 << 63)
static inline guint64 cg_node_of_leaf(guint index)
{
    return CG_NODE_LEAF | index;
}
static inline gboolean cg_node_is_leaf(guint64 node)
{
    return (node & CG_NODE_LEAF) != 0;
}
static inline guint cg_node_leaf(guint64 node)
{
    return (guint)(node & 0xffffffffu);
}

/* What follows is for ops. */

#define CG_RECORD_KEEPS  4
#define CG_RECORD_INPUTS 4
#define CG_RECORD_DATA   192

typedef struct CgRecord CgRecord;
/* Hands the gradients of the inputs to cg_tape_give, from DY, that of the output, in its shape. */
typedef void (*CgBackward)(CgTape *tape, CgRecord *record, CgTensor *dy);

struct CgRecord {
    CgBackward backward;
    guint64 output;
    CgShape shape;                    /* of the output, and of DY: views give in their own */
    guint64 inputs[CG_RECORD_INPUTS]; /* nodes; 0: no gradient is wanted */
    CgTensor *keeps[CG_RECORD_KEEPS]; /* references to what the backward reads; NULL: none */
    guint64 data[CG_RECORD_DATA / 8]; /* the op's own numbers */
    guint kind;                       /* of the op, for the profile */
    double flops;                     /* of the backward */
};

/* TRUE when one of the COUNT nodes is a variable, so that the op has to record. */
gboolean cg_tape_wants(CgTape *tape, const guint64 *nodes, int count);
/* A new record that made OUTPUT, which gets its node. Valid until the next call. */
CgRecord *cg_tape_record(CgTape *tape, CgBackward backward, CgTensor *output);
/* Adds to the gradient of NODE (0: none); takes the reference G, of the node's count and type. */
void cg_tape_give(CgTape *tape, guint64 node, CgTensor *g);
/* Where kernels add a leaf's gradient; NULL when NODE is no leaf. Borrowed. */
CgTensor *cg_tape_leaf_gradient(CgTape *tape, guint64 node);
CgEngine *cg_tape_engine(CgTape *tape);
/* The first failure; kernels' error argument. */
GError **cg_tape_error(CgTape *tape);

/* Called around each record's backward when set: for profiles. */
typedef void (*CgTapeObserver)(void *data, const CgRecord *record, double seconds);
void cg_tape_observe(CgTape *tape, CgTapeObserver observer, void *data);

/* Recording off: ops that would record only leave a mark; returns whether one did since. For
 * segments whose inside is computed again in the backward. */
void cg_tape_suspend(CgTape *tape);
gboolean cg_tape_resume(CgTape *tape);
gboolean cg_tape_suspended(const CgTape *tape);
/* For such a segment's backward: gives DY to T and runs the records that were made since COUNT (of
 * cg_tape_count). */
guint cg_tape_count(const CgTape *tape);
void cg_tape_run(CgTape *tape, CgTensor *t, CgTensor *dy, guint count);
/* The gradient of a watched T, which is then watched no more; new reference or NULL. */
CgTensor *cg_tape_take(CgTape *tape, const CgTensor *t);

#endif
