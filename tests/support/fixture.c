#include "support/fixture.h"

#include "support/pseudo.h"

#include <math.h>

#define PROJECTIONS 8

char *test_fixture_path(const char *name)
{
    const char *root = g_getenv("CAGEN_FIXTURES");
    return g_build_filename(root ? root : "tests/fixtures", name, NULL);
}

CgSafetensors *test_fixture_open(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_strconcat("models/", name, ".safetensors", NULL);
    g_autofree char *path = test_fixture_path(file);
    CgSafetensors *st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return st;
}

CgTensor *test_fixture_tensor(CgSafetensors *file, const char *key)
{
    const CgSafetensor *entry = cg_safetensors_find(file, key);
    if (!entry)
        g_error("no tensor %s in %s", key, cg_safetensors_path(file));
    return cg_safetensors_tensor(file, entry);
}

CgTensor *test_fixture_image(CgSafetensors *file, const char *key)
{
    g_autoptr(CgTensor) nchw = test_fixture_tensor(file, key);
    return cg_tensor_nchw_to_nhwc(nchw);
}

double test_relative_error(const CgTensor *a, const CgTensor *b)
{
    double difference = 0, norm = 0;
    if (!cg_shape_equal(&a->shape, &b->shape))
        return INFINITY;
    for (size_t i = 0; i < a->count; i++) {
        const double x = cg_tensor_f32(a)[i], y = cg_tensor_f32(b)[i];
        difference += (x - y) * (x - y);
        norm += y * y;
    }
    return isnan(difference) ? INFINITY : sqrt(difference / norm);
}

void test_assert_close(const char *what, const CgTensor *a, const CgTensor *b, double limit)
{
    char shape_a[CG_SHAPE_TEXT], shape_b[CG_SHAPE_TEXT];
    const double error = test_relative_error(a, b);
    g_test_message("%s: relative error %.2e (limit %.0e)", what, error, limit);
    if (!(error <= limit))
        g_error("%s: relative error %g above %g (%s, expected %s)", what, error, limit,
                cg_shape_text(&a->shape, shape_a), cg_shape_text(&b->shape, shape_b));
}

/* sqrt(mean over k of (a_k - b_k)^2 * 3): u is uniform in [-1, 1), of variance 1/3. */
double test_projected_distance(const char *name, const float *a, size_t count,
                               const float *projected)
{
    double sum = 0;
    for (int k = 0; k < PROJECTIONS; k++) {
        g_autofree char *vector = g_strdup_printf("projection/%d/%s", k, name);
        const uint64_t seed = cg_pseudo_seed(vector);
        double dot = 0;
        for (size_t i = 0; i < count; i++)
            dot += (double)a[i] * cg_pseudo_unit(seed, i);
        sum += (dot - (double)projected[k]) * (dot - (double)projected[k]);
    }
    return sqrt(3 * sum / PROJECTIONS);
}

CgTensor *test_pseudo_lookup(void *source, const char *name, const CgShape *want,
                             GPtrArray *problems)
{
    (void)problems;
    if (!name)
        return NULL;
    g_autofree char *full = g_strconcat(source, "/", name, NULL);
    CgTensor *t = cg_tensor_new(CG_F32, *want);
    cg_pseudo_parameter(full, want, cg_tensor_f32(t));
    return t;
}

const char *test_data_or_skip(void)
{
    const char *dir = g_getenv("CAGEN_TEST_DATA");
    if (!dir)
        dir = "../shared/data";
    if (g_file_test(dir, G_FILE_TEST_IS_DIR))
        return dir;
    g_autofree char *reason =
        g_strdup_printf("no test images at %s; set CAGEN_TEST_DATA to their folder", dir);
    g_test_skip(reason);
    return NULL;
}
