#include "diffusion/schedule.h"

#include "base/error.h"
#include "base/file.h"
#include "diffusion/schedule-private.h"

#include <math.h>
#include <string.h>

/* numpy's linspace: I * step, the last point set exactly. */
static double linspace_point(double first, double last, int count, int i)
{
    return i == count - 1 ? last : first + i * ((last - first) / (count - 1));
}

/* Cosine schedule of Nichol and Dhariwal 2021, betas capped at 0.999. */
static double squaredcos_beta(int count, int i)
{
    double from = cos(((double)i / count + 0.008) / 1.008 * G_PI / 2);
    double to = cos(((i + 1.0) / count + 0.008) / 1.008 * G_PI / 2);
    return MIN(1 - (to * to) / (from * from), 0.999);
}

static void fill_betas(CgNoiseSchedule *s, const CgBetaRecipe *recipe)
{
    for (int i = 0; i < s->count; i++) {
        switch (recipe->kind) {
        case CG_BETA_LINEAR:
            s->beta[i] = linspace_point(recipe->start, recipe->end, s->count, i);
            break;
        case CG_BETA_SCALED_LINEAR: {
            double root = linspace_point(sqrt(recipe->start), sqrt(recipe->end), s->count, i);
            s->beta[i] = root * root;
            break;
        }
        case CG_BETA_SQUAREDCOS:
            s->beta[i] = squaredcos_beta(s->count, i);
            break;
        case CG_BETA_TRAINED:
            s->beta[i] = recipe->trained[i];
            break;
        }
    }
}

/* Shifts and scales sqrt(alpha_bar) so that it ends at 0 and starts where it did (Lin et al. 2023,
 * algorithm 1). */
static void rescale_to_zero_snr(CgNoiseSchedule *s)
{
    double first = sqrt(s->alpha_bar[0]), last = sqrt(s->alpha_bar[s->count - 1]);
    for (int i = 0; i < s->count; i++) {
        double root = (sqrt(s->alpha_bar[i]) - last) * (first / (first - last));
        s->alpha_bar[i] = root * root;
    }
    for (int i = s->count - 1; i > 0; i--)
        s->beta[i] = 1 - s->alpha_bar[i] / s->alpha_bar[i - 1];
    s->beta[0] = 1 - s->alpha_bar[0];
}

gboolean cg_noise_schedule_build(CgNoiseSchedule *s, const CgBetaRecipe *recipe, GError **error)
{
    s->beta = g_new(double, s->count);
    s->alpha_bar = g_new(double, s->count);
    s->sigma = g_new(double, s->count);

    fill_betas(s, recipe);
    double product = 1;
    for (int i = 0; i < s->count; i++) {
        if (!(s->beta[i] > 0 && s->beta[i] < 1)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: the noise schedule's beta at timestep %d is %g, but betas must lie "
                        "between 0 and 1",
                        s->where, i, s->beta[i]);
            return FALSE;
        }
        product *= 1 - s->beta[i];
        s->alpha_bar[i] = product;
    }
    if (s->zero_snr)
        rescale_to_zero_snr(s);

    for (int i = 0; i < s->count; i++) {
        gboolean end = s->zero_snr && i == s->count - 1;
        double a = end ? 0x1p-24 : s->alpha_bar[i];
        s->sigma[i] = sqrt((1 - a) / a);
        /* Betas below rounding leave no noise, many large ones no signal; both would divide by
         * zero later. The end of zero_snr is made up and may lie below its neighbour. */
        if (end || (a > 1e-30 && s->sigma[i] > (i > 0 ? s->sigma[i - 1] : 0)))
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the betas give a noise schedule that cannot be used: at timestep %d of %d "
                    "the signal's share is %g and must fall from below 1 towards 0",
                    s->where, i, s->count, s->alpha_bar[i]);
        return FALSE;
    }
    return TRUE;
}

CgNoiseSchedule *cg_noise_schedule_default(void)
{
    CgBetaRecipe recipe = {CG_BETA_SCALED_LINEAR, 0.00085, 0.012, NULL};
    g_autoptr(CgNoiseSchedule) s = g_new0(CgNoiseSchedule, 1);
    s->where = g_strdup("default noise schedule");
    s->count = 1000;
    s->steps_offset = 1;
    gboolean built = cg_noise_schedule_build(s, &recipe, NULL);
    g_assert(built);
    return g_steal_pointer(&s);
}

/* Python writes -Infinity for DPMSolverMultistepScheduler's lambda_min_clipped, which is not JSON.
 * The largest negative number of the same length keeps columns in messages right. */
static void replace_minus_infinity(char *text, size_t size)
{
    static const char word[] = "-Infinity", number[] = "-1.7e+308";
    G_STATIC_ASSERT(sizeof word == sizeof number);
    gboolean quoted = FALSE;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && size - i >= sizeof word - 1 && !memcmp(text + i, word, sizeof word - 1))
            memcpy(text + i, number, sizeof number - 1);
    }
}

CgNoiseSchedule *cg_noise_schedule_parse(const char *text, size_t size, const char *where,
                                         GError **error)
{
    g_autofree char *copy = g_malloc(size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    replace_minus_infinity(copy, size);

    g_autoptr(json_t) config = cg_json_parse(copy, size, where, error);
    if (!config)
        return NULL;

    g_autoptr(CgNoiseSchedule) s = g_new0(CgNoiseSchedule, 1);
    s->where = g_strdup(where);
    s->config = json_incref(config);
    CgBetaRecipe recipe = {0};
    gboolean good =
        cg_scheduler_config_read(s, &recipe, error) && cg_noise_schedule_build(s, &recipe, error);
    g_free(recipe.trained);
    return good ? g_steal_pointer(&s) : NULL;
}

CgNoiseSchedule *cg_noise_schedule_load(const char *path, GError **error)
{
    size_t size;
    g_autofree char *text = cg_file_read(path, CG_JSON_MAX_FILE, &size, error);
    return text ? cg_noise_schedule_parse(text, size, path, error) : NULL;
}

void cg_noise_schedule_free(CgNoiseSchedule *s)
{
    if (!s)
        return;
    g_free(s->beta);
    g_free(s->alpha_bar);
    g_free(s->sigma);
    g_free(s->class_name);
    g_free(s->where);
    if (s->config)
        json_decref(s->config);
    g_free(s);
}

const char *cg_prediction_name(CgPrediction prediction)
{
    return prediction == CG_PREDICTION_V ? "v_prediction" : "epsilon";
}

static const char *const spacing_names[] = {"auto", "leading", "trailing", "linspace"};

const char *cg_spacing_name(CgSpacing spacing)
{
    return spacing_names[spacing];
}

gboolean cg_spacing_parse(const char *text, CgSpacing *spacing)
{
    for (guint i = 0; i < G_N_ELEMENTS(spacing_names); i++) {
        if (!strcmp(text, spacing_names[i])) {
            *spacing = i;
            return TRUE;
        }
    }
    return FALSE;
}

void cg_noise_schedule_add_noise(const CgNoiseSchedule *s, const int *t, size_t n, size_t size,
                                 const float *x0, const float *noise, float *out)
{
    for (size_t k = 0; k < n; k++) {
        g_assert(t[k] >= 0 && t[k] < s->count);
        double signal = sqrt(s->alpha_bar[t[k]]), spread = sqrt(1 - s->alpha_bar[t[k]]);
        for (size_t i = k * size; i < (k + 1) * size; i++)
            out[i] = (float)(signal * x0[i] + spread * noise[i]);
    }
}

void cg_noise_schedule_target(const CgNoiseSchedule *s, const int *t, size_t n, size_t size,
                              const float *x0, const float *noise, float *out)
{
    for (size_t k = 0; k < n; k++) {
        g_assert(t[k] >= 0 && t[k] < s->count);
        gboolean v = s->prediction == CG_PREDICTION_V;
        double of_noise = v ? sqrt(s->alpha_bar[t[k]]) : 1;
        double of_x0 = v ? -sqrt(1 - s->alpha_bar[t[k]]) : 0;
        for (size_t i = k * size; i < (k + 1) * size; i++)
            out[i] = (float)(of_noise * noise[i] + of_x0 * x0[i]);
    }
}

double cg_noise_schedule_snr(const CgNoiseSchedule *s, int t)
{
    g_assert(t >= 0 && t < s->count);
    return s->alpha_bar[t] / (1 - s->alpha_bar[t]);
}

double cg_noise_schedule_min_snr_weight(const CgNoiseSchedule *s, int t, double gamma)
{
    double snr = cg_noise_schedule_snr(s, t);
    return MIN(snr, gamma) / (s->prediction == CG_PREDICTION_V ? snr + 1 : snr);
}
