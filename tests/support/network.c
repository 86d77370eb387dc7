#include "support/network.h"

#include "support/fixture.h"
#include "support/pseudo.h"

#include <math.h>
#include <string.h>

/* Room for the networks in small. */
#define NUMBERS ((size_t)1 << 20)

/* Whether NAME is the shift of a norm: the bias after a weight of one dimension. */
static gboolean is_shift(TestNetwork *n, const char *name, const CgShape *want)
{
    if (g_str_has_suffix(name, ".weight"))
        n->after_norm = want->rank == 1;
    return n->after_norm && g_str_has_suffix(name, ".bias");
}

static CgTensor *running(const TestNetwork *n, const char *name, const CgShape *want)
{
    g_autofree char *full = g_strconcat(n->name, "/", name, NULL);
    const gboolean is_mean = g_str_has_suffix(name, "mean");
    const double scale = n->store ? 0 : is_mean ? 0.1 : 0.5;
    CgTensor *t = cg_tensor_new(CG_F32, *want);
    cg_pseudo_fill(full, scale, !is_mean, cg_tensor_f32(t), t->count);
    return t;
}

static CgTensor *lookup(void *source, const char *name, const CgShape *want, GPtrArray *problems)
{
    TestNetwork *n = source;
    if (!name)
        return NULL;
    if (strstr(name, "running_"))
        return running(n, name, want);
    CgTensor *t = test_pseudo_lookup((void *)(guintptr)n->name, name, want, problems);
    const gboolean shifted = is_shift(n, name, want);
    for (size_t i = 0; shifted && i < t->count; i++)
        cg_tensor_f32(t)[i] += (float)n->shift;
    return t;
}

void test_network_init(TestNetwork *n, const char *fixture, const char *name, double shift,
                       CgEngine *(*engine_new)(void), gboolean trains)
{
    *n = (TestNetwork){.expected = test_fixture_open(fixture),
                       .engine = engine_new(),
                       .store = trains ? cg_store_new(NUMBERS) : NULL,
                       .name = name,
                       .shift = shift};
    n->build = (CgBuild){.engine = n->engine,
                         .dtype = CG_F32,
                         .lookup = lookup,
                         .source = n,
                         .where = "pseudo weights",
                         .store = n->store};
    n->tape = trains ? cg_tape_new(n->engine, n->store) : NULL;
    cg_context_init(&n->cx, n->engine, CG_F32);
    n->cx.tape = n->tape;
}

void test_network_clear(TestNetwork *n)
{
    if (n->tape)
        cg_tape_free(n->tape);
    cg_context_clear(&n->cx);
    cg_store_free(n->store);
    cg_engine_free(n->engine);
    cg_safetensors_free(n->expected);
}

void test_network_backward(TestNetwork *n, CgTensor *loss)
{
    g_autoptr(GError) error = NULL;
    cg_context_ok(&n->cx, &error);
    g_assert_no_error(error);
    cg_tape_backward(n->tape, loss, 1, &error);
    g_assert_no_error(error);
}

void test_network_assert(const TestNetwork *n, const char *key, const CgParameter *parameter,
                         const CgTensor *block, double limit, double zero)
{
    g_autoptr(CgTensor) expected = test_fixture_tensor(n->expected, key);
    const float *e = cg_tensor_f32(expected);
    const double distance = test_projected_distance(
        parameter->name, cg_tensor_f32(block) + parameter->offset, parameter->count, e + 1);
    if (!(distance <= zero + limit * (double)e[0]))
        g_error("%s: of norm %g, %g away", key, (double)e[0], distance);
}

void test_moments(const CgTensor *t, double *mean, double *deviation)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < t->count; i++) {
        sum += (double)cg_tensor_f32(t)[i];
        square += (double)cg_tensor_f32(t)[i] * (double)cg_tensor_f32(t)[i];
    }
    *mean = sum / (double)t->count;
    *deviation = sqrt(square / (double)t->count - *mean * *mean);
}
