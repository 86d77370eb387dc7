/* The public C API over the pipeline: handles, statuses, and GLib kept inside. */
#include "cagen/cagen.h"

#include "base/system.h"
#include "pipeline/job.h"

#include <string.h>

struct cagen_model {
    CgEngine *engine;
    CgModel *model;
    CgDenoiser *denoiser;
};

struct cagen_image {
    CgImage *image;
};

/* A thread's message; freed when the thread ends. */
static GPrivate last_error = G_PRIVATE_INIT(g_free);

const char *cagen_version(void)
{
    return CAGEN_VERSION;
}

const char *cagen_last_error(void)
{
    const char *message = g_private_get(&last_error);
    return message ? message : "";
}

/* Keeps ERROR's message for this thread and frees it. */
static cagen_status fail(GError *error)
{
    static const cagen_status statuses[] = {
        [CG_ERROR_USAGE] = CAGEN_ERROR_USAGE,   [CG_ERROR_IO] = CAGEN_ERROR_IO,
        [CG_ERROR_FORMAT] = CAGEN_ERROR_FORMAT, [CG_ERROR_MISSING] = CAGEN_ERROR_MISSING,
        [CG_ERROR_SHAPE] = CAGEN_ERROR_SHAPE,   [CG_ERROR_UNSUPPORTED] = CAGEN_ERROR_UNSUPPORTED,
        [CG_ERROR_MEMORY] = CAGEN_ERROR_MEMORY, [CG_ERROR_NUMERIC] = CAGEN_ERROR_NUMERIC,
        [CG_ERROR_ENGINE] = CAGEN_ERROR_ENGINE, [CG_ERROR_CANCELLED] = CAGEN_ERROR_CANCELLED,
    };
    const cagen_status status =
        error->domain == CG_ERROR ? statuses[error->code] : CAGEN_ERROR_ENGINE;
    /* Names out of files may hold anything; the message stays one line. */
    g_private_replace(&last_error, g_strdelimit(g_strdup(error->message), "\n\r", ' '));
    g_error_free(error);
    return status;
}

static cagen_status misuse(const char *message)
{
    return fail(g_error_new_literal(CG_ERROR, CG_ERROR_USAGE, message));
}

static gboolean parse_dtype(const char *text, CgEngine *engine, CgDType *dtype, GError **error)
{
    CgEngineInfo info;
    cg_engine_cpu_info(engine, &info);
    *dtype = info.auto_dtype;
    if (!text || g_str_equal(text, "auto") || cg_dtype_parse_compute(text, dtype))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown dtype \"%s\"; auto, f32 or bf16", text);
    return FALSE;
}

cagen_status cagen_model_open(const cagen_model_options *options, cagen_model **model)
{
    GError *error = NULL;
    CgDType dtype;
    if (!options || !model || !options->model)
        return misuse("cagen_model_open: options with a model, and where to put it, are needed");
    *model = NULL;
    cg_threads_set(options->threads);
    cagen_model *m = g_new0(cagen_model, 1);
    const CgModelPaths paths = {.model = options->model,
                                .controlnet = options->controlnet,
                                .vae = options->vae,
                                .tokenizer = options->tokenizer,
                                .config = options->config,
                                .lora = options->lora};
    m->engine = cg_engine_cpu_new();
    if (cg_image_init(&error) && parse_dtype(options->dtype, m->engine, &dtype, &error))
        m->model = cg_model_open(m->engine, dtype, &paths, &error);
    if (!m->model) {
        cagen_model_close(m);
        return fail(error);
    }
    m->denoiser = cg_denoiser_new(m->model);
    *model = m;
    return CAGEN_OK;
}

void cagen_model_close(cagen_model *m)
{
    if (!m)
        return;
    cg_denoiser_free(m->denoiser);
    cg_model_free(m->model);
    cg_engine_free(m->engine);
    g_free(m);
}

int cagen_model_size(const cagen_model *m)
{
    return cg_model_size(m->model);
}

/* Wraps IMAGE, or reports ERROR when it is NULL. */
static cagen_status hand_out(CgImage *image, GError *error, cagen_image **out)
{
    if (!image)
        return fail(error);
    *out = g_new(cagen_image, 1);
    (*out)->image = image;
    return CAGEN_OK;
}

cagen_status cagen_image_load(const char *path, cagen_image **image)
{
    GError *error = NULL;
    if (!path || !image)
        return misuse("cagen_image_load: a path and where to put the image are needed");
    *image = NULL;
    CgImage *loaded = cg_image_init(&error) ? cg_image_load(path, NULL, &error) : NULL;
    return hand_out(loaded, error, image);
}

cagen_status cagen_mask_load(const char *path, cagen_image **mask)
{
    GError *error = NULL;
    if (!path || !mask)
        return misuse("cagen_mask_load: a path and where to put the mask are needed");
    *mask = NULL;
    CgImage *loaded = cg_image_init(&error) ? cg_image_load_mask(path, &error) : NULL;
    return hand_out(loaded, error, mask);
}

cagen_status cagen_image_new(int width, int height, int channels, const uint8_t *pixels,
                             cagen_image **image)
{
    if (!image || width < 1 || height < 1 || width > CG_IMAGE_MAX_SIDE ||
        height > CG_IMAGE_MAX_SIDE || (channels != 1 && channels != 3))
        return misuse("cagen_image_new: 1 to 32768 pixels a side and 1 or 3 channels are possible");
    CgImage *made = cg_image_new(width, height, channels);
    if (pixels)
        memcpy(made->pixels, pixels, (size_t)width * (size_t)height * (size_t)channels);
    return hand_out(made, NULL, image);
}

void cagen_image_free(cagen_image *image)
{
    if (!image)
        return;
    cg_image_free(image->image);
    g_free(image);
}

int cagen_image_width(const cagen_image *image)
{
    return image->image->width;
}

int cagen_image_height(const cagen_image *image)
{
    return image->image->height;
}

int cagen_image_channels(const cagen_image *image)
{
    return image->image->channels;
}

uint8_t *cagen_image_pixels(cagen_image *image)
{
    return image->image->pixels;
}

cagen_status cagen_image_save(const cagen_image *image, const char *path)
{
    GError *error = NULL;
    if (!image || !path)
        return misuse("cagen_image_save: an image and a path are needed");
    return cg_image_init(&error) && cg_image_save_png(image->image, path, &error) ? CAGEN_OK
                                                                                  : fail(error);
}

void cagen_generate_options_init(cagen_generate_options *options)
{
    CgGenerateSettings s;
    cg_generate_settings_default(&s);
    *options = (cagen_generate_options){
        .negative_prompt = "",
        .steps = s.denoise.steps,
        .strength = s.denoise.strength,
        .sampler = cg_sampler_name(s.denoise.sampler),
        .guidance = s.denoise.guidance,
        .control_scale = s.denoise.control_scale,
        .control_start = s.denoise.control_start,
        .control_end = s.denoise.control_end,
        .fuse = cg_fuse_mode_name(s.fuse),
        .mask_policy = cg_mask_policy_name(s.mask_policy),
        .paste = cg_paste_mode_name(s.paste),
        .paste_band = s.paste_band,
        .window = "auto",
    };
}

static void set_text(char **to, const char *text)
{
    if (!text)
        return;
    g_free(*to);
    *to = g_strdup(text);
}

/* The options as a job, whose checks then hold here too. */
static CgJob *job_of(const cagen_generate_options *o)
{
    CgJob *job = cg_job_new();
    set_text(&job->prompt, o->prompt);
    set_text(&job->negative_prompt, o->negative_prompt);
    set_text(&job->sampler, o->sampler);
    set_text(&job->fuse, o->fuse);
    set_text(&job->mask_policy, o->mask_policy);
    set_text(&job->paste, o->paste);
    set_text(&job->window, o->window);
    job->seed = (gint64)MIN(o->seed, (uint64_t)G_MAXINT64);
    job->sample = o->sample;
    job->steps = o->steps;
    job->strength = o->strength;
    job->eta = o->eta;
    job->guidance = o->guidance;
    job->control_scale = o->control_scale;
    job->control_start = o->control_start;
    job->control_end = o->control_end;
    job->guess_mode = o->guess_mode;
    job->clip_skip = o->clip_skip;
    job->soft_mask = o->soft_mask;
    job->posterior_sample = o->posterior_sample;
    job->detail = o->detail;
    job->paste_band = o->paste_band;
    job->size = o->size;
    job->vae_tiling = o->vae_tiling;
    return job;
}

static gboolean report_step(void *data, int step, int steps)
{
    const cagen_generate_options *options = data;
    return !options->progress || options->progress(options->progress_data, step, steps) == 0;
}

cagen_status cagen_generate(cagen_model *m, const cagen_image *normal, const cagen_image *mask,
                            const cagen_generate_options *options, cagen_image **result)
{
    GError *error = NULL;
    CgGenerateSettings settings;
    CgGenerateResult r = {0};
    if (!m || !normal || !mask || !options || !options->prompt || !result)
        return misuse("cagen_generate: a model, an image, a mask, options with a prompt, and where "
                      "to put the result are needed");
    *result = NULL;
    if (mask->image->channels != 1)
        return misuse("cagen_generate: a mask has one channel");
    g_autoptr(CgJob) job = job_of(options);
    const CgGenerateInput input = {.normal = normal->image, .mask = mask->image};
    CgImage *image = NULL;
    if (cg_job_settings(job, &settings, &error) &&
        cg_generate(m->denoiser, m->model, &settings, &input, report_step,
                    (void *)(guintptr)options, &r, &error))
        image = g_steal_pointer(&r.image);
    cg_generate_result_clear(&r);
    return hand_out(image, error, result);
}
