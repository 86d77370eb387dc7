#include "pipeline/train_controlnet.h"

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "models/initial_weights.h"
#include "pipeline/controlnet_loss.h"
#include "pipeline/controlnet_watch.h"
#include "pipeline/generate.h"
#include "pipeline/save_model.h"
#include "pipeline/train_plan.h"

#include <string.h>

#define PROMPTS_SAID 8

typedef struct {
    const CgTrainControlnetOptions *options;
    CgModel *model;
    CgShots *shots;
    CgStore *store;
    CgCheckpoint *base; /* what the ControlNet has that is not trained */
    char *name;         /* of the task */
    char *fingerprint;  /* of the model and, with LoRA, of the ControlNet beneath */
    CgControlnetWatch *watch;
} Training;

void cg_train_controlnet_options_default(CgTrainControlnetOptions *o)
{
    *o = (CgTrainControlnetOptions){.shots = {.shots = 3},
                                    .save_dtype = CG_F32,
                                    .sample_count = 8,
                                    .sample_steps = 20,
                                    .guidance = 7.5};
    cg_train_settings_default(&o->train);
    o->train.epochs = 1000;
}

/* x_0 of the batch: a posterior sample, as upstream's trainings take it. */
static CgTensor *latents(const Training *t, const CgTrainSample *samples, int n,
                         const CgTensor *moments)
{
    CgShape shape = moments->shape;
    shape.d[3] /= 2;
    g_autoptr(CgTensor) noise = cg_tensor_new(CG_F32, shape);
    const size_t size = noise->count / (size_t)n;
    for (int i = 0; i < n; i++)
        cg_rng_normals(t->options->train.seed, CG_STREAM(CG_STREAM_MOMENTS, samples[i].number), 0,
                       cg_tensor_f32(noise) + (size_t)i * size, size);
    return cg_vae_latent(t->model->vae, moments, noise);
}

/* What is drawn for the samples besides the shots: timesteps and noise. */
static void draw(const Training *t, const CgTrainSample *samples, int n, int *timesteps,
                 float *weights, CgTensor *noise)
{
    const guint64 seed = t->options->train.seed;
    const size_t size = noise->count / (size_t)n;
    for (int i = 0; i < n; i++) {
        CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_TIMESTEP, samples[i].number));
        timesteps[i] = cg_rng_int(&rng, 0, t->model->schedule->count - 1);
        weights[i] = t->options->min_snr > 0
                         ? (float)cg_noise_schedule_min_snr_weight(t->model->schedule, timesteps[i],
                                                                   t->options->min_snr)
                         : 1;
        cg_rng_normals(seed, CG_STREAM(CG_STREAM_NOISE, samples[i].number), 0,
                       cg_tensor_f32(noise) + (size_t)i * size, size);
    }
}

/* Of the latent cells of X_0: their sample's weight, more where the mask (CONTROL) touches them. */
static float *weigh_cells(const Training *t, const CgTensor *x_0, const CgTensor *control,
                          const float *sample_weights)
{
    const int64_t *n = x_0->shape.d, *pixels = control->shape.d;
    const int64_t cell = pixels[1] / n[1], c = pixels[3];
    const float *mask = cg_tensor_f32((CgTensor *)control);
    float *weights = g_new(float, n[0] * n[1] * n[2]);
    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++)
        weights[i] = sample_weights[i / (n[1] * n[2])];
    for (int64_t row = 0; row < n[0] * pixels[1]; row++)
        for (int64_t column = 0; column < pixels[2]; column++)
            if (mask[(row * pixels[2] + column) * c] > 0) {
                const int64_t sample = row / pixels[1], y = row % pixels[1] / cell;
                weights[(sample * n[1] + y) * n[2] + column / cell] =
                    sample_weights[sample] * (float)(1 + t->options->mask_weight);
            }
    return weights;
}

/* Each sample's own loss, unweighted. */
static void note_losses(const CgTensor *prediction, const CgTensor *target, const int *timesteps,
                        int count, int n, CgTrainNote *notes)
{
    const size_t size = prediction->count / (size_t)n;
    const float *y = cg_tensor_f32(prediction), *want = cg_tensor_f32(target);
    for (int i = 0; i < n; i++, y += size, want += size) {
        double sum = 0;
        for (size_t j = 0; j < size; j++)
            sum += ((double)y[j] - (double)want[j]) * ((double)y[j] - (double)want[j]);
        notes[i] = (CgTrainNote){sum / (double)size, (double)timesteps[i] / count};
    }
}

static CgTensor *loss(void *data, CgContext *cx, const CgTrainSample *samples, int n,
                      CgTrainNote *notes, GError **error)
{
    Training *t = data;
    g_autofree CgShotDraw *draws = g_new(CgShotDraw, n);
    g_autofree int *timesteps = g_new(int, n);
    g_autofree float *weights = g_new(float, n);
    g_autoptr(CgTensor) moments = NULL, control = NULL, text = NULL;
    for (int i = 0; i < n; i++)
        draws[i] = cg_shots_draw(t->shots, (guint)samples[i].index, samples[i].number,
                                 t->options->dropout);
    const gboolean rehearsal = cx->engine != t->model->engine;
    if (!cg_shots_batch(t->shots, draws, n, rehearsal, &moments, &control, &text, error))
        return NULL;
    g_autoptr(CgTensor) x_0 = latents(t, samples, n, moments);
    g_autoptr(CgTensor) noise = cg_tensor_new(CG_F32, x_0->shape);
    draw(t, samples, n, timesteps, weights, noise);
    g_autofree float *cells =
        t->options->mask_weight > 0 ? weigh_cells(t, x_0, control, weights) : NULL;
    const CgDiffusionBatch batch = {.latent = x_0,
                                    .noise = noise,
                                    .timesteps = timesteps,
                                    .text = text,
                                    .control = control,
                                    .weights = t->options->min_snr > 0 ? weights : NULL,
                                    .place_weights = cells};
    g_autoptr(CgTensor) prediction = NULL, target = NULL;
    CgTensor *value = cg_controlnet_loss(cx, t->model->controlnet, t->model->unet,
                                         t->model->schedule, &batch, &prediction, &target);
    note_losses(prediction, target, timesteps, t->model->schedule->count, n, notes);
    return value;
}

static void changed(void *data)
{
    Training *t = data;
    cg_parameter_set_changed(&t->model->controlnet->parameters);
}

static gboolean save(void *data, CgTensor *block, const char *folder, GError **error)
{
    Training *t = data;
    const CgSavedWeights weights = {.store = t->store,
                                    .block = block,
                                    .count = cg_store_count(t->store),
                                    .dtype = t->options->save_dtype,
                                    .frozen = cg_checkpoint_lookup,
                                    .frozen_source = t->base,
                                    .lora = t->options->lora};
    return (!t->options->lora.rank || cg_save_lora(folder, "", &weights, error)) &&
           cg_save_controlnet(folder, &t->model->controlnet->config, &weights, error);
}

static gboolean watch(void *data, guint64 step, double *obedience, GError **error)
{
    Training *t = data;
    return cg_controlnet_watch_run(t->watch, step, obedience, error);
}

/* What a store has to hold. */
typedef struct {
    const CgLora *lora;
    CgLoraSize size;
} Trained;

static void count_parameter(void *data, const char *name, const CgShape *shape)
{
    Trained *t = data;
    if (!t->lora->rank || cg_controlnet_is_own(name)) {
        t->size.count++;
        t->size.numbers += cg_shape_count(shape);
    }
    cg_lora_size_add(t->lora, name, shape, &t->size);
}

static gboolean open_store(Training *t, const CgUnetConfig *config, GError **error)
{
    const CgLora *lora = &t->options->lora;
    Trained trained = {.lora = lora};
    g_autofree CgControlnet *structure = g_new0(CgControlnet, 1);
    CgBinder binder;
    structure->config = *config;
    cg_binder_init_visit(&binder, count_parameter, &trained);
    cg_bind_controlnet(&binder, structure);
    cg_binder_finish(&binder, NULL);
    if (lora->rank && !cg_lora_size_check(lora, &trained.size, error))
        return FALSE;
    t->store = cg_store_new(cg_store_size(trained.size.count, trained.size.numbers));
    return TRUE;
}

/* The ControlNet, what is trained of it in a store of its own. */
static gboolean open_controlnet(Training *t, CgEngine *engine, GError **error)
{
    const CgTrainControlnetOptions *o = t->options;
    CgModel *m = t->model;
    CgUnetConfig config;
    if (!cg_model_controlnet_config(m, o->model.controlnet, &config, error) ||
        !open_store(t, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) unet = cg_model_open_unet_weights(m, error);
    g_autoptr(CgCheckpoint) own =
        o->model.controlnet
            ? cg_model_open_part(o->model.controlnet, CG_COMPONENT_CONTROLNET, error)
            : NULL;
    if (!unet || (o->model.controlnet && !own))
        return FALSE;
    CgInitialWeights initial = {.component = CG_COMPONENT_CONTROLNET,
                                .seed = o->train.seed,
                                .unet = cg_checkpoint_lookup,
                                .unet_source = unet};
    const CgBuild build = {.engine = engine,
                           .dtype = m->dtype,
                           .lookup = own ? cg_checkpoint_lookup : cg_initial_weights_lookup,
                           .source = own ? (void *)own : (void *)&initial,
                           .where = own ? o->model.controlnet : "the new ControlNet",
                           .store = t->store,
                           .trains = o->lora.rank ? cg_controlnet_is_own : NULL,
                           .lora = o->lora};
    m->controlnet = cg_controlnet_new(&build, &config, error);
    t->base = own ? g_steal_pointer(&own) : g_steal_pointer(&unet);
    return m->controlnet != NULL && cg_model_check(m, error);
}

static void training_clear(Training *t)
{
    cg_controlnet_watch_free(t->watch);
    cg_shots_free(t->shots);
    cg_model_free(t->model);
    cg_store_free(t->store);
    g_clear_pointer(&t->base, cg_checkpoint_unref);
    g_free(t->name);
    g_free(t->fingerprint);
}

static gboolean training_open(Training *t, CgEngine *engine, CgDType dtype, GError **error)
{
    const CgTrainControlnetOptions *o = t->options;
    CgModelPaths paths = o->model;
    paths.controlnet = NULL; /* not to be frozen */
    paths.training = TRUE;
    paths.lean = o->lean;
    t->model = cg_model_open(engine, dtype, &paths, error);
    if (!t->model || !open_controlnet(t, engine, error))
        return FALSE;
    t->shots = cg_shots_open(t->model, &o->shots, error);
    return t->shots != NULL;
}

/* With --lean the U-Net's file is read again in every step. */
static guint64 model_file_bytes(const Training *t)
{
    return t->options->lean ? cg_checkpoint_bytes(t->model->unet_weights) : 0;
}

/* Between steps pictures are encoded, and sample sheets made. */
static guint64 aside_bytes(const Training *t)
{
    const CgTrainControlnetOptions *o = t->options;
    const int side = cg_shots_size(t->shots);
    if (o->sample_count > 0 && o->train.watch_steps) {
        CgGenerateSettings settings;
        CgGeneratePlan plan;
        cg_generate_settings_default(&settings);
        settings.denoise.guidance = o->guidance;
        cg_generate_plan(t->model, &settings, side, side, &plan);
        return plan.activation_bytes;
    }
    g_autoptr(CgEngine) engine = cg_engine_plan_new();
    CgContext cx;
    cg_context_init(&cx, engine, t->model->dtype);
    g_autoptr(CgTensor) image = engine->ops->tensor(engine, CG_F32, CG_SHAPE(1, side, side, 3));
    cg_tensor_unref(cg_vae_encode(&cx, t->model->vae, image));
    cg_context_clear(&cx);
    return cg_engine_plan_held(engine);
}

static gboolean save_shots(const Training *t, GError **error)
{
    g_autofree char *path = g_build_filename(t->options->train.out, "shots.json", NULL);
    g_autoptr(CgPrompts) prompts = cg_prompts_load(t->options->shots.aliases, error);
    return prompts && cg_file_make_directory(t->options->train.out, error) &&
           cg_split_save(cg_shots_split(t->shots), path, prompts, error);
}

/* The words that the trained ControlNet will be asked with; of many, the first. */
static void say_prompts(const CgShots *shots)
{
    g_autoptr(GString) text = g_string_new(NULL);
    guint kinds = 0;
    for (guint i = 0; i < cg_shots_count(shots); i++) {
        const CgShotImage *shot = cg_shots_nth(shots, i),
                          *last = i ? cg_shots_nth(shots, i - 1) : shot;
        if (i && g_str_equal(shot->category, last->category) &&
            g_str_equal(shot->defect, last->defect))
            continue;
        if (kinds++ < PROMPTS_SAID)
            g_string_append_printf(text, "%s\"%s\"", i ? ", " : "", shot->prompts[0]);
    }
    if (kinds > PROMPTS_SAID)
        g_string_append_printf(text, " and %u more", kinds - PROMPTS_SAID);
    cg_log_note("prompts: %s", text->str);
}

static gboolean run(Training *t, CgEngine *engine, CgDType dtype, gboolean plan_only,
                    CgTrainResult *result, GError **error)
{
    const CgTrainControlnetOptions *o = t->options;
    t->name = o->lora.rank ? g_strdup_printf("controlnet with --lora %d --lora-alpha %g",
                                             o->lora.rank, o->lora.alpha)
                           : g_strdup("controlnet");
    g_autofree char *beneath =
        o->lora.rank && o->model.controlnet ? cg_weights_fingerprint(t->base) : NULL;
    t->fingerprint = g_strjoin("-", t->model->fingerprint, t->model->text_fingerprint,
                               t->model->vae_fingerprint, beneath, NULL);
    const CgTrainTask task = {.name = t->name,
                              .base = t->fingerprint,
                              .data = t,
                              .store = t->store,
                              .sample_count = cg_shots_count(t->shots),
                              .packed = cg_model_packed_bytes(t->model),
                              .data_bytes = cg_shots_bytes(t->shots) + model_file_bytes(t),
                              .aside_bytes = aside_bytes(t),
                              .loss = loss,
                              .changed = changed,
                              .save = save,
                              .watch = o->sample_count > 0 ? watch : NULL};
    if (!cg_train_plan(&task, &o->train, dtype, result, error))
        return FALSE;
    g_autofree char *what = g_strdup_printf("%u shots of %dx%d", cg_shots_count(t->shots),
                                            cg_shots_size(t->shots), cg_shots_size(t->shots));
    cg_train_plan_say(what, &task, &o->train, result);
    say_prompts(t->shots);
    if (plan_only) {
        cg_train_plan_say_time(&o->train, result, engine, dtype);
        return TRUE;
    }
    if (!cg_train_plan_check(&o->train, result, "a smaller --size, --lora, --lean", error) ||
        !save_shots(t, error))
        return FALSE;
    t->watch = cg_controlnet_watch_new(t->model, t->shots, o, error);
    return t->watch && cg_train(&task, &o->train, engine, dtype, result, error);
}

gboolean cg_train_controlnet(CgEngine *engine, CgDType dtype, const CgTrainControlnetOptions *o,
                             gboolean plan_only, CgTrainResult *result, GError **error)
{
    Training t = {.options = o};
    const gboolean ok =
        training_open(&t, engine, dtype, error) && run(&t, engine, dtype, plan_only, result, error);
    training_clear(&t);
    return ok;
}
