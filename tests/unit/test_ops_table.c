/* Every engine on every row of support/optable.c. */
#include "base/system.h"
#include "engine/cpu/kernels.h"
#include "support/optable.h"

#include <math.h>

static double limit(CgDType dtype)
{
    return dtype == CG_F32 ? 1e-5 : 1e-2;
}

static CgTensor *result(const OpCase *c, CgEngine *engine, CgDType dtype)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OpRun) run = optable_prepare(c, engine, dtype);
    /* Twice: the second time finds packed weights and used memory. */
    for (int i = 0; i < 2; i++) {
        optable_reset(run);
        gboolean ok = optable_execute(run, &error);
        g_assert_no_error(error);
        g_assert_true(ok);
    }
    return optable_output(run);
}

/* ||a - b|| / ||b||; NaN when there is one in A. */
static double relative_error(const CgTensor *a, const CgTensor *b)
{
    double difference = 0, norm = 0;
    g_assert_cmpuint(a->count, ==, b->count);
    for (size_t i = 0; i < a->count; i++) {
        double d = (double)cg_tensor_f32(a)[i] - (double)cg_tensor_f32(b)[i];
        difference += d * d;
        norm += (double)cg_tensor_f32(b)[i] * (double)cg_tensor_f32(b)[i];
    }
    g_assert_true(norm > 0);
    return sqrt(difference / norm);
}

typedef struct {
    const OpCase *c;
    CgDType dtype;
} Row;

static void test_cpu_equals_ref(gconstpointer data)
{
    const Row *row = data;
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
    g_autoptr(CgTensor) want = result(row->c, ref, row->dtype);
    g_autoptr(CgTensor) got = result(row->c, cpu, row->dtype);
    double error = relative_error(got, want);
    g_test_message("relative error %.2e", error);
    if (!(error <= limit(row->dtype))) /* also for NaN */
        g_test_fail();
}

static void test_threads_change_nothing(gconstpointer data)
{
    const Row *row = data;
    g_autoptr(CgTensor) first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        cg_threads_set(threads);
        g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
        g_autoptr(CgTensor) y = result(row->c, cpu, row->dtype);
        if (!first)
            first = g_steal_pointer(&y);
        else if (memcmp(y->data, first->data, cg_tensor_bytes(y)) != 0 &&
                 !(row->c->threads_round && relative_error(y, first) <= limit(row->dtype)))
            g_test_fail_printf("%d threads: relative difference %.2e", threads,
                               relative_error(y, first));
    }
    cg_threads_set(0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guint count;
    const OpCase *cases = optable_cases(&count);
    for (guint i = 0; i < count; i++) {
        for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
            if (cases[i].large)
                continue;
            Row row = {&cases[i], dtype};
            g_autofree char *equal =
                g_strdup_printf("/cpu_equals_ref/%s/%s", cases[i].name, cg_dtype_name(dtype));
            g_autofree char *threads = g_strdup_printf("/threads_change_nothing/%s/%s",
                                                       cases[i].name, cg_dtype_name(dtype));
            g_test_add_data_func_full(equal, g_memdup2(&row, sizeof row), test_cpu_equals_ref,
                                      g_free);
            g_test_add_data_func_full(threads, g_memdup2(&row, sizeof row),
                                      test_threads_change_nothing, g_free);
        }
    }
    return g_test_run();
}
