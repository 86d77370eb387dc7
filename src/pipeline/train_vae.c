#include "pipeline/train_vae.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "datasets/picture_cache.h"
#include "image/sheet.h"
#include "models/initial_weights.h"
#include "pipeline/model.h"
#include "pipeline/sample_sheet.h"
#include "pipeline/save_model.h"
#include "pipeline/train_plan.h"

#include <math.h>
#include <string.h>

#define HELD_SHARE  32 /* one in so many pictures is held out .. */
#define HELD_MOST   64 /* .. but not more than these */
#define SHEET_COUNT 8
#define SCALE_COUNT 512 /* training pictures that the scaling factor is measured on */
#define CHUNK       16  /* pictures at once where nothing is trained */

typedef struct {
    const CgTrainVaeOptions *options;
    CgEngine *engine;
    CgDType dtype;
    CgVaeConfig config; /* scaling factor 1 */
    CgVae *vae;
    CgStore *store;
    CgPictureCache *pictures;
    guint64 *order; /* of the pictures: those to train with, then those held out */
    guint64 trained, held;
    double psnr, scaling_factor;
} Training;

void cg_train_vae_default_config(CgVaeConfig *c)
{
    static const int channels[] = {32, 64, 64};
    cg_vae_config_default(c, CG_VAE_KL);
    c->level_count = G_N_ELEMENTS(channels);
    memcpy(c->channels, channels, sizeof channels);
    c->layers = 1;
    c->groups = 8;
    c->sample_size = 64;
}

void cg_train_vae_options_default(CgTrainVaeOptions *o)
{
    *o = (CgTrainVaeOptions){.save_dtype = CG_F32};
    cg_vae_loss_weights_default(&o->weights);
    cg_train_settings_default(&o->train);
    o->train.batch = 16;
    o->train.optimizer.rate = 1e-3;
    o->train.optimizer.course = CG_RATE_COSINE;
    o->train.optimizer.decay = 0;
    o->train.optimizer.average_decay = 0.999;
}

/* COUNT pictures, of those at PLACES in the order. FLIPS (nullable): which are exchanged. */
static CgTensor *pictures_at(const Training *t, const guint64 *places, const gboolean *flips,
                             int count)
{
    const int size = t->pictures->size;
    CgTensor *x = cg_tensor_new(CG_F32, CG_SHAPE(count, size, size, 3));
    const size_t numbers = x->count / (size_t)count;
    for (int i = 0; i < count; i++)
        cg_picture_cache_get(t->pictures, t->order[places[i]], flips && flips[i],
                             cg_tensor_f32(x) + (size_t)i * numbers);
    return x;
}

/* Standard normal numbers for each of the samples NUMBERS. */
static CgTensor *latent_noise(const Training *t, const guint64 *numbers, int count)
{
    const int64_t side = t->pictures->size / cg_vae_factor(&t->config);
    CgTensor *noise = cg_tensor_new(CG_F32, CG_SHAPE(count, side, side, t->config.latent_channels));
    const size_t size = noise->count / (size_t)count;
    for (int i = 0; i < count; i++)
        cg_rng_normals(t->options->train.seed, CG_STREAM(CG_STREAM_MOMENTS, numbers[i]), 0,
                       cg_tensor_f32(noise) + (size_t)i * size, size);
    return noise;
}

static CgTensor *loss(void *data, CgContext *cx, const CgTrainSample *samples, int n,
                      CgTrainNote *notes, GError **error)
{
    Training *t = data;
    g_autofree guint64 *places = g_new(guint64, n), *numbers = g_new(guint64, n);
    g_autofree gboolean *flips = g_new0(gboolean, n);
    (void)notes, (void)error;
    for (int i = 0; i < n; i++) {
        CgRng rng = cg_rng(t->options->train.seed, CG_STREAM(CG_STREAM_VARIANT, samples[i].number));
        places[i] = samples[i].index;
        numbers[i] = samples[i].number;
        flips[i] = t->options->flip && cg_rng_int(&rng, 0, 1);
    }
    g_autoptr(CgTensor) image = pictures_at(t, places, flips, n);
    g_autoptr(CgTensor) noise = latent_noise(t, numbers, n);
    return cg_vae_loss(cx, t->vae, image, noise, &t->options->weights, NULL);
}

static void changed(void *data)
{
    cg_vae_changed(((Training *)data)->vae);
}

/* Peak signal to noise ratio of picture I in dB; values beyond [-1, 1] are cut as in a file. */
static double psnr(const CgTensor *y, const CgTensor *x, int i)
{
    const size_t size = x->count / (size_t)x->shape.d[0];
    const float *a = cg_tensor_f32(y) + (size_t)i * size, *b = cg_tensor_f32(x) + (size_t)i * size;
    double sum = 0;
    for (size_t k = 0; k < size; k++)
        sum += pow((double)CLAMP(a[k], -1, 1) - (double)b[k], 2);
    return 10 * log10(4 / MAX(sum / (double)size, 1e-10));
}

/* The held-out pictures from FIRST, and what comes back of them. */
static gboolean reconstruct(Training *t, guint64 first, int count, CgTensor **x, CgTensor **y,
                            GError **error)
{
    g_autofree guint64 *places = g_new(guint64, count);
    CgContext cx;
    cg_context_init(&cx, t->engine, t->dtype);
    for (int i = 0; i < count; i++)
        places[i] = t->trained + first + (guint64)i;
    *x = pictures_at(t, places, NULL, count);
    g_autoptr(CgTensor) moments = cg_vae_encode(&cx, t->vae, *x);
    g_autoptr(CgTensor) z = cg_vae_latent(t->vae, moments, NULL);
    *y = cg_vae_decode(&cx, t->vae, z);
    const gboolean ok = cg_context_ok(&cx, error);
    cg_context_clear(&cx);
    return ok;
}

static gboolean measure_psnr(Training *t, GError **error)
{
    double sum = 0;
    for (guint64 first = 0; first < t->held; first += CHUNK) {
        g_autoptr(CgTensor) x = NULL, y = NULL;
        const int count = (int)MIN(CHUNK, t->held - first);
        if (!reconstruct(t, first, count, &x, &y, error))
            return FALSE;
        for (int i = 0; i < count; i++)
            sum += psnr(y, x, i);
    }
    t->psnr = sum / (double)t->held;
    return TRUE;
}

static gboolean save_sheet(Training *t, guint64 step, GError **error)
{
    g_autoptr(CgTensor) x = NULL, y = NULL;
    const int count = (int)MIN(SHEET_COUNT, t->held);
    CgImage *images[2 * SHEET_COUNT];
    CgSheetCell cells[2 * SHEET_COUNT];
    if (!reconstruct(t, 0, count, &x, &y, error))
        return FALSE;
    for (int i = 0; i < 2 * count; i++) {
        images[i] = cg_image_from_tensor(i < count ? x : y, i % count);
        cells[i] = (CgSheetCell){images[i], NULL};
    }
    g_autofree char *path = cg_sample_sheet_path(t->options->train.out, step, error);
    g_autoptr(CgImage) sheet =
        path ? cg_contact_sheet(cells, 2 * count, count, MIN(2 * t->pictures->size, 256), error)
             : NULL;
    for (int i = 0; i < 2 * count; i++)
        cg_image_free(images[i]);
    return sheet && cg_image_save_png(sheet, path, error);
}

static gboolean watch(void *data, guint64 step, double *obedience, GError **error)
{
    Training *t = data;
    (void)obedience;
    if (!measure_psnr(t, error) || !save_sheet(t, step, error))
        return FALSE;
    cg_log_note("step %" G_GUINT64_FORMAT ": PSNR %.2f dB of %" G_GUINT64_FORMAT
                " held-out pictures",
                step, t->psnr, t->held);
    return TRUE;
}

/* Deviation of sampled latents of training pictures. */
static gboolean measure_scale(Training *t, GError **error)
{
    double sum = 0, squares = 0, numbers = 0;
    CgContext cx;
    gboolean ok = TRUE;
    cg_context_init(&cx, t->engine, t->dtype);
    for (guint64 first = 0; ok && first < MIN(SCALE_COUNT, t->trained); first += CHUNK) {
        guint64 places[CHUNK];
        const int count = (int)MIN(CHUNK, t->trained - first);
        for (int i = 0; i < count; i++)
            places[i] = first + (guint64)i;
        g_autoptr(CgTensor) x = pictures_at(t, places, NULL, count);
        g_autoptr(CgTensor) moments = cg_vae_encode(&cx, t->vae, x);
        g_autoptr(CgTensor) noise = latent_noise(t, places, count);
        g_autoptr(CgTensor) z = cg_vae_latent(t->vae, moments, noise);
        ok = cg_context_ok(&cx, error);
        for (size_t i = 0; i < z->count; i++) {
            sum += (double)cg_tensor_f32(z)[i];
            squares += pow((double)cg_tensor_f32(z)[i], 2);
        }
        numbers += (double)z->count;
    }
    cg_context_clear(&cx);
    const double mean = sum / numbers;
    t->scaling_factor = 1 / sqrt(MAX(squares / numbers - mean * mean, 1e-12));
    return ok;
}

/* BLOCK in the place of the values, whose copy is returned; NULL: they are BLOCK. */
static CgTensor *exchange(Training *t, CgTensor *block)
{
    CgTensor *values = t->store->values;
    if (block == values)
        return NULL;
    CgTensor *kept = cg_tensor_copy(values, CG_F32);
    memcpy(values->data, block->data, t->store->used * sizeof(float));
    changed(t);
    return kept;
}

static gboolean save(void *data, CgTensor *block, const char *folder, GError **error)
{
    Training *t = data;
    g_autofree char *path = g_build_filename(folder, "vae", NULL);
    g_autoptr(CgTensor) kept = exchange(t, block);
    const gboolean measured = measure_scale(t, error) && measure_psnr(t, error);
    CgVaeConfig config = t->config;
    const CgSavedWeights weights = {.store = t->store,
                                    .block = t->store->values,
                                    .count = cg_store_count(t->store),
                                    .dtype = t->options->save_dtype};
    config.scaling_factor = t->scaling_factor;
    const gboolean ok = measured && cg_save_vae(path, &config, &weights, error);
    if (kept) {
        memcpy(t->store->values->data, kept->data, t->store->used * sizeof(float));
        changed(t);
    }
    return ok;
}

static gboolean read_config(Training *t, int *size, GError **error)
{
    const CgTrainVaeOptions *o = t->options;
    CgVaeConfig *c = &t->config;
    const char *described = o->config ? o->config : o->from;
    cg_train_vae_default_config(c);
    if (o->config && !g_file_test(o->config, G_FILE_TEST_IS_DIR)) {
        g_autoptr(json_t) json = cg_json_load(o->config, error);
        if (!json || !cg_vae_config_parse(json, o->config, c, error))
            return FALSE;
    } else if (described && !cg_model_read_vae_config(described, c, error)) {
        return FALSE;
    }
    c->scaling_factor = 1;
    *size = o->size ? o->size : c->sample_size;
    c->sample_size = *size;
    if (c->kind != CG_VAE_KL || c->in_channels != 3 || c->out_channels != 3) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: an AutoencoderKL with 3 channels in and out can be trained", described);
        return FALSE;
    }
    if (*size >= 2 * cg_vae_factor(c) && *size % cg_vae_factor(c) == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "pictures of %d pixels a side; this autoencoder takes multiples of %d, from %d on",
                *size, cg_vae_factor(c), 2 * cg_vae_factor(c));
    return FALSE;
}

static gboolean open_vae(Training *t, GError **error)
{
    const CgTrainVaeOptions *o = t->options;
    CgParameterCount count = {0};
    CgBinder binder;
    CgInitialWeights initial = {.component = CG_COMPONENT_VAE, .seed = o->train.seed};
    g_autoptr(CgCheckpoint) own =
        o->from ? cg_model_open_part(o->from, CG_COMPONENT_VAE, error) : NULL;
    if (o->from && !own)
        return FALSE;
    cg_binder_init_visit(&binder, cg_parameter_count_visit, &count);
    cg_bind_vae(&binder, &t->config);
    cg_binder_finish(&binder, NULL);
    t->store = cg_store_new(cg_store_size(count.count, count.total));
    const CgBuild build = {.engine = t->engine,
                           .dtype = t->dtype,
                           .lookup = own ? cg_checkpoint_lookup : cg_initial_weights_lookup,
                           .source = own ? (void *)own : (void *)&initial,
                           .where = own ? o->from : "the new autoencoder",
                           .store = t->store};
    t->vae = cg_vae_new(&build, &t->config, error);
    return t->vae != NULL;
}

/* Which pictures are held out follows from seed and names: resuming holds out the same ones. */
static void split(Training *t)
{
    const guint64 count = t->pictures->count;
    CgRng rng = cg_rng(t->options->train.seed, CG_STREAM(CG_STREAM_SPLIT, 0));
    t->held = CLAMP(count / HELD_SHARE, 1, HELD_MOST);
    t->trained = MAX(count - t->held, 1);
    t->held = MAX(count - t->trained, 1);
    t->order = g_new(guint64, count + 1);
    for (guint64 i = 0; i < count; i++)
        t->order[i] = i;
    for (guint64 i = count; i > 1; i--) {
        const guint64 j = cg_rng_next(&rng) % i, other = t->order[j];
        t->order[j] = t->order[i - 1];
        t->order[i - 1] = other;
    }
    t->order[count] = t->order[0]; /* a single picture is looked at as well */
}

static gboolean load_pictures(Training *t, int size, GError **error)
{
    const CgTrainVaeOptions *o = t->options;
    g_autoptr(GPtrArray) captions = cg_captions_open(o->data, &o->rules, error);
    if (!captions)
        return FALSE;
    g_autofree const char **paths = g_new(const char *, captions->len);
    for (guint i = 0; i < captions->len; i++)
        paths[i] = ((const CgCaption *)g_ptr_array_index(captions, i))->image;
    t->pictures =
        cg_picture_cache_new(paths, captions->len, size, cg_memory_available() / 2, error);
    if (t->pictures)
        split(t);
    return t->pictures != NULL;
}

static void training_clear(Training *t)
{
    cg_vae_free(t->vae);
    cg_store_free(t->store);
    cg_picture_cache_free(t->pictures);
    g_free(t->order);
}

static gboolean run(Training *t, gboolean plan_only, CgTrainVaeResult *result, GError **error)
{
    const CgTrainSettings *s = &t->options->train;
    const CgTrainTask task = {.name = "vae",
                              .data = t,
                              .store = t->store,
                              .sample_count = t->trained,
                              .packed = *cg_vae_packed_bytes(t->vae),
                              .data_bytes = 3 * t->pictures->count *
                                            (size_t)(t->pictures->size * t->pictures->size),
                              .loss = loss,
                              .changed = changed,
                              .save = save,
                              .watch = watch};
    g_autofree char *what = g_strdup_printf(
        "%" G_GUINT64_FORMAT " pictures of %dx%d (%" G_GUINT64_FORMAT " more held out)", t->trained,
        t->pictures->size, t->pictures->size, t->held);
    if (!cg_train_plan(&task, s, t->dtype, &result->train, error))
        return FALSE;
    cg_train_plan_say(what, &task, s, &result->train);
    if (plan_only) {
        cg_train_plan_say_time(s, &result->train, t->engine, t->dtype);
        return TRUE;
    }
    const gboolean ok = cg_train_plan_check(s, &result->train, "a smaller --size", error) &&
                        cg_train(&task, s, t->engine, t->dtype, &result->train, error);
    result->pictures = t->trained;
    result->held = t->held;
    result->psnr = t->psnr;
    result->scaling_factor = t->scaling_factor;
    return ok;
}

gboolean cg_train_vae(CgEngine *engine, CgDType dtype, const CgTrainVaeOptions *options,
                      gboolean plan_only, CgTrainVaeResult *result, GError **error)
{
    Training t = {.options = options, .engine = engine, .dtype = dtype};
    int size;
    *result = (CgTrainVaeResult){0};
    const gboolean ok = read_config(&t, &size, error) && load_pictures(&t, size, error) &&
                        open_vae(&t, error) && run(&t, plan_only, result, error);
    training_clear(&t);
    return ok;
}
