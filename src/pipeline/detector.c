#include "pipeline/detector.h"

#include "base/error.h"
#include "base/file.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <string.h>

static const char *const files[2] = {"reconstructive.safetensors", "discriminative.safetensors"};

/* ---- reading */

typedef struct {
    CgSafetensors *files[2];
    GHashTable *taken; /* names */
} Weights;

static void weights_clear(Weights *w)
{
    for (int i = 0; i < 2; i++)
        if (w->files[i])
            cg_safetensors_free(w->files[i]);
    if (w->taken)
        g_hash_table_unref(w->taken);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Weights, weights_clear)

static gboolean weights_open(Weights *w, const char *folder, GError **error)
{
    w->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        w->files[i] = cg_safetensors_open(path, error);
        if (!w->files[i])
            return FALSE;
    }
    return TRUE;
}

static void list_left_over(const Weights *w, GPtrArray *problems)
{
    for (int i = 0; i < 2; i++)
        for (guint k = 0; k < cg_safetensors_count(w->files[i]); k++) {
            const char *name = cg_safetensors_nth(w->files[i], k)->name;
            if (!g_hash_table_contains(w->taken, name) &&
                !g_str_has_suffix(name, ".num_batches_tracked"))
                g_ptr_array_add(problems, g_strdup_printf("tensor %s is not used", name));
        }
}

static CgTensor *lookup(void *source, const char *name, const CgShape *want, GPtrArray *problems)
{
    Weights *w = source;
    char found[CG_SHAPE_TEXT], wanted[CG_SHAPE_TEXT];
    if (!name) {
        list_left_over(w, problems);
        return NULL;
    }
    CgSafetensors *file = w->files[!cg_draem_is_reconstructive(name)];
    const CgSafetensor *entry = cg_safetensors_find(file, name);
    g_hash_table_add(w->taken, g_strdup(name));
    if (!entry) {
        g_ptr_array_add(problems, g_strdup_printf("missing tensor %s", name));
        return NULL;
    }
    if (entry->dtype != CG_F32 && entry->dtype != CG_BF16 && entry->dtype != CG_F16) {
        g_ptr_array_add(problems, g_strdup_printf("%s is of type %s", name, entry->dtype_name));
        return NULL;
    }
    if (entry->shape.rank != want->rank || !cg_shape_equal(&entry->shape, want)) {
        g_ptr_array_add(problems, g_strdup_printf("%s is %s instead of %s", name,
                                                  entry->shape.rank > CG_MAX_RANK
                                                      ? "of too many dimensions"
                                                      : cg_shape_text(&entry->shape, found),
                                                  cg_shape_text(want, wanted)));
        return NULL;
    }
    g_autoptr(CgTensor) t = cg_safetensors_tensor(file, entry);
    if (!cg_tensor_is_finite(t)) {
        g_ptr_array_add(problems, g_strdup_printf("%s has numbers that are not finite", name));
        return NULL;
    }
    return g_steal_pointer(&t);
}

static gboolean read_config(const char *folder, CgDraemConfig *config, int *size, char **category,
                            GError **error)
{
    g_autofree char *path = g_build_filename(folder, "config.json", NULL);
    gint64 side;
    const char *name, *order;
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json || !cg_draem_config_parse(json, path, config, error) ||
        !cg_json_int(json, path, "size", 256, CG_DRAEM_MULTIPLE, CG_DRAEM_MAX_SIDE, &side, error) ||
        !cg_json_string(json, path, "category", "", &name, error) ||
        !cg_json_string(json, path, "channel_order", "bgr", &order, error))
        return FALSE;
    if (side % CG_DRAEM_MULTIPLE || !g_str_equal(order, "bgr")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"size\" must be a multiple of %d, \"channel_order\" bgr", path,
                    CG_DRAEM_MULTIPLE);
        return FALSE;
    }
    *size = (int)side;
    *category = g_strdup(name);
    return TRUE;
}

CgDetector *cg_detector_open(CgEngine *engine, CgDType dtype, const char *folder, GError **error)
{
    g_autoptr(CgDetector) d = g_new0(CgDetector, 1);
    g_auto(Weights) weights = {0};
    CgDraemConfig config;
    d->engine = engine;
    d->dtype = dtype;
    if (!read_config(folder, &config, &d->size, &d->category, error) ||
        !weights_open(&weights, folder, error))
        return NULL;
    const CgBuild build = {
        .engine = engine, .dtype = dtype, .lookup = lookup, .source = &weights, .where = folder};
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

static gboolean save_weights(const char *folder, int which, const CgStore *store, CgTensor *block,
                             GError **error)
{
    g_autofree char *path = g_build_filename(folder, files[which], NULL);
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    cg_safetensors_writer_metadata(w, "format", "pt");
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        if (which != cg_draem_is_reconstructive(p->name))
            cg_safetensors_writer_declare(w, p->name, CG_F32, p->shape);
    }
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const CgParameter *p = cg_store_find(store, cg_safetensors_writer_nth(w, i));
        if (!cg_safetensors_writer_put(w, cg_tensor_f32(block) + p->offset,
                                       p->count * sizeof(float), error))
            return FALSE;
    }
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
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
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: a name is not UTF-8", path);
        return FALSE;
    }
    const gboolean ok = cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}
