#include "models/lora_file.h"

#include "base/error.h"
#include "base/json.h"
#include "nn/lora.h"

#include <math.h>
#include <string.h>

#define MAX_WEIGHT 1000.0
#define COMPONENTS (CG_COMPONENT_TEXT + 1)

/* The addition to one layer. */
typedef struct {
    CgComponent component;
    const CgSafetensor *down, *up, *alpha;
    gboolean used;
} Addition;

struct CgLoraFile {
    char *path, *sha256;
    double weight;
    CgSafetensors *file;
    double alphas[COMPONENTS]; /* by the metadata; NAN: as the rank */
    GHashTable *additions;     /* "unet_down_blocks_0_..._to_out_0" -> Addition */
};

typedef enum { DOWN, UP, ALPHA } Role;

/* What a file's names end with. */
static const struct {
    const char *end;
    Role role;
    gboolean of_processor; /* diffusers before 0.18: <block>.processor.to_q_lora.down.weight */
} endings[] = {
    {".lora_A.weight", DOWN, FALSE},
    {".lora_B.weight", UP, FALSE},
    {".lora_A.default.weight", DOWN, FALSE},
    {".lora_B.default.weight", UP, FALSE},
    {".lora_down.weight", DOWN, FALSE},
    {".lora_up.weight", UP, FALSE},
    {".lora.down.weight", DOWN, FALSE},
    {".lora.up.weight", UP, FALSE},
    {".lora_linear_layer.down.weight", DOWN, FALSE},
    {".lora_linear_layer.up.weight", UP, FALSE},
    {"_lora.down.weight", DOWN, TRUE},
    {"_lora.up.weight", UP, TRUE},
    {".alpha", ALPHA, FALSE},
};

/* What they begin with. Without a prefix they are some network's own, a ControlNet's say. */
static const struct {
    const char *begin;
    CgComponent component;
    gboolean is_layer; /* the layer's name begins here */
} beginnings[] = {
    {"unet.", CG_COMPONENT_UNET, FALSE},
    {"lora_unet_", CG_COMPONENT_UNET, FALSE},
    {"text_encoder.", CG_COMPONENT_TEXT, FALSE},
    {"lora_te_", CG_COMPONENT_TEXT, FALSE},
    {"down_blocks.", CG_COMPONENT_CONTROLNET, TRUE},
    {"mid_block.", CG_COMPONENT_CONTROLNET, TRUE},
    {"up_blocks.", CG_COMPONENT_CONTROLNET, TRUE},
};

/* By what the addition to LAYER is found: kohya's names, which the others can be turned into. */
static char *layer_key(CgComponent component, const char *layer)
{
    const gboolean text = component == CG_COMPONENT_TEXT;
    const char *begin = text && !g_str_has_prefix(layer, "text_model") ? "te_text_model_"
                        : text                                         ? "te_"
                        : component == CG_COMPONENT_UNET               ? "unet_"
                                                                       : "";
    return g_strdelimit(g_strconcat(begin, layer, NULL), ".", '_');
}

/* The layer that the tensor NAME is for; NULL: for none that we know of. Free with g_free. */
static char *parse_name(const char *name, CgComponent *component, Role *role)
{
    size_t b = 0, e = 0;
    while (b < G_N_ELEMENTS(beginnings) && !g_str_has_prefix(name, beginnings[b].begin))
        b++;
    while (e < G_N_ELEMENTS(endings) && !g_str_has_suffix(name, endings[e].end))
        e++;
    if (b == G_N_ELEMENTS(beginnings) || e == G_N_ELEMENTS(endings))
        return NULL;
    const char *layer = name + (beginnings[b].is_layer ? 0 : strlen(beginnings[b].begin));
    if (strlen(layer) < strlen(endings[e].end))
        return NULL;
    *component = beginnings[b].component;
    *role = endings[e].role;
    g_autofree char *inner = g_strndup(layer, strlen(layer) - strlen(endings[e].end));
    if (!endings[e].of_processor)
        return layer_key(*component, inner);
    g_auto(GStrv) parts = g_strsplit(inner, ".processor.", 2);
    g_autofree char *joined = g_strjoinv(".", parts);
    g_autofree char *whole =
        g_strconcat(joined, g_str_has_suffix(joined, ".to_out") ? ".0" : "", NULL);
    return layer_key(*component, whole);
}

static gboolean is_float(const CgSafetensor *t)
{
    return t->dtype == CG_F32 || t->dtype == CG_F16 || t->dtype == CG_BF16;
}

static gboolean add_tensor(CgLoraFile *f, const CgSafetensor *t, GError **error)
{
    CgComponent component;
    Role role;
    g_autofree char *key = parse_name(t->name, &component, &role);
    const gboolean shaped =
        t->shape.rank <= CG_MAX_RANK && t->size > 0 &&
        (!key || (role == ALPHA ? cg_shape_count(&t->shape) == 1 : t->shape.rank >= 2));
    if (!key || !is_float(t) || !shaped) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: the tensor \"%s\" (%s) is no part of a LoRA for a U-Net or text encoder "
                    "under the names of diffusers, PEFT or kohya's scripts",
                    f->path, t->name, t->dtype_name);
        return FALSE;
    }
    Addition *a = g_hash_table_lookup(f->additions, key);
    if (!a) {
        a = g_new0(Addition, 1);
        a->component = component;
        g_hash_table_insert(f->additions, g_steal_pointer(&key), a);
    }
    const CgSafetensor **where = role == DOWN ? &a->down : role == UP ? &a->up : &a->alpha;
    if (*where)
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the tensors \"%s\" and \"%s\" are for the same place", f->path,
                    (*where)->name, t->name);
    else
        *where = t;
    return *where == t;
}

/* An addition has both matrices, of one rank. */
static gboolean check_additions(const CgLoraFile *f, GError **error)
{
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, f->additions);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const Addition *a = value;
        const gboolean whole = a->down && a->up;
        if (whole && a->up->shape.d[1] == a->down->shape.d[0])
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: %s: %s", f->path, (const char *)key,
                    whole ? "its two matrices are of different ranks"
                          : "one of its two matrices is missing");
        return FALSE;
    }
    return TRUE;
}

/* What PEFT was told, PREFIX before the keys: "unet.lora_alpha". */
static gboolean read_config(const CgLoraFile *f, const json_t *json, const char *prefix,
                            double *alpha, GError **error)
{
    static const char *const refused[] = {"use_rslora", "use_dora", "alpha_pattern"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *key = g_strconcat(prefix, refused[i], NULL);
        const json_t *value = json_object_get(json, key);
        if (!json_is_true(value) && json_object_size(value) == 0)
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: trained with PEFT's %s, which cagen can't add", f->path, refused[i]);
        return FALSE;
    }
    g_autofree char *key = g_strconcat(prefix, "lora_alpha", NULL);
    return cg_json_double(json, f->path, key, NAN, alpha, error);
}

static gboolean read_alphas(CgLoraFile *f, GError **error)
{
    static const char *const prefixes[COMPONENTS] = {[CG_COMPONENT_UNET] = "unet.",
                                                     [CG_COMPONENT_CONTROLNET] = "",
                                                     [CG_COMPONENT_TEXT] = "text_encoder."};
    const char *text = cg_safetensors_metadata(f->file, "lora_adapter_metadata");
    g_autoptr(json_t) json = text ? cg_json_parse(text, strlen(text), f->path, error) : NULL;
    if (text && !json)
        return FALSE;
    for (int c = 0; c < COMPONENTS; c++) {
        f->alphas[c] = NAN;
        if (json && prefixes[c] && !read_config(f, json, prefixes[c], &f->alphas[c], error))
            return FALSE;
    }
    return TRUE;
}

/* SPEC's file and weight. */
static gboolean parse_spec(CgLoraFile *f, const char *spec, GError **error)
{
    const char *colon = strrchr(spec, ':');
    f->weight = 1;
    f->path = g_strdup(spec);
    if (colon && !g_file_test(spec, G_FILE_TEST_EXISTS)) {
        char *end;
        f->weight = g_ascii_strtod(colon + 1, &end);
        if (end == colon + 1 || *end || !(fabs(f->weight) <= MAX_WEIGHT)) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                        "%s: a LoRA is FILE or FILE:WEIGHT, the weight a number, 0.8 say", spec);
            return FALSE;
        }
        f->path[colon - spec] = '\0';
    }
    if (g_file_test(f->path, G_FILE_TEST_IS_DIR)) {
        char *folder = f->path;
        f->path = g_build_filename(folder, "pytorch_lora_weights.safetensors", NULL);
        g_free(folder);
    }
    return TRUE;
}

CgLoraFile *cg_lora_file_open(const char *spec, GError **error)
{
    g_autoptr(CgLoraFile) f = g_new0(CgLoraFile, 1);
    f->additions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!parse_spec(f, spec, error) || !(f->file = cg_safetensors_open(f->path, error)) ||
        !(f->sha256 = cg_file_sha256(f->path, error)) || !read_alphas(f, error))
        return NULL;
    for (guint i = 0; i < cg_safetensors_count(f->file); i++)
        if (!add_tensor(f, cg_safetensors_nth(f->file, i), error))
            return NULL;
    if (cg_safetensors_count(f->file) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: holds no tensors", f->path);
        return NULL;
    }
    return check_additions(f, error) ? g_steal_pointer(&f) : NULL;
}

void cg_lora_file_free(CgLoraFile *f)
{
    if (!f)
        return;
    cg_safetensors_free(f->file);
    g_hash_table_unref(f->additions);
    g_free(f->path);
    g_free(f->sha256);
    g_free(f);
}

const char *cg_lora_file_path(const CgLoraFile *f)
{
    return f->path;
}

double cg_lora_file_weight(const CgLoraFile *f)
{
    return f->weight;
}

const char *cg_lora_file_sha256(const CgLoraFile *f)
{
    return f->sha256;
}

CgSafetensors *cg_lora_file_tensors(const CgLoraFile *f)
{
    return f->file;
}

static double alpha_of(const CgLoraFile *f, const Addition *a)
{
    if (a->alpha) {
        g_autoptr(CgTensor) t = cg_safetensors_tensor(f->file, a->alpha);
        g_autoptr(CgTensor) f32 = cg_tensor_copy(t, CG_F32);
        return (double)cg_tensor_f32(f32)[0];
    }
    const double alpha = f->alphas[a->component];
    return isfinite(alpha) ? alpha : (double)a->down->shape.d[0];
}

char *cg_lora_file_describe(const CgLoraFile *f)
{
    static const char *const owners[COMPONENTS] = {[CG_COMPONENT_UNET] = "of a U-Net",
                                                   [CG_COMPONENT_CONTROLNET] =
                                                       "of a network by itself",
                                                   [CG_COMPONENT_TEXT] = "of a text encoder"};
    GHashTableIter iter;
    gpointer value;
    guint layers[COMPONENTS] = {0};
    int64_t low = G_MAXINT64, high = 0;
    double least = INFINITY, most = -INFINITY;
    g_hash_table_iter_init(&iter, f->additions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Addition *a = value;
        const int64_t rank = a->down->shape.d[0];
        const double factor = alpha_of(f, a) / (double)rank;
        layers[a->component]++;
        low = MIN(low, rank);
        high = MAX(high, rank);
        least = MIN(least, factor);
        most = MAX(most, factor);
    }
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "rank %" G_GINT64_FORMAT, low);
    if (high > low)
        g_string_append_printf(text, " to %" G_GINT64_FORMAT, high);
    g_string_append_printf(text, ", factor %g", least);
    if (most > least)
        g_string_append_printf(text, " to %g", most);
    for (int c = 0; c < COMPONENTS; c++)
        if (layers[c])
            g_string_append_printf(text, ", %u layers %s", layers[c], owners[c]);
    return g_string_free(text, FALSE);
}

gboolean cg_lora_file_check_used(const CgLoraFile *f, GError **error)
{
    GHashTableIter iter;
    gpointer key, value;
    const char *first = NULL;
    guint unused = 0;
    g_hash_table_iter_init(&iter, f->additions);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (((const Addition *)value)->used)
            continue;
        unused++;
        if (!first || strcmp(key, first) < 0)
            first = key;
    }
    if (unused == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: made for a model of another structure: %u of its %u layers are not in this "
                "one, %s first",
                f->path, unused, g_hash_table_size(f->additions), first);
    return FALSE;
}

/* The matrix of T as f32, [first dimension, the others], or NULL. */
static CgTensor *read_matrix(const CgLoraFile *f, const CgSafetensor *entry, GPtrArray *problems)
{
    g_autoptr(CgTensor) t = cg_safetensors_tensor(f->file, entry);
    if (!cg_tensor_is_finite(t)) {
        g_ptr_array_add(
            problems, g_strdup_printf("%s: tensor %s holds NaN or infinity", f->path, entry->name));
        return NULL;
    }
    g_autoptr(CgTensor) f32 = cg_tensor_copy(t, CG_F32);
    const int64_t rows = f32->shape.d[0];
    return cg_tensor_reshape(f32, CG_SHAPE(rows, (int64_t)f32->count / rows));
}

/* W [out, ..], f32, += weight alpha / rank B A. */
static gboolean merge(const CgLoraFile *f, const Addition *a, CgTensor *w, GPtrArray *problems)
{
    const int64_t out = w->shape.d[0], in = (int64_t)w->count / out;
    g_autoptr(CgTensor) down = read_matrix(f, a->down, problems);
    g_autoptr(CgTensor) up = read_matrix(f, a->up, problems);
    const double alpha = alpha_of(f, a);
    if (!down || !up)
        return FALSE;
    if (down->shape.d[1] != in || up->shape.d[0] != out || up->shape.d[1] != down->shape.d[0] ||
        !isfinite(alpha)) {
        char shape[CG_SHAPE_TEXT];
        g_ptr_array_add(problems, g_strdup_printf("%s: tensors %s and %s do not fit a weight of %s",
                                                  f->path, a->down->name, a->up->name,
                                                  cg_shape_text(&w->shape, shape)));
        return FALSE;
    }
    g_autoptr(CgTensor) matrix = cg_tensor_reshape(w, CG_SHAPE(out, in));
    const CgLora lora = {.rank = (int)down->shape.d[0], .alpha = alpha * f->weight};
    cg_lora_merge(&lora, matrix, down, up);
    return TRUE;
}

CgTensor *cg_merged_weights_lookup(void *merged_weights, const char *name, const CgShape *want,
                                   GPtrArray *problems)
{
    const CgMergedWeights *m = merged_weights;
    g_autoptr(CgTensor) w = cg_checkpoint_lookup(m->weights, name, want, problems);
    if (!w || !g_str_has_suffix(name, ".weight") || want->rank < 2)
        return g_steal_pointer(&w);
    g_autofree char *layer = g_strndup(name, strlen(name) - strlen(".weight"));
    g_autofree char *key = layer_key(m->component, layer);
    gboolean is_copy = FALSE;
    for (guint i = 0; i < m->additions->len; i++) {
        const CgLoraFile *f = g_ptr_array_index(m->additions, i);
        Addition *a = g_hash_table_lookup(f->additions, key);
        if (!a)
            continue;
        a->used = TRUE;
        if (!is_copy)
            CG_SET(w, cg_tensor_copy(w, CG_F32));
        is_copy = TRUE;
        if (!merge(f, a, w, problems))
            return NULL;
    }
    return g_steal_pointer(&w);
}
