#include "pipeline/train_detector.h"

#include "base/error.h"
#include "pipeline/train_plan.h"
#include "pipeline/validate_detector.h"

#include <math.h>

typedef struct {
    const CgTrainDetectorOptions *options;
    CgDetectorSamples *samples;
    CgStore *store;
    CgDetectorNetwork *model;
    CgDType dtype;
} Training;

void cg_train_detector_options_default(CgTrainDetectorOptions *o)
{
    *o = (CgTrainDetectorOptions){.samples = {.synthesis = "draem", .ratio = 0.3, .size = 256},
                                  .network = CG_DETECTOR_DRAEM,
                                  .width = cg_detector_default_width(CG_DETECTOR_DRAEM),
                                  .false_alarms = NAN};
    cg_train_settings_default(&o->train);
    o->train.epochs = 700;
    o->train.batch = 8;
    o->train.optimizer.rate = 1e-4;
    o->train.optimizer.decay = 0;
    o->train.optimizer.clip = 0;
    o->train.optimizer.course = CG_RATE_STEPS;
}

static CgTensor *loss(void *data, CgContext *cx, const CgTrainSample *samples, int n,
                      CgTrainNote *notes, GError **error)
{
    Training *t = data;
    g_autofree guint64 *numbers = g_new(guint64, n);
    g_autoptr(CgTensor) clean = NULL, picture = NULL, mask = NULL;
    (void)notes;
    for (int i = 0; i < n; i++)
        numbers[i] = samples[i].number;
    if (!cg_detector_samples_batch(t->samples, numbers, n, &clean, &picture, &mask, error))
        return NULL;
    return cg_detector_network_loss(cx, t->model, clean, picture, mask);
}

static void changed(void *data)
{
    Training *t = data;
    cg_parameter_set_changed(&t->model->parameters);
}

/* How it was trained, for people who find the folder later. */
static json_t *describe(const Training *t)
{
    const CgDetectorSamplesOptions *o = &t->options->samples;
    const CgTrainSettings *s = &t->options->train;
    json_t *object =
        json_pack("{s:s, s:i, s:i, s:f, s:s, s:i, s:i, s:b}", "synthesis", o->synthesis, "batch",
                  s->batch, "accumulate", s->accumulate, "rate", s->optimizer.rate, "rate_schedule",
                  cg_rate_course_name(s->optimizer.course), "normal_images",
                  (int)cg_detector_samples_count(t->samples), "generated_images",
                  (int)cg_detector_samples_generated(t->samples), "textures", o->textures != NULL);
    json_object_set_new(object, "seed", json_integer((json_int_t)s->seed));
    if (o->hold_out > 0)
        json_object_set_new(object, "held_out_images",
                            json_integer(cg_detector_samples_held_out(t->samples)));
    if (o->synthetic) {
        json_object_set_new(object, "ratio", json_real(o->ratio));
        json_object_set_new(object, "replace", json_string(cg_replace_name(o->replace)));
    }
    return object;
}

static gboolean save(void *data, CgTensor *block, const char *folder, GError **error)
{
    Training *t = data;
    const char *category = cg_detector_samples_category(t->samples);
    g_auto(CgDetectorConfig) config = {.network = t->model->config,
                                       .size = t->options->samples.size,
                                       .category = g_strdup(category),
                                       .training = describe(t)};
    return cg_detector_save(folder, &config, t->store, block, error);
}

static void count_parameter(void *data, const char *name, const CgShape *shape)
{
    size_t *totals = data;
    (void)name;
    totals[0]++;
    totals[1] += cg_shape_count(shape);
}

static gboolean open_model(Training *t, CgEngine *engine, GError **error)
{
    CgBinder binder;
    const CgTrainDetectorOptions *o = t->options;
    g_autofree CgDetectorNetwork *structure = g_new0(CgDetectorNetwork, 1);
    CgDetectorInitial initial = {.seed = o->train.seed};
    size_t totals[2] = {0, 0};
    structure->config = cg_detector_network_config(o->network, o->width);
    cg_binder_init_visit(&binder, count_parameter, totals);
    cg_bind_detector_network(&binder, structure);
    cg_binder_finish(&binder, NULL);
    t->store = cg_store_new(cg_store_size(totals[0], totals[1]));
    const CgBuild build = {.engine = engine,
                           .dtype = t->dtype,
                           .lookup = cg_detector_initial_weights,
                           .source = &initial,
                           .where = "the new detector",
                           .store = t->store};
    t->model = cg_detector_network_new(&build, &structure->config, error);
    return t->model != NULL;
}

/* "bottle: 209 normal images of 256x256, ..." */
static char *describe_data(const Training *t)
{
    const CgDetectorSamplesOptions *o = &t->options->samples;
    g_autofree char *generated = o->synthetic
                                     ? g_strdup_printf(", %u generated ones (%s, %g)",
                                                       cg_detector_samples_generated(t->samples),
                                                       cg_replace_name(o->replace), o->ratio)
                                     : g_strdup("");
    const guint held_out = cg_detector_samples_held_out(t->samples);
    g_autofree char *held = held_out ? g_strdup_printf(", %u held out", held_out) : g_strdup("");
    return g_strdup_printf("%s: %u normal images of %dx%d%s%s; synthesis: %s%s; network: %s",
                           cg_detector_samples_category(t->samples),
                           cg_detector_samples_count(t->samples), o->size, o->size, held, generated,
                           o->synthesis,
                           g_str_equal(o->synthesis, "draem") && !o->textures
                               ? " (no --textures: other normal images in disorder)"
                               : "",
                           cg_detector_kind_name(t->options->network));
}

static gboolean run(Training *t, CgEngine *engine, gboolean plan_only, CgTrainResult *result,
                    GError **error)
{
    const CgTrainSettings *s = &t->options->train;
    const CgTrainTask task = {.name = "detector",
                              .data = t,
                              .store = t->store,
                              .sample_count = cg_detector_samples_count(t->samples),
                              .packed = t->model->parameters.packed,
                              .loss = loss,
                              .changed = changed,
                              .save = save};
    g_autofree char *what = describe_data(t);
    if (!cg_train_plan(&task, s, t->dtype, result, error))
        return FALSE;
    cg_train_plan_say(what, &task, s, result);
    if (plan_only) {
        cg_train_plan_say_time(s, result, engine, t->dtype);
        return TRUE;
    }
    return cg_train_plan_check(s, result, "a smaller --size or --width", error) &&
           cg_train(&task, s, engine, t->dtype, result, error);
}

gboolean cg_train_detector(CgEngine *engine, CgDType dtype, const CgTrainDetectorOptions *o,
                           gboolean plan_only, CgTrainResult *result, GError **error)
{
    Training t = {.options = o, .dtype = dtype};
    t.samples = cg_detector_samples_open(&o->samples, error);
    const gboolean ok =
        t.samples && open_model(&t, engine, error) && run(&t, engine, plan_only, result, error) &&
        (plan_only || cg_detector_choose_threshold(engine, dtype, o->train.out, t.samples,
                                                   o->false_alarms, error));
    cg_detector_network_free(t.model);
    cg_store_free(t.store);
    cg_detector_samples_free(t.samples);
    return ok;
}
