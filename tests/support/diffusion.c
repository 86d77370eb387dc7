#include "support/diffusion.h"

#include "diffusion/fusion.h"
#include "support/fixture.h"

#include <math.h>

CgSafetensors *test_diffusion_fixture(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_build_filename("diffusion", name, NULL);
    g_autofree char *path = test_fixture_path(file);
    CgSafetensors *st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return st;
}

CgSampler *test_sampler(const CgNoiseSchedule *schedule, const char *name, int steps,
                        CgSpacing spacing, double eta)
{
    g_autoptr(GError) error = NULL;
    CgSamplerOptions options = {.eta = eta, .spacing = spacing};
    CgSamplerKind kind;
    cg_sampler_parse(name, &kind, &options.karras, &error);
    g_assert_no_error(error);
    CgSampler *s = cg_sampler_new(schedule, kind, steps, &options, &error);
    g_assert_no_error(error);
    return s;
}

void test_assert_near(double value, double expected, double relative)
{
    double error = fabs(value - expected) / fabs(expected);
    if (!(error <= relative))
        g_error("%.10g is not %.10g: relative error %.2g", value, expected, error);
}

/* 0.6 * x + 0.3 * sin(0.01 * t) + 0.1 * cos(1.3 * x of the next channel), four channels last. */
static void stand_in(const float *x, double t, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        double neighbour = x[i % 4 == 3 ? i - 3 : i + 1];
        out[i] = (float)(0.6 * x[i] + 0.3 * sin(0.01 * t) + 0.1 * cos(1.3 * neighbour));
    }
}

CgTensor *test_sampler_run(CgSampler *s, const TestStates *in, gboolean fuse)
{
    CgTensor *x = cg_tensor_copy(in->x_T, CG_F32);
    size_t count = x->count;
    g_autofree float *input = g_new(float, count);
    g_autofree float *output = g_new(float, count);

    cg_sampler_begin(s, count);
    for (size_t i = 0; i < count; i++)
        cg_tensor_f32(x)[i] *= (float)cg_sampler_init_sigma(s);
    for (int i = 0; i < cg_sampler_calls(s); i++) {
        cg_sampler_scale_input(s, i, cg_tensor_f32(x), input);
        stand_in(input, cg_sampler_timestep(s, i), count, output);
        const float *noise = NULL;
        if (cg_sampler_needs_noise(s, i))
            noise = cg_tensor_f32(in->noise) + i * count;
        cg_sampler_step(s, i, output, cg_tensor_f32(x), noise);
        if (fuse)
            cg_fuse_step(s, i, in->z_i, in->mask, in->x_T, x);
    }
    return x;
}
