#include "base/error.h"
#include "support/diffusion.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

/* ---- timestep grids ---- */

static void assert_grid(const char *name, int steps, CgSpacing spacing, const int *expected,
                        int count)
{
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(CgSampler) s = test_sampler(schedule, name, steps, spacing, 0);
    for (int i = 0; i < count; i++)
        g_assert_cmpfloat(cg_sampler_timestep(s, i), ==, expected[i]);
}

#define GRID(name, steps, spacing, ...)                                                            \
    do {                                                                                           \
        const int expected[] = {__VA_ARGS__};                                                      \
        assert_grid(name, steps, spacing, expected, G_N_ELEMENTS(expected));                       \
    } while (0)

static void grids_are_the_published_ones(void)
{
    GRID("ddim", 20, CG_SPACING_AUTO, 951, 901, 851, 801, 751, 701, 651, 601, 551, 501, 451, 401,
         351, 301, 251, 201, 151, 101, 51, 1);
    GRID("ddim", 50, CG_SPACING_AUTO, 981, 961, 941);
    GRID("ddpm", 30, CG_SPACING_AUTO, 958, 925, 892);
    GRID("ddim", 20, CG_SPACING_TRAILING, 999, 949, 899);
    GRID("ddim", 20, CG_SPACING_LINSPACE, 999, 946, 894, 841, 789, 736, 684, 631, 578, 526, 473,
         421, 368, 315, 263, 210, 158, 105, 53, 0);
    GRID("pndm", 20, CG_SPACING_AUTO, 951, 901, 901, 851, 801);
    GRID("dpmpp-2m", 20, CG_SPACING_AUTO, 999, 949, 899, 849, 799, 749, 699, 649, 599, 549, 500,
         450, 400, 350, 300, 250, 200, 150, 100, 50);
    GRID("unipc", 20, CG_SPACING_LEADING, 941, 894, 847);
    GRID("unipc", 10, CG_SPACING_AUTO, 999, 899, 799, 699, 599, 500, 400, 300, 200, 100);
    GRID("dpmpp-2m-karras", 20, CG_SPACING_AUTO, 999, 962, 921, 876, 827, 772, 710, 640, 561, 474,
         380, 285, 197, 123, 69, 35, 15, 6, 2, 0);
}

static void karras_levels_are_the_published_ones(void)
{
    static const double levels[] = {14.6146412, 11.7253648, 9.3402028, 7.3836173, 5.7894117,
                                    4.4998350,  3.4647472,  2.6408403, 1.9909153, 1.4832111,
                                    1.0907859,  0.7909457,  0.5647214, 0.3963898, 0.2730378,
                                    0.1841679,  0.1213414,  0.0778600, 0.0484814, 0.0291672};
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(CgSampler) s = test_sampler(schedule, "dpmpp-2m-karras", 20, CG_SPACING_AUTO, 0);
    for (int i = 0; i < 20; i++) {
        double signal, noise;
        cg_sampler_level(s, i, &signal, &noise);
        g_assert_cmpfloat(fabs(noise / signal - levels[i]), <=, 0.51e-7); /* as printed */
    }
}

static guint64 hash_grid(const CgSampler *s)
{
    guint64 h = 0xcbf29ce484222325u;
    for (int i = 0; i < cg_sampler_calls(s); i++) {
        gint32 t = GINT32_TO_LE((gint32)cg_sampler_timestep(s, i));
        const guint8 *bytes = (const guint8 *)&t;
        for (int k = 0; k < 4; k++)
            h = (h ^ bytes[k]) * 0x100000001b3u;
    }
    return h;
}

/* Every number of steps from 1 to 1000: the grid of diffusers, or refused where that one leaves
 * the schedule. */
static void all_grids_equal_those_of_diffusers(void)
{
    static const char *const names[] = {"ddim", "dpmpp-2m"};
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("schedules.safetensors");
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    for (int n = 0; n < 2; n++) {
        for (CgSpacing spacing = CG_SPACING_LEADING; spacing <= CG_SPACING_LINSPACE; spacing++) {
            g_autofree char *key =
                g_strdup_printf("grid/%s/%s", names[n], cg_spacing_name(spacing));
            g_autoptr(CgTensor) hashes = test_fixture_tensor(st, key);
            for (int steps = 1; steps <= 1000; steps++) {
                g_autoptr(GError) error = NULL;
                CgSamplerOptions options = {.spacing = spacing};
                g_autoptr(CgSampler) s = cg_sampler_new(
                    schedule, n ? CG_SAMPLER_DPMPP_2M : CG_SAMPLER_DDIM, steps, &options, &error);
                guint64 expected = ((const guint64 *)hashes->data)[steps - 1];
                if (expected)
                    g_assert_no_error(error);
                else
                    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
                g_assert_cmphex(s ? hash_grid(s) : 0, ==, expected);
            }
        }
    }
}

/* ---- coefficients ---- */

/* Over neighbouring timesteps, DDPM's mean has these weights for x_0 and x, and this variance. */
static void ddpm_coefficients_are_the_published_ones(void)
{
    static const struct {
        int t;
        double x0, x, variance;
    } rows[] = {{999, 0.000827997276021, 0.99392536802, 0.0119993176154},
                {500, 0.00350604433401, 0.995746583178, 0.00480605857204},
                {1, 0.501378690646, 0.498621218465, 0.000426353125649}};
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(CgSampler) s = test_sampler(schedule, "ddpm", 1000, CG_SPACING_TRAILING, 0);
    cg_sampler_begin(s, 3);
    for (int i = 0; i < 1000; i++) {
        /* Only x; only the network's output; only noise. */
        float x[3] = {1, 0, 0}, m[3] = {0, 1, 0}, z[3] = {0, 0, 1};
        cg_sampler_step(s, i, m, x, z);
        for (int r = 0; r < 3; r++) {
            if (cg_sampler_timestep(s, i) != rows[r].t)
                continue;
            double a = schedule->alpha_bar[rows[r].t];
            double x0 = -x[1] * sqrt(a) / sqrt(1 - a);
            test_assert_near(x0, rows[r].x0, 1e-6);
            test_assert_near(x[0] - x0 / sqrt(a), rows[r].x, 1e-6);
            test_assert_near((double)x[2] * x[2], rows[r].variance, 1e-6);
        }
    }
}

static void ddim_eta_one_adds_the_published_noise(void)
{
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(CgSampler) s = test_sampler(schedule, "ddim", 20, CG_SPACING_AUTO, 1);
    float x = 0, m = 0, z = 1;
    cg_sampler_begin(s, 1);
    g_assert_true(cg_sampler_needs_noise(s, 0));
    cg_sampler_step(s, 0, &m, &x, &z);
    test_assert_near(x, 0.644391014012, 1e-6);
}

static void levels_go_from_noise_to_a_clean_image(void)
{
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        g_autoptr(CgSampler) s = test_sampler(schedule, cg_sampler_name(kind), 12, 0, 0);
        int calls = cg_sampler_calls(s);
        double signal, noise, before = 100;
        for (int i = 0; i < calls; i++) {
            cg_sampler_level(s, i, &signal, &noise);
            test_assert_near(kind == CG_SAMPLER_EULER ? signal : signal * signal + noise * noise, 1,
                             1e-12);
            g_assert_cmpfloat(noise / signal, <=, before); /* pndm has one level twice */
            before = noise / signal;
        }
        cg_sampler_level(s, calls, &signal, &noise);
        g_assert_cmpfloat(signal, ==, 1);
        g_assert_cmpfloat(noise, ==, 0);
    }
}

/* ---- use ---- */

static void a_sample_does_not_depend_on_its_batch(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("samplers.safetensors");
    g_autoptr(CgTensor) x_T = test_fixture_tensor(st, "x_T");
    g_autoptr(CgTensor) second = cg_tensor_rows(x_T, 1, 1);
    g_autoptr(CgTensor) noise = test_fixture_tensor(st, "noise");
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        if (kind == CG_SAMPLER_DDPM)
            continue; /* the stored noise is laid out for the whole batch */
        TestStates both = {x_T, noise, NULL, NULL}, alone = {second, noise, NULL, NULL};
        g_autoptr(CgSampler) s = test_sampler(schedule, cg_sampler_name(kind), 7, 0, 0);
        /* The same object, first for two, then for one: nothing of the first run may be left. */
        g_autoptr(CgTensor) a = test_sampler_run(s, &both, FALSE);
        g_autoptr(CgTensor) b = test_sampler_run(s, &alone, FALSE);
        g_assert_cmpmem(cg_tensor_f32(a) + b->count, b->count * 4, cg_tensor_f32(b), b->count * 4);
    }
}

/* From one step to as many as there are timesteps: finite numbers or one clear line. */
static void extreme_step_counts_work_or_say_why(void)
{
    static const int counts[] = {1, 2, 3, 499, 500, 999, 1000};
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("samplers.safetensors");
    g_autoptr(CgTensor) x_T = test_fixture_tensor(st, "x_T");
    g_autoptr(CgTensor) one = cg_tensor_rows(x_T, 0, 1);
    g_autoptr(CgTensor) zeros = cg_tensor_zeros(CG_F32, CG_SHAPE(1000, 120));
    TestStates in = {one, zeros, NULL, NULL};
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        for (CgSpacing spacing = CG_SPACING_AUTO; spacing <= CG_SPACING_LINSPACE; spacing++) {
            for (guint n = 0; n < 2 * G_N_ELEMENTS(counts); n++) {
                CgSamplerOptions options = {.spacing = spacing};
                options.karras = n % 2 && kind != CG_SAMPLER_DDIM && kind != CG_SAMPLER_DDPM &&
                                         kind != CG_SAMPLER_PNDM
                                     ? CG_KARRAS_ON
                                     : CG_KARRAS_OFF;
                g_autoptr(GError) error = NULL;
                g_autoptr(CgSampler) s =
                    cg_sampler_new(schedule, kind, counts[n / 2], &options, &error);
                if (!s) {
                    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
                    g_assert_nonnull(strstr(error->message, "steps"));
                    g_assert_null(strchr(error->message, '\n'));
                    continue;
                }
                g_autoptr(CgTensor) x = test_sampler_run(s, &in, FALSE);
                g_assert_true(cg_tensor_is_finite(x));
            }
        }
        /* Every sampler has a way to do one step and all of them. */
        CgSamplerOptions trailing = {.spacing = CG_SPACING_TRAILING};
        g_autoptr(CgSampler) least = cg_sampler_new(schedule, kind, 1, &trailing, NULL);
        g_autoptr(CgSampler) most = cg_sampler_new(schedule, kind, 1000, &trailing, NULL);
        g_assert_nonnull(least);
        g_assert_nonnull(most);
    }
}

static void senseless_options_are_refused(void)
{
    static const struct {
        CgSamplerKind kind;
        int steps;
        CgSamplerOptions options;
        const char *message;
    } rows[] = {
        {CG_SAMPLER_DDIM, 0, {.eta = 0}, "0 sampling steps"},
        {CG_SAMPLER_EULER, -5, {.eta = 0}, "-5 sampling steps"},
        {CG_SAMPLER_UNIPC, 1001, {.eta = 0}, "1001 sampling steps, but there must be 1 to 1000"},
        {CG_SAMPLER_DDPM, G_MAXINT, {.eta = 0}, "sampling steps"},
        {CG_SAMPLER_DDIM, 10, {.eta = -0.1}, "eta is -0.1"},
        {CG_SAMPLER_DDIM, 10, {.eta = 1.5}, "eta is 1.5"},
        {CG_SAMPLER_DDIM, 10, {.eta = NAN}, "eta is nan"},
        {CG_SAMPLER_EULER, 10, {.eta = 1}, "sampler euler has no eta"},
        {CG_SAMPLER_DDIM, 10, {.karras = CG_KARRAS_ON}, "sampler ddim has no Karras"},
        {CG_SAMPLER_DDIM, 1000, {.eta = 0}, "1000 steps with leading spacing (steps_offset 1)"},
        {CG_SAMPLER_EULER, 1, {.eta = 0}, "1 step with linspace spacing"},
    };
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(
            cg_sampler_new(schedule, rows[i].kind, rows[i].steps, &rows[i].options, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, rows[i].message));
    }
}

/* This schedule's made-up last level lies below its neighbour: 20 steps go around that, 1000
 * cannot.
 */
static void levels_that_do_not_fall_are_refused(void)
{
    static const char text[] =
        "{\"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"}";
    CgSamplerOptions trailing = {.spacing = CG_SPACING_TRAILING};
    g_autoptr(CgNoiseSchedule) schedule =
        cg_noise_schedule_parse(text, strlen(text), "test.json", NULL);
    g_assert_cmpfloat(schedule->sigma[999], <, schedule->sigma[998]);
    static const CgSamplerKind kinds[] = {CG_SAMPLER_DPMPP_2M, CG_SAMPLER_EULER, CG_SAMPLER_UNIPC};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgSampler) few = cg_sampler_new(schedule, kinds[i], 20, &trailing, &error);
        g_assert_no_error(error);
        g_assert_nonnull(few);
        g_assert_null(cg_sampler_new(schedule, kinds[i], 1000, &trailing, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, "use fewer steps"));
    }
}

static void names_are_read_as_they_are_printed(void)
{
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(GError) error = NULL;
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        for (CgKarras karras = CG_KARRAS_OFF; karras <= CG_KARRAS_ON; karras++) {
            CgSamplerOptions options = {.karras = karras};
            g_autoptr(CgSampler) s = cg_sampler_new(schedule, kind, 10, &options, NULL);
            if (!s)
                continue; /* has no Karras levels */
            CgSamplerKind parsed = CG_SAMPLER_COUNT;
            CgKarras parsed_karras = CG_KARRAS_OFF;
            g_assert_true(cg_sampler_parse(cg_sampler_label(s), &parsed, &parsed_karras, NULL));
            g_assert_cmpint(parsed, ==, kind);
            g_assert_cmpint(parsed_karras, ==, karras);
        }
        g_assert_cmpuint(strlen(cg_sampler_summary(kind)), >, 0);
    }
    CgSamplerKind kind;
    CgKarras karras;
    g_assert_false(cg_sampler_parse("ddim-karras", &kind, &karras, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_assert_nonnull(strstr(error->message, "dpmpp-2m-karras"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler-grids/grids-are-the-published-ones", grids_are_the_published_ones);
    g_test_add_func("/sampler-grids/karras-levels-are-the-published-ones",
                    karras_levels_are_the_published_ones);
    g_test_add_func("/sampler-grids/all-grids-equal-those-of-diffusers",
                    all_grids_equal_those_of_diffusers);
    g_test_add_func("/sampler-grids/ddpm-coefficients-are-the-published-ones",
                    ddpm_coefficients_are_the_published_ones);
    g_test_add_func("/sampler-grids/ddim-eta-one-adds-the-published-noise",
                    ddim_eta_one_adds_the_published_noise);
    g_test_add_func("/sampler-grids/levels-go-from-noise-to-a-clean-image",
                    levels_go_from_noise_to_a_clean_image);
    g_test_add_func("/sampler-grids/a-sample-does-not-depend-on-its-batch",
                    a_sample_does_not_depend_on_its_batch);
    g_test_add_func("/sampler-grids/extreme-step-counts-work-or-say-why",
                    extreme_step_counts_work_or_say_why);
    g_test_add_func("/sampler-grids/senseless-options-are-refused", senseless_options_are_refused);
    g_test_add_func("/sampler-grids/levels-that-do-not-fall-are-refused",
                    levels_that_do_not_fall_are_refused);
    g_test_add_func("/sampler-grids/names-are-read-as-they-are-printed",
                    names_are_read_as_they_are_printed);
    return g_test_run();
}
