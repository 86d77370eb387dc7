#include "pipeline/inspect-private.h"

#include <string.h>

void cg_inspection_free(CgInspection *i)
{
    if (!i)
        return;
    g_free(i->path);
    g_free(i->summary);
    g_free(i->dtypes);
    g_free(i->fingerprint);
    g_ptr_array_unref(i->problems);
    g_free(i);
}

CgInspection *cg_inspection_new(const char *network, const char *path)
{
    CgInspection *i = g_new0(CgInspection, 1);
    i->network = network;
    i->path = g_strdup(path);
    i->problems = g_ptr_array_new_with_free_func(g_free);
    return i;
}

void cg_inspection_add_problem(CgInspection *i, GError *error)
{
    g_ptr_array_add(i->problems, g_strdup(error->message));
    g_error_free(error);
}

static char *describe_dtypes(GHashTable *dtypes)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(dtypes), (GCompareFunc)(void (*)(void))strcmp);
    if (!names)
        return g_strdup("none");
    if (!names->next)
        return g_strdup(names->data);
    GString *text = g_string_new(NULL);
    for (const GList *n = names; n; n = n->next)
        g_string_append_printf(text, "%s%s %u", n == names ? "" : ", ", (const char *)n->data,
                               GPOINTER_TO_UINT(g_hash_table_lookup(dtypes, n->data)));
    return g_string_free(text, FALSE);
}

/* ---- counting tensors */

void cg_inspection_tally_init(CgInspectionTally *tally, CgInspection *i)
{
    *tally = (CgInspectionTally){.inspection = i,
                                 .dtypes = g_hash_table_new(g_str_hash, g_str_equal),
                                 .fingerprint = g_checksum_new(G_CHECKSUM_SHA256)};
}

/* What batches leave behind, not gradients. */
static gboolean is_statistic(const char *name)
{
    return g_str_has_suffix(name, ".running_mean") || g_str_has_suffix(name, ".running_var") ||
           g_str_has_suffix(name, ".num_batches_tracked");
}

void cg_inspection_tally_add(void *data, const char *name, const CgSafetensor *entry)
{
    CgInspectionTally *tally = data;
    CgInspection *i = tally->inspection;
    i->tensors++;
    i->bytes += entry->size;
    if (entry->shape.rank <= CG_MAX_RANK && !is_statistic(name))
        i->parameters += cg_shape_count(&entry->shape);
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(tally->dtypes, entry->dtype_name));
    g_hash_table_insert(tally->dtypes, (char *)(guintptr)entry->dtype_name,
                        GUINT_TO_POINTER(n + 1));
    cg_fingerprint_add(tally->fingerprint, name, entry);
}

void cg_inspection_tally_finish(CgInspectionTally *tally)
{
    tally->inspection->dtypes = describe_dtypes(tally->dtypes);
    tally->inspection->fingerprint = cg_fingerprint_finish(tally->fingerprint);
    g_hash_table_unref(tally->dtypes);
    g_checksum_free(tally->fingerprint);
}

void cg_inspection_finish_binding(CgInspection *i, CgBinder *b)
{
    b->build.lookup(b->build.source, NULL, NULL, b->problems);
    for (guint k = 0; k < b->problems->len; k++)
        g_ptr_array_add(i->problems, g_strdup(g_ptr_array_index(b->problems, k)));
    g_ptr_array_unref(b->problems);
}

/* ---- parts of diffusion models */

static char *describe_widths(const int *channels, int count)
{
    GString *text = g_string_new(NULL);
    for (int i = 0; i < count; i++)
        g_string_append_printf(text, "%s%d", i ? "-" : "", channels[i]);
    return g_string_free(text, FALSE);
}

static char *describe_unet(const CgUnetConfig *c)
{
    g_autofree char *widths = describe_widths(c->channels, c->level_count);
    return g_strdup_printf("channels %s, %d heads, text width %d, latent %d", widths, c->heads[0],
                           c->text_width, c->sample_size);
}

static char *describe_vae(const CgVaeConfig *c)
{
    g_autofree char *widths = describe_widths(c->channels, c->level_count);
    return g_strdup_printf("%s, channels %s, %d latent channels, scale %g",
                           c->kind == CG_VAE_KL ? "KL" : "tiny", widths, c->latent_channels,
                           c->scaling_factor);
}

static char *describe_text(const CgClipTextConfig *c)
{
    return g_strdup_printf("%d layers, width %d, %d heads, %d tokens, vocabulary %d", c->layers,
                           c->width, c->heads, c->positions, c->vocabulary);
}

/* Binds the structure that the configuration at PATH implies to the tensors that are there; what
 * does not fit becomes a problem. */
static gboolean bind_structure(CgInspection *i, const char *path, CgComponent component,
                               CgBinder *b, GError **error)
{
    if (component == CG_COMPONENT_TEXT) {
        g_autofree CgClipText *te = g_new0(CgClipText, 1);
        if (!cg_model_read_text_config(path, &te->config, error))
            return FALSE;
        i->summary = describe_text(&te->config);
        cg_bind_clip_text(b, te);
    } else if (component == CG_COMPONENT_VAE) {
        CgVaeConfig config;
        if (!cg_model_read_vae_config(path, &config, error))
            return FALSE;
        i->summary = describe_vae(&config);
        cg_bind_vae(b, &config);
    } else if (component == CG_COMPONENT_UNET) {
        g_autofree CgUnet *u = g_new0(CgUnet, 1);
        if (!cg_model_read_unet_config(path, FALSE, &u->config, error))
            return FALSE;
        i->summary = describe_unet(&u->config);
        cg_bind_unet(b, u);
    } else {
        g_autofree CgControlnet *c = g_new0(CgControlnet, 1);
        if (!cg_model_read_unet_config(path, TRUE, &c->config, error))
            return FALSE;
        i->summary = describe_unet(&c->config);
        cg_bind_controlnet(b, c);
    }
    return TRUE;
}

static void compare_structure(CgInspection *i, const char *path, CgComponent component,
                              CgCheckpoint *weights)
{
    CgBinder b;
    GError *error = NULL;
    const CgBuild build = {.lookup = cg_checkpoint_lookup, .source = weights};
    cg_binder_init(&b, NULL, &build);
    if (!bind_structure(i, path, component, &b, &error))
        cg_inspection_add_problem(i, error);
    cg_inspection_finish_binding(i, &b);
}

static CgInspection *inspect_part(const char *path, CgComponent component, gboolean values)
{
    GError *error = NULL;
    CgInspection *i = cg_inspection_new(cg_component_name(component), path);
    g_autoptr(CgCheckpoint) weights = cg_model_open_part(path, component, &error);
    if (!weights) {
        cg_inspection_add_problem(i, error);
        return i;
    }
    g_free(i->path);
    i->path = g_strdup(cg_checkpoint_path(weights));
    CgInspectionTally tally;
    cg_inspection_tally_init(&tally, i);
    cg_checkpoint_foreach(weights, cg_inspection_tally_add, &tally);
    cg_checkpoint_rest(weights);
    cg_inspection_tally_finish(&tally);
    compare_structure(i, path, component, weights);
    g_autofree char *bad = values ? cg_checkpoint_find_not_finite(weights) : NULL;
    if (bad)
        g_ptr_array_add(i->problems, g_strdup_printf("tensor %s holds NaN or infinity", bad));
    return i;
}

gboolean cg_inspect_component(const char *path, CgComponent *component, GError **error)
{
    static const struct {
        const char *class_name;
        CgComponent component;
    } classes[] = {
        {"UNet2DConditionModel", CG_COMPONENT_UNET},
        {"ControlNetModel", CG_COMPONENT_CONTROLNET},
        {"AutoencoderKL", CG_COMPONENT_VAE},
        {"AutoencoderTiny", CG_COMPONENT_VAE},
    };
    const char *class_name, *model_type;
    g_autofree char *where = g_build_filename(path, "config.json", NULL);
    g_autoptr(json_t) json = cg_json_load(where, error);
    if (!json || !cg_json_string(json, where, "_class_name", "", &class_name, error) ||
        !cg_json_string(json, where, "model_type", "", &model_type, error))
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
        if (g_str_equal(class_name, classes[i].class_name)) {
            *component = classes[i].component;
            return TRUE;
        }
    *component = CG_COMPONENT_TEXT;
    if (g_str_equal(model_type, "clip_text_model"))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: neither a U-Net, ControlNet, VAE nor CLIP text encoder", where);
    return FALSE;
}

static gboolean has_additions(const CgSafetensors *file)
{
    for (guint i = 0; i < cg_safetensors_count(file); i++)
        if (strstr(cg_safetensors_nth(file, i)->name, "lora"))
            return TRUE;
    return FALSE;
}

/* A file of low-rank additions. */
static CgInspection *inspect_additions(const char *path, gboolean values, GError **error)
{
    g_autoptr(CgLoraFile) lora = cg_lora_file_open(path, error);
    if (!lora)
        return NULL;
    CgInspection *i = cg_inspection_new("LoRA", path);
    i->summary = cg_lora_file_describe(lora);
    CgInspectionTally tally;
    cg_inspection_tally_init(&tally, i);
    CgSafetensors *file = cg_lora_file_tensors(lora);
    for (guint k = 0; k < cg_safetensors_count(file); k++) {
        const CgSafetensor *entry = cg_safetensors_nth(file, k);
        g_autoptr(CgTensor) t = cg_safetensors_tensor(file, entry);
        cg_inspection_tally_add(&tally, entry->name, entry);
        if (values && !cg_tensor_is_finite(t))
            g_ptr_array_add(i->problems,
                            g_strdup_printf("tensor %s holds NaN or infinity", entry->name));
    }
    cg_inspection_tally_finish(&tally);
    return i;
}

/* The components whose tensors the file holds. */
static gboolean inspect_file(const char *path, gboolean values, GPtrArray *found, GError **error)
{
    static const CgComponent components[] = {CG_COMPONENT_TEXT, CG_COMPONENT_VAE, CG_COMPONENT_UNET,
                                             CG_COMPONENT_CONTROLNET};
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, error);
    if (!file)
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(components); i++) {
        g_autoptr(CgCheckpoint) c = cg_checkpoint_open_file(path, components[i], NULL);
        if (c && cg_checkpoint_has(c, cg_component_mark(components[i])))
            g_ptr_array_add(found, inspect_part(path, components[i], values));
    }
    if (found->len == 0 && has_additions(file)) {
        CgInspection *additions = inspect_additions(path, values, error);
        if (additions)
            g_ptr_array_add(found, additions);
        return additions != NULL;
    }
    if (found->len > 0 || cg_inspect_plain_file(path, found))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: %u tensors, but none of a U-Net, ControlNet, VAE, CLIP text encoder, detector "
                "or classifier",
                path, cg_safetensors_count(file));
    return FALSE;
}

static void inspect_model(const char *path, gboolean values, GPtrArray *found)
{
    static const struct {
        const char *folder;
        CgComponent component;
    } parts[] = {{"text_encoder", CG_COMPONENT_TEXT},
                 {"vae", CG_COMPONENT_VAE},
                 {"unet", CG_COMPONENT_UNET},
                 {"controlnet", CG_COMPONENT_CONTROLNET}};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *folder = g_build_filename(path, parts[i].folder, NULL);
        if (g_file_test(folder, G_FILE_TEST_IS_DIR))
            g_ptr_array_add(found, inspect_part(folder, parts[i].component, values));
        else if (parts[i].component != CG_COMPONENT_CONTROLNET) {
            CgInspection *i_missing =
                cg_inspection_new(cg_component_name(parts[i].component), folder);
            g_ptr_array_add(i_missing->problems, g_strdup("the folder is missing"));
            g_ptr_array_add(found, i_missing);
        }
    }
}

GPtrArray *cg_inspect(const char *path, gboolean values, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)cg_inspection_free);
    g_autofree char *index = g_build_filename(path, "model_index.json", NULL);
    g_autofree char *unet = g_build_filename(path, "unet", NULL);
    g_autofree char *config = g_build_filename(path, "config.json", NULL);
    CgComponent component;
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such file or folder", path);
        return NULL;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return inspect_file(path, values, found, error) ? g_steal_pointer(&found) : NULL;
    if (g_file_test(index, G_FILE_TEST_EXISTS) || g_file_test(unet, G_FILE_TEST_IS_DIR)) {
        inspect_model(path, values, found);
        return g_steal_pointer(&found);
    }
    if (!g_file_test(config, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: not a model: neither model_index.json nor config.json is there", path);
        return NULL;
    }
    g_autoptr(json_t) json = cg_json_load(config, error);
    if (!json)
        return NULL;
    if (cg_inspect_plain_folder(path, json, found))
        return g_steal_pointer(&found);
    if (!cg_inspect_component(path, &component, error))
        return NULL;
    g_ptr_array_add(found, inspect_part(path, component, values));
    return g_steal_pointer(&found);
}
