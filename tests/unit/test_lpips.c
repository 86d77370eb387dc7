/* LPIPS against the lpips package (tests/oracle/make_lpips_fixture.py), with pseudo weights. */
#include "models/lpips.h"

#include "base/error.h"
#include "embedding/features.h"
#include "support/fixture.h"
#include "support/folder.h"
#include "support/pseudo.h"

#include <math.h>

#define SIDE 67

typedef struct {
    CgEngine *(*engine_new)(void);
    CgLpipsTrunk trunk;
    const char *name;
} Setting;

/* Heads have no negative weights. */
static CgTensor *lookup(void *source, const char *name, const CgShape *want, GPtrArray *problems)
{
    if (!name)
        return NULL;
    CgTensor *t = test_pseudo_lookup(source, name, want, problems);
    for (size_t i = 0; g_str_has_prefix(name, "lin") && i < t->count; i++)
        cg_tensor_f32(t)[i] = fabsf(cg_tensor_f32(t)[i]);
    return t;
}

static CgLpips *new_lpips(const Setting *s, CgEngine *engine, CgParameterLookup from,
                          GError **error)
{
    const CgBuild build = {.engine = engine,
                           .dtype = CG_F32,
                           .lookup = from,
                           .source = (void *)(guintptr)s->name,
                           .where = "pseudo weights"};
    return cg_lpips_new(&build, s->trunk, error);
}

/* The pictures "a", "b", "c". */
static CgTensor *make_pictures(void)
{
    g_autoptr(CgTensor) nchw = cg_tensor_new(CG_F32, CG_SHAPE(3, 3, SIDE, SIDE));
    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("input/picture %c", 'a' + i);
        cg_pseudo_fill(name, 1, 0, cg_tensor_f32(nchw) + i * (nchw->count / 3), nchw->count / 3);
    }
    return cg_tensor_nchw_to_nhwc(nchw);
}

static void distances_equal_the_package_s(gconstpointer data)
{
    const Setting *s = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = s->engine_new();
    g_autoptr(CgLpips) l = new_lpips(s, engine, lookup, &error);
    g_assert_no_error(error);
    g_autoptr(CgTensor) pictures = make_pictures();
    g_autoptr(CgFeatures) f = cg_features_new(3, cg_lpips_vector_size(l, SIDE));
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    g_assert_true(cg_lpips_describe(&cx, l, pictures, f->values, &error));

    const int pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    g_autoptr(CgTensor) found = cg_tensor_new(CG_F32, CG_SHAPE(3));
    for (int i = 0; i < 3; i++)
        cg_tensor_f32(found)[i] =
            (float)cg_squared_distance(cg_features_row(f, (size_t)pairs[i][0]),
                                       cg_features_row(f, (size_t)pairs[i][1]), f->width);
    g_autoptr(CgSafetensors) expected = test_fixture_open("lpips");
    g_autofree char *key = g_strdup_printf("%s/distances", s->name);
    g_autoptr(CgTensor) want = test_fixture_tensor(expected, key);
    test_assert_close(key, found, want, 2e-5);
}

static void vectors_have_the_sizes_of_the_layers(gconstpointer data)
{
    const Setting *s = data;
    const CgLpips l = {.trunk = s->trunk};
    g_autoptr(CgSafetensors) expected = test_fixture_open("lpips");
    g_autofree char *key = g_strdup_printf("%s/shapes", s->name);
    g_autoptr(CgTensor) sizes = test_fixture_tensor(expected, key);
    double total = 0;
    for (int i = 0; i < CG_LPIPS_LAYERS; i++)
        total += (double)cg_tensor_f32(sizes)[i];
    g_assert_cmpuint(cg_lpips_vector_size(&l, SIDE), ==, (size_t)total);
}

static void negative_heads_are_refused(void)
{
    const Setting s = {cg_engine_cpu_new, CG_LPIPS_ALEXNET, "alexnet"};
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = s.engine_new();
    g_assert_null(new_lpips(&s, engine, test_pseudo_lookup, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
}

int main(int argc, char **argv)
{
    static const Setting settings[] = {
        {cg_engine_cpu_new, CG_LPIPS_ALEXNET, "alexnet"},
        {cg_engine_cpu_new, CG_LPIPS_VGG16, "vgg16"},
        {cg_engine_ref_new, CG_LPIPS_ALEXNET, "alexnet"},
    };
    static const char *const names[] = {"alexnet", "vgg16", "ref"};
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autofree char *path =
            g_strdup_printf("/lpips/%s/distances_equal_the_package_s", names[i]);
        g_test_add_data_func(path, &settings[i], distances_equal_the_package_s);
    }
    g_test_add_data_func("/lpips/alexnet/vectors_have_the_sizes_of_the_layers", &settings[0],
                         vectors_have_the_sizes_of_the_layers);
    g_test_add_data_func("/lpips/vgg16/vectors_have_the_sizes_of_the_layers", &settings[1],
                         vectors_have_the_sizes_of_the_layers);
    g_test_add_func("/lpips/negative_heads_are_refused", negative_heads_are_refused);
    return g_test_run();
}
