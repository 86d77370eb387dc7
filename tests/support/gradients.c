#include "support/gradients.h"

#include "support/fixture.h"

#include <math.h>

static double norm_of(const float *g, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)g[i] * (double)g[i];
    return sqrt(sum);
}

void test_assert_gradients(const CgStore *store, CgSafetensors *file, const char *fixture_case,
                           double zero)
{
    const float *gradients = cg_tensor_f32(store->gradients);
    guint above = 0;
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        g_autofree char *key = g_strdup_printf("%s/%s", fixture_case, p->name);
        g_autoptr(CgTensor) expected = test_fixture_tensor(file, key);
        const float *e = cg_tensor_f32(expected), *g = gradients + p->offset;
        const double norm = norm_of(g, p->count),
                     far = test_projected_distance(p->name, g, p->count, e + 1);
        /* What is zero but for rounding (a bias before a norm of single channels) has no relative
         * error. */
        const double limit = zero + 1e-3 * (double)e[0];
        if (!(fabs(norm - (double)e[0]) <= limit && far <= limit))
            g_error("%s: gradient of norm %g (expected %g), distance %g", p->name, norm,
                    (double)e[0], far);
        above += far > zero + 1e-4 * (double)e[0];
    }
    g_test_message("%u of %u gradients differ by more than 1e-4", above, cg_store_count(store));
    g_assert_cmpuint(above, <=, cg_store_count(store) / 20);
}
