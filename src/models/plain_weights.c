#include "models/plain_weights.h"

#include "base/error.h"

struct CgPlainWeights {
    GPtrArray *files;  /* of CgSafetensors */
    GHashTable *owner; /* name -> its file, all borrowed */
    GHashTable *taken; /* names that were asked for, borrowed */
};

static gboolean add_file(CgPlainWeights *w, const char *path, GError **error)
{
    CgSafetensors *file = cg_safetensors_open(path, error);
    if (!file)
        return FALSE;
    g_ptr_array_add(w->files, file);
    for (guint i = 0; i < cg_safetensors_count(file); i++) {
        const char *name = cg_safetensors_nth(file, i)->name;
        const CgSafetensors *other = g_hash_table_lookup(w->owner, name);
        if (other) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: tensor %s is in %s too", path, name,
                        cg_safetensors_path(other));
            return FALSE;
        }
        g_hash_table_insert(w->owner, (char *)(guintptr)name, file);
    }
    return TRUE;
}

CgPlainWeights *cg_plain_weights_open(const char *const *paths, guint count, GError **error)
{
    g_autoptr(CgPlainWeights) w = g_new0(CgPlainWeights, 1);
    w->files = g_ptr_array_new_with_free_func((GDestroyNotify)cg_safetensors_free);
    w->owner = g_hash_table_new(g_str_hash, g_str_equal);
    w->taken = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < count; i++)
        if (!add_file(w, paths[i], error))
            return NULL;
    return g_steal_pointer(&w);
}

void cg_plain_weights_free(CgPlainWeights *w)
{
    if (!w)
        return;
    g_hash_table_unref(w->taken);
    g_hash_table_unref(w->owner);
    g_ptr_array_unref(w->files);
    g_free(w);
}

const CgSafetensor *cg_plain_weights_find(const CgPlainWeights *w, const char *name)
{
    const CgSafetensors *file = g_hash_table_lookup(w->owner, name);
    return file ? cg_safetensors_find(file, name) : NULL;
}

void cg_plain_weights_foreach(const CgPlainWeights *w, CgPlainWeightsVisit visit, void *data)
{
    for (guint i = 0; i < w->files->len; i++) {
        const CgSafetensors *file = g_ptr_array_index(w->files, i);
        for (guint k = 0; k < cg_safetensors_count(file); k++) {
            const CgSafetensor *entry = cg_safetensors_nth(file, k);
            visit(data, entry->name, entry);
        }
    }
}

void cg_plain_weights_pass_over(CgPlainWeights *w, const char *name)
{
    const CgSafetensor *entry = cg_plain_weights_find(w, name);
    if (entry)
        g_hash_table_add(w->taken, (char *)(guintptr)entry->name);
}

static void list_left_over(const CgPlainWeights *w, GPtrArray *problems)
{
    for (guint i = 0; i < w->files->len; i++) {
        const CgSafetensors *file = g_ptr_array_index(w->files, i);
        for (guint k = 0; k < cg_safetensors_count(file); k++) {
            const char *name = cg_safetensors_nth(file, k)->name;
            if (!g_hash_table_contains(w->taken, name) &&
                !g_str_has_suffix(name, ".num_batches_tracked"))
                g_ptr_array_add(problems, g_strdup_printf("tensor %s is not used", name));
        }
    }
}

CgTensor *cg_plain_weights_lookup(void *weights, const char *name, const CgShape *want,
                                  GPtrArray *problems)
{
    CgPlainWeights *w = weights;
    char found[CG_SHAPE_TEXT], wanted[CG_SHAPE_TEXT];
    if (!name) {
        list_left_over(w, problems);
        return NULL;
    }
    const CgSafetensor *entry = cg_plain_weights_find(w, name);
    if (!entry) {
        g_ptr_array_add(problems, g_strdup_printf("missing tensor %s", name));
        return NULL;
    }
    cg_plain_weights_pass_over(w, name);
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
    g_autoptr(CgTensor) t = cg_safetensors_tensor(g_hash_table_lookup(w->owner, name), entry);
    if (!cg_tensor_is_finite(t)) {
        g_ptr_array_add(problems, g_strdup_printf("%s has numbers that are not finite", name));
        return NULL;
    }
    return g_steal_pointer(&t);
}

gboolean cg_plain_weights_save(const char *path, const CgStore *store, CgTensor *block,
                               CgParameterFilter filter, GError **error)
{
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    cg_safetensors_writer_metadata(w, "format", "pt");
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        if (!filter || filter(p->name))
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
