#include "pipeline/train_base.h"

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "image/sheet.h"
#include "models/initial_weights.h"
#include "models/tokenizer_train.h"
#include "pipeline/base_loss.h"
#include "pipeline/denoise.h"
#include "pipeline/latent_cache.h"
#include "pipeline/sample_sheet.h"
#include "pipeline/save_model.h"
#include "pipeline/train_plan.h"

#include <glib/gstdio.h>
#include <string.h>

#define SHEET_COLUMNS 6
#define SHEET_SIDE    128

typedef struct {
    const CgTrainBaseOptions *options;
    CgEngine *engine;
    CgDType dtype;
    char *folder; /* OUT/model */
    CgModel *model;
    CgStore *store;
    guint text_parameters; /* the store's first ones; the others are the U-Net's */
    char *name;            /* of the task */
    char *fingerprint;     /* with LoRA: of all that is not trained */
    GPtrArray *captions;   /* of CgCaption */
    CgLatentCache *latents;
    GPtrArray *texts; /* all texts of all captions; borrowed from these */
    guint *first;     /* [captions + 1]: where a caption's texts begin */
    gint32 *ids;      /* [texts, length] */
    gint32 *empty;    /* [length]: of no text */
    int length;
} Training;

void cg_train_base_default_unet(int latent_channels, int side, CgUnetConfig *c)
{
    static const int channels[] = {64, 128, 128};
    cg_unet_config_default(c, FALSE);
    c->in_channels = c->out_channels = latent_channels;
    c->sample_size = side;
    c->level_count = G_N_ELEMENTS(channels);
    memcpy(c->channels, channels, sizeof channels);
    for (int i = 0; i < c->level_count; i++) {
        c->attention[i] = i > 0;
        c->heads[i] = 4;
    }
    c->layers = 1;
    c->groups = 16;
    c->text_width = 128;
}

void cg_train_base_default_text(CgClipTextConfig *c)
{
    *c = (CgClipTextConfig){.width = 128,
                            .mlp_width = 512,
                            .layers = 2,
                            .heads = 4,
                            .eps = 1e-5f,
                            .act = CG_ACT_QUICK_GELU};
}

void cg_train_base_options_default(CgTrainBaseOptions *o)
{
    *o = (CgTrainBaseOptions){.vocabulary = 1024,
                              .tokens = 32,
                              .dropout = 0.1,
                              .sample_count = 12,
                              .sample_steps = 20,
                              .guidance = 3};
    o->save_dtype = CG_F32;
    cg_train_settings_default(&o->train);
    o->train.batch = 32;
    o->train.optimizer.rate = 5e-4;
    o->train.optimizer.course = CG_RATE_COSINE;
    o->train.optimizer.warmup = 100;
    o->train.optimizer.average_decay = 0.999;
}

/* --- the loss --- */

/* A batch's numbers, drawn for its samples. */
typedef struct {
    CgTensor *latent, *noise;
    int *timesteps;
    float *weights;
    gint32 *ids;
} Draw;

static void draw_clear(Draw *d)
{
    cg_tensor_unref(d->latent);
    cg_tensor_unref(d->noise);
    g_free(d->timesteps);
    g_free(d->weights);
    g_free(d->ids);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draw, draw_clear)

/* One of the caption's phrasings. */
static guint draw_text(const Training *t, guint64 caption, CgRng *rng)
{
    const guint first = t->first[caption], end = t->first[caption + 1];
    return (guint)cg_rng_int(rng, (int)first, (int)end - 1);
}

/* Sample K of the batch; MOMENTS gets its latent's, RANDOM what it is drawn with. */
static void draw_sample(const Training *t, const CgTrainSample *sample, int k, Draw *d,
                        CgTensor *moments, CgTensor *random)
{
    const CgTrainBaseOptions *o = t->options;
    const guint64 seed = o->train.seed, number = sample->number;
    const size_t size = random->count / (size_t)random->shape.d[0], at = (size_t)k * size;
    const CgNoiseSchedule *schedule = t->model->schedule;
    CgRng variant = cg_rng(seed, CG_STREAM(CG_STREAM_VARIANT, number));
    CgRng dropout = cg_rng(seed, CG_STREAM(CG_STREAM_DROPOUT, number));
    CgRng timestep = cg_rng(seed, CG_STREAM(CG_STREAM_TIMESTEP, number));
    const gboolean flipped = o->flip && cg_rng_int(&variant, 0, 1);
    const gint32 *ids = cg_rng_uniform(&dropout, 0, 1) < o->dropout
                            ? t->empty
                            : t->ids + draw_text(t, sample->index, &dropout) * (gsize)t->length;
    d->timesteps[k] = cg_rng_int(&timestep, 0, schedule->count - 1);
    d->weights[k] =
        o->min_snr > 0
            ? (float)cg_noise_schedule_min_snr_weight(schedule, d->timesteps[k], o->min_snr)
            : 1;
    memcpy(d->ids + k * t->length, ids, (size_t)t->length * sizeof *ids);
    memcpy(cg_tensor_f32(moments) + 2 * at, cg_latent_cache_get(t->latents, sample->index, flipped),
           2 * size * sizeof(float));
    cg_rng_normals(seed, CG_STREAM(CG_STREAM_MOMENTS, number), 0, cg_tensor_f32(random) + at, size);
    cg_rng_normals(seed, CG_STREAM(CG_STREAM_NOISE, number), 0, cg_tensor_f32(d->noise) + at, size);
}

static void draw_batch(const Training *t, const CgTrainSample *samples, int n, Draw *d)
{
    CgShape shape = t->latents->moments->shape;
    shape.d[0] = n;
    g_autoptr(CgTensor) moments = cg_tensor_new(CG_F32, shape);
    shape.d[3] /= 2;
    g_autoptr(CgTensor) random = cg_tensor_new(CG_F32, shape);
    *d = (Draw){.noise = cg_tensor_new(CG_F32, shape),
                .timesteps = g_new(int, n),
                .weights = g_new(float, n),
                .ids = g_new(gint32, n * t->length)};
    for (int k = 0; k < n; k++)
        draw_sample(t, &samples[k], k, d, moments, random);
    d->latent = cg_vae_latent(t->model->vae, moments, random);
}

/* Each sample's own loss, unweighted. */
static void note_losses(const Training *t, const CgTensor *prediction, const CgTensor *target,
                        const int *timesteps, int n, CgTrainNote *notes)
{
    const size_t size = prediction->count / (size_t)n;
    const float *y = cg_tensor_f32(prediction), *want = cg_tensor_f32(target);
    for (int k = 0; k < n; k++, y += size, want += size) {
        double sum = 0;
        for (size_t i = 0; i < size; i++)
            sum += ((double)y[i] - (double)want[i]) * ((double)y[i] - (double)want[i]);
        notes[k] =
            (CgTrainNote){sum / (double)size, (double)timesteps[k] / t->model->schedule->count};
    }
}

static CgTensor *loss(void *data, CgContext *cx, const CgTrainSample *samples, int n,
                      CgTrainNote *notes, GError **error)
{
    Training *t = data;
    g_auto(Draw) d;
    g_autoptr(CgTensor) prediction = NULL, target = NULL;
    (void)error;
    draw_batch(t, samples, n, &d);
    const CgDiffusionBatch batch = {.latent = d.latent,
                                    .noise = d.noise,
                                    .timesteps = d.timesteps,
                                    .weights = t->options->min_snr > 0 ? d.weights : NULL};
    CgTensor *value = cg_base_loss(cx, t->model->text, t->model->unet, t->model->schedule, d.ids,
                                   t->length, &batch, &prediction, &target);
    note_losses(t, prediction, target, d.timesteps, n, notes);
    return value;
}

static void changed(void *data)
{
    Training *t = data;
    cg_parameter_set_changed(&t->model->text->parameters);
    cg_parameter_set_changed(&t->model->unet->parameters);
}

/* --- looking and saving --- */

/* The usual texts, each once, in order; borrowed. */
static GPtrArray *distinct_texts(const Training *t)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *texts = g_ptr_array_new();
    for (guint i = 0; i < t->captions->len; i++) {
        const CgCaption *c = g_ptr_array_index(t->captions, i);
        if (g_hash_table_add(seen, c->texts[0]))
            g_ptr_array_add(texts, c->texts[0]);
    }
    return texts;
}

/* What the model makes of TEXT, always from the same noise. */
static CgImage *sample_picture(const Training *t, const char *text, guint32 number, GError **error)
{
    CgShape shape = t->latents->moments->shape;
    shape.d[0] = 1;
    shape.d[3] /= 2;
    g_autoptr(CgDenoiser) denoiser = cg_denoiser_new(t->model);
    g_autoptr(CgTensor) eps = cg_tensor_new(CG_F32, shape);
    CgDenoiseSettings settings;
    cg_denoise_settings_default(&settings);
    settings.prompt = text;
    settings.negative_prompt = "";
    settings.steps = t->options->sample_steps;
    settings.guidance = t->options->guidance;
    cg_rng_normals(t->options->train.seed, CG_STREAM(CG_STREAM_LATENT, number), 0,
                   cg_tensor_f32(eps), eps->count);
    g_autoptr(CgTensor) z =
        cg_denoise(denoiser, &settings, eps, NULL, NULL, 0, number, NULL, NULL, error);
    if (!z)
        return NULL;
    g_autoptr(CgTensor) image = cg_vae_decode(cg_denoiser_context(denoiser), t->model->vae, z);
    return cg_context_ok(cg_denoiser_context(denoiser), error) ? cg_image_from_tensor(image, 0)
                                                               : NULL;
}

static gboolean watch(void *data, guint64 step, double *obedience, GError **error)
{
    Training *t = data;
    const int count = t->options->sample_count;
    g_autoptr(GPtrArray) texts = distinct_texts(t);
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    g_autofree CgSheetCell *cells = g_new0(CgSheetCell, count);
    (void)obedience;
    for (int i = 0; i < count; i++) {
        const char *text = g_ptr_array_index(texts, (guint)i % texts->len);
        if ((guint)count < texts->len) /* from all parts of the list */
            text = g_ptr_array_index(texts, (guint)i * texts->len / (guint)count);
        CgImage *image = sample_picture(t, text, (guint32)i, error);
        if (!image)
            return FALSE;
        g_ptr_array_add(images, image);
        cells[i] = (CgSheetCell){image, text};
    }
    g_autofree char *path = cg_sample_sheet_path(t->options->train.out, step, error);
    g_autoptr(CgImage) sheet =
        path ? cg_contact_sheet(cells, count, SHEET_COLUMNS, SHEET_SIDE, error) : NULL;
    return sheet && cg_image_save_png(sheet, path, error);
}

/* The U-Net with its additions merged; these alone; the text encoder as it was. */
static gboolean save_additions(const Training *t, CgTensor *block, GError **error)
{
    const CgSavedWeights weights = {.store = t->store,
                                    .block = block,
                                    .count = cg_store_count(t->store),
                                    .dtype = t->options->save_dtype,
                                    .frozen = cg_checkpoint_lookup,
                                    .frozen_source = t->model->unet_weights,
                                    .lora = t->options->lora};
    g_autofree char *unet = g_build_filename(t->folder, "unet", NULL);
    g_autofree char *text = g_build_filename(t->folder, "text_encoder", NULL);
    g_autofree char *from_text = g_build_filename(t->options->from, "text_encoder", NULL);
    return cg_save_lora(t->options->train.out, "unet.", &weights, error) &&
           cg_save_unet(unet, &t->model->unet->config, &weights, error) &&
           cg_save_copy(from_text, text, error);
}

static gboolean save_trained(Training *t, CgTensor *block, GError **error)
{
    if (t->options->lora.rank)
        return save_additions(t, block, error);
    g_autofree char *text = g_build_filename(t->folder, "text_encoder", NULL);
    g_autofree char *unet = g_build_filename(t->folder, "unet", NULL);
    CgSavedWeights weights = {.store = t->store,
                              .block = block,
                              .count = t->text_parameters,
                              .dtype = t->options->save_dtype};
    if (!cg_save_text(text, &t->model->text->config, &weights, error))
        return FALSE;
    weights.first = t->text_parameters;
    weights.count = cg_store_count(t->store) - t->text_parameters;
    return cg_save_unet(unet, &t->model->unet->config, &weights, error);
}

/* What is not trained, from where it is. */
static gboolean save_rest(Training *t, GError **error)
{
    const char *from = t->options->from;
    g_autofree char *vae = g_build_filename(t->folder, "vae", NULL);
    g_autofree char *tokenizer = g_build_filename(t->folder, "tokenizer", NULL);
    g_autofree char *scheduler = g_build_filename(t->folder, "scheduler", NULL);
    if (!from)
        return cg_save_copy(t->options->vae, vae, error) && cg_save_scheduler(scheduler, error);
    g_autofree char *from_vae = g_build_filename(from, "vae", NULL);
    g_autofree char *from_tokenizer = g_build_filename(from, "tokenizer", NULL);
    g_autofree char *from_scheduler = g_build_filename(from, "scheduler", NULL);
    return cg_save_copy(from_vae, vae, error) && cg_save_copy(from_tokenizer, tokenizer, error) &&
           (g_file_test(from_scheduler, G_FILE_TEST_IS_DIR)
                ? cg_save_copy(from_scheduler, scheduler, error)
                : cg_save_scheduler(scheduler, error));
}

static gboolean save(void *data, CgTensor *block, const char *folder, GError **error)
{
    Training *t = data;
    (void)folder;
    return save_trained(t, block, error) && save_rest(t, error) && cg_save_index(t->folder, error);
}

/* --- opening --- */

/* A tokenizer for TEXTS, its files in the model's folder; of a plan, which makes nothing, in one
 * that is gone again. */
static CgTokenizer *make_tokenizer(const Training *t, const char *const *texts, gboolean plan_only,
                                   GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    g_autofree char *folder = plan_only ? g_dir_make_tmp("cagen-plan-XXXXXX", error)
                                        : g_build_filename(t->folder, "tokenizer", NULL);
    if (!folder)
        return NULL;
    CgTokenizer *tokenizer = NULL;
    if (cg_tokenizer_train(texts, t->texts->len, o->vocabulary, o->tokens, folder, error))
        tokenizer = cg_tokenizer_open(folder, error);
    for (size_t i = 0; plan_only && i < G_N_ELEMENTS(cg_tokenizer_files); i++) {
        g_autofree char *path = g_build_filename(folder, cg_tokenizer_files[i], NULL);
        g_remove(path);
    }
    if (plan_only)
        g_rmdir(folder);
    return tokenizer;
}

static void collect_texts(Training *t)
{
    t->texts = g_ptr_array_new();
    t->first = g_new(guint, t->captions->len + 1);
    for (guint i = 0; i < t->captions->len; i++) {
        const CgCaption *c = g_ptr_array_index(t->captions, i);
        t->first[i] = t->texts->len;
        for (char **text = c->texts; *text; text++)
            g_ptr_array_add(t->texts, *text);
    }
    t->first[t->captions->len] = t->texts->len;
}

static gboolean open_tokenizer(Training *t, gboolean plan_only, GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    collect_texts(t);
    const char *const *texts = (const char *const *)t->texts->pdata;
    g_autofree char *own = o->from ? g_build_filename(o->from, "tokenizer", NULL) : NULL;
    t->model->tokenizer =
        own ? cg_tokenizer_open(own, error) : make_tokenizer(t, texts, plan_only, error);
    if (!t->model->tokenizer)
        return FALSE;
    t->length = cg_tokenizer_length(t->model->tokenizer);
    t->ids = g_new(gint32, (gsize)t->texts->len * (gsize)t->length);
    t->empty = g_new(gint32, t->length);
    guint cut = 0;
    for (guint i = 0; i < t->texts->len; i++) {
        size_t dropped;
        if (!cg_tokenizer_frame_text(t->model->tokenizer, texts[i],
                                     t->ids + (gsize)i * (gsize)t->length, &dropped, error))
            return FALSE;
        cut += dropped > 0;
    }
    if (cut)
        cg_log_warning("%u texts are longer than %d tokens and were cut", cut, t->length);
    return cg_tokenizer_frame_text(t->model->tokenizer, "", t->empty, NULL, error);
}

static gboolean open_schedule(Training *t, GError **error)
{
    g_autofree char *path = t->options->from ? g_build_filename(t->options->from, "scheduler",
                                                                "scheduler_config.json", NULL)
                                             : NULL;
    t->model->schedule = path && g_file_test(path, G_FILE_TEST_EXISTS)
                             ? cg_noise_schedule_load(path, error)
                             : cg_noise_schedule_default();
    return t->model->schedule != NULL;
}

static gboolean open_vae(Training *t, GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    CgVaeConfig config;
    g_autofree char *path = o->from ? g_build_filename(o->from, "vae", NULL) : g_strdup(o->vae);
    if (!cg_model_read_vae_config(path, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, CG_COMPONENT_VAE, error);
    if (!weights)
        return FALSE;
    const CgBuild build = {.engine = t->engine,
                           .dtype = t->dtype,
                           .lookup = cg_checkpoint_lookup,
                           .source = weights,
                           .where = path,
                           .unpacked = o->lora.rank > 0};
    t->model->vae_fingerprint = cg_weights_fingerprint(weights);
    t->model->vae = cg_vae_new(&build, &config, error);
    t->model->vae_weights = g_steal_pointer(&weights);
    return t->model->vae != NULL;
}

/* Sizes of both networks: those of the model to go on from, of the folder given, or the default. */
static gboolean read_configs(const Training *t, int side, CgClipTextConfig *text,
                             CgUnetConfig *unet, GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    const char *folder = o->from ? o->from : o->config;
    const int channels = cg_vae_config(t->model->vae)->latent_channels;
    cg_train_base_default_text(text);
    cg_train_base_default_unet(channels, side, unet);
    if (folder) {
        g_autofree char *text_path = g_build_filename(folder, "text_encoder", NULL);
        g_autofree char *unet_path = g_build_filename(folder, "unet", NULL);
        if (!cg_model_read_text_config(text_path, text, error) ||
            !cg_model_read_unet_config(unet_path, FALSE, unet, error))
            return FALSE;
    }
    if (!o->from) {
        text->vocabulary = cg_tokenizer_size(t->model->tokenizer);
        text->positions = t->length;
        unet->sample_size = side;
        unet->in_channels = unet->out_channels = channels;
    }
    const int factor = 1 << (unet->level_count - 1);
    if (side % factor == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "latents of %d cells a side; a U-Net of %d levels needs a multiple of %d", side,
                unet->level_count, factor);
    return FALSE;
}

typedef struct {
    const CgLora *lora;
    CgLoraSize size;
} Additions;

static void count_addition(void *data, const char *name, const CgShape *shape)
{
    Additions *a = data;
    cg_lora_size_add(a->lora, name, shape, &a->size);
}

static gboolean make_lora_store(Training *t, const CgUnetConfig *config, GError **error)
{
    Additions additions = {.lora = &t->options->lora};
    CgBinder binder;
    g_autofree CgUnet *unet = g_new0(CgUnet, 1);
    unet->config = *config;
    cg_binder_init_visit(&binder, count_addition, &additions);
    cg_bind_unet(&binder, unet);
    cg_binder_finish(&binder, NULL);
    if (!cg_lora_size_check(additions.lora, &additions.size, error))
        return FALSE;
    t->store = cg_store_new(cg_store_size(additions.size.count, additions.size.numbers));
    return TRUE;
}

/* What --lean reads again in every step. */
static guint64 file_bytes(const Training *t)
{
    const CgModel *m = t->model;
    return t->options->lean
               ? cg_checkpoint_bytes(m->text_weights) + cg_checkpoint_bytes(m->unet_weights)
               : 0;
}

static void make_store(Training *t, const CgClipTextConfig *text_config,
                       const CgUnetConfig *unet_config)
{
    CgParameterCount count = {0};
    CgBinder binder;
    g_autofree CgClipText *text = g_new0(CgClipText, 1);
    g_autofree CgUnet *unet = g_new0(CgUnet, 1);
    text->config = *text_config;
    unet->config = *unet_config;
    cg_binder_init_visit(&binder, cg_parameter_count_visit, &count);
    cg_bind_clip_text(&binder, text);
    t->text_parameters = (guint)count.count;
    cg_bind_unet(&binder, unet);
    cg_binder_finish(&binder, NULL);
    t->store = cg_store_new(cg_store_size(count.count, count.total));
}

static gboolean is_never_trained(const char *name)
{
    (void)name;
    return FALSE;
}

/* Where COMPONENT's numbers come from: *WEIGHTS, when there is a model to go on from. */
static gboolean open_source(const Training *t, const char *part, CgInitialWeights *initial,
                            CgCheckpoint **weights, CgBuild *build, GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    *build = (CgBuild){.engine = t->engine,
                       .dtype = t->dtype,
                       .lookup = cg_initial_weights_lookup,
                       .source = initial,
                       .where = "the new model",
                       .store = t->store};
    if (!o->from)
        return TRUE;
    g_autofree char *path = g_build_filename(o->from, part, NULL);
    *weights = cg_model_open_part(path, initial->component, error);
    build->lookup = cg_checkpoint_lookup;
    build->source = *weights;
    build->where = *weights ? cg_checkpoint_path(*weights) : path;
    return *weights != NULL;
}

/* With LoRA BUILD is frozen; the U-Net gets additions besides. */
static void freeze(const Training *t, CgComponent component, CgBuild *build)
{
    const CgTrainBaseOptions *o = t->options;
    if (!o->lora.rank)
        return;
    build->unpacked = o->lean;
    build->trains = is_never_trained;
    if (component == CG_COMPONENT_UNET)
        build->lora = o->lora;
    else
        build->store = NULL;
}

static gboolean open_networks(Training *t, int side, GError **error)
{
    CgModel *m = t->model;
    CgClipTextConfig text;
    CgUnetConfig unet;
    CgBuild build;
    if (!read_configs(t, side, &text, &unet, error))
        return FALSE;
    if (!t->options->lora.rank)
        make_store(t, &text, &unet);
    else if (!make_lora_store(t, &unet, error))
        return FALSE;
    CgInitialWeights initial = {
        .component = CG_COMPONENT_TEXT, .seed = t->options->train.seed, .layers = text.layers};
    if (!open_source(t, "text_encoder", &initial, &m->text_weights, &build, error))
        return FALSE;
    freeze(t, CG_COMPONENT_TEXT, &build);
    if (!(m->text = cg_clip_text_new(&build, &text, error)))
        return FALSE;
    initial.component = CG_COMPONENT_UNET;
    if (!open_source(t, "unet", &initial, &m->unet_weights, &build, error))
        return FALSE;
    freeze(t, CG_COMPONENT_UNET, &build);
    if (!(m->unet = cg_unet_new(&build, &unet, error)))
        return FALSE;
    if (t->options->lora.rank) {
        g_autofree char *text_fingerprint = cg_weights_fingerprint(m->text_weights);
        g_autofree char *unet_fingerprint = cg_weights_fingerprint(m->unet_weights);
        t->fingerprint =
            g_strjoin("-", unet_fingerprint, text_fingerprint, m->vae_fingerprint, NULL);
    }
    return cg_model_check(m, error);
}

static gboolean load_pictures(Training *t, int size, gboolean plan_only, GError **error)
{
    if (plan_only) {
        t->latents = cg_latent_cache_blank(t->model->vae, t->captions->len, size, t->options->flip);
        return TRUE;
    }
    g_autofree const char **paths = g_new(const char *, t->captions->len);
    for (guint i = 0; i < t->captions->len; i++)
        paths[i] = ((const CgCaption *)g_ptr_array_index(t->captions, i))->image;
    g_autoptr(CgPictureCache) pictures =
        cg_picture_cache_new(paths, t->captions->len, size, cg_memory_available() / 2, error);
    if (!pictures)
        return FALSE;
    t->latents = cg_latent_cache_new(t->engine, t->dtype, t->model->vae, pictures, t->options->flip,
                                     cg_memory_available() / 2, error);
    if (t->options->lora.rank)
        cg_model_rest(t->model);
    return t->latents != NULL;
}

static gboolean check_size(const Training *t, int size, GError **error)
{
    const int factor = cg_vae_factor(cg_vae_config(t->model->vae));
    if (size >= 2 * factor && size % factor == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "pictures of %d pixels a side; this autoencoder takes multiples of %d, from %d on",
                size, factor, 2 * factor);
    return FALSE;
}

static gboolean training_open(Training *t, gboolean plan_only, GError **error)
{
    const CgTrainBaseOptions *o = t->options;
    t->folder = g_build_filename(o->train.out, "model", NULL);
    t->model = g_new0(CgModel, 1);
    t->model->engine = t->engine;
    t->model->dtype = t->dtype;
    t->model->path = g_strdup(t->folder);
    t->captions = cg_captions_open(o->data, &o->rules, error);
    if (!t->captions || !open_tokenizer(t, plan_only, error) || !open_schedule(t, error) ||
        !open_vae(t, error))
        return FALSE;
    const int size = o->size ? o->size : cg_vae_config(t->model->vae)->sample_size;
    return check_size(t, size, error) &&
           open_networks(t, size / cg_vae_factor(cg_vae_config(t->model->vae)), error) &&
           load_pictures(t, size, plan_only, error);
}

static void training_clear(Training *t)
{
    cg_model_free(t->model);
    cg_store_free(t->store);
    cg_latent_cache_free(t->latents);
    if (t->captions)
        g_ptr_array_unref(t->captions);
    if (t->texts)
        g_ptr_array_unref(t->texts);
    g_free(t->first);
    g_free(t->ids);
    g_free(t->empty);
    g_free(t->name);
    g_free(t->fingerprint);
    g_free(t->folder);
}

static gboolean run(Training *t, gboolean plan_only, CgTrainResult *result, GError **error)
{
    const CgTrainSettings *s = &t->options->train;
    const CgLora *lora = &t->options->lora;
    t->name = lora->rank
                  ? g_strdup_printf("base with --lora %d --lora-alpha %g", lora->rank, lora->alpha)
                  : g_strdup("base");
    const CgTrainTask task = {.name = t->name,
                              .base = t->fingerprint,
                              .data = t,
                              .store = t->store,
                              .sample_count = t->captions->len,
                              .packed = cg_model_packed_bytes(t->model),
                              .data_bytes = cg_tensor_bytes(t->latents->moments) + file_bytes(t),
                              .loss = loss,
                              .changed = changed,
                              .save = save,
                              .watch = t->options->sample_count > 0 ? watch : NULL};
    g_autoptr(GPtrArray) texts = distinct_texts(t);
    const CgShape *shape = &t->latents->moments->shape;
    g_autofree char *what = g_strdup_printf(
        "%u pictures with %u texts, latents of %dx%dx%d, %d tokens", t->captions->len, texts->len,
        (int)shape->d[1], (int)shape->d[2], (int)shape->d[3] / 2, t->length);
    if (!cg_train_plan(&task, s, t->dtype, result, error))
        return FALSE;
    cg_train_plan_say(what, &task, s, result);
    if (plan_only) {
        cg_train_plan_say_time(s, result, t->engine, t->dtype);
        return TRUE;
    }
    return cg_train_plan_check(s, result, "a smaller --size, --lora", error) &&
           cg_train(&task, s, t->engine, t->dtype, result, error);
}

gboolean cg_train_base(CgEngine *engine, CgDType dtype, const CgTrainBaseOptions *options,
                       gboolean plan_only, CgTrainResult *result, GError **error)
{
    Training t = {.options = options, .engine = engine, .dtype = dtype};
    const gboolean ok = training_open(&t, plan_only, error) && run(&t, plan_only, result, error);
    training_clear(&t);
    return ok;
}
