#include "support/diffusion.h"
#include "support/fixture.h"

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

static void published_trajectories_are_met(void)
{
    for (guint r = 0; r < G_N_ELEMENTS(runs); r++) {
        g_autoptr(CgNoiseSchedule) schedule = schedule_with(runs[r].extra);
        g_autoptr(CgSampler) s =
            test_sampler(schedule, runs[r].sampler, runs[r].steps, runs[r].spacing, 0);
        test_assert_near(cg_sampler_init_sigma(s), runs[r].init, 1e-9);
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
                    test_assert_near(x, runs[r].after[p], 1e-6);
            }
        }
    }
}

/* ---- the diffusers classes: tests/oracle/make_sampler_fixture.py ---- */

/* What the fixture's names say about the schedule. */
static const struct {
    const char *name, *extra;
} schedules[] = {
    {"zero-snr", ", \"rescale_betas_zero_snr\": true"},
    {"squaredcos", ", \"beta_schedule\": \"squaredcos_cap_v2\""},
    {"linear", ", \"beta_schedule\": \"linear\", \"beta_start\": 1e-4, \"beta_end\": 0.02"},
    {"to-one", ", \"set_alpha_to_one\": true"},
    {"large", ", \"variance_type\": \"fixed_large\""},
};

/* The last of two equal keys would be an error: EXTRA replaces. */
static CgNoiseSchedule *schedule_named(const char *prediction, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) config =
        json_pack("{s:f, s:f, s:s, s:i, s:b, s:b, s:s}", "beta_start", 0.00085, "beta_end", 0.012,
                  "beta_schedule", "scaled_linear", "steps_offset", 1, "set_alpha_to_one", 0,
                  "skip_prk_steps", 1, "prediction_type", prediction);
    for (guint i = 0; name && i < G_N_ELEMENTS(schedules); i++) {
        if (strcmp(name, schedules[i].name))
            continue;
        g_autofree char *text = g_strdup_printf("{%s}", schedules[i].extra + 1);
        g_autoptr(json_t) changes = json_loads(text, 0, NULL);
        json_object_update(config, changes);
    }
    char *text = json_dumps(config, 0);
    CgNoiseSchedule *s = cg_noise_schedule_parse(text, strlen(text), "test.json", &error);
    free(text);
    g_assert_no_error(error);
    return s;
}

static CgSampler *sampler_for_run(const char *run_name, gboolean *fuse)
{
    g_auto(GStrv) part = g_strsplit(run_name, "/", -1);
    *fuse = part[4] && !strcmp(part[4], "fuse");
    gboolean noisy = !strcmp(part[0], "ddim-eta1");
    CgSpacing spacing = CG_SPACING_AUTO;
    g_assert_true(cg_spacing_parse(part[2], &spacing));
    g_autoptr(CgNoiseSchedule) schedule = schedule_named(part[3], *fuse ? NULL : part[4]);
    return test_sampler(schedule, noisy ? "ddim" : part[0], atoi(part[1]), spacing, noisy);
}

static void states_equal_those_of_diffusers(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("samplers.safetensors");
    TestStates in = {test_fixture_tensor(st, "x_T"), test_fixture_tensor(st, "noise"),
                     test_fixture_tensor(st, "z_i"), test_fixture_tensor(st, "mask")};
    guint checked = 0;
    double largest = 0;
    for (guint i = 0; i < cg_safetensors_count(st); i++) {
        const CgSafetensor *entry = cg_safetensors_nth(st, i);
        if (!strchr(entry->name, '/'))
            continue;
        gboolean fuse;
        g_autoptr(CgSampler) s = sampler_for_run(entry->name, &fuse);
        g_autoptr(CgTensor) x = test_sampler_run(s, &in, fuse);
        g_autoptr(CgTensor) expected = cg_safetensors_tensor(st, entry);
        double error = test_relative_error(x, expected);
        largest = MAX(largest, error);
        if (!(error <= 1e-5)) {
            g_test_message("%s: relative error %.2g", entry->name, error);
            g_test_fail();
        }
        checked++;
    }
    g_test_message("%u runs, largest relative error %.2g", checked, largest);
    g_assert_cmpuint(checked, ==, 259);
    cg_tensor_unref(in.x_T);
    cg_tensor_unref(in.noise);
    cg_tensor_unref(in.z_i);
    cg_tensor_unref(in.mask);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/samplers/published-trajectories-are-met", published_trajectories_are_met);
    g_test_add_func("/samplers/states-equal-those-of-diffusers", states_equal_those_of_diffusers);
    return g_test_run();
}
