#include "pipeline/classifier.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "pipeline/labelled.h"

#include <math.h>
#include <string.h>

#define BATCH       16 /* pictures at once */
#define VIEW_WHOLE  "whole"
#define VIEW_WINDOW "window"

/* ---- pictures */

CgClassifierInput cg_classifier_input(int size)
{
    return (CgClassifierInput){
        .size = size, .mean = {0.485, 0.456, 0.406}, .deviation = {0.229, 0.224, 0.225}};
}

void cg_classifier_prepare(const CgClassifierInput *input, const CgImage *image, gboolean flip,
                           float *out)
{
    const size_t size = (size_t)input->size;
    g_assert(image->width == input->size && image->height == input->size && image->channels == 3);
    for (size_t row = 0; row < size; row++)
        for (size_t x = 0; x < size; x++) {
            const guint8 *from = image->pixels + 3 * (row * size + (flip ? size - 1 - x : x));
            float *to = out + 3 * (row * size + x);
            for (int k = 0; k < 3; k++)
                to[k] = (float)((from[k] / 255.0 - input->mean[k]) / input->deviation[k]);
        }
}

CgImage *cg_classifier_squeeze(const CgClassifierInput *input, const CgImage *image)
{
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    return cg_image_resize(rgb, input->size, input->size);
}

/* ---- reading */

static gboolean read_labels(const json_t *json, const char *where, int classes, GPtrArray *labels,
                            GError **error)
{
    const json_t *names = json_object_get(json, "label_names");
    for (int i = 0; i < classes && !names; i++)
        g_ptr_array_add(labels, g_strdup_printf("%d", i));
    if (!names)
        return TRUE;
    gboolean ok = json_is_array(names) && json_array_size(names) == (size_t)classes;
    for (int i = 0; ok && i < classes; i++) {
        const char *name = json_string_value(json_array_get(names, (size_t)i));
        ok = name != NULL;
        g_ptr_array_add(labels, g_strdup(name));
    }
    if (!ok)
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"label_names\" must be %d strings, one for each class", where, classes);
    return ok;
}

/* Three numbers under KEY; what is there already when there is no such key. */
static gboolean read_colour(const json_t *object, const char *where, const char *key,
                            gboolean positive, double out[3], GError **error)
{
    const json_t *values = json_object_get(object, key);
    gboolean ok = !values || (json_is_array(values) && json_array_size(values) == 3);
    for (size_t i = 0; ok && values && i < 3; i++) {
        const json_t *value = json_array_get(values, i);
        out[i] = json_number_value(value);
        ok = json_is_number(value) && (!positive || out[i] > 0);
    }
    if (!ok)
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" must be three %snumbers", where,
                    key, positive ? "positive " : "");
    return ok;
}

static gboolean read_input(const json_t *json, const char *where, CgClassifierInput *input,
                           GError **error)
{
    const json_t *how = json_object_get(json, "pretrained_cfg");
    int sides[3] = {3, 224, 224}, count = 3;
    *input = cg_classifier_input(0);
    if (json_is_object(how) && (!cg_json_int_array(how, where, "input_size", 3, 1,
                                                   CG_CLASSIFIER_MAX_SIDE, sides, &count, error) ||
                                !read_colour(how, where, "mean", FALSE, input->mean, error) ||
                                !read_colour(how, where, "std", TRUE, input->deviation, error)))
        return FALSE;
    if (count != 3 || sides[0] != 3 || sides[1] != sides[2] || sides[1] < CG_CLASSIFIER_MIN_SIDE) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"input_size\" must be [3, n, n] with n from %d to %d", where,
                    CG_CLASSIFIER_MIN_SIDE, CG_CLASSIFIER_MAX_SIDE);
        return FALSE;
    }
    input->size = sides[1];
    return TRUE;
}

static gboolean read_config(const char *path, CgResnetClassifierConfig *network,
                            CgClassifierInput *input, GPtrArray *labels, GError **error)
{
    const char *name, *view;
    gint64 width, classes;
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json || !cg_json_string(json, path, "architecture", "", &name, error) ||
        !cg_json_int(json, path, "width", 64, 1, CG_RESNET_MAX_WIDTH, &width, error) ||
        !cg_json_int(json, path, "num_classes", 1000, 1, CG_RESNET_MAX_CLASSES, &classes, error) ||
        !cg_json_string(json, path, "view", VIEW_WHOLE, &view, error))
        return FALSE;
    const gboolean window = g_str_equal(view, VIEW_WINDOW);
    if (!window && !g_str_equal(view, VIEW_WHOLE)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"view\" must be " VIEW_WHOLE " or " VIEW_WINDOW, path);
        return FALSE;
    }
    if (!g_str_equal(name, "resnet18") && !g_str_equal(name, "resnet34")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"architecture\" must be resnet18 or resnet34", path);
        return FALSE;
    }
    *network = (CgResnetClassifierConfig){.depth = g_str_equal(name, "resnet34") ? 34 : 18,
                                          .width = (int)width,
                                          .classes = (int)classes};
    if (!read_input(json, path, input, error))
        return FALSE;
    input->window = window;
    return read_labels(json, path, (int)classes, labels, error);
}

/* The first dim of tensor NAME, from 1 to MOST; 0: there is no such tensor. */
static int first_dim(const CgPlainWeights *w, const char *name, int most)
{
    const CgSafetensor *t = cg_plain_weights_find(w, name);
    const gboolean ok = t && t->shape.rank >= 1 && t->shape.rank <= CG_MAX_RANK;
    return ok && t->shape.d[0] >= 1 && t->shape.d[0] <= most ? (int)t->shape.d[0] : 0;
}

/* What the tensors of a single file say. */
static gboolean deduce_config(const CgPlainWeights *w, const char *path,
                              CgResnetClassifierConfig *network, GError **error)
{
    const gboolean bottleneck = cg_plain_weights_find(w, "layer1.0.conv3.weight") != NULL;
    *network = (CgResnetClassifierConfig){
        .depth = cg_plain_weights_find(w, "layer3.5.conv1.weight") ? 34 : 18,
        .width = first_dim(w, "conv1.weight", CG_RESNET_MAX_WIDTH),
        .classes = first_dim(w, "fc.weight", CG_RESNET_MAX_CLASSES)};
    if (network->width && network->classes && !bottleneck)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: not the weights of a ResNet-18 or -34 with torchvision's names", path);
    return FALSE;
}

CgPlainWeights *cg_classifier_read(const char *path, CgResnetClassifierConfig *network,
                                   CgClassifierInput *input, GPtrArray **labels, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CgPlainWeights) w = NULL;
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_autofree char *config = g_build_filename(path, "config.json", NULL);
        g_autofree char *file = g_build_filename(path, "model.safetensors", NULL);
        if (!read_config(config, network, input, names, error))
            return NULL;
        w = cg_plain_weights_open((const char *const[]){file}, 1, error);
    } else {
        w = cg_plain_weights_open(&path, 1, error);
        if (!w || !deduce_config(w, path, network, error))
            return NULL;
        *input = cg_classifier_input(224);
        for (int i = 0; i < network->classes; i++)
            g_ptr_array_add(names, g_strdup_printf("%d", i));
    }
    *labels = g_steal_pointer(&names);
    return g_steal_pointer(&w);
}

CgClassifier *cg_classifier_open(CgEngine *engine, CgDType dtype, const char *path, GError **error)
{
    g_autoptr(CgClassifier) c = g_new0(CgClassifier, 1);
    CgResnetClassifierConfig network;
    c->engine = engine;
    c->dtype = dtype;
    g_autoptr(CgPlainWeights) w = cg_classifier_read(path, &network, &c->input, &c->labels, error);
    if (!w)
        return NULL;
    const CgBuild build = {.engine = engine,
                           .dtype = dtype,
                           .lookup = cg_plain_weights_lookup,
                           .source = w,
                           .where = path};
    c->model = cg_resnet_classifier_new(&build, &network, error);
    return c->model ? g_steal_pointer(&c) : NULL;
}

void cg_classifier_free(CgClassifier *c)
{
    if (!c)
        return;
    cg_resnet_classifier_free(c->model);
    if (c->labels)
        g_ptr_array_unref(c->labels);
    g_free(c);
}

/* ---- running */

/* The N pictures PREPARED; rows FIRST.. of FEATURES and LOGITS (nullable) are filled. */
static gboolean run_batch(const CgClassifier *c, CgTensor *prepared, guint first,
                          CgTensor *features, CgTensor *logits, GError **error)
{
    CgContext cx;
    CgTensor *const to[2] = {features, logits};
    cg_context_init(&cx, c->engine, c->dtype);
    g_autoptr(CgTensor) described = cg_resnet_classifier_features(&cx, c->model, prepared, FALSE);
    g_autoptr(CgTensor) answer = cg_resnet_classifier_logits(&cx, c->model, described);
    if (!cg_context_ok(&cx, error))
        return FALSE;
    if (!cg_tensor_is_finite(described) || !cg_tensor_is_finite(answer)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "the classifier's answer is not finite%s",
                    c->dtype == CG_F32 ? "" : "; --dtype f32 may help");
        return FALSE;
    }
    for (int i = 0; i < 2; i++) {
        const CgTensor *from = i ? answer : described;
        if (to[i])
            memcpy(cg_tensor_f32(to[i]) + first * (size_t)from->shape.d[1], from->data,
                   cg_tensor_bytes(from));
    }
    return TRUE;
}

static void new_outputs(const CgClassifier *c, guint n, CgTensor **features, CgTensor **logits)
{
    const CgResnetClassifierConfig *config = &c->model->config;
    *features = cg_tensor_new(CG_F32, CG_SHAPE(n, cg_resnet_classifier_feature_count(config)));
    if (logits)
        *logits = cg_tensor_new(CG_F32, CG_SHAPE(n, config->classes));
}

static CgTensor *new_batch(const CgClassifier *c, guint n)
{
    return cg_tensor_new(CG_F32, CG_SHAPE(n, c->input.size, c->input.size, 3));
}

static float *batch_picture(CgTensor *batch, guint i)
{
    return cg_tensor_f32(batch) + i * (batch->count / (size_t)batch->shape.d[0]);
}

static gboolean failed(CgTensor **features, CgTensor **logits)
{
    g_clear_pointer(features, cg_tensor_unref);
    if (logits)
        g_clear_pointer(logits, cg_tensor_unref);
    return FALSE;
}

gboolean cg_classifier_run(const CgClassifier *c, const CgImage *const *images, guint n,
                           CgTensor **features, CgTensor **logits, GError **error)
{
    new_outputs(c, n, features, logits);
    for (guint first = 0; first < n; first += BATCH) {
        const guint count = MIN(BATCH, n - first);
        g_autoptr(CgTensor) batch = new_batch(c, count);
        for (guint i = 0; i < count; i++) {
            g_autoptr(CgImage) small = cg_classifier_squeeze(&c->input, images[first + i]);
            cg_classifier_prepare(&c->input, small, FALSE, batch_picture(batch, i));
        }
        if (!run_batch(c, batch, first, *features, logits ? *logits : NULL, error))
            return failed(features, logits);
    }
    return TRUE;
}

/* N pictures from the FIRST, read by all threads. */
static CgTensor *load_batch(const CgClassifier *c, CgClassifierLoad load, const void *data,
                            guint first, guint n, GError **error)
{
    g_autoptr(CgTensor) batch = new_batch(c, n);
    g_autofree GError **errors = g_new0(GError *, n);
    gboolean ok = TRUE;
#pragma omp parallel for schedule(dynamic)
    for (guint i = 0; i < n; i++) {
        g_autoptr(CgImage) image = load(data, first + i, &errors[i]);
        g_autoptr(CgImage) small = image ? cg_classifier_squeeze(&c->input, image) : NULL;
        if (small)
            cg_classifier_prepare(&c->input, small, FALSE, batch_picture(batch, i));
    }
    for (guint i = 0; i < n; i++) {
        if (ok && errors[i]) {
            ok = FALSE;
            g_propagate_error(error, g_steal_pointer(&errors[i]));
        }
        g_clear_error(&errors[i]);
    }
    return ok ? g_steal_pointer(&batch) : NULL;
}

gboolean cg_classifier_run_loaded(const CgClassifier *c, CgClassifierLoad load, const void *data,
                                  guint n, CgTensor **features, CgTensor **logits, GError **error)
{
    g_autoptr(CgProgress) progress = cg_progress_new("images", n);
    if (!cg_image_init(error))
        return FALSE;
    new_outputs(c, n, features, logits);
    for (guint first = 0; first < n; first += BATCH) {
        const guint count = MIN(BATCH, n - first);
        if (!cg_cancel_check(error))
            return failed(features, logits);
        g_autoptr(CgTensor) batch = load_batch(c, load, data, first, count, error);
        if (!batch || !run_batch(c, batch, first, *features, logits ? *logits : NULL, error))
            return failed(features, logits);
        cg_progress_update(progress, first + count, NULL);
    }
    return TRUE;
}

static CgImage *load_path(const void *data, guint i, GError **error)
{
    const char *const *paths = data;
    return cg_image_load(paths[i], NULL, error);
}

gboolean cg_classifier_run_files(const CgClassifier *c, const char *const *paths, guint n,
                                 CgTensor **features, CgTensor **logits, GError **error)
{
    return cg_classifier_run_loaded(c, load_path, paths, n, features, logits, error);
}

CgTensor *cg_classifier_features(const CgClassifier *c, const char *const *paths, guint n,
                                 GError **error)
{
    CgTensor *features = NULL;
    return cg_classifier_run_files(c, paths, n, &features, NULL, error) ? features : NULL;
}

guint cg_classifier_answer(const CgTensor *logits, guint i, double *probability)
{
    const guint classes = (guint)logits->shape.d[1];
    const float *row = cg_tensor_f32(logits) + (size_t)i * classes;
    guint best = 0;
    double sum = 0;
    for (guint k = 1; k < classes; k++)
        best = row[k] > row[best] ? k : best;
    for (guint k = 0; k < classes; k++)
        sum += exp((double)row[k] - (double)row[best]);
    *probability = 1 / sum;
    return best;
}

gboolean cg_classifier_is_binary(const CgClassifier *c)
{
    return c->labels->len == 2 && g_str_equal(g_ptr_array_index(c->labels, 0), CG_DEFECT_GOOD) &&
           g_str_equal(g_ptr_array_index(c->labels, 1), CG_LABEL_ANOMALOUS);
}

/* ---- writing */

static json_t *config_json(const CgClassifierConfig *c)
{
    const CgClassifierInput *in = &c->input;
    json_t *how = json_pack("{s:[i, i, i], s:[f, f, f], s:[f, f, f], s:s, s:s, s:f}", "input_size",
                            3, in->size, in->size, "mean", in->mean[0], in->mean[1], in->mean[2],
                            "std", in->deviation[0], in->deviation[1], in->deviation[2],
                            "crop_mode", "squash", "interpolation", "lanczos", "crop_pct", 1.0);
    json_t *labels = json_array();
    for (guint i = 0; i < c->labels->len; i++)
        json_array_append_new(labels, json_string(g_ptr_array_index(c->labels, i)));
    json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:o, s:o, s:s, s:s}", "architecture",
                             c->network.depth == 34 ? "resnet34" : "resnet18", "width",
                             c->network.width, "num_classes", c->network.classes, "num_features",
                             cg_resnet_classifier_feature_count(&c->network), "label_names", labels,
                             "pretrained_cfg", how, "view", in->window ? VIEW_WINDOW : VIEW_WHOLE,
                             "version", CAGEN_VERSION);
    if (c->training)
        json_object_set(json, "training", c->training);
    return json;
}

gboolean cg_classifier_save(const char *folder, const CgClassifierConfig *config,
                            const CgStore *store, CgTensor *block, GError **error)
{
    g_autofree char *weights = g_build_filename(folder, "model.safetensors", NULL);
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autoptr(json_t) json = config_json(config);
    return cg_file_make_directory(folder, error) &&
           cg_plain_weights_save(weights, store, block, NULL, error) &&
           cg_json_save(json, path, error);
}
