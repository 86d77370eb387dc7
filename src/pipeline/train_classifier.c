#include "pipeline/train_classifier.h"

#include "base/error.h"
#include "base/rng.h"
#include "base/system.h"
#include "ops/loss.h"
#include "pipeline/classifier.h"
#include "pipeline/train_plan.h"

typedef struct {
    const CgTrainClassifierOptions *options;
    CgEngine *engine;
    CgDType dtype;
    GArray *pictures;  /* of CgLabelled */
    GPtrArray *labels; /* the classes */
    GArray **members;  /* [classes]: of guint, which pictures are of it */
    CgImage **images;  /* [pictures], of the input's size */
    CgClassifierInput input;
    CgResnetClassifierConfig network;
    CgStore *store;
    CgResnetClassifier *model;
} Training;

void cg_train_classifier_options_default(CgTrainClassifierOptions *o)
{
    *o = (CgTrainClassifierOptions){
        .data = {.splits = {TRUE, TRUE, TRUE}, .with_shots = TRUE}, .size = 224, .flip = TRUE};
    cg_train_settings_default(&o->train);
    o->train.epochs = 30;
    o->train.batch = 16;
    o->train.optimizer.rate = 1e-4;
    o->train.optimizer.decay = 0;
    o->train.optimizer.clip = 0;
    o->train.optimizer.course = CG_RATE_STEPS;
}

/* ---- a step */

/* Draws sample NUMBER to OUT and returns its class. */
static int draw_sample(const Training *t, guint64 number, float *out)
{
    CgRng rng = cg_rng(t->options->train.seed, CG_STREAM(CG_STREAM_CLASSIFY, number));
    const int label = cg_rng_int(&rng, 0, (int)t->labels->len - 1);
    const GArray *members = t->members[label];
    const guint i = g_array_index(members, guint, cg_rng_int(&rng, 0, (int)members->len - 1));
    const gboolean flip = t->options->flip && cg_rng_uniform(&rng, 0, 1) < 0.5;
    cg_classifier_prepare(&t->input, t->images[i], flip, out);
    return label;
}

static CgTensor *loss(void *data, CgContext *cx, const CgTrainSample *samples, int n,
                      CgTrainNote *notes, GError **error)
{
    const Training *t = data;
    const int64_t size = t->input.size;
    g_autofree int *labels = g_new(int, n);
    g_autoptr(CgTensor) batch = cg_tensor_new(CG_F32, CG_SHAPE(n, size, size, 3));
    (void)notes, (void)error;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++)
        labels[i] = draw_sample(t, samples[i].number, cg_tensor_f32(batch) + i * size * size * 3);
    g_autoptr(CgTensor) features = cg_resnet_classifier_features(cx, t->model, batch, TRUE);
    g_autoptr(CgTensor) logits = cg_resnet_classifier_logits(cx, t->model, features);
    return cg_loss_cross_entropy(cx, logits, labels);
}

static void changed(void *data)
{
    Training *t = data;
    cg_parameter_set_changed(&t->model->parameters);
}

/* How it was trained, for people who find the folder later. */
static json_t *describe(const Training *t)
{
    const CgTrainSettings *s = &t->options->train;
    json_t *images = json_object();
    for (guint i = 0; i < t->labels->len; i++)
        json_object_set_new(images, g_ptr_array_index(t->labels, i),
                            json_integer(t->members[i]->len));
    return json_pack("{s:o, s:i, s:i, s:f, s:s, s:I, s:b, s:b}", "images", images, "batch",
                     s->batch, "accumulate", s->accumulate, "rate", s->optimizer.rate,
                     "rate_schedule", cg_rate_course_name(s->optimizer.course), "seed",
                     (json_int_t)s->seed, "flip", t->options->flip, "from_weights",
                     t->options->weights != NULL);
}

static gboolean save(void *data, CgTensor *block, const char *folder, GError **error)
{
    Training *t = data;
    g_autoptr(json_t) training = describe(t);
    const CgClassifierConfig config = {
        .network = t->network, .input = t->input, .labels = t->labels, .training = training};
    return cg_classifier_save(folder, &config, t->store, block, error);
}

/* ---- opening */

static gboolean list_pictures(Training *t, GError **error)
{
    const CgTrainClassifierOptions *o = t->options;
    t->pictures = cg_labelled_new();
    if (!cg_labelled_add(t->pictures, &o->data, error))
        return FALSE;
    for (const char *const *folder = o->synthetic; folder && *folder; folder++) {
        const CgLabelledSource source = {
            .data = *folder, .category = o->data.category, .splits = {TRUE, TRUE, TRUE}};
        if (!cg_labelled_add(t->pictures, &source, error))
            return FALSE;
    }
    if (o->window)
        cg_labelled_lend_masks(t->pictures);
    if (o->binary)
        cg_labelled_unite(t->pictures);
    t->labels = cg_labelled_names(t->pictures);
    if (t->labels->len >= 2)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: all %u images are \"%s\"; a classifier learns two classes at least",
                o->data.data, t->pictures->len, (const char *)g_ptr_array_index(t->labels, 0));
    return FALSE;
}

static gboolean sort_members(Training *t, GError **error)
{
    t->members = g_new0(GArray *, t->labels->len);
    for (guint i = 0; i < t->labels->len; i++) {
        const char *label = g_ptr_array_index(t->labels, i);
        if (!g_utf8_validate(label, -1, NULL)) {
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: the name of a defect type is not UTF-8", t->options->data.data);
            return FALSE;
        }
        t->members[i] = g_array_new(FALSE, FALSE, sizeof(guint));
        for (guint k = 0; k < t->pictures->len; k++)
            if (g_str_equal(g_array_index(t->pictures, CgLabelled, k).label, label))
                g_array_append_val(t->members[i], k);
    }
    return TRUE;
}

static gboolean load_pictures(Training *t, GError **error)
{
    const guint n = t->pictures->len;
    const guint64 bytes = 3 * (guint64)n * (guint64)t->input.size * (guint64)t->input.size;
    g_autofree GError **errors = g_new0(GError *, n);
    gboolean ok = TRUE;
    if (bytes > cg_memory_available() / 2) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "%u images of %dx%d take %.1f GB of memory; a smaller --size takes less", n,
                    t->input.size, t->input.size, (double)bytes / 1e9);
        return FALSE;
    }
    if (!cg_image_init(error))
        return FALSE;
    t->images = g_new0(CgImage *, n);
#pragma omp parallel for schedule(dynamic)
    for (guint i = 0; i < n; i++) {
        g_autoptr(CgImage) image = cg_labelled_load(&g_array_index(t->pictures, CgLabelled, i),
                                                    t->input.window, &errors[i]);
        t->images[i] = image ? cg_classifier_squeeze(&t->input, image) : NULL;
    }
    for (guint i = 0; i < n; i++) {
        if (ok && errors[i]) {
            ok = FALSE;
            g_propagate_error(error, g_steal_pointer(&errors[i]));
        }
        g_clear_error(&errors[i]);
    }
    return ok;
}

/* What the network begins with: given weights, but a last layer of its own where the classes are
 * others. */
typedef struct {
    CgPlainWeights *weights; /* NULL: all new */
    gboolean new_head;
    CgResnetClassifierInitial initial;
} Beginning;

static CgTensor *lookup(void *source, const char *name, const CgShape *want, GPtrArray *problems)
{
    Beginning *b = source;
    const gboolean is_new =
        !b->weights || (name && b->new_head && cg_resnet_classifier_is_head(name));
    return is_new ? cg_resnet_classifier_initial_weights(&b->initial, name, want, problems)
                  : cg_plain_weights_lookup(b->weights, name, want, problems);
}

static gboolean same_labels(const GPtrArray *a, const GPtrArray *b)
{
    gboolean same = a->len == b->len;
    for (guint i = 0; same && i < a->len; i++)
        same = g_str_equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i));
    return same;
}

/* Opens the weights, if any are given; sets network and input. */
static gboolean begin(Training *t, Beginning *b, GError **error)
{
    const CgTrainClassifierOptions *o = t->options;
    g_autoptr(GPtrArray) labels = NULL;
    *b = (Beginning){.initial = {.seed = o->train.seed}};
    t->network = (CgResnetClassifierConfig){.depth = o->depth ? o->depth : 18,
                                            .width = o->width ? o->width : 64};
    t->input = cg_classifier_input(o->size);
    if (o->weights) {
        b->weights = cg_classifier_read(o->weights, &t->network, &t->input, &labels, error);
        if (!b->weights)
            return FALSE;
        b->new_head = !same_labels(labels, t->labels);
        t->input.size = o->size;
    }
    t->input.window = o->window;
    if (b->new_head) {
        cg_plain_weights_pass_over(b->weights, "fc.weight");
        cg_plain_weights_pass_over(b->weights, "fc.bias");
    }
    t->network.classes = (int)t->labels->len;
    return TRUE;
}

static gboolean open_model(Training *t, Beginning *b, GError **error)
{
    CgBinder binder;
    CgResnetClassifier structure = {.config = t->network};
    CgParameterCount count = {0};
    cg_binder_init_visit(&binder, cg_parameter_count_visit, &count);
    cg_bind_resnet_classifier(&binder, &structure);
    cg_binder_finish(&binder, NULL);
    t->store = cg_store_new(cg_store_size(count.count, count.total));
    const CgBuild build = {.engine = t->engine,
                           .dtype = t->dtype,
                           .lookup = lookup,
                           .source = b,
                           .where = b->weights ? t->options->weights : "the new classifier",
                           .store = t->store};
    t->model = cg_resnet_classifier_new(&build, &t->network, error);
    return t->model != NULL;
}

static void training_clear(Training *t)
{
    for (guint i = 0; t->images && i < t->pictures->len; i++)
        cg_image_free(t->images[i]);
    for (guint i = 0; t->members && i < t->labels->len; i++)
        if (t->members[i])
            g_array_unref(t->members[i]);
    cg_resnet_classifier_free(t->model);
    cg_store_free(t->store);
    if (t->labels)
        g_ptr_array_unref(t->labels);
    g_array_unref(t->pictures);
    g_free(t->members);
    g_free(t->images);
}

static gboolean run(Training *t, gboolean plan_only, CgTrainResult *result, GError **error)
{
    const CgTrainSettings *s = &t->options->train;
    const CgTrainTask task = {.name = "classifier",
                              .data = t,
                              .store = t->store,
                              .sample_count = t->pictures->len,
                              .packed = t->model->parameters.packed,
                              .loss = loss,
                              .changed = changed,
                              .save = save};
    g_autoptr(GString) what = g_string_new(NULL);
    g_string_printf(what, "%u images of %dx%d in %u classes (", t->pictures->len, t->input.size,
                    t->input.size, t->labels->len);
    for (guint i = 0; i < t->labels->len; i++)
        g_string_append_printf(what, "%s%u %s", i ? ", " : "", t->members[i]->len,
                               (const char *)g_ptr_array_index(t->labels, i));
    g_string_append_c(what, ')');
    if (!cg_train_plan(&task, s, t->dtype, result, error))
        return FALSE;
    cg_train_plan_say(what->str, &task, s, result);
    if (plan_only) {
        cg_train_plan_say_time(s, result, t->engine, t->dtype);
        return TRUE;
    }
    return cg_train_plan_check(s, result, "a smaller --size", error) &&
           cg_train(&task, s, t->engine, t->dtype, result, error);
}

gboolean cg_train_classifier(CgEngine *engine, CgDType dtype,
                             const CgTrainClassifierOptions *options, gboolean plan_only,
                             CgTrainResult *result, GError **error)
{
    Training t = {.options = options, .engine = engine, .dtype = dtype};
    Beginning b = {0};
    const gboolean ok = list_pictures(&t, error) && sort_members(&t, error) &&
                        begin(&t, &b, error) && load_pictures(&t, error) &&
                        open_model(&t, &b, error) && run(&t, plan_only, result, error);
    cg_plain_weights_free(b.weights);
    training_clear(&t);
    return ok;
}
