/* Every engine on every row of support/optable.c: the reference against PyTorch (stored results of
 * some rows, tests/oracle/make_ops.py), the others against the reference. */
#include "base/rng.h"
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
    /* The gradients of attention to one key are 0: then by what rounding does to numbers about 1.
     */
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference / (double)b->count);
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

/* The gradients of a row, of the last of so many RUNS; FALSE after g_test_skip. */
static gboolean gradients(const OpCase *c, CgEngine *engine, CgDType dtype, int runs,
                          CgTensor *g[3], const char *names[3], guint *count)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OpRun) run = optable_prepare(c, engine, dtype);
    optable_backward_prepare(run);
    for (int i = 0; i < runs; i++) {
        optable_reset(run);
        optable_backward_reset(run);
        gboolean ok = optable_execute(run, &error) && optable_backward(run, &error);
        if (g_error_matches(error, CG_ERROR, CG_ERROR_ENGINE) && dtype == CG_BF16 &&
            !cg_cpu_features()->avx512) {
            g_test_skip(error->message);
            return FALSE;
        }
        g_assert_no_error(error);
        g_assert_true(ok);
    }
    *count = optable_gradient_count(run);
    for (guint i = 0; i < *count; i++) {
        g[i] = optable_gradient(run, i);
        names[i] = optable_gradient_name(run, i);
    }
    return TRUE;
}

static void gradients_free(CgTensor *g[3])
{
    for (int i = 0; i < 3; i++)
        g_clear_pointer(&g[i], cg_tensor_unref);
}

static void test_cpu_gradients_equal_ref(gconstpointer data)
{
    const Row *row = data;
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
    CgTensor *want[3] = {NULL}, *got[3] = {NULL};
    const char *names[3];
    guint count;
    if (!gradients(row->c, cpu, row->dtype, 2, got, names, &count))
        return;
    g_assert_true(gradients(row->c, ref, row->dtype, 1, want, names, &count));
    for (guint i = 0; i < count; i++) {
        double error = relative_error(got[i], want[i]);
        g_test_message("%s: relative error %.2e", names[i], error);
        if (!(error <= limit(row->dtype)))
            g_test_fail_printf("%s: relative error %.2e", names[i], error);
    }
    gradients_free(want);
    gradients_free(got);
}

static void test_threads_change_no_gradient(gconstpointer data)
{
    const Row *row = data;
    CgTensor *first[3] = {NULL}, *got[3] = {NULL};
    const char *names[3];
    guint count = 0;
    for (int threads = 1; threads <= 3; threads++) {
        cg_threads_set(threads);
        g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
        if (!gradients(row->c, cpu, row->dtype, 1, threads == 1 ? first : got, names, &count))
            break;
        for (guint i = 0; threads > 1 && i < count; i++)
            if (memcmp(got[i]->data, first[i]->data, cg_tensor_bytes(got[i])) != 0 &&
                !(row->c->threads_round && relative_error(got[i], first[i]) <= limit(row->dtype)))
                g_test_fail_printf("%s with %d threads: relative difference %.2e", names[i],
                                   threads, relative_error(got[i], first[i]));
        gradients_free(got);
    }
    gradients_free(first);
    cg_threads_set(0);
}

/* What the loss becomes with input I at BASE + H times random -1 and 1. */
static double loss_beside(OpRun *run, guint i, const CgTensor *base, guint64 trial, float h,
                          CgTensor *values)
{
    cg_rng_uniforms(5, i, trial << 32, values->data, values->count);
    for (size_t j = 0; j < values->count; j++) {
        float *v = cg_tensor_f32(values) + j;
        *v = cg_tensor_f32(base)[j] + (*v < 0.5F ? -h : h);
    }
    optable_input_set(run, i, values);
    optable_reset(run);
    g_assert_true(optable_execute(run, NULL));
    return optable_loss(run);
}

/* Between two points near each other, the change of sum(dy y) is what the gradient says. Results
 * are f32, ReLU has a corner and windows change their largest: that is what most of the difference
 * comes from. */
static void test_ref_gradients_equal_differences(gconstpointer data)
{
    const Row *row = data;
    OpCase c = *row->c;
    c.in_place = FALSE;
    gboolean corners = c.act == CG_ACT_RELU || c.op == OP_MAX_POOL;
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(OpRun) run = optable_prepare(&c, ref, CG_F32);
    optable_backward_prepare(run);
    optable_backward_reset(run);
    optable_reset(run);
    g_assert_true(optable_execute(run, NULL));
    g_assert_true(optable_backward(run, NULL));
    for (guint i = 0; i < optable_gradient_count(run); i++) {
        g_autoptr(CgTensor) g = optable_gradient(run, i);
        g_autoptr(CgTensor) base = optable_input(run, i);
        g_autoptr(CgTensor) above = cg_tensor_new(CG_F32, g->shape);
        g_autoptr(CgTensor) below = cg_tensor_new(CG_F32, g->shape);
        float h = i == 0 && c.deviation > 0 && c.deviation < 1 ? 3e-3F * (float)c.deviation : 3e-3F;
        for (guint64 trial = 0; trial < 2; trial++) {
            double got = loss_beside(run, i, base, trial, h, above) -
                         loss_beside(run, i, base, trial, -h, below);
            double norm = 0, want = 0;
            for (size_t j = 0; j < g->count; j++) {
                double d = (double)cg_tensor_f32(g)[j];
                want += d * ((double)cg_tensor_f32(above)[j] - (double)cg_tensor_f32(below)[j]);
                norm += d * d;
            }
            double difference = fabs(got - want) / (2 * (double)h * sqrt(MAX(norm, 1e-9)));
            if (!(difference <= (corners ? 5e-2 : 1e-3)))
                g_test_fail_printf("%s: a change of %g instead of %g",
                                   optable_gradient_name(run, i), want, got);
        }
        optable_input_set(run, i, base);
    }
}

/* Results and dx of RUN with every number of weights and bias halved after the first use. */
static void run_changed(OpRun *run, CgTensor **y, CgTensor **dx)
{
    optable_backward_prepare(run);
    for (int i = 0; i < 2; i++) {
        optable_reset(run);
        optable_backward_reset(run);
        g_assert_true(optable_execute(run, NULL));
        g_assert_true(optable_backward(run, NULL));
        for (guint k = 1; i == 0 && k < optable_gradient_count(run); k++) {
            g_autoptr(CgTensor) values = optable_input(run, k);
            for (size_t j = 0; j < values->count; j++)
                cg_tensor_f32(values)[j] *= 0.5F;
            optable_input_set(run, k, values);
        }
    }
    *y = optable_output(run);
    *dx = optable_gradient(run, 0);
}

static void test_changed_weights_are_packed_again(gconstpointer data)
{
    const Row *row = data;
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
    CgEngine *engines[] = {ref, cpu};
    CgTensor *y[2], *dx[2];
    for (int i = 0; i < 2; i++) {
        g_autoptr(OpRun) run = optable_prepare(row->c, engines[i], CG_F32);
        run_changed(run, &y[i], &dx[i]);
    }
    g_assert_cmpfloat(relative_error(y[1], y[0]), <=, limit(CG_F32));
    g_assert_cmpfloat(relative_error(dx[1], dx[0]), <=, limit(CG_F32));
    for (int i = 0; i < 2; i++) {
        cg_tensor_unref(y[i]);
        cg_tensor_unref(dx[i]);
    }
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

static CgSafetensors *fixture(const char *name)
{
    g_autoptr(GError) error = NULL;
    const char *folder = g_getenv("CAGEN_FIXTURES");
    g_autofree char *path = g_build_filename(folder ? folder : "tests/fixtures", name, NULL);
    CgSafetensors *file = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return file;
}

static void test_ref_equals_pytorch(void)
{
    g_autoptr(CgSafetensors) file = fixture("ops.safetensors");
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

/* Entries are named ROW/dx and so on; inputs that the kernels give no gradient of are passed over,
 * as is d of a sum, which is dy. */
static void test_ref_gradients_equal_pytorch(void)
{
    g_autoptr(CgSafetensors) file = fixture("gradients.safetensors");
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    guint compared = 0;
    for (guint i = 0; i < cg_safetensors_count(file); i++) {
        const CgSafetensor *entry = cg_safetensors_nth(file, i);
        g_autoptr(CgTensor) want = cg_safetensors_tensor(file, entry);
        const char *slash = strrchr(entry->name, '/');
        g_autofree char *row = g_strndup(entry->name, (gsize)(slash - entry->name));
        CgTensor *got[3] = {NULL};
        const char *names[3];
        guint count;
        g_assert_true(gradients(case_named(row), ref, CG_F32, 1, got, names, &count));
        for (guint j = 0; j < count; j++) {
            if (strcmp(names[j], slash + 1) != 0)
                continue;
            double difference = relative_error(got[j], want);
            compared++;
            /* The numbers that gradients of parameters are added to round them once more. */
            if (!(difference <= 4e-7))
                g_error("%s: relative error %.2e", entry->name, difference);
        }
        gradients_free(got);
    }
    g_assert_cmpuint(compared, >, 30);
}

static void add_test(const char *test, const Row *row, GTestDataFunc run)
{
    g_autofree char *path =
        g_strdup_printf("/%s/%s/%s", test, row->c->name, cg_dtype_name(row->dtype));
    g_test_add_data_func_full(path, g_memdup2(row, sizeof *row), run, g_free);
}

static void add_backward_tests(const Row *row)
{
    add_test("cpu_gradients_equal_ref", row, test_cpu_gradients_equal_ref);
    add_test("threads_change_no_gradient", row, test_threads_change_no_gradient);
    if (row->dtype == CG_F32 && row->c->weight_type == CG_F32)
        add_test("ref_gradients_equal_differences", row, test_ref_gradients_equal_differences);
    if (row->dtype == CG_F32 && row->c->weight_type == CG_F32 &&
        (row->c->op == OP_CONV || row->c->op == OP_LINEAR))
        add_test("changed_weights_are_packed_again", row, test_changed_weights_are_packed_again);
}

/* Values from torch.optim.AdamW. */
static void test_ref_adamw_equals_pytorch(void)
{
    static const float gradients[3][2] = {{0.5F, -0.25F}, {0.1F, 0.2F}, {-0.3F, 0}};
    static const double want[3][2] = {{0.9899000002, -1.9898000004},
                                      {0.981770600638, -1.98901976995},
                                      {0.979565294116, -1.9883715597}};
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    float w[2] = {1, -2}, m[2] = {0}, v[2] = {0};
    CgAdamw step = {.rate = 0.01,
                    .beta1 = 0.9,
                    .beta2 = 0.999,
                    .eps = 1e-8,
                    .decay = 0.01,
                    .gradient_scale = 0.5};
    for (int k = 0; k < 3; k++) {
        float doubled[2] = {2 * gradients[k][0], 2 * gradients[k][1]};
        step.step = (guint64)k + 1;
        ref->ops->adamw(ref, &step, 2, w, doubled, m, v);
        for (int i = 0; i < 2; i++)
            g_assert_cmpfloat_with_epsilon((double)w[i], want[k][i], 2e-7);
    }
}

/* Lengths around the pieces that work is cut into; three steps. */
static void test_cpu_adamw_equals_ref(void)
{
    static const size_t lengths[] = {1, 7, 8191, 8192, 100003};
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
    CgEngine *engines[] = {ref, cpu};
    for (guint k = 0; k < G_N_ELEMENTS(lengths); k++) {
        CgTensor *t[2][4]; /* w, g, m, v */
        for (int e = 0; e < 2; e++) {
            for (guint64 i = 0; i < 4; i++) {
                t[e][i] = cg_tensor_zeros(CG_F32, CG_SHAPE((int64_t)lengths[k]));
                if (i < 2)
                    cg_rng_normals(3, i, 0, t[e][i]->data, lengths[k]);
            }
            CgAdamw step = {1e-3, 0.9, 0.999, 1e-8, 1e-2, 0.7, 0};
            for (step.step = 1; step.step <= 3; step.step++)
                engines[e]->ops->adamw(engines[e], &step, lengths[k], t[e][0]->data, t[e][1]->data,
                                       t[e][2]->data, t[e][3]->data);
        }
        for (int i = 0; i < 4; i++) {
            g_assert_cmpfloat(relative_error(t[1][i], t[0][i]), <=, 2e-7);
            cg_tensor_unref(t[0][i]);
            cg_tensor_unref(t[1][i]);
        }
    }
}

static void test_square_sum_is_exact_for_any_number_of_threads(void)
{
    enum { COUNT = 300007 };
    g_autoptr(CgTensor) g = cg_tensor_new(CG_F32, CG_SHAPE(COUNT));
    cg_rng_normals(4, 0, 0, g->data, COUNT);
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    double want = ref->ops->square_sum(ref, COUNT, g->data), first = 0;
    for (int threads = 1; threads <= 3; threads++) {
        cg_threads_set(threads);
        g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
        double sum = cpu->ops->square_sum(cpu, COUNT, g->data);
        g_assert_cmpfloat_with_epsilon(sum, want, 1e-9 * want);
        if (threads == 1)
            first = sum;
        g_assert_true(sum == first);
    }
    cg_threads_set(0);
}

/* Either half of a split may be unwanted. */
static void test_split_of_one_half(void)
{
    static const float both[] = {1, 2, 3, 4, 5, 6};
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgEngine) cpu = cg_engine_cpu_new();
    CgEngine *engines[] = {ref, cpu};
    for (int e = 0; e < 2; e++) {
        g_autoptr(CgTensor) dy = cg_tensor_new(CG_F32, CG_SHAPE(2, 3));
        g_autoptr(CgTensor) da = cg_tensor_new(CG_F32, CG_SHAPE(2, 1));
        g_autoptr(CgTensor) db = cg_tensor_new(CG_F32, CG_SHAPE(2, 2));
        memcpy(dy->data, both, sizeof both);
        engines[e]->ops->split(engines[e], dy, 1, da, NULL);
        engines[e]->ops->split(engines[e], dy, 1, NULL, db);
        g_assert_cmpmem(da->data, 2 * sizeof(float), ((float[]){1, 4}), 2 * sizeof(float));
        g_assert_cmpmem(db->data, 4 * sizeof(float), ((float[]){2, 3, 5, 6}), 4 * sizeof(float));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ref_equals_pytorch", test_ref_equals_pytorch);
    g_test_add_func("/ref_gradients_equal_pytorch", test_ref_gradients_equal_pytorch);
    g_test_add_func("/ref_adamw_equals_pytorch", test_ref_adamw_equals_pytorch);
    g_test_add_func("/cpu_adamw_equals_ref", test_cpu_adamw_equals_ref);
    g_test_add_func("/square_sum_is_exact_for_any_number_of_threads",
                    test_square_sum_is_exact_for_any_number_of_threads);
    g_test_add_func("/split_of_one_half", test_split_of_one_half);
    guint count;
    const OpCase *cases = optable_cases(&count);
    for (guint i = 0; i < count; i++) {
        for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
            if (cases[i].large)
                continue;
            Row row = {&cases[i], dtype};
            add_test("cpu_equals_ref", &row, test_cpu_equals_ref);
            add_test("threads_change_nothing", &row, test_threads_change_nothing);
            if (optable_has_backward(&cases[i]))
                add_backward_tests(&row);
        }
    }
    return g_test_run();
}
