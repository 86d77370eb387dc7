#include "autograd/tape.h"

#include "base/system.h"

#include <string.h>

/* A variable that is no leaf. */
typedef struct {
    CgTensor *gradient; /* so far; NULL: none */
    gboolean watched;
} Variable;

struct CgTape {
    CgEngine *engine;
    CgStore *store;
    GArray *records;   /* of CgRecord */
    GArray *variables; /* of Variable */
    guint32 epoch;     /* which life of the tape: nodes of an earlier one are a mistake */
    GError *error;
    gboolean suspended, touched;
    CgTapeObserver observer;
    void *observer_data;
};

static void record_clear(CgRecord *r)
{
    for (int i = 0; i < CG_RECORD_KEEPS; i++)
        g_clear_pointer(&r->keeps[i], cg_tensor_unref);
}

CgTape *cg_tape_new(CgEngine *engine, CgStore *store)
{
    CgTape *tape = g_new0(CgTape, 1);
    tape->engine = engine;
    tape->store = store;
    tape->records = g_array_new(FALSE, FALSE, sizeof(CgRecord));
    tape->variables = g_array_new(FALSE, TRUE, sizeof(Variable));
    tape->epoch = 1;
    return tape;
}

static void drop_records(CgTape *tape, guint count)
{
    for (guint i = count; i < tape->records->len; i++)
        record_clear(&g_array_index(tape->records, CgRecord, i));
    g_array_set_size(tape->records, count);
}

void cg_tape_clear(CgTape *tape)
{
    drop_records(tape, 0);
    for (guint i = 0; i < tape->variables->len; i++)
        g_clear_pointer(&g_array_index(tape->variables, Variable, i).gradient, cg_tensor_unref);
    g_array_set_size(tape->variables, 0);
    g_clear_error(&tape->error);
    tape->epoch++;
}

void cg_tape_free(CgTape *tape)
{
    if (!tape)
        return;
    cg_tape_clear(tape);
    g_array_unref(tape->records);
    g_array_unref(tape->variables);
    g_free(tape);
}

/* The epoch, then the variable's number, neither with the leaves' bit. */
static guint64 variable_new(CgTape *tape, gboolean watched)
{
    const Variable v = {.watched = watched};
    g_array_append_val(tape->variables, v);
    return (guint64)(tape->epoch & 0x7fffffff) << 32 | tape->variables->len;
}

static Variable *variable(const CgTape *tape, guint64 node)
{
    const guint index = (guint)(node & 0xffffffffu) - 1;
    if (node >> 32 != (tape->epoch & 0x7fffffff) || index >= tape->variables->len)
        g_error("a tensor of an earlier tape in this one");
    return &g_array_index(tape->variables, Variable, index);
}

void cg_tape_watch(CgTape *tape, CgTensor *t)
{
    g_assert(t->node == 0);
    t->node = variable_new(tape, TRUE);
}

CgTensor *cg_tape_gradient(const CgTape *tape, const CgTensor *t)
{
    return variable(tape, t->node)->gradient;
}

CgTensor *cg_tape_take(CgTape *tape, const CgTensor *t)
{
    Variable *v = variable(tape, t->node);
    v->watched = FALSE;
    return g_steal_pointer(&v->gradient);
}

gboolean cg_tape_wants(CgTape *tape, const guint64 *nodes, int count)
{
    gboolean any = FALSE;
    for (int i = 0; i < count; i++)
        any = any || nodes[i] != 0;
    if (!any || !tape->suspended)
        return any;
    tape->touched = TRUE;
    return FALSE;
}

CgRecord *cg_tape_record(CgTape *tape, CgBackward backward, CgTensor *output)
{
    CgRecord r = {.backward = backward, .shape = output->shape};
    r.output = output->node = variable_new(tape, FALSE);
    g_array_append_val(tape->records, r);
    return &g_array_index(tape->records, CgRecord, tape->records->len - 1);
}

CgTensor *cg_tape_leaf_gradient(CgTape *tape, guint64 node)
{
    if (!cg_node_is_leaf(node))
        return NULL;
    return g_ptr_array_index(tape->store->leaf_gradients, cg_node_leaf(node));
}

/* A += B, in place where nobody else looks at A. */
static CgTensor *sum(CgEngine *e, CgTensor *a, CgTensor *b)
{
    if (!cg_tensor_is_shared(a)) {
        e->ops->add(e, a, b, 1, a);
        return cg_tensor_ref(a);
    }
    CgTensor *y = e->ops->tensor(e, a->dtype, a->shape);
    e->ops->add(e, a, b, 1, y);
    return y;
}

static void give_leaf(CgTape *tape, guint64 node, CgTensor *g)
{
    CgEngine *e = tape->engine;
    CgTensor *to = cg_tape_leaf_gradient(tape, node);
    g_autoptr(CgTensor) f = cg_tensor_ref(g);
    if (g->dtype != CG_F32) {
        CG_SET(f, e->ops->tensor(e, CG_F32, g->shape));
        e->ops->cast(e, g, f);
    }
    CG_SET(f, cg_tensor_reshape(f, to->shape));
    e->ops->add(e, to, f, 1, to);
}

void cg_tape_give(CgTape *tape, guint64 node, CgTensor *g)
{
    g_autoptr(CgTensor) owned = g;
    if (node == 0)
        return;
    if (cg_node_is_leaf(node)) {
        give_leaf(tape, node, g);
        return;
    }
    Variable *v = variable(tape, node);
    if (!v->gradient) {
        v->gradient = g_steal_pointer(&owned);
        return;
    }
    g_autoptr(CgTensor) same = cg_tensor_reshape(g, v->gradient->shape);
    CG_SET(v->gradient, sum(tape->engine, v->gradient, same));
}

CgEngine *cg_tape_engine(CgTape *tape)
{
    return tape->engine;
}

GError **cg_tape_error(CgTape *tape)
{
    return &tape->error;
}

void cg_tape_observe(CgTape *tape, CgTapeObserver observer, void *data)
{
    tape->observer = observer;
    tape->observer_data = data;
}

static void run_record(CgTape *tape, CgRecord *r)
{
    Variable *v = variable(tape, r->output);
    g_autoptr(CgTensor) dy = g_steal_pointer(&v->gradient);
    if (!dy || tape->error || !cg_cancel_check(&tape->error))
        return;
    if (!cg_shape_equal(&dy->shape, &r->shape))
        CG_SET(dy, cg_tensor_reshape(dy, r->shape));
    const double begin = tape->observer ? cg_seconds() : 0;
    r->backward(tape, r, dy);
    if (tape->observer)
        tape->observer(tape->observer_data, r, cg_seconds() - begin);
}

/* Records from the last down to COUNT; a record's backward may make and use up further ones. */
static void run(CgTape *tape, guint count)
{
    while (tape->records->len > count) {
        CgRecord r = g_array_index(tape->records, CgRecord, tape->records->len - 1);
        g_array_set_size(tape->records, tape->records->len - 1);
        run_record(tape, &r);
        record_clear(&r);
    }
}

gboolean cg_tape_backward(CgTape *tape, CgTensor *t, double scale, GError **error)
{
    if (t->node == 0)
        return TRUE;
    g_assert(!tape->suspended);
    CgTensor *seed = tape->engine->ops->tensor(tape->engine, t->dtype, t->shape);
    g_autoptr(CgTensor) ones = cg_tensor_new(CG_F32, t->shape);
    for (size_t i = 0; i < ones->count; i++)
        cg_tensor_f32(ones)[i] = (float)scale;
    tape->engine->ops->cast(tape->engine, ones, seed);
    cg_tape_give(tape, t->node, seed);
    run(tape, 0);
    if (!tape->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&tape->error));
    return FALSE;
}

void cg_tape_suspend(CgTape *tape)
{
    g_assert(!tape->suspended);
    tape->suspended = TRUE;
    tape->touched = FALSE;
}

gboolean cg_tape_resume(CgTape *tape)
{
    g_assert(tape->suspended);
    tape->suspended = FALSE;
    return tape->touched;
}

gboolean cg_tape_suspended(const CgTape *tape)
{
    return tape->suspended;
}

guint cg_tape_count(const CgTape *tape)
{
    return tape->records->len;
}

void cg_tape_run(CgTape *tape, CgTensor *t, CgTensor *dy, guint count)
{
    cg_tape_give(tape, t->node, cg_tensor_ref(dy));
    run(tape, count);
}
