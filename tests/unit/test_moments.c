/* AdamW with moments of a byte each: the tables, the nearest value, twelve steps, against an
 * implementation in numpy (tests/oracle/make_moments_fixture.py). */
#include "autograd/moments.h"
#include "autograd/optimizer.h"
#include "base/rng.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

static CgSafetensors *open_fixture(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = test_fixture_path("moments.safetensors");
    CgSafetensors *file = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return file;
}

static const char *const names[] = {"square", "mean"}; /* by is_signed */

static void tables_are_those_of_the_paper(void)
{
    g_autoptr(CgSafetensors) file = open_fixture();
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        CgMomentTable table;
        g_autofree char *key = g_strconcat(names[is_signed], ".table", NULL);
        g_autoptr(CgTensor) want = test_fixture_tensor(file, key);
        cg_moment_table_init(&table, is_signed);
        for (int i = 0; i < 256; i++) {
            const double expected = (double)cg_tensor_f32(want)[i];
            g_assert_cmpfloat_with_epsilon((double)table.values[i], expected,
                                           1e-6 * fabs(expected) + 1e-12);
            g_assert_true(i == 0 || table.values[i] > table.values[i - 1]);
        }
    }
}

static void codes_and_scales_equal_numpy(void)
{
    g_autoptr(CgSafetensors) file = open_fixture();
    g_autoptr(CgTensor) x = test_fixture_tensor(file, "x");
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        CgMomentTable table;
        g_autofree char *key = g_strconcat(names[is_signed], ".codes", NULL);
        g_autofree char *scales_key = g_strconcat(names[is_signed], ".scales", NULL);
        g_autoptr(CgTensor) codes = test_fixture_tensor(file, key);
        g_autoptr(CgTensor) scales = test_fixture_tensor(file, scales_key);
        g_assert_cmpint(codes->dtype, ==, CG_U8);
        cg_moment_table_init(&table, is_signed);
        for (size_t at = 0; at < x->count; at += CG_MOMENTS_BLOCK) {
            const size_t count = MIN(CG_MOMENTS_BLOCK, x->count - at);
            float block[CG_MOMENTS_BLOCK], scale;
            guint8 got[CG_MOMENTS_BLOCK];
            for (size_t i = 0; i < count; i++) {
                block[i] = cg_tensor_f32(x)[at + i];
                block[i] = is_signed ? block[i] : fabsf(block[i]);
            }
            cg_moments_encode(&table, block, count, got, &scale);
            g_assert_cmpfloat((double)scale, ==,
                              (double)cg_tensor_f32(scales)[at / CG_MOMENTS_BLOCK]);
            g_assert_cmpmem(got, count, (const guint8 *)codes->data + at, count);
        }
    }
}

/* Place of the value nearest to R, by looking at all. */
static int nearest(const CgMomentTable *t, float r)
{
    int best = 0;
    for (int i = 1; i < 256; i++)
        if (fabs((double)t->values[i] - (double)r) < fabs((double)t->values[best] - (double)r))
            best = i;
    return best;
}

static void every_number_goes_to_the_nearest_value(void)
{
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        CgMomentTable t;
        CgRng rng = cg_rng(3, 4);
        cg_moment_table_init(&t, is_signed);
        for (int i = 0; i < 200000; i++) {
            float x[2] = {1, 0}, scale;
            guint8 codes[2];
            x[1] = powf(10, (float)cg_rng_uniform(&rng, -8, 0));
            x[1] = is_signed && i % 2 ? -x[1] : x[1];
            cg_moments_encode(&t, x, 2, codes, &scale);
            const int want = !is_signed && nearest(&t, x[1]) == 0 ? 1 : nearest(&t, x[1]);
            const double error = fabs((double)t.values[codes[1]] - (double)x[1]);
            const double least = fabs((double)t.values[want] - (double)x[1]);
            /* A middle is rounded to f32: what lies within that of one goes to either side. */
            g_assert_cmpfloat(error, <=, least + 1e-7 * fabs((double)x[1]));
        }
    }
}

static void zeros_stay_zero_and_what_is_not_finite_is_harmless(void)
{
    CgMomentTable t;
    guint8 codes[3];
    float x[3] = {0, 0, 0}, back[3], scale;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        cg_moment_table_init(&t, is_signed);
        cg_moments_encode(&t, x, 3, codes, &scale);
        cg_moments_decode(&t, codes, scale, 3, back);
        g_assert_cmpfloat((double)scale, ==, 0);
        for (int i = 0; i < 3; i++)
            g_assert_cmpfloat((double)back[i], ==, 0);
    }
    const float odd[][3] = {{INFINITY, 1, 2}, {NAN, 1, 2}, {-NAN, -INFINITY, 0}, {1e-45f, 0, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(odd); i++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            cg_moment_table_init(&t, is_signed);
            cg_moments_encode(&t, odd[i], 3, codes, &scale);
        }
}

static CgStore *new_store(CgTensor *begin)
{
    static const int64_t leaves[] = {300, 256, 5};
    CgStore *store = cg_store_new(cg_store_size(3, begin->count));
    int64_t at = 0;
    for (int i = 0; i < 3; at += leaves[i++]) {
        g_autofree char *name = g_strdup_printf("leaf.%d", i);
        const char *const names_of_it[] = {name};
        g_autoptr(CgTensor) part = cg_tensor_rows(begin, at, leaves[i]);
        cg_store_add(store, names_of_it, &part, 1, part->shape);
    }
    return store;
}

/* All parameters' numbers one after the other, without the gaps between them. */
static void copy_all(CgStore *store, CgTensor *block, float *numbers, gboolean in)
{
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        float *own = cg_tensor_f32(block) + p->offset;
        memcpy(in ? own : numbers, in ? numbers : own, p->count * sizeof *own);
        numbers += p->count;
    }
}

static CgTensor *twelve_steps(CgEngine *engine)
{
    g_autoptr(CgSafetensors) file = open_fixture();
    g_autoptr(CgTensor) begin = test_fixture_tensor(file, "begin");
    g_autoptr(CgTensor) gradients = test_fixture_tensor(file, "gradients");
    g_autoptr(CgStore) store = new_store(begin);
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.rate = 1e-2;
    o.clip = 0;
    o.small_moments = TRUE;
    for (guint64 step = 1; step <= 12; step++) {
        g_autoptr(GError) error = NULL;
        double norm;
        copy_all(store, store->gradients, cg_tensor_f32(gradients) + (step - 1) * begin->count,
                 TRUE);
        g_assert_true(cg_optimizer_step(&o, engine, store, step, 1, &norm, &error));
        g_assert_no_error(error);
    }
    CgTensor *end = cg_tensor_copy(begin, CG_F32);
    copy_all(store, store->values, cg_tensor_f32(end), FALSE);
    return end;
}

static void twelve_steps_equal_numpy(gconstpointer new_engine)
{
    g_autoptr(CgEngine) engine = ((CgEngine * (*)(void))(uintptr_t)new_engine)();
    g_autoptr(CgSafetensors) file = open_fixture();
    g_autoptr(CgTensor) begin = test_fixture_tensor(file, "begin");
    g_autoptr(CgTensor) want = test_fixture_tensor(file, "end");
    g_autoptr(CgTensor) got = twelve_steps(engine);
    double error = 0, way = 0;
    for (size_t i = 0; i < want->count; i++) {
        const double x = (double)cg_tensor_f32(want)[i];
        error += pow((double)cg_tensor_f32(got)[i] - x, 2);
        way += pow((double)cg_tensor_f32(begin)[i] - x, 2);
    }
    g_assert_cmpfloat(sqrt(error / way), <=, 1e-4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/moments/tables_are_those_of_the_paper", tables_are_those_of_the_paper);
    g_test_add_func("/moments/codes_and_scales_equal_numpy", codes_and_scales_equal_numpy);
    g_test_add_func("/moments/every_number_goes_to_the_nearest_value",
                    every_number_goes_to_the_nearest_value);
    g_test_add_func("/moments/zeros_stay_zero_and_what_is_not_finite_is_harmless",
                    zeros_stay_zero_and_what_is_not_finite_is_harmless);
    g_test_add_data_func("/moments/ref/twelve_steps_equal_numpy",
                         (gconstpointer)(uintptr_t)cg_engine_ref_new, twelve_steps_equal_numpy);
    g_test_add_data_func("/moments/cpu/twelve_steps_equal_numpy",
                         (gconstpointer)(uintptr_t)cg_engine_cpu_new, twelve_steps_equal_numpy);
    return g_test_run();
}
