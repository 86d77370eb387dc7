#include "pipeline/detector.h"

#include "base/error.h"
#include "base/file.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define UNET_FILE "model.safetensors"
static const char *const draem_files[2] = {"reconstructive.safetensors",
                                           "discriminative.safetensors"};

void cg_detector_config_clear(CgDetectorConfig *config)
{
    g_clear_pointer(&config->category, g_free);
    g_clear_pointer(&config->training, json_decref);
}

/* ---- reading a folder */

static CgPlainWeights *open_weights(const char *folder, CgDetectorKind kind, GError **error)
{
    const gboolean draem = kind == CG_DETECTOR_DRAEM;
    g_autofree char *first = g_build_filename(folder, draem ? draem_files[0] : UNET_FILE, NULL);
    g_autofree char *second = g_build_filename(folder, draem_files[1], NULL);
    return cg_plain_weights_open((const char *const[]){first, second}, draem ? 2 : 1, error);
}

static gboolean read_config(const char *folder, CgDetectorConfig *config, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    gint64 side;
    const char *name, *order;
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json || !cg_detector_network_config_parse(json, path, &config->network, error) ||
        !cg_json_int(json, path, "size", 256, CG_DETECTOR_MULTIPLE, CG_DETECTOR_MAX_SIDE, &side,
                     error) ||
        !cg_json_string(json, path, "category", "", &name, error) ||
        !cg_json_string(json, path, "channel_order", "bgr", &order, error) ||
        !cg_json_double(json_object_get(json, "threshold"), path, "image", NAN, &config->threshold,
                        error))
        return FALSE;
    if (side % CG_DETECTOR_MULTIPLE || !g_str_equal(order, "bgr")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"size\" must be a multiple of %d, \"channel_order\" bgr", path,
                    CG_DETECTOR_MULTIPLE);
        return FALSE;
    }
    config->size = (int)side;
    config->category = g_strdup(name);
    return TRUE;
}

/* ---- reading the original's files */

/* The files PATH = NAME.pckl and NAME_seg.pckl of DRAEM. */
static CgPlainWeights *open_pair(const char *path, GError **error)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    const gsize stem = dot && (!slash || dot > slash) ? (gsize)(dot - path) : strlen(path);
    g_autofree char *name = g_strndup(path, stem);
    g_autofree char *second = g_strconcat(name, "_seg", path + stem, NULL);
    return cg_plain_weights_open((const char *const[]){path, second}, 2, error);
}

/* Channels out and in of the first convolution of a network, 0: it is not there. */
typedef struct {
    gint64 width, channels;
} FirstLayer;

static FirstLayer first_layer(const CgPlainWeights *w, const char *name)
{
    const CgSafetensor *t = cg_plain_weights_find(w, name);
    const gboolean ok =
        t && t->shape.rank == 4 && t->shape.d[0] >= 1 && t->shape.d[0] <= CG_DETECTOR_MAX_WIDTH;
    return ok ? (FirstLayer){t->shape.d[0], t->shape.d[1]} : (FirstLayer){0, 0};
}

static gboolean wrong_file(const char *path, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: %s", path, what);
    return FALSE;
}

/* What the networks' first layers say; the second is that of DRAEM's second file where there is
 * one.
 */
static gboolean deduce_config(const char *path, FirstLayer draem, FirstLayer segmenter,
                              CgDetectorNetworkConfig *config, GError **error)
{
    if (draem.width && segmenter.width) {
        config->draem = (CgDraemConfig){(int)draem.width, (int)segmenter.width};
        return TRUE;
    }
    if (!segmenter.width)
        return wrong_file(path,
                          "not the weights of a DRAEM detector with its second file, nor those of "
                          "a U-Net",
                          error);
    if (segmenter.channels == 6)
        return wrong_file(
            path, "the second file of a DRAEM detector; name the first one, without _seg", error);
    if (segmenter.channels != 3)
        return wrong_file(path, "a U-Net, but not one for pictures of three channels", error);
    *config = cg_detector_network_config(CG_DETECTOR_UNET, (int)segmenter.width);
    return TRUE;
}

static CgPlainWeights *open_file(const char *path, CgDetectorNetworkConfig *config, GError **error)
{
    static const char first[] = "encoder.block1.0.weight",
                      second[] = "encoder_segment.block1.0.weight";
    g_autoptr(CgPlainWeights) w = cg_plain_weights_open(&path, 1, error);
    if (!w)
        return NULL;
    const FirstLayer draem = first_layer(w, first);
    FirstLayer segmenter = first_layer(w, second);
    if (draem.width && !segmenter.width) {
        cg_plain_weights_free(w);
        w = open_pair(path, error);
        if (!w)
            return NULL;
        segmenter = first_layer(w, second);
    }
    return deduce_config(path, draem, segmenter, config, error) ? g_steal_pointer(&w) : NULL;
}

CgPlainWeights *cg_detector_read(const char *path, CgDetectorConfig *config, GError **error)
{
    *config = (CgDetectorConfig){.size = 256, .threshold = NAN};
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        config->category = g_strdup("");
        return open_file(path, &config->network, error);
    }
    return read_config(path, config, error) ? open_weights(path, config->network.kind, error)
                                            : NULL;
}

CgDetector *cg_detector_open(CgEngine *engine, CgDType dtype, const char *path, GError **error)
{
    g_autoptr(CgDetector) d = g_new0(CgDetector, 1);
    d->engine = engine;
    d->dtype = dtype;
    g_autoptr(CgPlainWeights) weights = cg_detector_read(path, &d->config, error);
    if (!weights)
        return NULL;
    const CgBuild build = {.engine = engine,
                           .dtype = dtype,
                           .lookup = cg_plain_weights_lookup,
                           .source = weights,
                           .where = path};
    d->model = cg_detector_network_new(&build, &d->config.network, error);
    return d->model ? g_steal_pointer(&d) : NULL;
}

json_t *cg_detector_to_json(const CgDetector *d)
{
    const CgDetectorConfig *c = &d->config;
    const CgDetectorNetworkConfig *network = &c->network;
    const gboolean is_unet = network->kind == CG_DETECTOR_UNET;
    return json_pack("{s:s, s:i, s:i, s:s?, s:o}", "network", cg_detector_kind_name(network->kind),
                     "width", is_unet ? network->unet_width : network->draem.reconstructive_width,
                     "size", c->size, "category", *c->category ? c->category : NULL, "threshold",
                     isnan(c->threshold) ? json_null() : json_real(c->threshold));
}

void cg_detector_free(CgDetector *d)
{
    if (!d)
        return;
    cg_detector_network_free(d->model);
    cg_detector_config_clear(&d->config);
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
    g_autoptr(CgTensor) picture = picture_tensor(image, d->config.size);
    g_autoptr(CgMap) map = cg_map_new(d->config.size, d->config.size);
    cg_context_init(&cx, d->engine, d->dtype);
    g_autoptr(CgTensor) logits = cg_detector_network_logits(&cx, d->model, picture);
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

/* The parameters that FILTER (nullable: all) accepts. */
static gboolean save_file(const char *folder, const char *name, CgParameterFilter filter,
                          const CgStore *store, CgTensor *block, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return cg_plain_weights_save(path, store, block, filter, error);
}

/* A detector of the other network that was here before. */
static void remove_other_weights(const char *folder, CgDetectorKind kind)
{
    const char *const others[2] = {kind == CG_DETECTOR_UNET ? draem_files[0] : UNET_FILE,
                                   kind == CG_DETECTOR_UNET ? draem_files[1] : NULL};
    for (int i = 0; i < 2 && others[i]; i++) {
        g_autofree char *path = g_build_filename(folder, others[i], NULL);
        g_unlink(path);
    }
}

static gboolean save_weights(const char *folder, CgDetectorKind kind, const CgStore *store,
                             CgTensor *block, GError **error)
{
    if (kind == CG_DETECTOR_UNET)
        return save_file(folder, UNET_FILE, NULL, store, block, error);
    return save_file(folder, draem_files[0], cg_draem_is_reconstructive, store, block, error) &&
           save_file(folder, draem_files[1], is_discriminative, store, block, error);
}

gboolean cg_detector_save(const char *folder, const CgDetectorConfig *config, const CgStore *store,
                          CgTensor *block, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    if (!cg_file_make_directory(folder, error) ||
        !save_weights(folder, config->network.kind, store, block, error))
        return FALSE;
    g_autoptr(json_t) json = cg_detector_network_config_to_json(&config->network);
    json_object_set_new(json, "size", json_integer(config->size));
    json_object_set_new(json, "channel_order", json_string("bgr"));
    json_object_set_new(json, "category", json_string(config->category));
    json_object_set_new(json, "version", json_string(CAGEN_VERSION));
    if (config->training)
        json_object_set(json, "training", config->training);
    if (!cg_json_save(json, path, error))
        return FALSE;
    remove_other_weights(folder, config->network.kind);
    return TRUE;
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
