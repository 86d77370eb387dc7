#include "pipeline/model.h"

#include "base/log.h"

#include <string.h>

#define FINGERPRINT_DIGITS 16
#define SAMPLED_BYTES      64

void cg_fingerprint_add(void *data, const char *name, const CgSafetensor *entry)
{
    GChecksum *sum = data;
    char shape[CG_SHAPE_TEXT];
    CgShape essential = entry->shape;
    /* A matrix is a 1x1 convolution in some files. */
    while (essential.rank > 1 && essential.rank <= CG_MAX_RANK &&
           essential.d[essential.rank - 1] == 1)
        essential.rank--;
    cg_shape_text(&essential, shape);
    g_checksum_update(sum, (const guchar *)name, (gssize)strlen(name) + 1);
    g_checksum_update(sum, (const guchar *)shape, (gssize)strlen(shape));
    g_checksum_update(sum, (const guchar *)entry->dtype_name, (gssize)strlen(entry->dtype_name));
    const size_t taken = MIN(entry->size, SAMPLED_BYTES);
    g_checksum_update(sum, (const guchar *)entry->data + (entry->size - taken) / 2, (gssize)taken);
}

char *cg_fingerprint_finish(GChecksum *sum)
{
    return g_strndup(g_checksum_get_string(sum), FINGERPRINT_DIGITS);
}

char *cg_weights_fingerprint(CgCheckpoint *checkpoint)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    cg_checkpoint_foreach(checkpoint, cg_fingerprint_add, sum);
    cg_checkpoint_rest(checkpoint);
    return cg_fingerprint_finish(sum);
}

static gboolean is_folder(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

CgCheckpoint *cg_model_open_part(const char *path, CgComponent component, GError **error)
{
    return is_folder(path) ? cg_checkpoint_open_folder(path, component, error)
                           : cg_checkpoint_open_file(path, component, error);
}

/* config.json of the folder PATH; NULL without an error when PATH is a file. */
static json_t *load_config(const char *path, char **where, GError **error)
{
    if (!is_folder(path))
        return NULL;
    *where = g_build_filename(path, "config.json", NULL);
    return cg_json_load(*where, error);
}

gboolean cg_model_read_unet_config(const char *path, gboolean controlnet, CgUnetConfig *config,
                                   GError **error)
{
    g_autofree char *where = NULL;
    g_autoptr(json_t) json = load_config(path, &where, error);
    cg_unet_config_default(config, controlnet);
    if (!where)
        return TRUE;
    return json && cg_unet_config_parse(json, where, controlnet, config, error);
}

gboolean cg_model_read_vae_config(const char *path, CgVaeConfig *config, GError **error)
{
    g_autofree char *where = NULL;
    g_autoptr(json_t) json = load_config(path, &where, error);
    cg_vae_config_default(config, CG_VAE_KL);
    if (!where)
        return TRUE;
    return json && cg_vae_config_parse(json, where, config, error);
}

gboolean cg_model_read_text_config(const char *path, CgClipTextConfig *config, GError **error)
{
    g_autofree char *where = NULL;
    g_autoptr(json_t) json = load_config(path, &where, error);
    cg_clip_text_config_default(config);
    if (!where)
        return TRUE;
    return json && cg_clip_text_config_parse(json, where, config, error);
}

/* The folder of a part, or the whole file. */
static char *part_path(const char *model, const char *part)
{
    return is_folder(model) ? g_build_filename(model, part, NULL) : g_strdup(model);
}

/* Where the configuration of PART is: in the model's folder, in that which describes a single file,
 * or nowhere (the file itself: the defaults hold). */
static char *config_path(const CgModelPaths *paths, const char *part)
{
    return part_path(paths->config ? paths->config : paths->model, part);
}

static CgBuild build_from(const CgModel *m, CgCheckpoint *weights)
{
    return (CgBuild){.engine = m->engine,
                     .dtype = m->dtype,
                     .lookup = cg_checkpoint_lookup,
                     .source = weights,
                     .where = cg_checkpoint_path(weights)};
}

/* BUILD's weights of COMPONENT with what is to be merged; MERGED lives as long as BUILD is used. */
static void merge_lora(const CgModel *m, CgComponent component, CgBuild *build,
                       CgMergedWeights *merged)
{
    *merged =
        (CgMergedWeights){.weights = build->source, .component = component, .additions = m->lora};
    if (m->lora->len == 0)
        return;
    build->lookup = cg_merged_weights_lookup;
    build->source = merged;
}

static gboolean open_lora(CgModel *m, const char *const *specs, GError **error)
{
    m->lora = g_ptr_array_new_with_free_func((GDestroyNotify)cg_lora_file_free);
    for (; specs && *specs; specs++) {
        CgLoraFile *file = cg_lora_file_open(*specs, error);
        if (!file)
            return FALSE;
        g_ptr_array_add(m->lora, file);
    }
    return TRUE;
}

static gboolean check_lora(const CgModel *m, GError **error)
{
    for (guint i = 0; i < m->lora->len; i++)
        if (!cg_lora_file_check_used(g_ptr_array_index(m->lora, i), error))
            return FALSE;
    return TRUE;
}

static gboolean load_unet(CgModel *m, const CgModelPaths *paths, GError **error)
{
    CgUnetConfig config;
    g_autofree char *path = part_path(paths->model, "unet");
    g_autofree char *described = config_path(paths, "unet");
    if (!cg_model_read_unet_config(described, FALSE, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, CG_COMPONENT_UNET, error);
    if (!weights)
        return FALSE;
    m->fingerprint = cg_weights_fingerprint(weights);
    CgBuild build = build_from(m, weights);
    CgMergedWeights merged;
    build.differentiable = paths->training;
    build.unpacked = paths->lean;
    merge_lora(m, CG_COMPONENT_UNET, &build, &merged);
    m->unet = cg_unet_new(&build, &config, error);
    m->unet_weights = g_steal_pointer(&weights);
    return m->unet != NULL;
}

static gboolean load_vae(CgModel *m, const CgModelPaths *paths, GError **error)
{
    CgVaeConfig config;
    g_autofree char *path = paths->vae ? g_strdup(paths->vae) : part_path(paths->model, "vae");
    g_autofree char *described = paths->vae ? g_strdup(paths->vae) : config_path(paths, "vae");
    if (!cg_model_read_vae_config(described, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, CG_COMPONENT_VAE, error);
    if (!weights)
        return FALSE;
    m->vae_path = g_strdup(path);
    m->vae_fingerprint = cg_weights_fingerprint(weights);
    CgBuild build = build_from(m, weights);
    build.unpacked = paths->training;
    m->vae = cg_vae_new(&build, &config, error);
    m->vae_weights = g_steal_pointer(&weights);
    return m->vae != NULL;
}

static gboolean load_text(CgModel *m, const CgModelPaths *paths, GError **error)
{
    CgClipTextConfig config;
    g_autofree char *path = part_path(paths->model, "text_encoder");
    g_autofree char *described = config_path(paths, "text_encoder");
    if (!cg_model_read_text_config(described, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, CG_COMPONENT_TEXT, error);
    if (!weights)
        return FALSE;
    m->text_fingerprint = cg_weights_fingerprint(weights);
    CgBuild build = build_from(m, weights);
    CgMergedWeights merged;
    build.unpacked = paths->training;
    merge_lora(m, CG_COMPONENT_TEXT, &build, &merged);
    m->text = cg_clip_text_new(&build, &config, error);
    m->text_weights = g_steal_pointer(&weights);
    return m->text != NULL;
}

gboolean cg_model_controlnet_config(const CgModel *m, const char *path, CgUnetConfig *config,
                                    GError **error)
{
    if (path && is_folder(path))
        return cg_model_read_unet_config(path, TRUE, config, error);
    /* A copy of its U-Net's encoder: it has the same sizes. */
    cg_unet_config_for_control(&m->unet->config, cg_vae_factor(cg_vae_config(m->vae)), config);
    return TRUE;
}

CgCheckpoint *cg_model_open_unet_weights(const CgModel *m, GError **error)
{
    g_autofree char *path = part_path(m->path, "unet");
    return cg_model_open_part(path, CG_COMPONENT_UNET, error);
}

static gboolean load_controlnet(CgModel *m, const char *path, GError **error)
{
    CgUnetConfig config;
    if (!cg_model_controlnet_config(m, path, &config, error))
        return FALSE;
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, CG_COMPONENT_CONTROLNET, error);
    if (!weights)
        return FALSE;
    m->controlnet_path = g_strdup(path);
    m->controlnet_fingerprint = cg_weights_fingerprint(weights);
    const CgBuild build = build_from(m, weights);
    m->controlnet = cg_controlnet_new(&build, &config, error);
    return m->controlnet != NULL;
}

static gboolean load_tokenizer(CgModel *m, const CgModelPaths *paths, GError **error)
{
    g_autofree char *own = config_path(paths, "tokenizer");
    if (!paths->tokenizer && !paths->config && !is_folder(paths->model)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: a single file holds no tokenizer; give --tokenizer (a folder with "
                    "vocab.json and merges.txt) or --config",
                    paths->model);
        return FALSE;
    }
    m->tokenizer = cg_tokenizer_open(paths->tokenizer ? paths->tokenizer : own, error);
    return m->tokenizer != NULL;
}

static gboolean load_schedule(CgModel *m, const CgModelPaths *paths, GError **error)
{
    g_autofree char *folder = config_path(paths, "scheduler");
    g_autofree char *path = g_build_filename(folder, "scheduler_config.json", NULL);
    m->schedule = g_file_test(path, G_FILE_TEST_EXISTS) ? cg_noise_schedule_load(path, error)
                                                        : cg_noise_schedule_default();
    return m->schedule != NULL;
}

static gboolean mismatch(const CgModel *m, const char *what, int a, int b, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: the parts do not fit together: %s (%d, %d)",
                m->path, what, a, b);
    return FALSE;
}

static gboolean check_controlnet(const CgModel *m, GError **error)
{
    const CgUnetConfig *u = &m->unet->config, *c = &m->controlnet->config;
    gboolean same = u->level_count == c->level_count && u->layers == c->layers &&
                    u->text_width == c->text_width && u->in_channels == c->in_channels;
    for (int i = 0; same && i < u->level_count; i++)
        same = u->channels[i] == c->channels[i];
    if (!same)
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: this ControlNet was made for a U-Net of other sizes than %s",
                    m->controlnet_path, m->path);
    return same;
}

gboolean cg_model_check(const CgModel *m, GError **error)
{
    const CgUnetConfig *u = &m->unet->config;
    const CgVaeConfig *v = cg_vae_config(m->vae);
    if (u->in_channels != u->out_channels)
        return mismatch(m, "the U-Net's input and output channels", u->in_channels, u->out_channels,
                        error);
    if (v->latent_channels != u->in_channels)
        return mismatch(m, "latent channels of the VAE and of the U-Net", v->latent_channels,
                        u->in_channels, error);
    if (m->text->config.width != u->text_width)
        return mismatch(m, "width of the text encoder and what the U-Net reads",
                        m->text->config.width, u->text_width, error);
    if (cg_tokenizer_size(m->tokenizer) > m->text->config.vocabulary)
        return mismatch(m, "tokens in the tokenizer and rows in the text encoder",
                        cg_tokenizer_size(m->tokenizer), m->text->config.vocabulary, error);
    if (cg_tokenizer_length(m->tokenizer) > m->text->config.positions)
        return mismatch(m, "the tokenizer's length and the text encoder's positions",
                        cg_tokenizer_length(m->tokenizer), m->text->config.positions, error);
    if (m->controlnet && cg_vae_factor(v) != cg_unet_config_control_factor(&m->controlnet->config))
        return mismatch(m, "pixels per latent cell of the VAE and of the ControlNet",
                        cg_vae_factor(v), cg_unet_config_control_factor(&m->controlnet->config),
                        error);
    return !m->controlnet || check_controlnet(m, error);
}

/* FOLDER has the parts of a model, as far as PATHS need them from there. */
static gboolean check_layout(const char *folder, const CgModelPaths *paths, GError **error)
{
    const char *const parts[] = {"unet", "text_encoder", paths->vae ? NULL : "vae",
                                 paths->tokenizer ? NULL : "tokenizer"};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *path = parts[i] ? g_build_filename(folder, parts[i], NULL) : NULL;
        if (!path || is_folder(path))
            continue;
        g_autofree char *inner = g_build_filename(folder, "model", NULL);
        g_autofree char *unet = g_build_filename(inner, "unet", NULL);
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no folder %s in it; a model in diffusers' layout has unet, vae, "
                    "text_encoder and tokenizer%s%s",
                    folder, parts[i], is_folder(unet) ? "; there is one in " : "",
                    is_folder(unet) ? inner : "");
        return FALSE;
    }
    return TRUE;
}

static gboolean check_exists(const char *path, const char *what, GError **error)
{
    if (!path || g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such %s", path, what);
    return FALSE;
}

static gboolean check_paths(const CgModelPaths *paths, GError **error)
{
    if (!check_exists(paths->controlnet, "ControlNet", error) ||
        !check_exists(paths->vae, "VAE", error) ||
        !check_exists(paths->tokenizer, "tokenizer", error))
        return FALSE;
    if (!g_file_test(paths->model, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no such model; a folder in diffusers' layout or a .safetensors file is "
                    "needed",
                    paths->model);
        return FALSE;
    }
    if (is_folder(paths->model)) {
        if (!paths->config)
            return check_layout(paths->model, paths, error);
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: a folder has its own configuration; --config is for single files",
                    paths->model);
        return FALSE;
    }
    if (!paths->config || is_folder(paths->config))
        return !paths->config || check_layout(paths->config, paths, error);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such folder", paths->config);
    return FALSE;
}

CgModel *cg_model_open(CgEngine *engine, CgDType dtype, const CgModelPaths *paths, GError **error)
{
    g_autoptr(CgModel) m = g_new0(CgModel, 1);
    m->engine = engine;
    m->dtype = dtype;
    m->path = g_strdup(paths->model);
    if (!check_paths(paths, error) || !load_tokenizer(m, paths, error) ||
        !load_schedule(m, paths, error) || !open_lora(m, paths->lora, error) ||
        !load_text(m, paths, error) || !load_vae(m, paths, error) || !load_unet(m, paths, error) ||
        !check_lora(m, error) ||
        (paths->controlnet && !load_controlnet(m, paths->controlnet, error)) ||
        !cg_model_check(m, error))
        return NULL;
    return g_steal_pointer(&m);
}

void cg_model_free(CgModel *m)
{
    if (!m)
        return;
    cg_tokenizer_close(m->tokenizer);
    cg_clip_text_free(m->text);
    cg_vae_free(m->vae);
    cg_unet_free(m->unet);
    cg_controlnet_free(m->controlnet);
    cg_noise_schedule_free(m->schedule);
    cg_checkpoint_unref(m->text_weights);
    cg_checkpoint_unref(m->vae_weights);
    cg_checkpoint_unref(m->unet_weights);
    g_clear_pointer(&m->lora, g_ptr_array_unref);
    g_free(m->path);
    g_free(m->controlnet_path);
    g_free(m->vae_path);
    g_free(m->fingerprint);
    g_free(m->controlnet_fingerprint);
    g_free(m->vae_fingerprint);
    g_free(m->text_fingerprint);
    g_free(m);
}

void cg_model_rest(const CgModel *m)
{
    cg_checkpoint_rest(m->text_weights);
    cg_checkpoint_rest(m->vae_weights);
    m->engine->ops->trim(m->engine);
}

CgPackedBytes cg_model_packed_bytes(const CgModel *m)
{
    CgPackedBytes bytes = m->text->parameters.packed;
    cg_packed_bytes_add(&bytes, cg_vae_packed_bytes(m->vae));
    cg_packed_bytes_add(&bytes, &m->unet->parameters.packed);
    if (m->controlnet)
        cg_packed_bytes_add(&bytes, &m->controlnet->parameters.packed);
    return bytes;
}

guint64 cg_model_parameter_count(const CgModel *m)
{
    return m->text->parameters.count + cg_vae_parameter_count(m->vae) + m->unet->parameters.count +
           (m->controlnet ? m->controlnet->parameters.count : 0);
}

int cg_model_size(const CgModel *m)
{
    return m->unet->config.sample_size * cg_vae_factor(cg_vae_config(m->vae));
}

json_t *cg_model_lora_to_json(const CgModel *m)
{
    json_t *rows = m->lora->len ? json_array() : NULL;
    for (guint i = 0; i < m->lora->len; i++) {
        const CgLoraFile *file = g_ptr_array_index(m->lora, i);
        json_t *row = json_object();
        json_object_set_new(row, "file", json_string(cg_lora_file_path(file)));
        json_object_set_new(row, "weight", json_real(cg_lora_file_weight(file)));
        json_object_set_new(row, "sha256", json_string(cg_lora_file_sha256(file)));
        json_array_append_new(rows, row);
    }
    return rows;
}

char *cg_model_explain_not_finite(const CgModel *m)
{
    g_autofree char *text = part_path(m->path, "text_encoder");
    g_autofree char *unet = part_path(m->path, "unet");
    const struct {
        const char *path;
        CgComponent component;
    } parts[] = {{text, CG_COMPONENT_TEXT},
                 {m->vae_path, CG_COMPONENT_VAE},
                 {unet, CG_COMPONENT_UNET},
                 {m->controlnet_path, CG_COMPONENT_CONTROLNET}};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        const char *path = parts[i].path;
        g_autoptr(CgCheckpoint) c =
            path ? cg_model_open_part(path, parts[i].component, NULL) : NULL;
        g_autofree char *name = c ? cg_checkpoint_find_not_finite(c) : NULL;
        if (name)
            return g_strdup_printf("%s: the tensor %s holds NaN or infinity; the file is damaged, "
                                   "fetch or train it again",
                                   cg_checkpoint_path(c), name);
    }
    return g_strdup_printf("%s: the network produced NaN or infinity although its weights are "
                           "finite; try --dtype f32 or a smaller guidance",
                           m->path);
}
