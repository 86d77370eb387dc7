#include "pipeline/job.h"

#include "base/file.h"
#include "pipeline/output.h"
#include "synthesis/foreground.h"
#include "synthesis/shapes.h"

#include <math.h>
#include <string.h>

#define MAX_JOBS_FILE ((size_t)256 << 20)

/* KEY_FOREGROUND: a policy's name or a path. */
typedef enum {
    KEY_PATH,
    KEY_STRING,
    KEY_FOREGROUND,
    KEY_INT64,
    KEY_INT,
    KEY_DOUBLE,
    KEY_BOOL
} KeyType;

typedef struct {
    const char *name;
    KeyType type;
    size_t offset;
    double min, max; /* of numbers */
} Key;

#define KEY(member, type, min, max)                                                                \
    {                                                                                              \
#member, type, offsetof(CgJob, member), min, max                                           \
    }

static const Key keys[] = {
    KEY(normal, KEY_PATH, 0, 0),
    KEY(mask, KEY_PATH, 0, 0),
    KEY(begin, KEY_PATH, 0, 0),
    KEY(shape, KEY_STRING, 0, 0),
    KEY(foreground, KEY_FOREGROUND, 0, 0),
    KEY(library, KEY_PATH, 0, 0),
    KEY(allowed, KEY_PATH, 0, 0),
    KEY(forbidden, KEY_PATH, 0, 0),
    KEY(min_area, KEY_DOUBLE, 0, 1),
    KEY(max_area, KEY_DOUBLE, 0, 1),
    KEY(prompt, KEY_STRING, 0, 0),
    KEY(negative_prompt, KEY_STRING, 0, 0),
    KEY(category, KEY_STRING, 0, 0),
    KEY(defect, KEY_STRING, 0, 0),
    KEY(sampler, KEY_STRING, 0, 0),
    KEY(fuse, KEY_STRING, 0, 0),
    KEY(mask_policy, KEY_STRING, 0, 0),
    KEY(paste, KEY_STRING, 0, 0),
    KEY(window, KEY_STRING, 0, 0),
    KEY(seed, KEY_INT64, 0, 9007199254740992.0), /* what JSON readers keep exactly */
    KEY(sample, KEY_INT64, 0, 4294967295.0),
    KEY(steps, KEY_INT, 1, 100000),
    KEY(clip_skip, KEY_INT, 0, 64),
    KEY(paste_band, KEY_INT, 0, 1024),
    KEY(size, KEY_INT, 0, CG_GENERATE_MAX_SIDE),
    KEY(strength, KEY_DOUBLE, 0, 1),
    KEY(guidance, KEY_DOUBLE, 0, 1000),
    KEY(eta, KEY_DOUBLE, 0, 1),
    KEY(control_scale, KEY_DOUBLE, 0, 100),
    KEY(control_start, KEY_DOUBLE, 0, 1),
    KEY(control_end, KEY_DOUBLE, 0, 1),
    KEY(guess_mode, KEY_BOOL, 0, 0),
    KEY(tighten, KEY_DOUBLE, 0, 255),
    KEY(detail, KEY_DOUBLE, 0, 1),
    KEY(soft_mask, KEY_BOOL, 0, 0),
    KEY(posterior_sample, KEY_BOOL, 0, 0),
    KEY(vae_tiling, KEY_BOOL, 0, 0),
    KEY(fit_mask, KEY_BOOL, 0, 0),
};

static void *member(const CgJob *job, const Key *key)
{
    return (char *)(guintptr)job + key->offset;
}

static gboolean is_text(const Key *key)
{
    return key->type == KEY_PATH || key->type == KEY_STRING || key->type == KEY_FOREGROUND;
}

/* Keys that say nothing unless the mask is drawn. */
static gboolean is_recipe(const Key *key)
{
    return key->offset >= offsetof(CgJob, foreground) && key->offset <= offsetof(CgJob, max_area);
}

CgJob *cg_job_new(void)
{
    CgGenerateSettings s;
    CgJob *job = g_new0(CgJob, 1);
    cg_generate_settings_default(&s);
    job->negative_prompt = g_strdup(s.denoise.negative_prompt);
    job->sampler = g_strdup(cg_sampler_name(s.denoise.sampler));
    job->fuse = g_strdup(cg_fuse_mode_name(s.fuse));
    job->mask_policy = g_strdup(cg_mask_policy_name(s.mask_policy));
    job->paste = g_strdup(cg_paste_mode_name(s.paste));
    job->window = g_strdup("auto");
    job->max_area = 1;
    job->steps = s.denoise.steps;
    job->strength = s.denoise.strength;
    job->paste_band = s.paste_band;
    job->guidance = s.denoise.guidance;
    job->control_scale = s.denoise.control_scale;
    job->control_end = s.denoise.control_end;
    return job;
}

CgJob *cg_job_copy(const CgJob *job)
{
    CgJob *copy = g_new(CgJob, 1);
    *copy = *job;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (is_text(&keys[i]))
            *(char **)member(copy, &keys[i]) = g_strdup(*(char **)member(job, &keys[i]));
    return copy;
}

void cg_job_free(CgJob *job)
{
    if (!job)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (is_text(&keys[i]))
            g_free(*(char **)member(job, &keys[i]));
    g_free(job);
}

static gboolean bad_value(const char *where, const Key *key, const char *wanted, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" must be %s", where, key->name,
                wanted);
    return FALSE;
}

static gboolean read_text(CgJob *job, const Key *key, const json_t *value, const char *folder,
                          const char *where, GError **error)
{
    char **to = member(job, key);
    const char *text = json_string_value(value);
    if (!text)
        return bad_value(where, key, "a string", error);
    CgForegroundPolicy policy;
    const gboolean path = key->type == KEY_PATH || (key->type == KEY_FOREGROUND &&
                                                    !cg_foreground_policy_parse(text, &policy));
    g_free(*to);
    *to = path && folder && !g_path_is_absolute(text) ? g_build_filename(folder, text, NULL)
                                                      : g_strdup(text);
    return TRUE;
}

static gboolean read_value(CgJob *job, const Key *key, const json_t *value, const char *folder,
                           const char *where, GError **error)
{
    if (is_text(key))
        return read_text(job, key, value, folder, where, error);
    if (key->type == KEY_BOOL) {
        if (!json_is_boolean(value))
            return bad_value(where, key, "true or false", error);
        *(gboolean *)member(job, key) = json_is_true(value);
        return TRUE;
    }
    const double number = json_number_value(value);
    if (key->type == KEY_DOUBLE ? !json_is_number(value) : !json_is_integer(value))
        return bad_value(where, key, key->type == KEY_DOUBLE ? "a number" : "an integer", error);
    if (!(number >= key->min && number <= key->max)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"%s\" is %.16g; %.16g to %.16g are possible", where, key->name, number,
                    key->min, key->max);
        return FALSE;
    }
    if (key->type == KEY_DOUBLE)
        *(double *)member(job, key) = number;
    else if (key->type == KEY_INT)
        *(int *)member(job, key) = (int)json_integer_value(value);
    else
        *(gint64 *)member(job, key) = json_integer_value(value);
    return TRUE;
}

static const Key *find_key(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].name, name))
            return &keys[i];
    return NULL;
}

CgJob *cg_job_parse(const json_t *object, const CgJob *base, const char *folder, const char *where,
                    GError **error)
{
    g_autoptr(CgJob) job = cg_job_copy(base);
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: not a JSON object", where);
        return NULL;
    }
    /* A mask of its own replaces the recipe of all, and the other way round. */
    if (json_is_string(json_object_get(object, "mask")))
        g_clear_pointer(&job->shape, g_free);
    if (json_is_string(json_object_get(object, "shape")))
        g_clear_pointer(&job->mask, g_free);
    json_object_foreach((json_t *)(guintptr)object, name, value)
    {
        const Key *key = find_key(name);
        if (!key) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: unknown key \"%s\"", where, name);
            return NULL;
        }
        if (!json_is_null(value) && !read_value(job, key, value, folder, where, error))
            return NULL;
    }
    return g_steal_pointer(&job);
}

static json_t *write_value(const CgJob *job, const Key *key)
{
    switch (key->type) {
    case KEY_PATH:
    case KEY_FOREGROUND:
    case KEY_STRING: {
        const char *text = *(char **)member(job, key);
        if (!text)
            return NULL;
        /* File names need not be UTF-8; JSON must be. */
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        return json_string(valid);
    }
    case KEY_INT64:
        return json_integer(*(gint64 *)member(job, key));
    case KEY_INT:
        return json_integer(*(int *)member(job, key));
    case KEY_DOUBLE:
        return json_real(*(double *)member(job, key));
    case KEY_BOOL:
        return json_boolean(*(gboolean *)member(job, key));
    }
    g_assert_not_reached();
}

json_t *cg_job_to_json(const CgJob *job)
{
    json_t *object = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        json_t *value = job->shape || !is_recipe(&keys[i]) ? write_value(job, &keys[i]) : NULL;
        if (value)
            json_object_set_new(object, keys[i].name, value);
    }
    return object;
}

/* The options were parsed by GOption, which knows no ranges. */
static gboolean check_ranges(const CgJob *job, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const Key *key = &keys[i];
        const void *at = member(job, key);
        double number;
        if (key->type == KEY_DOUBLE)
            number = *(const double *)at;
        else if (key->type == KEY_INT)
            number = *(const int *)at;
        else if (key->type == KEY_INT64)
            number = (double)*(const gint64 *)at;
        else
            continue;
        if (!(number >= key->min && number <= key->max)) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s is %.16g; %.16g to %.16g are possible",
                        key->name, number, key->min, key->max);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean unknown_name(const char *what, const char *name, const char *names, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown %s \"%s\"; possible are %s", what, name,
                names);
    return FALSE;
}

/* JSON and the tokenizer know UTF-8 only. */
static gboolean check_text(const char *what, const char *text, GError **error)
{
    const char *end;
    if (!text || g_utf8_validate(text, -1, &end))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "the %s is not valid UTF-8 at byte %zu (0x%02x); write it in UTF-8", what,
                (size_t)(end - text) + 1, (unsigned char)*end);
    return FALSE;
}

gboolean cg_job_settings(const CgJob *job, CgGenerateSettings *s, GError **error)
{
    cg_generate_settings_default(s);
    if (!check_ranges(job, error) || !check_text("prompt", job->prompt, error) ||
        !check_text("negative prompt", job->negative_prompt, error))
        return FALSE;
    if (!cg_sampler_parse(job->sampler, &s->denoise.sampler, &s->denoise.sampler_options.karras,
                          error))
        return FALSE;
    if (!cg_fuse_mode_parse(job->fuse, &s->fuse))
        return unknown_name("fusion", job->fuse, "final, step and off", error);
    if (!cg_mask_policy_parse(job->mask_policy, &s->mask_policy))
        return unknown_name("mask policy", job->mask_policy, "max, area and nearest", error);
    if (!cg_paste_mode_parse(job->paste, &s->paste))
        return unknown_name("paste mode", job->paste, "exact, feather, poisson and off", error);
    if (!g_str_equal(job->window, "auto") && !g_str_equal(job->window, "full"))
        return unknown_name("window", job->window, "auto and full", error);
    s->window = g_str_equal(job->window, "full") ? CG_WINDOW_FULL : CG_WINDOW_AUTO;
    s->denoise.prompt = job->prompt;
    s->denoise.negative_prompt = job->negative_prompt;
    s->denoise.clip_skip = job->clip_skip;
    s->denoise.sampler_options.eta = job->eta;
    s->denoise.steps = job->steps;
    s->denoise.strength = job->strength;
    s->denoise.guidance = job->guidance;
    s->denoise.control_scale = job->control_scale;
    s->denoise.control_start = job->control_start;
    s->denoise.control_end = job->control_end;
    s->denoise.guess_mode = job->guess_mode;
    s->seed = (guint64)job->seed;
    s->sample = (guint32)job->sample;
    s->soft_mask = job->soft_mask;
    s->posterior_sample = job->posterior_sample;
    s->detail = job->detail;
    s->paste_band = job->paste_band;
    s->size = job->size;
    s->vae_tiling = job->vae_tiling;
    return TRUE;
}

gboolean cg_job_name(CgJob *job, GError **error)
{
    return cg_output_folders(job->normal, job->prompt, &job->category, &job->defect, error);
}

/* A mask or how to draw one, not both; and that can be read. */
static gboolean check_mask(const CgJob *job, GError **error)
{
    g_autoptr(CgMaskShapes) shapes = job->shape ? cg_mask_shapes_parse(job->shape, error) : NULL;
    const char *wrong = NULL;
    if (job->shape && !shapes)
        return FALSE;
    if (job->shape && job->mask)
        wrong = "either a mask or a shape to draw is needed, not both";
    else if (shapes && cg_mask_shapes_need_library(shapes) && !job->library)
        wrong = "the shape library needs a library of masks";
    else if (shapes && job->max_area <= job->min_area)
        wrong = "the largest area of masks must be above the smallest";
    if (!wrong)
        return TRUE;
    g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE, wrong);
    return FALSE;
}

static gboolean check_begin(const CgJob *job, const CgGenerateSettings *s, GError **error)
{
    if (!job->begin || cg_denoise_skipped(&s->denoise) > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "with strength %g of %d steps nothing is left of %s, which it begins from; a "
                "smaller strength keeps some of it",
                job->strength, job->steps, job->begin);
    return FALSE;
}

gboolean cg_job_check(CgJob *job, GError **error)
{
    CgGenerateSettings settings;
    return check_mask(job, error) && cg_job_settings(job, &settings, error) &&
           check_begin(job, &settings, error) && cg_job_name(job, error);
}

/* The job in LINE, number INDEX of those in its file. */
static CgJob *load_line(char *line, const CgJob *base, guint index, const char *folder,
                        const char *where, GError **error)
{
    g_autoptr(json_t) object = cg_json_parse(line, strlen(line), where, error);
    /* A row of a manifest holds the job that made it. */
    const json_t *inner = json_object_get(object, "job");
    const json_t *source = inner ? inner : object;
    g_autoptr(CgJob) job = object ? cg_job_parse(source, base, folder, where, error) : NULL;
    if (!job)
        return NULL;
    if (!json_object_get(source, "sample"))
        job->sample = index;
    if (!job->normal || !(job->mask || job->shape) || !job->prompt) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: a job needs \"normal\", \"prompt\" and \"mask\" or \"shape\"", where);
        return NULL;
    }
    if (!cg_job_check(job, error)) {
        g_prefix_error(error, "%s: ", where);
        return NULL;
    }
    return g_steal_pointer(&job);
}

GPtrArray *cg_jobs_load(const char *path, const CgJob *base, GError **error)
{
    size_t size;
    g_autofree char *text = cg_file_read(path, MAX_JOBS_FILE, &size, error);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    if (!text)
        return NULL;
    if (strlen(text) < size) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: holds a zero byte; JSON lines in UTF-8 are needed", path);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *where = g_strdup_printf("%s line %u", path, i + 1);
        if (!*g_strstrip(lines[i]))
            continue;
        CgJob *job = load_line(lines[i], base, jobs->len, folder, where, error);
        if (!job)
            return NULL;
        g_ptr_array_add(jobs, job);
    }
    if (jobs->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: holds no jobs", path);
        return NULL;
    }
    return g_steal_pointer(&jobs);
}
