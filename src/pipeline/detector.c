#include "pipeline/detector.h"

#include "base/error.h"
#include "base/file.h"
#include "models/plain_weights.h"

#include <math.h>
#include <string.h>

static const char *const files[2] = {"reconstructive.safetensors", "discriminative.safetensors"};

/* ---- reading */

/* The two files in FOLDER. */
static CgPlainWeights *open_weights(const char *folder, GError **error)
{
    g_autofree char *first = g_build_filename(folder, files[0], NULL);
    g_autofree char *second = g_build_filename(folder, files[1], NULL);
    return cg_plain_weights_open((const char *const[]){first, second}, 2, error);
}

static gboolean read_config(const char *folder, CgDraemConfig *config, CgDetector *d,
                            GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    gint64 side;
    const char *name, *order;
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json || !cg_draem_config_parse(json, path, config, error) ||
        !cg_json_int(json, path, "size", 256, CG_DRAEM_MULTIPLE, CG_DRAEM_MAX_SIDE, &side, error) ||
        !cg_json_string(json, path, "category", "", &name, error) ||
        !cg_json_string(json, path, "channel_order", "bgr", &order, error) ||
        !cg_json_double(json_object_get(json, "threshold"), path, "image", NAN, &d->threshold,
                        error))
        return FALSE;
    if (side % CG_DRAEM_MULTIPLE || !g_str_equal(order, "bgr")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"size\" must be a multiple of %d, \"channel_order\" bgr", path,
                    CG_DRAEM_MULTIPLE);
        return FALSE;
    }
    d->size = (int)side;
    d->category = g_strdup(name);
    return TRUE;
}

/* The files PATH = NAME.pckl and NAME_seg.pckl of the original. */
static CgPlainWeights *open_pair(const char *path, GError **error)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    const gsize stem = dot && (!slash || dot > slash) ? (gsize)(dot - path) : strlen(path);
    g_autofree char *name = g_strndup(path, stem);
    g_autofree char *second = g_strconcat(name, "_seg", path + stem, NULL);
    return cg_plain_weights_open((const char *const[]){path, second}, 2, error);
}

/* The widths that the tensors have. */
static gboolean deduce_config(const CgPlainWeights *w, const char *path, CgDraemConfig *config,
                              GError **error)
{
    const char *const names[2] = {"encoder.block1.0.weight", "encoder_segment.block1.0.weight"};
    gint64 widths[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const CgSafetensor *t = cg_plain_weights_find(w, names[i]);
        widths[i] = t && t->shape.rank == 4 ? t->shape.d[0] : 0;
    }
    if (widths[0] < 1 || widths[1] < 1 || MAX(widths[0], widths[1]) > CG_DRAEM_MAX_WIDTH) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: not the weights of a DRAEM detector with its second file", path);
        return FALSE;
    }
    *config = (CgDraemConfig){(int)widths[0], (int)widths[1]};
    return TRUE;
}

CgDetector *cg_detector_open(CgEngine *engine, CgDType dtype, const char *path, GError **error)
{
    g_autoptr(CgDetector) d = g_new0(CgDetector, 1);
    g_autoptr(CgPlainWeights) weights = NULL;
    CgDraemConfig config;
    d->engine = engine;
    d->dtype = dtype;
    d->threshold = NAN;
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        weights = open_pair(path, error);
        if (!weights || !deduce_config(weights, path, &config, error))
            return NULL;
        d->size = 256;
        d->category = g_strdup("");
    } else if (!read_config(path, &config, d, error) || !(weights = open_weights(path, error))) {
        return NULL;
    }
    const CgBuild build = {.engine = engine,
                           .dtype = dtype,
                           .lookup = cg_plain_weights_lookup,
                           .source = weights,
                           .where = path};
    d->model = cg_draem_new(&build, &config, error);
    return d->model ? g_steal_pointer(&d) : NULL;
}

void cg_detector_free(CgDetector *d)
{
    if (!d)
        return;
    cg_draem_free(d->model);
    g_free(d->category);
    g_free(d);
}

/* ---- scoring */

/* [1, size, size, 3] in [0, 1], blue first. */
static CgTensor *picture_tensor(const CgImage *image, int size)
{
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    g_autoptr(CgImage) small = cg_image_resize_linear(rgb, size, size);
    CgTensor *t = cg_tensor_new(CG_F32, CG_SHAPE(1, size, size, 3));
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] = (float)small->pixels[i / 3 * 3 + 2 - i % 3] / 255;
    return t;
}

/* torch's softmax in f32, so that what saturates there saturates here: ties count in metrics. */
static float anomalous(const float logits[2])
{
    const float most = MAX(logits[0], logits[1]);
    const float normal = expf(logits[0] - most), defect = expf(logits[1] - most);
    return defect / (normal + defect);
}

CgMap *cg_detector_map(const CgDetector *d, const CgImage *image, GError **error)
{
    CgContext cx;
    g_autoptr(CgTensor) reconstruction = NULL, logits = NULL;
    g_autoptr(CgTensor) picture = picture_tensor(image, d->size);
    g_autoptr(CgMap) map = cg_map_new(d->size, d->size);
    cg_context_init(&cx, d->engine, d->dtype);
    cg_draem_forward(&cx, d->model, picture, FALSE, &reconstruction, &logits);
    if (!cg_context_ok(&cx, error))
        return NULL;
    if (!cg_tensor_is_finite(logits)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "the detector's answer is not finite%s",
                    d->dtype == CG_F32 ? "" : "; --dtype f32 may help");
        return NULL;
    }
    for (size_t i = 0; i < logits->count / 2; i++)
        map->values[i] = anomalous(cg_tensor_f32(logits) + 2 * i);
    return g_steal_pointer(&map);
}

/* Black body: dark red over orange to pale yellow. */
static guint8 heat(double score, int channel)
{
    static const double stops[5][3] = {
        {60, 0, 0}, {200, 0, 0}, {255, 110, 0}, {255, 210, 0}, {255, 255, 180}};
    const double at = CLAMP(score, 0, 1) * 4;
    const int below = MIN((int)at, 3);
    const double part = at - below;
    return (guint8)((1 - part) * stops[below][channel] + part * stops[below + 1][channel] + 0.5);
}

CgImage *cg_detector_overlay(const CgImage *image, const CgMap *map)
{
    g_assert(image->width == map->width && image->height == map->height);
    CgImage *out = cg_image_to_rgb(image);
    for (gsize i = 0; i < (gsize)out->width * (gsize)out->height; i++) {
        const double score = CLAMP((double)map->values[i], 0, 1), opacity = 0.8 * score;
        for (int k = 0; k < 3; k++) {
            guint8 *p = &out->pixels[3 * i + (gsize)k];
            *p = (guint8)((1 - opacity) * *p + opacity * heat(score, k) + 0.5);
        }
    }
    return out;
}

/* ---- writing */

static gboolean is_discriminative(const char *name)
{
    return !cg_draem_is_reconstructive(name);
}

static gboolean save_weights(const char *folder, int which, const CgStore *store, CgTensor *block,
                             GError **error)
{
    g_autofree char *path = g_build_filename(folder, files[which], NULL);
    return cg_plain_weights_save(
        path, store, block, which == 0 ? cg_draem_is_reconstructive : is_discriminative, error);
}

gboolean cg_detector_save(const char *folder, const CgDetectorConfig *config, const CgStore *store,
                          CgTensor *block, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    if (!cg_file_make_directory(folder, error) || !save_weights(folder, 0, store, block, error) ||
        !save_weights(folder, 1, store, block, error))
        return FALSE;
    g_autoptr(json_t) json = cg_draem_config_to_json(&config->draem);
    json_object_set_new(json, "size", json_integer(config->size));
    json_object_set_new(json, "channel_order", json_string("bgr"));
    json_object_set_new(json, "category", json_string(config->category));
    json_object_set_new(json, "version", json_string(CAGEN_VERSION));
    if (config->training)
        json_object_set(json, "training", config->training);
    return cg_json_save(json, path, error);
}

gboolean cg_detector_save_threshold(const char *folder, json_t *threshold, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json)
        return FALSE;
    json_object_set(json, "threshold", threshold);
    return cg_json_save(json, path, error);
}
