#include "pipeline/convert.h"

#include "pipeline/convert_weights.h"
#include "pipeline/inspect.h"
#include "pipeline/save_model.h"

#include <string.h>

/* The networks of a model in the order they are looked for, and their folders. */
static const struct {
    CgComponent component;
    const char *folder;
    gboolean needed;
} parts[] = {
    {CG_COMPONENT_TEXT, "text_encoder", TRUE},
    {CG_COMPONENT_VAE, "vae", TRUE},
    {CG_COMPONENT_UNET, "unet", TRUE},
    {CG_COMPONENT_CONTROLNET, "controlnet", FALSE},
};
#define PARTS G_N_ELEMENTS(parts)

static gboolean is_folder(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static gboolean exists(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean is_model(const char *folder)
{
    return exists(folder, "model_index.json") || exists(folder, "unet");
}

static void count(CgConvertResult *result, const CgConversion *c)
{
    result->tensors += cg_conversion_count(c);
    result->bytes += cg_conversion_bytes(c);
}

/* The weights' file of one network's folder, written. */
static gboolean write_part(CgConversion *c, CgComponent component, const char *folder,
                           CgConvertResult *result, GError **error)
{
    g_autofree char *path =
        g_build_filename(folder,
                         component == CG_COMPONENT_TEXT ? "model.safetensors"
                                                        : "diffusion_pytorch_model.safetensors",
                         NULL);
    count(result, c);
    return cg_file_make_directory(folder, error) && cg_conversion_write(c, path, error);
}

static gboolean copy_json(const char *from, const char *to, const char *name, GError **error)
{
    g_autofree char *source = g_build_filename(from, name, NULL);
    g_autofree char *target = g_build_filename(to, name, NULL);
    size_t size;
    g_autofree char *text = cg_file_read(source, CG_JSON_MAX_FILE, &size, error);
    return text && cg_file_write(target, text, size, error);
}

/* FROM/NAME copied to TO/NAME where it is there. */
static gboolean copy_folder(const char *from, const char *to, const char *name, GError **error)
{
    g_autofree char *source = g_build_filename(from, name, NULL);
    g_autofree char *target = g_build_filename(to, name, NULL);
    return !is_folder(source) || cg_save_copy(source, target, error);
}

/* The index of FROM for TO: what TO lacks (a safety checker, say) is null in it, as diffusers wants
 * it. */
static gboolean write_index(const char *from, const char *to, GError **error)
{
    g_autofree char *source = g_build_filename(from, "model_index.json", NULL);
    g_autofree char *target = g_build_filename(to, "model_index.json", NULL);
    if (!g_file_test(source, G_FILE_TEST_EXISTS))
        return cg_save_index(to, error);
    g_autoptr(json_t) index = cg_json_load(source, error);
    const char *key;
    json_t *value;
    void *next;
    if (!index)
        return FALSE;
    json_object_foreach_safe(index, next, key, value) if (json_is_array(value) && !exists(to, key))
        json_object_set_new(index, key, json_pack("[nn]"));
    char *text = json_dumps(index, JSON_INDENT(2));
    const gboolean ok = cg_file_write(target, text, strlen(text), error);
    free(text);
    return ok;
}

/* ---- folder to folder: names stay */

static gboolean part_to_part(const CgConvertOptions *o, const char *from, const char *to,
                             CgComponent component, CgConvertResult *result, GError **error)
{
    g_autoptr(CgCheckpoint) weights = cg_checkpoint_open_folder(from, component, error);
    g_autoptr(CgConversion) c = cg_conversion_new(o->dtype);
    return weights && cg_conversion_add_all(c, cg_checkpoint_file(weights), error) &&
           write_part(c, component, to, result, error) && copy_json(from, to, "config.json", error);
}

static gboolean model_to_folder(const CgConvertOptions *o, CgConvertResult *result, GError **error)
{
    for (size_t i = 0; i < PARTS; i++) {
        g_autofree char *from = g_build_filename(o->from, parts[i].folder, NULL);
        g_autofree char *to = g_build_filename(o->to, parts[i].folder, NULL);
        if ((parts[i].needed || is_folder(from)) &&
            !part_to_part(o, from, to, parts[i].component, result, error))
            return FALSE;
    }
    return copy_folder(o->from, o->to, "tokenizer", error) &&
           copy_folder(o->from, o->to, "scheduler", error) &&
           copy_folder(o->from, o->to, "feature_extractor", error) &&
           write_index(o->from, o->to, error);
}

/* ---- folder to file */

static gboolean model_to_file(const CgConvertOptions *o, CgConvertResult *result, GError **error)
{
    g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func((GDestroyNotify)cg_checkpoint_unref);
    g_autoptr(CgConversion) c = cg_conversion_new(o->dtype);
    for (size_t i = 0; i < PARTS; i++) {
        g_autofree char *folder = g_build_filename(o->from, parts[i].folder, NULL);
        if (!parts[i].needed && !is_folder(folder))
            continue;
        CgCheckpoint *weights = cg_checkpoint_open_folder(folder, parts[i].component, error);
        if (!weights)
            return FALSE;
        g_ptr_array_add(open, weights);
        if (!cg_conversion_add_ldm(c, parts[i].component, weights, error))
            return FALSE;
    }
    count(result, c);
    return cg_conversion_write(c, o->to, error);
}

static gboolean part_to_file(const CgConvertOptions *o, CgComponent component,
                             CgConvertResult *result, GError **error)
{
    g_autoptr(CgCheckpoint) weights = cg_checkpoint_open_folder(o->from, component, error);
    g_autoptr(CgConversion) c = cg_conversion_new(o->dtype);
    if (!weights || !cg_conversion_add_ldm(c, component, weights, error))
        return FALSE;
    count(result, c);
    return cg_conversion_write(c, o->to, error);
}

/* ---- file to file: names stay */

static gboolean file_to_file(const CgConvertOptions *o, CgConvertResult *result, GError **error)
{
    g_autoptr(CgSafetensors) file = cg_safetensors_open(o->from, error);
    g_autoptr(CgConversion) c = cg_conversion_new(o->dtype);
    if (!file || !cg_conversion_add_all(c, file, error))
        return FALSE;
    count(result, c);
    return cg_conversion_write(c, o->to, error);
}

/* ---- file to folder */

/* COMPONENT's configuration at PATH, or of Stable Diffusion 1.5 when PATH is no folder. */
static json_t *read_config(const char *path, CgComponent component, GError **error)
{
    if (component == CG_COMPONENT_TEXT) {
        CgClipTextConfig config;
        return cg_model_read_text_config(path, &config, error)
                   ? cg_clip_text_config_to_json(&config)
                   : NULL;
    }
    if (component == CG_COMPONENT_VAE) {
        CgVaeConfig config;
        return cg_model_read_vae_config(path, &config, error) ? cg_vae_config_to_json(&config)
                                                              : NULL;
    }
    CgUnetConfig config;
    const gboolean control = component == CG_COMPONENT_CONTROLNET;
    return cg_model_read_unet_config(path, control, &config, error)
               ? cg_unet_config_to_json(&config, control)
               : NULL;
}

static gboolean write_config(const CgConvertOptions *o, size_t part, const char *to, GError **error)
{
    g_autofree char *below =
        o->config ? g_build_filename(o->config, parts[part].folder, NULL) : NULL;
    const char *from = below && is_folder(below) ? below : o->config ? o->config : o->from;
    g_autofree char *target = g_build_filename(to, "config.json", NULL);
    g_autoptr(json_t) config = read_config(from, parts[part].component, error);
    if (!config)
        return FALSE;
    char *text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS);
    const gboolean ok = cg_file_write(target, text, strlen(text), error);
    free(text);
    return ok;
}

static gboolean file_to_part(const CgConvertOptions *o, size_t part, const char *to,
                             CgConvertResult *result, GError **error)
{
    const CgComponent component = parts[part].component;
    g_autoptr(CgCheckpoint) weights = cg_checkpoint_open_file(o->from, component, error);
    g_autoptr(CgConversion) c = cg_conversion_new(o->dtype);
    return weights && cg_conversion_add_diffusers(c, component, weights, error) &&
           write_part(c, component, to, result, error) && write_config(o, part, to, error);
}

/* The tokenizer's folder, which no single file has; NULL with ERROR when nobody lends one. */
static char *find_tokenizer(const CgConvertOptions *o, GError **error)
{
    g_autofree char *folder = o->tokenizer ? g_strdup(o->tokenizer)
                              : o->config  ? g_build_filename(o->config, "tokenizer", NULL)
                                           : NULL;
    if (folder && is_folder(folder))
        return g_steal_pointer(&folder);
    if (folder)
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such folder", folder);
    else
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: a single file holds no tokenizer; give --tokenizer (a folder with "
                    "vocab.json and merges.txt) or --config",
                    o->from);
    return NULL;
}

/* The folders that the single file has no tensors for. */
static gboolean write_rest(const CgConvertOptions *o, const char *tokenizer, GError **error)
{
    g_autofree char *copy = g_build_filename(o->to, "tokenizer", NULL);
    g_autofree char *scheduler = g_build_filename(o->to, "scheduler", NULL);
    const gboolean lent = o->config && exists(o->config, "scheduler");
    if (!cg_save_copy(tokenizer, copy, error))
        return FALSE;
    if (!(lent ? copy_folder(o->config, o->to, "scheduler", error)
               : cg_save_scheduler(scheduler, error)))
        return FALSE;
    return o->config ? write_index(o->config, o->to, error) : cg_save_index(o->to, error);
}

/* Which parts the file holds; *HELD counts them. */
static gboolean find_parts(const char *path, gboolean found[PARTS], guint *held, guint *tensors,
                           GError **error)
{
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, error);
    if (!file)
        return FALSE;
    *held = 0;
    *tensors = cg_safetensors_count(file);
    for (size_t i = 0; i < PARTS; i++) {
        g_autoptr(CgCheckpoint) c = cg_checkpoint_open_file(path, parts[i].component, NULL);
        found[i] = c && cg_checkpoint_has(c, cg_component_mark(parts[i].component));
        *held += found[i];
    }
    if (*held == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: no U-Net, ControlNet, VAE or CLIP text encoder in it", path);
        return FALSE;
    }
    for (size_t i = 0; *held > 1 && i < PARTS; i++)
        if (parts[i].needed && !found[i]) {
            g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: holds no %s", path,
                        cg_component_name(parts[i].component));
            return FALSE;
        }
    return TRUE;
}

static gboolean file_to_folder(const CgConvertOptions *o, CgConvertResult *result, GError **error)
{
    gboolean found[PARTS];
    guint held, tensors;
    if (!find_parts(o->from, found, &held, &tensors, error))
        return FALSE;
    g_autofree char *tokenizer = held > 1 ? find_tokenizer(o, error) : NULL;
    if (held > 1 && !tokenizer)
        return FALSE;
    for (size_t i = 0; i < PARTS; i++) {
        g_autofree char *to =
            held > 1 ? g_build_filename(o->to, parts[i].folder, NULL) : g_strdup(o->to);
        if (found[i] && !file_to_part(o, i, to, result, error))
            return FALSE;
    }
    result->left_out = tensors - result->tensors;
    return held == 1 || write_rest(o, tokenizer, error);
}

/* ---- */

/* TO is new, or an empty folder. */
static gboolean check_target(const char *to, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(to, 0, NULL);
    if (!g_file_test(to, G_FILE_TEST_EXISTS) || (dir && !g_dir_read_name(dir)))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: exists already; choose another name", to);
    return FALSE;
}

/* The result is what its configuration says. */
static gboolean check_result(const CgConvertOptions *o, GError **error)
{
    g_autoptr(GPtrArray) found = cg_inspect(o->to, FALSE, error);
    for (guint i = 0; found && i < found->len; i++) {
        const CgInspection *part = g_ptr_array_index(found, i);
        if (part->problems->len == 0)
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: converted, but it does not fit its configuration: %s (%u problems; cagen "
                    "info lists them). A single file of other sizes than Stable Diffusion 1.5's "
                    "needs --config",
                    part->path, (const char *)g_ptr_array_index(part->problems, 0),
                    part->problems->len);
        return FALSE;
    }
    return found != NULL;
}

gboolean cg_convert(const CgConvertOptions *o, CgConvertResult *result, GError **error)
{
    const gboolean to_file = g_str_has_suffix(o->to, ".safetensors");
    CgComponent component;
    *result = (CgConvertResult){0};
    if (!g_file_test(o->from, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such file or folder", o->from);
        return FALSE;
    }
    if (!check_target(o->to, error))
        return FALSE;
    if (!is_folder(o->from))
        return to_file ? file_to_file(o, result, error)
                       : file_to_folder(o, result, error) && check_result(o, error);
    if (is_model(o->from))
        return (to_file ? model_to_file : model_to_folder)(o, result, error);
    if (!cg_inspect_component(o->from, &component, error))
        return FALSE;
    return to_file ? part_to_file(o, component, result, error)
                   : part_to_part(o, o->from, o->to, component, result, error);
}
