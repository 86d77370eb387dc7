#include "base/error.h"
#include "diffusion/sampler.h"
#include "support/diffusion.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

/* The scheduler_config.json of Stable Diffusion 1.5. */
static const char sd15[] =
    "{\"_class_name\": \"PNDMScheduler\", \"_diffusers_version\": \"0.6.0\","
    " \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085,"
    " \"num_train_timesteps\": 1000, \"set_alpha_to_one\": false, \"skip_prk_steps\": true,"
    " \"steps_offset\": 1, \"trained_betas\": null, \"clip_sample\": false}";

static CgNoiseSchedule *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    CgNoiseSchedule *s = cg_noise_schedule_parse(text, strlen(text), "test.json", &error);
    g_assert_no_error(error);
    return s;
}

static void tables_are_the_published_ones(void)
{
    static const struct {
        int t;
        double beta, alpha_bar, snr;
    } rows[] = {
        {0, 0.00085, 0.99915, 1175.47058823527},
        {1, 0.0008546986554056862, 0.9982960278384514, 585.8640477618947},
        {50, 0.0011007976391229082, 0.9515769028024592, 19.65130191735827},
        {100, 0.0013839725615898781, 0.8942234775865594, 8.453893710849904},
        {250, 0.0024277610290551624, 0.6737926252333215, 2.0655346180179253},
        {500, 0.00481495414171188, 0.2763326838229746, 0.38185044100482407},
        {750, 0.00801157933797015, 0.05616984800293729, 0.05951266537108056},
        {900, 0.010318081855853856, 0.014151141969672475, 0.01435427130072016},
        {951, 0.011168672618246316, 0.0081550045674304, 0.00822205546732006},
        {981, 0.011684755485241208, 0.005775500139495751, 0.005809050310373653},
        {999, 0.012, 0.004660098513077238, 0.004681916706157956},
    };
    g_autoptr(CgNoiseSchedule) s = cg_noise_schedule_default();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        test_assert_near(s->beta[rows[i].t], rows[i].beta, 1e-12);
        test_assert_near(s->alpha_bar[rows[i].t], rows[i].alpha_bar, 1e-12);
        test_assert_near(cg_noise_schedule_snr(s, rows[i].t), rows[i].snr, 1e-11);
    }
    double sum = 0;
    for (int t = 0; t < s->count; t++)
        sum += s->alpha_bar[t];
    test_assert_near(sum, 373.3766305691685, 1e-13);
    test_assert_near(s->sigma[0], 0.029167158151720367, 1e-11);
    test_assert_near(s->sigma[999], 14.614641229333639, 1e-12);
}

static void tables_equal_those_of_diffusers(void)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"scaled_linear", sd15},
        {"linear", "{\"beta_schedule\": \"linear\"}"},
        {"squaredcos", "{\"beta_schedule\": \"squaredcos_cap_v2\"}"},
        {"zero-snr", "{\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085,"
                     " \"beta_end\": 0.012, \"rescale_betas_zero_snr\": true,"
                     " \"prediction_type\": \"v_prediction\"}"},
    };
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("schedules.safetensors");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *key = g_strconcat("alphas_cumprod/", rows[i].name, NULL);
        g_autoptr(CgTensor) expected = test_fixture_tensor(st, key);
        g_autoptr(CgNoiseSchedule) s = parse(rows[i].text);
        for (int t = 0; t < 1000; t++) {
            double difference = fabs(s->alpha_bar[t] - cg_tensor_f32(expected)[t]);
            /* float32 tables; the last product of the cosine has lost five digits. */
            g_assert_cmpfloat(difference, <=, 1e-5 * s->alpha_bar[t] + 1e-9);
        }
    }
}

static void forward_process_equals_that_of_diffusers(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("schedules.safetensors");
    g_autoptr(CgTensor) x0 = test_fixture_tensor(st, "x0");
    g_autoptr(CgTensor) noise = test_fixture_tensor(st, "noise");
    g_autoptr(CgTensor) noisy = test_fixture_tensor(st, "add_noise");
    g_autoptr(CgTensor) velocity = test_fixture_tensor(st, "velocity");
    g_autoptr(CgTensor) out = cg_tensor_zeros(CG_F32, x0->shape);
    const int t[2] = {951, 17};
    size_t size = x0->count / 2;

    g_autoptr(CgNoiseSchedule) epsilon = cg_noise_schedule_default();
    cg_noise_schedule_add_noise(epsilon, t, 2, size, cg_tensor_f32(x0), cg_tensor_f32(noise),
                                cg_tensor_f32(out));
    test_assert_close("add_noise", out, noisy, 1e-6);
    cg_noise_schedule_target(epsilon, t, 2, size, cg_tensor_f32(x0), cg_tensor_f32(noise),
                             cg_tensor_f32(out));
    test_assert_close("epsilon", out, noise, 0);

    g_autoptr(CgNoiseSchedule) v =
        parse("{\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085,"
              " \"beta_end\": 0.012, \"prediction_type\": \"v_prediction\"}");
    cg_noise_schedule_target(v, t, 2, size, cg_tensor_f32(x0), cg_tensor_f32(noise),
                             cg_tensor_f32(out));
    test_assert_close("velocity", out, velocity, 1e-6);
}

static void min_snr_weights_are_the_published_ones(void)
{
    static const struct {
        int t;
        double epsilon, v;
    } rows[] = {{0, 0.00425361557, 0.00425},
                {100, 0.591443443, 0.528882612},
                {250, 1, 0.673792625},
                {500, 1, 0.276332684},
                {999, 1, 0.00466009851}};
    g_autoptr(CgNoiseSchedule) s = cg_noise_schedule_default();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        s->prediction = CG_PREDICTION_EPSILON;
        test_assert_near(cg_noise_schedule_min_snr_weight(s, rows[i].t, 5), rows[i].epsilon, 1e-8);
        s->prediction = CG_PREDICTION_V;
        test_assert_near(cg_noise_schedule_min_snr_weight(s, rows[i].t, 5), rows[i].v, 1e-8);
    }
}

static void stable_diffusion_file_is_the_default(void)
{
    g_autoptr(CgNoiseSchedule) a = parse(sd15), b = cg_noise_schedule_default();
    g_assert_cmpmem(a->alpha_bar, 1000 * sizeof(double), b->alpha_bar, 1000 * sizeof(double));
    g_assert_cmpint(a->steps_offset, ==, b->steps_offset);
    g_assert_cmpint(a->set_alpha_to_one, ==, 0);
    g_assert_cmpint(a->prediction, ==, b->prediction);
    g_assert_cmpint(a->spacing, ==, CG_SPACING_AUTO);
    CgSamplerKind kind;
    g_assert_true(cg_noise_schedule_sampler(a, &kind));
    g_assert_cmpint(kind, ==, CG_SAMPLER_PNDM);
    g_assert_false(cg_noise_schedule_sampler(b, &kind));
}

/* As DPMSolverMultistepScheduler.save_pretrained writes it, -Infinity included. */
static void files_saved_by_diffusers_are_read(void)
{
    g_autoptr(CgNoiseSchedule) s = parse(
        "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"_diffusers_version\": \"0.42.1\","
        " \"algorithm_type\": \"dpmsolver++\", \"beta_end\": 0.012,"
        " \"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085,"
        " \"dynamic_thresholding_ratio\": 0.995, \"euler_at_final\": false,"
        " \"final_sigmas_type\": \"zero\", \"flow_shift\": 1.0,"
        " \"lambda_min_clipped\": -Infinity, \"lower_order_final\": true,"
        " \"num_train_timesteps\": 1000, \"prediction_type\": \"v_prediction\","
        " \"rescale_betas_zero_snr\": false, \"sample_max_value\": 1.0, \"solver_order\": 2,"
        " \"solver_type\": \"midpoint\", \"steps_offset\": 0, \"thresholding\": false,"
        " \"time_shift_type\": \"exponential\", \"timestep_spacing\": \"trailing\","
        " \"trained_betas\": null, \"use_beta_sigmas\": false, \"use_dynamic_shifting\": false,"
        " \"use_exponential_sigmas\": false, \"use_flow_sigmas\": false,"
        " \"use_karras_sigmas\": true, \"use_lu_lambdas\": false, \"variance_type\": null,"
        " \"some_later_switch\": false}");
    g_assert_cmpint(s->prediction, ==, CG_PREDICTION_V);
    g_assert_cmpint(s->spacing, ==, CG_SPACING_TRAILING);
    g_assert_cmpint(s->set_alpha_to_one, ==, -1);
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgSampler) sampler = cg_sampler_new(s, kind, 10, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(cg_sampler_spacing(sampler), ==, CG_SPACING_TRAILING);
    }
    g_autoptr(CgSampler) karras = cg_sampler_new(s, CG_SAMPLER_DPMPP_2M, 10, NULL, NULL);
    g_assert_cmpstr(cg_sampler_label(karras), ==, "dpmpp-2m-karras");
}

static void trained_betas_are_taken_as_they_are(void)
{
    g_autoptr(CgNoiseSchedule) s =
        parse("{\"num_train_timesteps\": 4, \"trained_betas\": [0.1, 0.2, 0.25, 0.5]}");
    g_assert_cmpint(s->count, ==, 4);
    test_assert_near(s->alpha_bar[3], 0.9 * 0.8 * 0.75 * 0.5, 1e-15);
}

static void a_missing_file_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_noise_schedule_load("/nonexistent/scheduler_config.json", &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, "/nonexistent/scheduler_config.json"));
}

/* Each gives one line that names the file and the thing. */
static void wrong_files_are_refused_by_name(void)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "empty"},
        {"[]", "object"},
        {"{\"beta_start\": 0.001", "JSON"},
        {"{\"beta_start\": NaN}", "JSON"},
        {"{\"beta_start\": Infinity}", "JSON"},
        {"{\"beta_end\": 0.01, \"beta_end\": 0.02}", "beta_end"},
        {"{\"beta_start\": -Infinity}", "\"beta_start\""},
        {"{\"beta_start\": 1e999}", "JSON"},
        {"{\"beta_start\": -0.001}", "\"beta_start\" is -0.001"},
        {"{\"beta_start\": 0}", "\"beta_start\" is 0"},
        {"{\"beta_end\": 1}", "\"beta_end\" is 1"},
        {"{\"beta_end\": \"0.02\"}", "\"beta_end\""},
        {"{\"beta_start\": 0.02, \"beta_end\": 0.01}", "larger"},
        {"{\"beta_start\": 1e-300, \"beta_end\": 1e-290}", "cannot be used"},
        {"{\"beta_start\": 0.9, \"beta_end\": 0.9, \"num_train_timesteps\": 100000}",
         "cannot be used"},
        {"{\"beta_schedule\": \"sigmoid\"}", "\"beta_schedule\": \"sigmoid\""},
        {"{\"beta_schedule\": 3}", "\"beta_schedule\""},
        {"{\"num_train_timesteps\": 0}", "\"num_train_timesteps\""},
        {"{\"num_train_timesteps\": -1000}", "\"num_train_timesteps\""},
        {"{\"num_train_timesteps\": 100001}", "\"num_train_timesteps\""},
        {"{\"num_train_timesteps\": 9223372036854775807}", "\"num_train_timesteps\""},
        {"{\"num_train_timesteps\": 99999999999999999999}", "JSON"},
        {"{\"num_train_timesteps\": 1000.5}", "\"num_train_timesteps\""},
        {"{\"steps_offset\": -1}", "\"steps_offset\""},
        {"{\"steps_offset\": 1000}", "\"steps_offset\""},
        {"{\"timestep_spacing\": \"log\"}", "\"timestep_spacing\": \"log\""},
        {"{\"timestep_spacing\": \"auto\"}", "\"timestep_spacing\": \"auto\""},
        {"{\"prediction_type\": \"sample\"}", "\"prediction_type\": \"sample\""},
        {"{\"prediction_type\": \"flow_prediction\"}", "\"flow_prediction\""},
        {"{\"trained_betas\": [0.1]}", "\"trained_betas\""},
        {"{\"trained_betas\": \"x\"}", "\"trained_betas\""},
        {"{\"num_train_timesteps\": 2, \"trained_betas\": [0.1, \"a\"]}", "not a number"},
        {"{\"num_train_timesteps\": 2, \"trained_betas\": [0.1, -0.1]}", "timestep 1 is -0.1"},
        {"{\"num_train_timesteps\": 2, \"trained_betas\": [1.5, 0.1]}", "timestep 0 is 1.5"},
        {"{\"set_alpha_to_one\": 1}", "\"set_alpha_to_one\""},
        {"{\"rescale_betas_zero_snr\": true}", "\"rescale_betas_zero_snr\""},
        {"{\"variance_type\": \"learned_range\"}", "\"variance_type\": \"learned_range\""},
        {"{\"use_flow_sigmas\": true}", "\"use_flow_sigmas\""},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"}", "FlowMatchEuler"},
        {"{\"_class_name\": \"LCMScheduler\"}", "LCMScheduler"},
        {"{\"_class_name\": 3}", "\"_class_name\""},
        {"{\"shiny_new_noise\": 2.0}", "\"shiny_new_noise\" (2.0)"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgNoiseSchedule) s =
            cg_noise_schedule_parse(rows[i].text, strlen(rows[i].text), "dir/s.json", &error);
        if (s || !strstr(error->message, rows[i].message))
            g_error("%s: %s", rows[i].text, s ? "accepted" : error->message);
        g_assert_true(g_str_has_prefix(error->message, "dir/s.json: "));
        g_assert_null(strchr(error->message, '\n'));
        g_assert_true(error->domain == CG_ERROR);
    }
}

/* What only some samplers read is refused when one of those is made, and no other. */
static void keys_of_single_samplers_are_refused_there(void)
{
    static const struct {
        const char *text;
        guint samplers;
    } rows[] = {
        {"\"clip_sample\": true", 1 << CG_SAMPLER_DDIM | 1 << CG_SAMPLER_DDPM},
        {"\"thresholding\": true", 1 << CG_SAMPLER_DDIM | 1 << CG_SAMPLER_DDPM |
                                       1 << CG_SAMPLER_DPMPP_2M | 1 << CG_SAMPLER_UNIPC},
        {"\"skip_prk_steps\": false", 1 << CG_SAMPLER_PNDM},
        {"\"algorithm_type\": \"sde-dpmsolver++\"", 1 << CG_SAMPLER_DPMPP_2M},
        {"\"solver_order\": 3", 1 << CG_SAMPLER_DPMPP_2M | 1 << CG_SAMPLER_UNIPC},
        {"\"solver_type\": \"heun\"", 1 << CG_SAMPLER_DPMPP_2M},
        {"\"solver_type\": \"bh1\"", 1 << CG_SAMPLER_UNIPC},
        {"\"lambda_min_clipped\": -5.1", 1 << CG_SAMPLER_DPMPP_2M},
        {"\"predict_x0\": false", 1 << CG_SAMPLER_UNIPC},
        {"\"disable_corrector\": [0]", 1 << CG_SAMPLER_UNIPC},
        {"\"final_sigmas_type\": \"sigma_min\"",
         1 << CG_SAMPLER_DPMPP_2M | 1 << CG_SAMPLER_EULER | 1 << CG_SAMPLER_UNIPC},
        {"\"sigma_max\": 10", 1 << CG_SAMPLER_EULER | 1 << CG_SAMPLER_UNIPC},
        {"\"interpolation_type\": \"log_linear\"", 1 << CG_SAMPLER_EULER},
        {"\"variance_type\": \"fixed_large_log\"", 1 << CG_SAMPLER_DDPM},
        {"\"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"",
         1 << CG_SAMPLER_PNDM},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("{%s}", rows[i].text);
        g_autoptr(CgNoiseSchedule) s = parse(text);
        for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(CgSampler) sampler = cg_sampler_new(s, kind, 10, NULL, &error);
            if (!(rows[i].samplers >> kind & 1)) {
                g_assert_no_error(error);
                g_assert_nonnull(sampler);
                continue;
            }
            g_assert_null(sampler);
            g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
            g_assert_nonnull(strstr(error->message, cg_sampler_name(kind)));
            g_autofree char *key = g_strndup(rows[i].text, strcspn(rows[i].text, ":"));
            g_assert_nonnull(strstr(error->message, key));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/schedule/tables-are-the-published-ones", tables_are_the_published_ones);
    g_test_add_func("/schedule/tables-equal-those-of-diffusers", tables_equal_those_of_diffusers);
    g_test_add_func("/schedule/forward-process-equals-that-of-diffusers",
                    forward_process_equals_that_of_diffusers);
    g_test_add_func("/schedule/min-snr-weights-are-the-published-ones",
                    min_snr_weights_are_the_published_ones);
    g_test_add_func("/schedule/stable-diffusion-file-is-the-default",
                    stable_diffusion_file_is_the_default);
    g_test_add_func("/schedule/files-saved-by-diffusers-are-read",
                    files_saved_by_diffusers_are_read);
    g_test_add_func("/schedule/trained-betas-are-taken-as-they-are",
                    trained_betas_are_taken_as_they_are);
    g_test_add_func("/schedule/a-missing-file-is-an-error", a_missing_file_is_an_error);
    g_test_add_func("/schedule/wrong-files-are-refused-by-name", wrong_files_are_refused_by_name);
    g_test_add_func("/schedule/keys-of-single-samplers-are-refused-there",
                    keys_of_single_samplers_are_refused_there);
    return g_test_run();
}
