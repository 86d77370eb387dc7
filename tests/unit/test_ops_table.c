/* Every engine on every row of support/optable.c: the reference against PyTorch (stored results of
 * some rows, tests/oracle/make_ops.py), the others against the reference. */
#include "base/system.h"
#include "support/optable.h"
#include "tensor/safetensors.h"

#include <math.h>

static double limit(CgDType dtype)
{
    return dtype == CG_F32 ? 1e-5 : 1e-2;
}

/* NULL after g_test_skip: oneDNN has bf16 layers for processors with AVX-512 only. */
static CgTensor *result(const OpCase *c, CgEngine *engine, CgDType dtype)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OpRun) run = optable_prepare(c, engine, dtype);
    /* Twice: the second time finds packed weights and used memory. */
    for (int i = 0; i < 2; i++) {
        optable_reset(run);
        gboolean ok = optable_execute(run, &error);
        if (g_error_matches(error, CG_ERROR, CG_ERROR_ENGINE) && dtype == CG_BF16 &&
            !cg_cpu_features()->avx512) {
            g_test_skip(error->message);
            return NULL;
        }
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
    if (!got)
        return;
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
        if (!y)
            break;
        if (!first)
            first = g_steal_pointer(&y);
        else if (memcmp(y->data, first->data, cg_tensor_bytes(y)) != 0 &&
                 !(row->c->threads_round && relative_error(y, first) <= limit(row->dtype)))
            g_test_fail_printf("%d threads: relative difference %.2e", threads,
                               relative_error(y, first));
    }
    cg_threads_set(0);
}

static const OpCase *case_named(const char *name)
{
    guint count;
    const OpCase *cases = optable_cases(&count);
    for (guint i = 0; i < count; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    g_error("no row is named %s", name);
}

static void test_ref_equals_pytorch(void)
{
    g_autoptr(GError) error = NULL;
    const char *folder = g_getenv("CAGEN_FIXTURES");
    g_autofree char *path =
        g_build_filename(folder ? folder : "tests/fixtures", "ops.safetensors", NULL);
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_safetensors_count(file), >, 20);
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    for (guint i = 0; i < cg_safetensors_count(file); i++) {
        const CgSafetensor *entry = cg_safetensors_nth(file, i);
        g_autoptr(CgTensor) want = cg_safetensors_tensor(file, entry);
        g_autoptr(CgTensor) got = result(case_named(entry->name), ref, CG_F32);
        double difference = relative_error(got, want);
        if (!(difference <= 2e-7))
            g_error("%s: relative error %.2e", entry->name, difference);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ref_equals_pytorch", test_ref_equals_pytorch);
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
