#include "pipeline/train_state.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static const char *const block_names[] = {"values", "m", "v", "m_scales", "v_scales", "average"};
#define BLOCKS G_N_ELEMENTS(block_names)

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

/* The block NAME, or NULL where the store has none; *COUNT gets the elements that are in use. */
static CgTensor *block(const CgStore *store, const char *name, size_t *count)
{
    CgTensor *const blocks[] = {store->values,   store->m,        store->v,
                                store->m_scales, store->v_scales, store->average};
    G_STATIC_ASSERT(G_N_ELEMENTS(blocks) == BLOCKS);
    size_t i = 0;
    while (!g_str_equal(block_names[i], name))
        i++;
    if (blocks[i])
        *count = g_str_has_suffix(name, "scales") ? blocks[i]->count : store->used;
    return blocks[i];
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
    size_t count;
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    describe(w, task, store, progress);
    if (base)
        cg_safetensors_writer_metadata(w, "base", base);
    for (size_t i = 0; i < BLOCKS; i++) {
        const CgTensor *t = block(store, block_names[i], &count);
        if (t)
            cg_safetensors_writer_declare(w, block_names[i], t->dtype, CG_SHAPE((int64_t)count));
    }
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const CgTensor *t = block(store, cg_safetensors_writer_nth(w, i), &count);
        if (!cg_safetensors_writer_put(w, t->data, count * cg_dtype_size(t->dtype), error))
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

/* The entry of the block T, of which COUNT elements are in use, or NULL with an error. */
static const CgSafetensor *find_block(const CgSafetensors *file, const char *name,
                                      const CgTensor *t, size_t count, GError **error)
{
    const CgSafetensor *entry = cg_safetensors_find(file, name);
    if (entry && entry->dtype == t->dtype && entry->size == count * cg_dtype_size(t->dtype))
        return entry;
    g_set_error(error, CG_ERROR, entry ? CG_ERROR_SHAPE : CG_ERROR_MISSING,
                "%s: \"%s\" %s; resume with the options that it was begun with",
                cg_safetensors_path(file), name,
                entry ? "has another size or type" : "is not in the state");
    return NULL;
}

gboolean cg_train_state_load(const char *path, const char *task, const char *base, CgStore *store,
                             CgTrainProgress *progress, GError **error)
{
    CgTensor *blocks[BLOCKS];
    const CgSafetensor *entries[BLOCKS] = {NULL};
    size_t count;
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, error);
    if (!file || !check_kind(file, task, base, store, error) ||
        !read_progress(file, progress, error))
        return FALSE;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = block(store, block_names[i], &count);
        if (blocks[i] && !(entries[i] = find_block(file, block_names[i], blocks[i], count, error)))
            return FALSE;
    }
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[i])
            memcpy(blocks[i]->data, entries[i]->data, entries[i]->size);
    return TRUE;
}
