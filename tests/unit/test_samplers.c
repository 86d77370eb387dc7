#include "base/error.h"
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

/* The schedule of SD 1.5 with EXTRA keys, as JSON. */
static CgNoiseSchedule *schedule_with(const char *extra)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf(
        "{\"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\","
        " \"steps_offset\": 1, \"set_alpha_to_one\": false, \"skip_prk_steps\": true%s}",
        extra);
    CgNoiseSchedule *s = cg_noise_schedule_parse(text, strlen(text), "test.json", &error);
    g_assert_no_error(error);
    return s;
}

static CgSampler *sampler_of(const CgNoiseSchedule *schedule, const char *name, int steps,
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

/* Published trajectories of one number from 1.0 * init sigma with the stand-in network
 * 0.6 * x + 0.3 * sin(0.01 * t): after calls 1, 2, 3, after the middle one, before and after the
 * last; float64 implementation, agreeing with diffusers to 1e-6. */
static const struct {
    const char *sampler;
    int steps;
    CgSpacing spacing;
    const char *extra;
    double init;
    double after[6];
} runs[] = {
    {"ddim",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.131156137, 1.223140601, 1.284417129, 1.882213773, 1.530188190, 1.519658299}},
    {"ddim",
     50,
     CG_SPACING_AUTO,
     "",
     1,
     {1.062794631, 1.119657073, 1.170318962, 1.911743577, 1.650395725, 1.639041495}},
    {"ddim",
     20,
     CG_SPACING_TRAILING,
     "",
     1,
     {1.188928762, 1.340922536, 1.454351519, 2.181230008, 2.068354414, 1.850453356}},
    {"ddim",
     20,
     CG_SPACING_LINSPACE,
     "",
     1,
     {1.188928762, 1.337290751, 1.445355246, 2.154764246, 1.825127959, 1.825127959}},
    {"ddim",
     30,
     CG_SPACING_LEADING,
     "",
     1,
     {1.089018392, 1.160840414, 1.216602145, 1.845268863, 1.540413192, 1.529813182}},
    {"ddim",
     20,
     CG_SPACING_AUTO,
     ", \"prediction_type\": \"v_prediction\"",
     1,
     {0.983409467, 0.958762075, 0.925608672, 0.691991367, 0.306149891, 0.303862488}},
    {"pndm",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.131156137, 1.096020243, 1.154869394, 1.697903314, 1.440139943, 1.432024517}},
    {"pndm",
     50,
     CG_SPACING_AUTO,
     "",
     1,
     {1.062794631, 1.056930497, 1.108042425, 1.821354096, 1.604612550, 1.594451836}},
    {"dpmpp-2m",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.188928762, 1.304086415, 1.379952181, 2.029297833, 1.891917801, 1.650943303}},
    {"dpmpp-2m",
     20,
     CG_SPACING_LEADING,
     "",
     1,
     {1.111739850, 1.164549892, 1.195682456, 1.727247171, 1.556720130, 1.357680836}},
    {"dpmpp-2m-karras",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.136945863, 1.241683439, 1.324572263, 2.182223753, 1.689423461, 1.660576515}},
    {"dpmpp-2m",
     10,
     CG_SPACING_AUTO,
     "",
     1,
     {1.420085765, 1.538953885, 1.592506061, 2.187748196, 2.023273963, 1.635252714}},
    {"unipc",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.188928762, 1.272013458, 1.345691294, 2.019582336, 1.888384841, 1.647799751}},
    {"unipc",
     20,
     CG_SPACING_LEADING,
     "",
     1,
     {1.111739850, 1.142137048, 1.175368284, 1.720038674, 1.556750581, 1.357707991}},
    {"unipc",
     10,
     CG_SPACING_AUTO,
     "",
     1,
     {1.420085765, 1.424725957, 1.490309100, 2.175349258, 1.983155768, 1.601106796}},
    {"unipc-karras",
     20,
     CG_SPACING_AUTO,
     "",
     1,
     {1.136945863, 1.223534432, 1.304621901, 2.176248466, 1.703946831, 1.674851898}},
    {"euler",
     20,
     CG_SPACING_AUTO,
     "",
     14.614641229,
     {12.920858024, 11.037959405, 9.248607391, 3.581066498, 1.854131989, 1.821697926}},
    {"euler",
     20,
     CG_SPACING_LEADING,
     "",
     11.073576129,
     {9.558342374, 8.051685950, 6.718665919, 2.894406944, 1.531493557, 1.493438321}},
    {"euler-karras",
     20,
     CG_SPACING_AUTO,
     "",
     14.614641229,
     {13.349371231, 11.862883717, 10.255472690, 2.995081654, 1.857868465, 1.825369040}},
};

static double worst;

static void assert_close(double value, double expected, double relative)
{
    double error = fabs(value - expected) / fabs(expected);
    worst = MAX(worst, error);
    if (!(error <= relative))
        g_error("%.10g is not %.10g: relative error %.2g", value, expected, error);
}

static void published_trajectories_are_met(void)
{
    for (guint r = 0; r < G_N_ELEMENTS(runs); r++) {
        g_autoptr(CgNoiseSchedule) schedule = schedule_with(runs[r].extra);
        g_autoptr(CgSampler) s =
            sampler_of(schedule, runs[r].sampler, runs[r].steps, runs[r].spacing, 0);
        assert_close(cg_sampler_init_sigma(s), runs[r].init, 1e-9);
        int calls = cg_sampler_calls(s);
        int points[6] = {0, 1, 2, calls / 2, calls - 2, calls - 1};
        cg_sampler_begin(s, 1);
        float x = (float)cg_sampler_init_sigma(s);
        for (int i = 0; i < calls; i++) {
            float input;
            cg_sampler_scale_input(s, i, &x, &input);
            float m = (float)(0.6 * input + 0.3 * sin(0.01 * cg_sampler_timestep(s, i)));
            g_assert_false(cg_sampler_needs_noise(s, i));
            cg_sampler_step(s, i, &m, &x, NULL);
            for (int p = 0; p < 6; p++) {
                if (points[p] == i)
                    assert_close(x, runs[r].after[p], 1e-6);
            }
        }
    }
    g_test_message("largest relative difference %.2g", worst);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/samplers/published-trajectories-are-met", published_trajectories_are_met);
    return g_test_run();
}
