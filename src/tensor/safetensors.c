#include "tensor/safetensors.h"

#include "base/error.h"
#include "base/json.h"
#include "tensor/safetensors-private.h"
#include "tensor/torch_file.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN "%.160s"

struct CgSafetensors {
    char *path;
    CgMappedFile *file;         /* NULL for bytes in memory and for sharded models */
    GPtrArray *shards;          /* of CgSafetensors, or NULL */
    GPtrArray *copies;          /* of CgTensor: what does not lie in the file as it is */
    CgSafetensorsHeader header; /* entries by name */
};

static CgSafetensors *safetensors_new(const char *path)
{
    CgSafetensors *st = g_new0(CgSafetensors, 1);
    st->path = g_strdup(path);
    st->copies = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    cg_safetensors_header_init(&st->header);
    return st;
}

void cg_safetensors_free(CgSafetensors *st)
{
    if (!st)
        return;
    cg_safetensors_header_clear(&st->header);
    g_clear_pointer(&st->shards, g_ptr_array_unref);
    g_clear_pointer(&st->copies, g_ptr_array_unref);
    cg_mapped_file_unref(st->file);
    g_free(st->path);
    g_free(st);
}

static CgSafetensorEntry *entries(const CgSafetensors *st)
{
    return (CgSafetensorEntry *)(void *)st->header.entries->data;
}

static int compare_place(const void *a, const void *b)
{
    const CgSafetensorEntry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->view.size > y->view.size) - (x->view.size < y->view.size);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp(((const CgSafetensorEntry *)a)->view.name,
                  ((const CgSafetensorEntry *)b)->view.name);
}

/* What people save under this name by mistake; "" when nothing is recognised. */
static const char *other_kind(const guint8 *data, size_t size)
{
    static const struct {
        const char *start, *hint;
    } kinds[] = {
        {"version https://git-lfs",
         "; it is a Git LFS pointer: fetch the real file (git lfs pull)"},
        {"\x80", "; it looks like a Python pickle: convert it to safetensors"},
        {"<", "; it looks like a web page: the download went wrong"},
        {"GGUF", "; it is a GGUF file: convert it to safetensors"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        size_t length = strlen(kinds[i].start);
        if (size >= length && memcmp(data, kinds[i].start, length) == 0)
            return kinds[i].hint;
    }
    return "";
}

/* The header's length, checked against the file. */
static gboolean header_length(const guint8 *data, size_t size, const char *where, size_t *length,
                              GError **error)
{
    guint64 n = 0;
    if (size < 8) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: %zu bytes are too few for a safetensors file%s", where, size,
                    other_kind(data, size));
        return FALSE;
    }
    for (int i = 7; i >= 0; i--)
        n = n << 8 | data[i];
    if (n > CG_SAFETENSORS_MAX_HEADER) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: not a safetensors file (a header of %" G_GUINT64_FORMAT
                    " bytes would be more than the format's limit of %u)%s",
                    where, n, CG_SAFETENSORS_MAX_HEADER, other_kind(data, size));
        return FALSE;
    }
    if (n > size - 8) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: truncated: the header has %" G_GUINT64_FORMAT
                    " bytes, but only %zu follow; fetch the file again",
                    where, n, size - 8);
        return FALSE;
    }
    *length = (size_t)n;
    return TRUE;
}

/* The tensors must cover the data part without hole or overlap. Gives them their data. */
static gboolean place_entries(CgSafetensors *st, const guint8 *data, size_t size, GError **error)
{
    CgSafetensorEntry *e = entries(st);
    guint n = st->header.entries->len;
    guint64 at = 0;

    g_array_sort(st->header.entries, compare_place);
    for (guint i = 0; i < n; i++) {
        if (e[i].begin != at) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: corrupt safetensors header: the data of tensor \"" SHOWN
                        "\" %s (it begins at %" G_GUINT64_FORMAT ", not at %" G_GUINT64_FORMAT ")",
                        st->path, e[i].view.name,
                        e[i].begin < at ? "overlap those before" : "leave a hole before",
                        e[i].begin, at);
            return FALSE;
        }
        at += e[i].view.size; /* begin + size is the end offset: it cannot overflow */
        if (at > size)
            break;
        e[i].view.data = data + e[i].begin;
        e[i].file = st->file;
    }
    if (at > size) {
        guint64 total = at;
        for (guint i = 0; i < n; i++)
            total = MAX(total, e[i].begin + e[i].view.size);
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: truncated: the tensors need %" G_GUINT64_FORMAT
                    " bytes, but only %zu are there; fetch the file again",
                    st->path, total, size);
        return FALSE;
    }
    if (at < size) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: %zu bytes at the end belong to no tensor; fetch the file again", st->path,
                    size - (size_t)at);
        return FALSE;
    }
    return TRUE;
}

static gboolean sort_by_name(CgSafetensors *st, GError **error)
{
    CgSafetensorEntry *e = entries(st);
    g_array_sort(st->header.entries, compare_name);
    for (guint i = 1; i < st->header.entries->len; i++)
        if (strcmp(e[i - 1].view.name, e[i].view.name) == 0) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: corrupt: two tensors are named \"" SHOWN "\"", st->path,
                        e[i].view.name);
            return FALSE;
        }
    return TRUE;
}

static gboolean parse(CgSafetensors *st, const guint8 *data, size_t size, GError **error)
{
    size_t length;
    if (cg_torch_file_is(data, size))
        return cg_torch_file_read(&st->header, st->copies, st->file, data, size, st->path, error) &&
               sort_by_name(st, error);
    return header_length(data, size, st->path, &length, error) &&
           cg_safetensors_header_read(&st->header, (const char *)data + 8, length, st->path,
                                      error) &&
           sort_by_name(st, error) &&
           place_entries(st, data + 8 + length, size - 8 - length, error) &&
           sort_by_name(st, error);
}

CgSafetensors *cg_safetensors_parse(const void *data, size_t size, const char *where,
                                    GError **error)
{
    g_autoptr(CgSafetensors) st = safetensors_new(where);
    return parse(st, data, size, error) ? g_steal_pointer(&st) : NULL;
}

CgSafetensors *cg_safetensors_open(const char *path, GError **error)
{
    g_autoptr(CgSafetensors) st = safetensors_new(path);
    st->file = cg_mapped_file_open(path, error);
    if (!st->file || !parse(st, st->file->data, st->file->size, error))
        return NULL;
    return g_steal_pointer(&st);
}

/* The shard FILE next to the index, opened once. SHARDS: name -> CgSafetensors. */
static CgSafetensors *open_shard(CgSafetensors *st, GHashTable *shards, const char *file,
                                 GError **error)
{
    CgSafetensors *shard = g_hash_table_lookup(shards, file);
    if (shard)
        return shard;
    /* An index from elsewhere must not make us read what lies outside its folder. */
    if (!*file || strchr(file, '/') || strchr(file, '\\') || strcmp(file, "..") == 0 ||
        strcmp(file, ".") == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: weight_map names the file \"" SHOWN
                    "\", but only plain names in the same folder are allowed",
                    st->path, file);
        return NULL;
    }
    g_autofree char *folder = g_path_get_dirname(st->path);
    g_autofree char *path =
        strchr(st->path, '/') ? g_build_filename(folder, file, NULL) : g_strdup(file);
    shard = cg_safetensors_open(path, error);
    if (!shard) {
        g_prefix_error(error, "%s: ", st->path);
        return NULL;
    }
    g_ptr_array_add(st->shards, shard);
    g_hash_table_insert(shards, (char *)file, shard);
    return shard;
}

static gboolean add_mapped(CgSafetensors *st, GHashTable *shards, const char *name,
                           const json_t *file, GError **error)
{
    if (!json_is_string(file)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: weight_map has no file name for \"" SHOWN "\"", st->path, name);
        return FALSE;
    }
    CgSafetensors *shard = open_shard(st, shards, json_string_value(file), error);
    if (!shard)
        return FALSE;
    const CgSafetensor *found = cg_safetensors_find(shard, name);
    if (!found) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: tensor \"" SHOWN "\" should be in %s, but is not there", st->path, name,
                    shard->path);
        return FALSE;
    }
    g_array_append_vals(st->header.entries, found, 1); /* a view's address is its entry's */
    return TRUE;
}

CgSafetensors *cg_safetensors_open_sharded(const char *index_path, GError **error)
{
    g_autoptr(json_t) index = cg_json_load(index_path, error);
    if (!index)
        return NULL;
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: not the index of a sharded model: it has no weight_map object",
                    index_path);
        return NULL;
    }

    g_autoptr(CgSafetensors) st = safetensors_new(index_path);
    g_autoptr(GHashTable) shards = g_hash_table_new(g_str_hash, g_str_equal);
    st->shards = g_ptr_array_new_with_free_func((GDestroyNotify)cg_safetensors_free);
    const char *name;
    json_t *file;
    json_object_foreach(map, name, file)
    {
        if (!add_mapped(st, shards, name, file, error))
            return NULL;
    }
    return sort_by_name(st, error) ? g_steal_pointer(&st) : NULL;
}

guint cg_safetensors_count(const CgSafetensors *st)
{
    return st->header.entries->len;
}

const CgSafetensor *cg_safetensors_nth(const CgSafetensors *st, guint i)
{
    g_assert(i < st->header.entries->len);
    return &entries(st)[i].view;
}

const CgSafetensor *cg_safetensors_find(const CgSafetensors *st, const char *name)
{
    const CgSafetensorEntry key = {.view = {.name = name}};
    if (st->header.entries->len == 0)
        return NULL;
    const CgSafetensorEntry *found = bsearch(&key, entries(st), st->header.entries->len,
                                             sizeof(CgSafetensorEntry), compare_name);
    return found ? &found->view : NULL;
}

const char *cg_safetensors_metadata(const CgSafetensors *st, const char *key)
{
    if (st->shards)
        return cg_safetensors_metadata(g_ptr_array_index(st->shards, 0), key);
    const GArray *metadata = st->header.metadata;
    for (guint i = 0; metadata && i < metadata->len; i++) {
        const CgSafetensorMetadata *m = &g_array_index(metadata, CgSafetensorMetadata, i);
        if (strcmp(m->key, key) == 0)
            return m->value;
    }
    return NULL;
}

const char *cg_safetensors_path(const CgSafetensors *st)
{
    return st->path;
}

static void release_map(void *owner, void *data, size_t size)
{
    (void)data;
    (void)size;
    cg_mapped_file_unref(owner);
}

static void release_copy(void *owner, void *data, size_t size)
{
    (void)data;
    (void)size;
    cg_tensor_unref(owner);
}

CgTensor *cg_safetensors_tensor(CgSafetensors *st, const CgSafetensor *entry)
{
    (void)st;
    const CgSafetensorEntry *e = (const CgSafetensorEntry *)entry;
    g_assert(entry->dtype < CG_DTYPE_COUNT && entry->shape.rank <= CG_MAX_RANK);

    if ((uintptr_t)entry->data % cg_dtype_size(entry->dtype) != 0) {
        CgTensor *copy = cg_tensor_new(entry->dtype, entry->shape);
        memcpy(copy->data, entry->data, entry->size);
        return copy;
    }
    if (e->copy)
        return cg_tensor_wrap(entry->dtype, entry->shape, (void *)entry->data, entry->size,
                              release_copy, cg_tensor_ref(e->copy));
    return cg_tensor_wrap(entry->dtype, entry->shape, (void *)entry->data, entry->size,
                          e->file ? release_map : NULL,
                          e->file ? cg_mapped_file_ref(e->file) : NULL);
}

void cg_safetensors_release(CgSafetensors *st, const CgSafetensor *entry)
{
    (void)st;
    const CgSafetensorEntry *e = (const CgSafetensorEntry *)entry;
    if (e->file && !e->copy)
        cg_mapped_file_release(e->file, entry->data, entry->size);
}
