#include "hub/listing.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define SHA256_DIGITS 64
#define SHA1_DIGITS   40
#define MAX_PATH      1024

static void file_free(void *data)
{
    CgHubFile *file = data;
    g_free(file->path);
    g_free(file->hash);
    g_free(file);
}

void cg_hub_listing_free(CgHubListing *l)
{
    if (!l)
        return;
    g_free(l->commit);
    g_ptr_array_unref(l->files);
    g_free(l);
}

static gboolean is_hash(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* A relative path of plain names. */
static gboolean is_plain_path(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    if (!*path || strlen(path) > MAX_PATH || !g_utf8_validate(path, -1, NULL))
        return FALSE;
    for (const char *p = path; *p; p++)
        if ((guchar)*p < ' ' || *p == '\\' || *p == 127)
            return FALSE;
    for (char **part = parts; *part; part++)
        if (!**part || g_str_equal(*part, ".") || g_str_equal(*part, ".."))
            return FALSE;
    return TRUE;
}

/* A row of "siblings"; NULL with ERROR. */
static CgHubFile *parse_file(const json_t *row, const char *where, GError **error)
{
    const char *path, *hash, *blob;
    gint64 size;
    const json_t *lfs = json_object_get(row, "lfs");
    const gboolean large = json_is_object(lfs);
    if (!cg_json_string(row, where, "rfilename", "", &path, error) ||
        !cg_json_int(row, where, "size", -1, 0, G_MAXINT64, &size, error) ||
        !cg_json_string(row, where, "blobId", "", &blob, error) ||
        !cg_json_string(large ? lfs : row, where, large ? "sha256" : "blobId", "", &hash, error))
        return NULL;
    if (!is_plain_path(path) || size < 0 || !is_hash(hash, large ? SHA256_DIGITS : SHA1_DIGITS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the file \"%.100s\" has no usable name, size or hash", where, path);
        return NULL;
    }
    CgHubFile *file = g_new0(CgHubFile, 1);
    *file = (CgHubFile){.path = g_strdup(path), .size = (guint64)size, .hash = g_strdup(hash)};
    return file;
}

CgHubListing *cg_hub_listing_parse(const char *text, size_t size, const char *where, GError **error)
{
    g_autoptr(json_t) json = cg_json_parse(text, size, where, error);
    g_autoptr(CgHubListing) l = g_new0(CgHubListing, 1);
    const json_t *rows = json_object_get(json, "siblings");
    const char *commit;
    l->files = g_ptr_array_new_with_free_func(file_free);
    if (!json || !cg_json_string(json, where, "sha", "", &commit, error))
        return NULL;
    if (!is_hash(commit, SHA1_DIGITS) || !json_is_array(rows)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: this is not a hub's list of files",
                    where);
        return NULL;
    }
    l->commit = g_strdup(commit);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        CgHubFile *file = parse_file(json_array_get(rows, i), where, error);
        if (!file)
            return NULL;
        g_ptr_array_add(l->files, file);
    }
    return g_steal_pointer(&l);
}

/* ---- what is needed */

#define NO_WEIGHTS ((const char *)NULL)

/* Folders of a pipeline and what we read in them. */
static const struct {
    const char *folder, *weights;
    const char *const *files;
    gboolean optional;
} parts[] = {
    {"unet", "diffusion_pytorch_model", (const char *const[]){"config.json", NULL}, FALSE},
    {"vae", "diffusion_pytorch_model", (const char *const[]){"config.json", NULL}, FALSE},
    {"text_encoder", "model", (const char *const[]){"config.json", NULL}, FALSE},
    {"controlnet", "diffusion_pytorch_model", (const char *const[]){"config.json", NULL}, TRUE},
    {"scheduler", NO_WEIGHTS, (const char *const[]){"scheduler_config.json", NULL}, FALSE},
    {"tokenizer", NO_WEIGHTS,
     (const char *const[]){"vocab.json", "merges.txt", "tokenizer_config.json",
                           "special_tokens_map.json", "added_tokens.json", "tokenizer.json", NULL},
     FALSE},
};

typedef struct {
    const CgHubListing *listing;
    const char *where, *variant;
    GPtrArray *chosen;
} Choice;

static CgHubFile *find(const CgHubListing *l, const char *path)
{
    for (guint i = 0; i < l->files->len; i++) {
        CgHubFile *file = g_ptr_array_index(l->files, i);
        if (g_str_equal(file->path, path))
            return file;
    }
    return NULL;
}

/* FOLDER/NAME, FOLDER "" being the root; whether it is there. */
static gboolean take(const Choice *c, const char *folder, const char *name)
{
    g_autofree char *path = *folder ? g_strconcat(folder, "/", name, NULL) : g_strdup(name);
    CgHubFile *file = find(c->listing, path);
    if (file)
        g_ptr_array_add(c->chosen, file);
    return file != NULL;
}

/* The pieces "model.fp16-00001-of-00002.safetensors" of weights in several files. */
static void take_shards(const Choice *c, const char *folder, const char *stem)
{
    g_autofree char *begin = g_strdup_printf("%s%s%s-", folder, *folder ? "/" : "", stem);
    for (guint i = 0; i < c->listing->files->len; i++) {
        CgHubFile *file = g_ptr_array_index(c->listing->files, i);
        const char *rest = file->path + strlen(begin);
        if (g_str_has_prefix(file->path, begin) && g_str_has_suffix(rest, ".safetensors") &&
            strspn(rest, "0123456789-of") == strlen(rest) - strlen(".safetensors"))
            g_ptr_array_add(c->chosen, file);
    }
}

/* Weights BASE in VARIANT ("": the plain ones): one file, or several with an index. */
static gboolean take_variant(const Choice *c, const char *folder, const char *base,
                             const char *variant)
{
    const char *dot = *variant ? "." : "";
    g_autofree char *stem = g_strconcat(base, dot, variant, NULL);
    g_autofree char *single = g_strconcat(stem, ".safetensors", NULL);
    g_autofree char *index = g_strconcat(base, ".safetensors.index", dot, variant, ".json", NULL);
    if (take(c, folder, single))
        return TRUE;
    if (!take(c, folder, index))
        return FALSE;
    take_shards(c, folder, stem);
    return TRUE;
}

static gboolean take_weights(const Choice *c, const char *folder, const char *base, GError **error)
{
    const char *name = *folder ? folder : "the network";
    if (c->variant && take_variant(c, folder, base, c->variant))
        return TRUE;
    if (take_variant(c, folder, base, "") || take_variant(c, folder, base, "fp16")) {
        if (c->variant)
            cg_log_warning("%s: %s has no variant %s; taking the one that is there", c->where, name,
                           c->variant);
        return TRUE;
    }
    g_autofree char *pickle =
        g_strdup_printf("%s%s%s.bin", folder, *folder ? "/" : "",
                        g_str_equal(base, "model") ? "pytorch_model" : "diffusion_pytorch_model");
    g_set_error(error, CG_ERROR, find(c->listing, pickle) ? CG_ERROR_UNSUPPORTED : CG_ERROR_MISSING,
                "%s: %s has no weights as safetensors%s", c->where, name,
                find(c->listing, pickle) ? ", only as a Python pickle; --file takes one by its name"
                                         : "");
    return FALSE;
}

/* Whether the list with commas LIST has NAME; NULL has all. */
static gboolean is_listed(const char *list, const char *name)
{
    g_auto(GStrv) names = g_strsplit(list ? list : "", ",", -1);
    return !list || g_strv_contains((const char *const *)names, name);
}

static gboolean check_only(const char *only, GError **error)
{
    g_auto(GStrv) names = g_strsplit(only ? only : "", ",", -1);
    for (char **name = names; *name; name++) {
        gboolean known = FALSE;
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
            known |= g_str_equal(parts[i].folder, *name);
        if (known)
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--only %s: a part is unet, vae, text_encoder, controlnet, scheduler or "
                    "tokenizer",
                    *name);
        return FALSE;
    }
    return TRUE;
}

static gboolean select_pipeline(const Choice *c, const char *only, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        const guint before = c->chosen->len;
        if (!is_listed(only, parts[i].folder))
            continue;
        for (const char *const *name = parts[i].files; *name; name++)
            take(c, parts[i].folder, *name);
        if (c->chosen->len == before && !parts[i].optional) {
            g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: it has no %s/%s", c->where,
                        parts[i].folder, *parts[i].files);
            return FALSE;
        }
        if (c->chosen->len > before && parts[i].weights &&
            !take_weights(c, parts[i].folder, parts[i].weights, error))
            return FALSE;
    }
    return TRUE;
}

/* A network by itself: a ControlNet, an autoencoder, a text encoder. */
static gboolean select_network(const Choice *c, GError **error)
{
    const gboolean text = find(c->listing, "model.safetensors") != NULL;
    return take_weights(c, "", text ? "model" : "diffusion_pytorch_model", error);
}

static gboolean select_files(const Choice *c, const char *const *names, GError **error)
{
    for (; *names; names++) {
        if (take(c, "", *names))
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: it has no file %s", c->where, *names);
        return FALSE;
    }
    return TRUE;
}

/* Neither form: names what could be asked for. */
static gboolean refuse(const Choice *c, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < c->listing->files->len; i++) {
        const CgHubFile *file = g_ptr_array_index(c->listing->files, i);
        if (g_str_has_suffix(file->path, ".safetensors") && names->len < 400)
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", file->path);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: neither model_index.json nor config.json is there; --file takes single files "
                "(%s)",
                c->where, names->len ? names->str : "it has no safetensors");
    return FALSE;
}

GPtrArray *cg_hub_select(const CgHubListing *l, const CgHubSelection *s, const char *where,
                         GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    const Choice c = {l, where, s->variant, chosen};
    gboolean ok;
    if (!check_only(s->only, error))
        return NULL;
    if (s->file)
        ok = select_files(&c, s->file, error);
    else if (take(&c, "", "model_index.json"))
        ok = select_pipeline(&c, s->only, error);
    else if (take(&c, "", "config.json"))
        ok = select_network(&c, error);
    else
        ok = refuse(&c, error);
    return ok ? g_steal_pointer(&chosen) : NULL;
}
