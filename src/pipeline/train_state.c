#include "pipeline/train_state.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

#define BLOCKS 4

/* Names, shapes and places of all parameters, in one number. */
static char *store_digest(const CgStore *store)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        char shape[CG_SHAPE_TEXT];
        g_autofree char *line =
            g_strdup_printf("%s %s %zu\n", p->name, cg_shape_text(&p->shape, shape), p->offset);
        g_checksum_update(sum, (const guchar *)line, -1);
    }
    return g_strdup(g_checksum_get_string(sum));
}

static CgTensor *block(const CgStore *store, const char *name)
{
    return g_str_equal(name, "values") ? store->values
           : g_str_equal(name, "m")    ? store->m
           : g_str_equal(name, "v")    ? store->v
                                       : store->average;
}

static void describe(CgSafetensorsWriter *w, const char *task, const CgStore *store,
                     const CgTrainProgress *p)
{
    g_autofree char *digest = store_digest(store);
    const struct {
        const char *key;
        guint64 value;
    } numbers[] = {{"step", p->step},
                   {"seed", p->seed},
                   {"batch", (guint64)p->batch},
                   {"accumulate", (guint64)p->accumulate}};
    cg_safetensors_writer_metadata(w, "task", task);
    cg_safetensors_writer_metadata(w, "parameters", digest);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, numbers[i].value);
        cg_safetensors_writer_metadata(w, numbers[i].key, value);
    }
}

gboolean cg_train_state_save(const char *path, const char *task, const char *base,
                             const CgStore *store, const CgTrainProgress *progress, GError **error)
{
    static const char *const names[BLOCKS] = {"values", "m", "v", "average"};
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    describe(w, task, store, progress);
    if (base)
        cg_safetensors_writer_metadata(w, "base", base);
    for (int i = 0; i < BLOCKS; i++)
        if (block(store, names[i]))
            cg_safetensors_writer_declare(w, names[i], CG_F32, CG_SHAPE((int64_t)store->used));
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const CgTensor *t = block(store, cg_safetensors_writer_nth(w, i));
        if (!cg_safetensors_writer_put(w, t->data, store->used * sizeof(float), error))
            return FALSE;
    }
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
}

static gboolean read_number(const CgSafetensors *file, const char *key, guint64 max, guint64 *out,
                            GError **error)
{
    const char *text = cg_safetensors_metadata(file, key);
    if (text && g_ascii_string_to_unsigned(text, 10, 0, max, out, NULL))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: no state of a training (\"%s\" is missing or no number)",
                cg_safetensors_path(file), key);
    return FALSE;
}

static gboolean read_progress(const CgSafetensors *file, CgTrainProgress *p, GError **error)
{
    guint64 batch, accumulate;
    if (!read_number(file, "step", G_MAXUINT32, &p->step, error) ||
        !read_number(file, "seed", G_MAXUINT64, &p->seed, error) ||
        !read_number(file, "batch", 1 << 20, &batch, error) ||
        !read_number(file, "accumulate", 1 << 20, &accumulate, error))
        return FALSE;
    p->batch = (int)batch;
    p->accumulate = (int)accumulate;
    return TRUE;
}

static gboolean check_kind(const CgSafetensors *file, const char *task, const char *base,
                           const CgStore *store, GError **error)
{
    const char *kind = cg_safetensors_metadata(file, "task");
    const char *parameters = cg_safetensors_metadata(file, "parameters");
    const char *stands_on = cg_safetensors_metadata(file, "base");
    g_autofree char *digest = store_digest(store);
    if (!kind || !parameters) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: no state of a training",
                    cg_safetensors_path(file));
        return FALSE;
    }
    if (!g_str_equal(kind, task)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: the state of a training of another kind (%s, not %s)",
                    cg_safetensors_path(file), kind, task);
        return FALSE;
    }
    if (!g_str_equal(parameters, digest)) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: the state of a model with other parameters; resume with the model and "
                    "options that it was begun with",
                    cg_safetensors_path(file));
        return FALSE;
    }
    if (base && stands_on && !g_str_equal(base, stands_on)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: begun on a model with other weights (fingerprint %s, not %s); resume with "
                    "the model that it was begun with",
                    cg_safetensors_path(file), stands_on, base);
        return FALSE;
    }
    return TRUE;
}

/* The entry of a block that the store has, or NULL with an error. */
static const CgSafetensor *find_block(const CgSafetensors *file, const char *name, size_t used,
                                      GError **error)
{
    const CgSafetensor *entry = cg_safetensors_find(file, name);
    if (entry && entry->dtype == CG_F32 && entry->size == used * sizeof(float))
        return entry;
    g_set_error(error, CG_ERROR, entry ? CG_ERROR_SHAPE : CG_ERROR_MISSING,
                "%s: \"%s\" %s; resume with the options that it was begun with",
                cg_safetensors_path(file), name,
                entry ? "has another size" : "is not in the state");
    return NULL;
}

gboolean cg_train_state_load(const char *path, const char *task, const char *base, CgStore *store,
                             CgTrainProgress *progress, GError **error)
{
    static const char *const names[BLOCKS] = {"values", "m", "v", "average"};
    const CgSafetensor *entries[BLOCKS] = {NULL};
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, error);
    if (!file || !check_kind(file, task, base, store, error) ||
        !read_progress(file, progress, error))
        return FALSE;
    for (int i = 0; i < BLOCKS; i++) {
        if (!block(store, names[i]))
            continue;
        entries[i] = find_block(file, names[i], store->used, error);
        if (!entries[i])
            return FALSE;
    }
    for (int i = 0; i < BLOCKS; i++)
        if (entries[i])
            memcpy(block(store, names[i])->data, entries[i]->data, entries[i]->size);
    return TRUE;
}
