/* scheduler_config.json: which keys and values we take, and what each of them means. */
#include "base/error.h"
#include "diffusion/schedule-private.h"

#include <math.h>
#include <string.h>

/* Classes of diffusers that describe the kind of noise schedule we have. Heun's and KDPM2's betas
 * default to other values than everyone else's. */
static const struct {
    const char *name;
    int sampler; /* CgSamplerKind that is the same algorithm, or -1 */
    double beta_start, beta_end;
} classes[] = {
    {"DDIMScheduler", CG_SAMPLER_DDIM, 0.0001, 0.02},
    {"DDPMScheduler", CG_SAMPLER_DDPM, 0.0001, 0.02},
    {"PNDMScheduler", CG_SAMPLER_PNDM, 0.0001, 0.02},
    {"DPMSolverMultistepScheduler", CG_SAMPLER_DPMPP_2M, 0.0001, 0.02},
    {"UniPCMultistepScheduler", CG_SAMPLER_UNIPC, 0.0001, 0.02},
    {"EulerDiscreteScheduler", CG_SAMPLER_EULER, 0.0001, 0.02},
    {"EulerAncestralDiscreteScheduler", -1, 0.0001, 0.02},
    {"LMSDiscreteScheduler", -1, 0.0001, 0.02},
    {"DEISMultistepScheduler", -1, 0.0001, 0.02},
    {"DPMSolverSinglestepScheduler", -1, 0.0001, 0.02},
    {"HeunDiscreteScheduler", -1, 0.00085, 0.012},
    {"KDPM2DiscreteScheduler", -1, 0.00085, 0.012},
    {"KDPM2AncestralDiscreteScheduler", -1, 0.00085, 0.012},
};

/* Keys that every class has and that cg_scheduler_config_read takes apart. */
static const char *const schedule_keys[] = {
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "steps_offset",
    "timestep_spacing",
    "prediction_type",
    "set_alpha_to_one",
    "variance_type",
    "rescale_betas_zero_snr",
    "use_karras_sigmas",
};

/* Keys that change nothing: parameters of features that are refused when switched on, and special
 * cases of the last steps that our samplers treat alike either way. */
static const char *const inert_keys[] = {
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "clip_sample_range",
    "flow_shift",
    "time_shift_type",
    "euler_at_final",
};

#define DDIM   (1u << CG_SAMPLER_DDIM)
#define DDPM   (1u << CG_SAMPLER_DDPM)
#define DPMPP  (1u << CG_SAMPLER_DPMPP_2M)
#define EULER  (1u << CG_SAMPLER_EULER)
#define PNDM   (1u << CG_SAMPLER_PNDM)
#define UNIPC  (1u << CG_SAMPLER_UNIPC)
#define EVERY  (DDIM | DDPM | DPMPP | EULER | PNDM | UNIPC)
#define SIGMAS (DPMPP | EULER | UNIPC)

/* Keys with the values that the samplers who read them implement, as compact JSON; null and absent
 * are always fine. */
static const struct {
    const char *key;
    guint samplers;
    const char *values[6];
} rules[] = {
    {"variance_type", DDPM, {"\"fixed_small\"", "\"fixed_small_log\"", "\"fixed_large\""}},
    {"clip_sample", DDIM | DDPM, {"false"}},
    {"thresholding", DDIM | DDPM | DPMPP | UNIPC, {"false"}},
    {"skip_prk_steps", PNDM, {"true"}},
    {"algorithm_type", DPMPP, {"\"dpmsolver++\"", "\"deis\""}},
    {"solver_order", DPMPP | UNIPC, {"2"}},
    /* One key for two classes: each maps the other's words to its own default. */
    {"solver_type", DPMPP, {"\"midpoint\"", "\"logrho\"", "\"bh1\"", "\"bh2\""}},
    {"solver_type", UNIPC, {"\"bh2\"", "\"midpoint\"", "\"heun\"", "\"logrho\""}},
    {"lower_order_final", UNIPC, {"true"}},
    {"predict_x0", UNIPC, {"true"}},
    {"disable_corrector", UNIPC, {"[]"}},
    {"solver_p", UNIPC, {NULL}},
    {"final_sigmas_type", SIGMAS, {"\"zero\""}},
    {"use_exponential_sigmas", SIGMAS, {"false"}},
    {"use_beta_sigmas", SIGMAS, {"false"}},
    {"use_lu_lambdas", DPMPP, {"false"}},
    {"lambda_min_clipped", DPMPP, {"-1.7e308"}}, /* what stands for -Infinity: see schedule.c */
    {"sigma_min", EULER | UNIPC, {NULL}},
    {"sigma_max", EULER | UNIPC, {NULL}},
    {"interpolation_type", EULER, {"\"linear\""}},
    {"timestep_type", EULER, {"\"discrete\""}},
    /* A network trained for flow matching is no use to any of ours. */
    {"use_flow_sigmas", EVERY, {"false"}},
    {"use_dynamic_shifting", EVERY, {"false"}},
    {"shift_terminal", EVERY, {NULL}},
};

static gboolean listed(const char *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(list[i], key))
            return TRUE;
    }
    return FALSE;
}

static gboolean key_is_known(const char *key)
{
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (!strcmp(rules[i].key, key))
            return TRUE;
    }
    return key[0] == '_' || listed(schedule_keys, G_N_ELEMENTS(schedule_keys), key) ||
           listed(inert_keys, G_N_ELEMENTS(inert_keys), key);
}

/* VALUE as short text for a message; g_free. */
static char *value_text(const json_t *value)
{
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
    char *text = g_strndup(dumped ? dumped : "?", 60);
    free(dumped);
    return text;
}

/* A key from a newer diffusers is fine as long as it is switched off. */
static gboolean is_switched_off(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static gboolean check_keys(const CgNoiseSchedule *s, GError **error)
{
    const char *key;
    json_t *value;
    json_object_foreach(s->config, key, value)
    {
        if (key_is_known(key) || is_switched_off(value))
            continue;
        g_autofree char *text = value_text(value);
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: key \"%.60s\" (%s) is not known here; if the model works without it, "
                    "remove it",
                    s->where, key, text);
        return FALSE;
    }
    return TRUE;
}

static gboolean value_allowed(const char *text, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count && values[i]; i++) {
        if (!strcmp(text, values[i]))
            return TRUE;
    }
    return FALSE;
}

/* The rules that hold for EVERY sampler, or all of those for KIND. */
static gboolean check_rules(const CgNoiseSchedule *s, gboolean every, CgSamplerKind kind,
                            GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
        const json_t *value = json_object_get(s->config, rules[i].key);
        gboolean selected =
            every ? rules[i].samplers == EVERY : (rules[i].samplers >> kind & 1) != 0;
        if (!selected || !value || json_is_null(value))
            continue;
        g_autofree char *text = value_text(value);
        if (value_allowed(text, rules[i].values, G_N_ELEMENTS(rules[i].values)))
            continue;
        const char *wanted = rules[i].values[0] ? rules[i].values[0] : "null";
        if (every)
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: \"%s\": %s is not supported, only %s", s->where, rules[i].key, text,
                        wanted);
        else
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: \"%s\": %s is not supported by sampler %s, only %s; choose another "
                        "sampler or change the file",
                        s->where, rules[i].key, text, cg_sampler_name(kind), wanted);
        return FALSE;
    }
    return TRUE;
}

gboolean cg_scheduler_config_check(const CgNoiseSchedule *s, CgSamplerKind kind, GError **error)
{
    if (s->zero_snr && kind == CG_SAMPLER_PNDM) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: sampler pndm cannot start from \"rescale_betas_zero_snr\": true; use "
                    "another one, such as ddim with trailing spacing",
                    s->where);
        return FALSE;
    }
    return !s->config || check_rules(s, FALSE, kind, error);
}

static gboolean read_class(CgNoiseSchedule *s, CgBetaRecipe *recipe, GError **error)
{
    const char *name;
    if (!cg_json_string(s->config, s->where, "_class_name", NULL, &name, error))
        return FALSE;
    s->class_name = g_strdup(name);
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        if (name && strcmp(name, classes[i].name))
            continue;
        recipe->start = classes[i].beta_start;
        recipe->end = classes[i].beta_end;
        return TRUE;
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: \"_class_name\": \"%.60s\" is a kind of diffusion that is not supported; "
                "Stable Diffusion 1.x has PNDMScheduler or DDIMScheduler",
                s->where, name);
    return FALSE;
}

static gboolean read_number(const CgNoiseSchedule *s, const char *key, double *value,
                            GError **error)
{
    if (!cg_json_double(s->config, s->where, key, *value, value, error))
        return FALSE;
    if (*value > 0 && *value < 1)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" is %g, but must lie between 0 and 1",
                s->where, key, *value);
    return FALSE;
}

static gboolean read_trained_betas(const CgNoiseSchedule *s, const json_t *list,
                                   CgBetaRecipe *recipe, GError **error)
{
    if (!json_is_array(list) || json_array_size(list) != (size_t)s->count) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"trained_betas\" must be null or an array of num_train_timesteps (%d) "
                    "numbers",
                    s->where, s->count);
        return FALSE;
    }
    recipe->kind = CG_BETA_TRAINED;
    recipe->trained = g_new(double, s->count);
    for (int i = 0; i < s->count; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_number(value)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: \"trained_betas\" holds something that is not a number", s->where);
            return FALSE;
        }
        recipe->trained[i] = json_number_value(value);
    }
    return TRUE;
}

static gboolean read_betas(const CgNoiseSchedule *s, CgBetaRecipe *recipe, GError **error)
{
    const char *kind;
    const json_t *trained = json_object_get(s->config, "trained_betas");
    if (trained && !json_is_null(trained))
        return read_trained_betas(s, trained, recipe, error);

    if (!cg_json_string(s->config, s->where, "beta_schedule", "linear", &kind, error))
        return FALSE;
    if (!strcmp(kind, "linear")) {
        recipe->kind = CG_BETA_LINEAR;
    } else if (!strcmp(kind, "scaled_linear")) {
        recipe->kind = CG_BETA_SCALED_LINEAR;
    } else if (!strcmp(kind, "squaredcos_cap_v2")) {
        recipe->kind = CG_BETA_SQUAREDCOS;
    } else {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"beta_schedule\": \"%.60s\" is not supported; linear, scaled_linear and "
                    "squaredcos_cap_v2 are",
                    s->where, kind);
        return FALSE;
    }
    if (!read_number(s, "beta_start", &recipe->start, error) ||
        !read_number(s, "beta_end", &recipe->end, error))
        return FALSE;
    if (recipe->start <= recipe->end)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: \"beta_start\" (%g) is larger than \"beta_end\" (%g)", s->where, recipe->start,
                recipe->end);
    return FALSE;
}

static gboolean unsupported_word(const CgNoiseSchedule *s, const char *key, const char *word,
                                 const char *supported, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: \"%s\": \"%.60s\" is not supported; %s are", s->where, key, word, supported);
    return FALSE;
}

static gboolean read_prediction(CgNoiseSchedule *s, GError **error)
{
    const char *word;
    if (!cg_json_string(s->config, s->where, "prediction_type", "epsilon", &word, error))
        return FALSE;
    if (!strcmp(word, "epsilon"))
        s->prediction = CG_PREDICTION_EPSILON;
    else if (!strcmp(word, "v_prediction"))
        s->prediction = CG_PREDICTION_V;
    else
        return unsupported_word(s, "prediction_type", word, "epsilon and v_prediction", error);
    return TRUE;
}

static gboolean read_spacing(CgNoiseSchedule *s, GError **error)
{
    const char *word;
    if (!cg_json_string(s->config, s->where, "timestep_spacing", NULL, &word, error))
        return FALSE;
    if (word && (!cg_spacing_parse(word, &s->spacing) || s->spacing == CG_SPACING_AUTO))
        return unsupported_word(s, "timestep_spacing", word, "leading, trailing and linspace",
                                error);
    return TRUE;
}

/* "learned" variances make the network's output twice as wide, whatever samples from it. The fixed
 * ones concern only DDPM: see rules. */
static gboolean read_variance(CgNoiseSchedule *s, GError **error)
{
    const char *word;
    if (!cg_json_string(s->config, s->where, "variance_type", "fixed_small", &word, error))
        return FALSE;
    s->variance_large = !strcmp(word, "fixed_large");
    if (!g_str_has_prefix(word, "fixed_"))
        return unsupported_word(s, "variance_type", word,
                                "fixed_small, fixed_small_log and fixed_large", error);
    return TRUE;
}

gboolean cg_scheduler_config_read(CgNoiseSchedule *s, CgBetaRecipe *recipe, GError **error)
{
    gint64 count, offset;
    gboolean to_one;

    if (!read_class(s, recipe, error) || !check_keys(s, error) || !check_rules(s, TRUE, 0, error))
        return FALSE;
    if (!cg_json_int(s->config, s->where, "num_train_timesteps", 1000, 2, CG_SCHEDULE_MAX_COUNT,
                     &count, error) ||
        !cg_json_int(s->config, s->where, "steps_offset", 0, 0, count - 1, &offset, error) ||
        !cg_json_bool(s->config, s->where, "set_alpha_to_one", FALSE, &to_one, error) ||
        !cg_json_bool(s->config, s->where, "use_karras_sigmas", FALSE, &s->karras, error) ||
        !cg_json_bool(s->config, s->where, "rescale_betas_zero_snr", FALSE, &s->zero_snr, error))
        return FALSE;
    s->count = (int)count;
    s->steps_offset = (int)offset;
    const json_t *stated = json_object_get(s->config, "set_alpha_to_one");
    s->set_alpha_to_one = stated && !json_is_null(stated) ? to_one : -1;

    if (!read_betas(s, recipe, error) || !read_prediction(s, error) || !read_spacing(s, error) ||
        !read_variance(s, error))
        return FALSE;
    if (s->zero_snr && s->prediction == CG_PREDICTION_EPSILON) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"rescale_betas_zero_snr\": true needs \"prediction_type\": "
                    "\"v_prediction\": from pure noise, predicting the noise says nothing",
                    s->where);
        return FALSE;
    }
    return TRUE;
}

gboolean cg_noise_schedule_sampler(const CgNoiseSchedule *s, CgSamplerKind *kind)
{
    for (guint i = 0; s->class_name && i < G_N_ELEMENTS(classes); i++) {
        if (!strcmp(s->class_name, classes[i].name) && classes[i].sampler >= 0) {
            *kind = classes[i].sampler;
            return TRUE;
        }
    }
    return FALSE;
}
