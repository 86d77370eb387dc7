#include "tensor/torch_file.h"

#include "base/error.h"
#include "tensor/pickle.h"
#include "tensor/zip.h"

#include <string.h>

#define MAX_DEPTH 8  /* dicts in dicts */
#define MAX_RANK  64 /* PyTorch's */
#define MAX_NAME  1024
#define MAX_ITEMS (1u << 20) /* of all dicts together: one may be reached by many ways */
#define SHOWN     "%.160s"

/* The pickle of a magic number, which files before PyTorch 1.6 begin with. */
static const guint8 old_magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                   0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
static const guint8 zip_magic[] = {'P', 'K', 3, 4};

/* All that a pickle may ask for. */
static const char *const allowed[] = {"collections OrderedDict",
                                      "torch._utils _rebuild_tensor",
                                      "torch._utils _rebuild_tensor_v2",
                                      "torch._utils _rebuild_parameter",
                                      "torch Size",
                                      "torch FloatStorage",
                                      "torch HalfStorage",
                                      "torch BFloat16Storage",
                                      "torch DoubleStorage",
                                      "torch LongStorage",
                                      "torch IntStorage",
                                      "torch ShortStorage",
                                      "torch CharStorage",
                                      "torch ByteStorage",
                                      "torch BoolStorage",
                                      NULL};

typedef struct {
    const char *storage, *name; /* in the pickle; safetensors' */
    CgDType dtype;
    size_t size;
} ElementType;

static const ElementType types[] = {
    {"torch FloatStorage", "F32", CG_F32, 4},
    {"torch HalfStorage", "F16", CG_F16, 2},
    {"torch BFloat16Storage", "BF16", CG_BF16, 2},
    {"torch DoubleStorage", "F64", CG_DTYPE_COUNT, 8},
    {"torch LongStorage", "I64", CG_I64, 8},
    {"torch IntStorage", "I32", CG_I32, 4},
    {"torch ShortStorage", "I16", CG_DTYPE_COUNT, 2},
    {"torch CharStorage", "I8", CG_DTYPE_COUNT, 1},
    {"torch ByteStorage", "U8", CG_U8, 1},
    {"torch BoolStorage", "BOOL", CG_DTYPE_COUNT, 1},
};

/* Bytes that tensors are views of. */
typedef struct {
    const guint8 *data;
    size_t size;
} Storage;

typedef struct {
    CgSafetensorsHeader *header;
    GPtrArray *copies;
    CgMappedFile *file;
    const char *where;
    size_t size;          /* of the file */
    size_t copied;        /* bytes */
    GHashTable *storages; /* key -> Storage */
    guint items;          /* of dicts, looked at */
} Loader;

static gboolean broken(const Loader *l, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: broken PyTorch file: %s; fetch it again",
                l->where, what);
    return FALSE;
}

static gboolean wrong(const Loader *l, const char *name, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: broken PyTorch file: tensor \"" SHOWN "\" %s", l->where, name, what);
    return FALSE;
}

/* ---- what the pickle's nodes are */

static const CgPickled *item(const CgPickled *v, guint i, CgPickledKind kind)
{
    const CgPickled *found = v->items && i < v->items->len ? g_ptr_array_index(v->items, i) : NULL;
    return found && found->kind == kind ? found : NULL;
}

static gboolean is_call(const CgPickled *v, const char *name)
{
    return v->kind == CG_PICKLED_CALL && strcmp(v->callee->text, name) == 0;
}

static gboolean is_dict(const CgPickled *v)
{
    return v->kind == CG_PICKLED_DICT || is_call(v, "collections OrderedDict");
}

/* V, or the tensor in the parameter V; NULL when it is neither. */
static const CgPickled *find_tensor(const CgPickled *v)
{
    if (is_call(v, "torch._utils _rebuild_parameter"))
        v = item(v->args, 0, CG_PICKLED_CALL);
    return v && (is_call(v, "torch._utils _rebuild_tensor_v2") ||
                 is_call(v, "torch._utils _rebuild_tensor"))
               ? v
               : NULL;
}

/* ---- storages */

/* What the persistent id ("storage", type, key, device, count, view) says. */
typedef struct {
    const ElementType *type;
    const CgPickled *key;
    size_t size; /* bytes */
} StorageId;

static gboolean read_storage_id(const Loader *l, const CgPickled *other, StorageId *id,
                                GError **error)
{
    const CgPickled *args = other->args;
    const CgPickled *type = item(args, 1, CG_PICKLED_NAME), *key = item(args, 2, CG_PICKLED_TEXT);
    const CgPickled *count = item(args, 4, CG_PICKLED_NUMBER);
    if (args->kind != CG_PICKLED_TUPLE || !type || !key || !count || count->number < 0)
        return broken(l, "a storage is not described as PyTorch does", error);
    if (args->items->len > 5 && !item(args, 5, CG_PICKLED_NONE))
        return broken(l, "a storage is part of another one", error);
    *id = (StorageId){.key = key};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (strcmp(type->text, types[i].storage) == 0)
            id->type = &types[i];
    if (!id->type)
        return broken(l, "a storage has no known type", error);
    if ((guint64)count->number > l->size / id->type->size)
        return broken(l, "a storage is larger than the file", error);
    id->size = (size_t)count->number * id->type->size;
    return TRUE;
}

static const Storage *find_storage(const Loader *l, const StorageId *id, GError **error)
{
    const Storage *s = g_hash_table_lookup(l->storages, id->key->text);
    if (!s || !s->data)
        broken(l, "a storage is missing", error);
    else if (s->size != id->size)
        broken(l, "a storage is not as large as the pickle says", error);
    return s && s->data && s->size == id->size ? s : NULL;
}

/* ---- tensors */

/* A view of a storage, in elements. */
typedef struct {
    int rank;
    size_t dims[MAX_RANK], strides[MAX_RANK];
    size_t offset, count;
    gboolean is_contiguous;
} View;

static gboolean read_sizes(const CgPickled *v, int rank, size_t *out)
{
    for (int i = 0; i < rank; i++) {
        const CgPickled *n = item(v, (guint)i, CG_PICKLED_NUMBER);
        if (!n || n->number < 0)
            return FALSE;
        out[i] = (size_t)n->number;
    }
    return TRUE;
}

/* Counts the elements, finds the last one, which must lie in the storage of LIMIT elements, and
 * whether they follow each other. */
static gboolean measure(View *v, size_t limit)
{
    size_t last = v->offset, next = 1;
    v->count = 1;
    v->is_contiguous = TRUE;
    for (int i = 0; i < v->rank; i++)
        if (v->dims[i] == 0) {
            v->count = 0;
            return v->offset <= limit;
        }
    for (int i = v->rank - 1; i >= 0; i--) {
        size_t reach;
        if (v->dims[i] > 1 && v->strides[i] != next)
            v->is_contiguous = FALSE;
        /* More elements than the storage has: an expanded tensor, small only in the file. */
        if (v->dims[i] > limit / v->count || /* count >= 1 */
            __builtin_mul_overflow(v->dims[i] - 1, v->strides[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return FALSE;
        v->count *= v->dims[i];
        next = v->count;
    }
    return last < limit;
}

static gboolean read_view(const Loader *l, const char *name, const CgPickled *args, size_t limit,
                          View *v, GError **error)
{
    const CgPickled *offset = item(args, 1, CG_PICKLED_NUMBER);
    const CgPickled *dims = item(args, 2, CG_PICKLED_TUPLE);
    const CgPickled *strides = item(args, 3, CG_PICKLED_TUPLE);
    if (!offset || offset->number < 0 || !dims || !strides || dims->items->len > MAX_RANK ||
        dims->items->len != strides->items->len)
        return wrong(l, name, "is not described as PyTorch does", error);
    *v = (View){.rank = (int)dims->items->len, .offset = (size_t)offset->number};
    if (!read_sizes(dims, v->rank, v->dims) || !read_sizes(strides, v->rank, v->strides))
        return wrong(l, name, "has sizes that make no sense", error);
    return measure(v, limit) || wrong(l, name, "reaches beyond its storage", error);
}

/* The elements of V, SIZE bytes each, one after the other. */
static void gather(const View *v, const guint8 *from, size_t size, guint8 *to)
{
    size_t at[MAX_RANK] = {0};
    for (size_t i = 0; i < v->count; i++) {
        size_t offset = v->offset;
        for (int k = 0; k < v->rank; k++)
            offset += at[k] * v->strides[k];
        memcpy(to + i * size, from + offset * size, size);
        for (int k = v->rank - 1; k >= 0 && ++at[k] == v->dims[k]; k--)
            at[k] = 0;
    }
}

/* Gives E the bytes of the view V of FROM. */
static gboolean place(Loader *l, CgSafetensorEntry *e, const View *v, const guint8 *from,
                      size_t size, GError **error)
{
    e->view.data = from + v->offset * size;
    e->view.size = v->count * size;
    if (v->is_contiguous || v->count == 0)
        return TRUE;
    l->copied += e->view.size;
    if (l->copied > l->size)
        return wrong(l, e->view.name, "is one of too many views of the same numbers", error);
    e->copy = cg_tensor_new(CG_U8, CG_SHAPE((int64_t)e->view.size));
    g_ptr_array_add(l->copies, e->copy);
    gather(v, from, size, e->copy->data);
    e->view.data = e->copy->data;
    return TRUE;
}

static gboolean add_tensor(Loader *l, const char *name, const CgPickled *call, GError **error)
{
    StorageId id;
    View v;
    const CgPickled *other = item(call->args, 0, CG_PICKLED_OTHER);
    if (!other)
        return wrong(l, name, "is not described as PyTorch does", error);
    if (!read_storage_id(l, other, &id, error))
        return FALSE;
    const Storage *s = find_storage(l, &id, error);
    if (!s || !read_view(l, name, call->args, id.size / id.type->size, &v, error))
        return FALSE;
    CgSafetensorEntry e = {.file = l->file};
    e.view = (CgSafetensor){.name = g_string_chunk_insert(l->header->strings, name),
                            .dtype = id.type->dtype,
                            .dtype_name = id.type->name,
                            .shape = {.rank = v.rank}};
    for (int i = 0; i < v.rank && v.rank <= CG_MAX_RANK; i++)
        e.view.shape.d[i] = (int64_t)v.dims[i];
    if (!place(l, &e, &v, s->data, id.type->size, error))
        return FALSE;
    g_array_append_val(l->header->entries, e);
    return TRUE;
}

/* ---- dicts */

typedef struct {
    const CgPickled *key, *value;
} Entry;

/* What was put into DICT later, or the list of pairs that it was made of: Python 2 saves
 * OrderedDict([[key, value], ...]). */
static const CgPickled *pairs_of(const CgPickled *dict)
{
    return dict->kind == CG_PICKLED_CALL ? item(dict->args, 0, CG_PICKLED_LIST) : NULL;
}

static guint entry_count(const CgPickled *dict)
{
    const CgPickled *pairs = pairs_of(dict);
    return pairs ? pairs->items->len : dict->items->len / 2;
}

/* FALSE where the pair I is none. */
static gboolean entry_at(const CgPickled *dict, guint i, Entry *entry)
{
    const CgPickled *pairs = pairs_of(dict);
    const CgPickled *pair = pairs ? g_ptr_array_index(pairs->items, i) : dict;
    const guint at = pairs ? 0 : 2 * i;
    if (pairs && ((pair->kind != CG_PICKLED_LIST && pair->kind != CG_PICKLED_TUPLE) ||
                  pair->items->len != 2))
        return FALSE;
    *entry = (Entry){g_ptr_array_index(pair->items, at), g_ptr_array_index(pair->items, at + 1)};
    return TRUE;
}

/* KEY as a name below PREFIX; NULL when it is none. */
static char *name_below(const CgPickled *key, const char *prefix)
{
    if (key->kind != CG_PICKLED_TEXT || key->length + strlen(prefix) >= MAX_NAME ||
        !g_utf8_validate(key->text, (gssize)key->length, NULL))
        return NULL;
    return *prefix ? g_strconcat(prefix, ".", key->text, NULL) : g_strdup(key->text);
}

static gboolean add_dict(Loader *l, const CgPickled *dict, const char *prefix, int depth,
                         GError **error)
{
    for (guint i = 0; i < entry_count(dict); i++) {
        Entry entry;
        if (++l->items > MAX_ITEMS)
            return broken(l, "its dicts have too many items", error);
        if (!entry_at(dict, i, &entry))
            continue;
        const CgPickled *tensor = find_tensor(entry.value);
        if (!tensor && !is_dict(entry.value))
            continue;
        g_autofree char *name = name_below(entry.key, prefix);
        if (!name && tensor)
            return broken(l, "a tensor's name is no text, or too long", error);
        if (name && tensor && !add_tensor(l, name, tensor, error))
            return FALSE;
        if (name && !tensor && depth < MAX_DEPTH &&
            !add_dict(l, entry.value, name, depth + 1, error))
            return FALSE;
    }
    return TRUE;
}

/* ROOT, or the dict in it that is called "state_dict". */
static const CgPickled *find_state(const CgPickled *root)
{
    for (guint i = 0; i < entry_count(root); i++) {
        Entry entry;
        if (entry_at(root, i, &entry) && entry.key->kind == CG_PICKLED_TEXT &&
            strcmp(entry.key->text, "state_dict") == 0 && is_dict(entry.value))
            return entry.value;
    }
    return root;
}

static gboolean add_root(Loader *l, const CgPickled *root, GError **error)
{
    const guint before = l->header->entries->len;
    if (is_dict(root) && !add_dict(l, find_state(root), "", 1, error))
        return FALSE;
    if (l->header->entries->len > before)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: a PyTorch file without a dict of tensors",
                l->where);
    return FALSE;
}

static void add_storage(Loader *l, const char *key, const guint8 *data, size_t size)
{
    Storage *s = g_new(Storage, 1);
    *s = (Storage){data, size};
    g_hash_table_insert(l->storages, g_strdup(key), s);
}

/* ---- the zip archive: NAME/data.pkl, NAME/data/KEY, NAME/byteorder */

static gboolean add_entry(Loader *l, const CgZipEntry *e, const char *prefix,
                          const CgZipEntry **pickle, GError **error)
{
    if (!g_str_has_prefix(e->name, prefix))
        return TRUE;
    const char *name = e->name + strlen(prefix);
    if (strcmp(name, "data.pkl") == 0)
        *pickle = e;
    if (strcmp(name, "byteorder") == 0 && (e->size != 6 || memcmp(e->data, "little", 6) != 0)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a PyTorch file of a machine with another byte order", l->where);
        return FALSE;
    }
    if (!g_str_has_prefix(name, "data/"))
        return TRUE;
    if (g_hash_table_contains(l->storages, name + 5))
        return broken(l, "two storages have one name", error);
    add_storage(l, name + 5, e->data, e->size);
    return TRUE;
}

static gboolean read_zip(Loader *l, const guint8 *data, GError **error)
{
    g_autoptr(GArray) entries = cg_zip_list(data, l->size, l->where, error);
    const CgZipEntry *pickle = NULL;
    if (!entries)
        return FALSE;
    const char *first = entries->len ? g_array_index(entries, CgZipEntry, 0).name : "";
    const char *slash = strchr(first, '/');
    g_autofree char *prefix = g_strndup(first, slash ? (gsize)(slash - first) + 1 : 0);
    for (guint i = 0; i < entries->len; i++)
        if (!add_entry(l, &g_array_index(entries, CgZipEntry, i), prefix, &pickle, error))
            return FALSE;
    if (!pickle) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: a zip archive, but not PyTorch's: it has no data.pkl", l->where);
        return FALSE;
    }
    g_autoptr(CgPickle) p =
        cg_pickle_parse(pickle->data, pickle->size, allowed, l->where, NULL, error);
    return p && add_root(l, cg_pickle_root(p), error);
}

/* ---- before 1.6: pickles of a magic number, the version, the machine, the object and the keys of
 * its storages, and then these: a count of 8 bytes and the elements */

/* The sizes of all storages that OBJECT uses; where they are is not known yet. */
static gboolean list_old_storages(Loader *l, const CgPickle *object, GError **error)
{
    const GPtrArray *others = cg_pickle_others(object);
    for (guint i = 0; i < others->len; i++) {
        StorageId id;
        if (!read_storage_id(l, g_ptr_array_index(others, i), &id, error))
            return FALSE;
        if (!g_hash_table_contains(l->storages, id.key->text))
            add_storage(l, id.key->text, NULL, id.size);
    }
    return TRUE;
}

/* Storage KEY at *AT, which moves behind it. */
static gboolean place_old_storage(Loader *l, const char *key, const guint8 *data, size_t *at,
                                  GError **error)
{
    Storage *s = g_hash_table_lookup(l->storages, key);
    if (!s || s->data)
        return broken(l, "its list of storages makes no sense", error);
    if (l->size - *at < 8 || l->size - *at - 8 < s->size)
        return broken(l, "it ends in the middle", error);
    s->data = data + *at + 8;
    *at += 8 + s->size;
    return TRUE;
}

static CgPickle *next_pickle(const Loader *l, const guint8 *data, size_t *at, GError **error)
{
    gsize used;
    CgPickle *p = cg_pickle_parse(data + *at, l->size - *at, allowed, l->where, &used, error);
    *at += used;
    return p;
}

static gboolean read_old(Loader *l, const guint8 *data, GError **error)
{
    size_t at = sizeof old_magic;
    g_autoptr(CgPickle) version = next_pickle(l, data, &at, error);
    g_autoptr(CgPickle) machine = version ? next_pickle(l, data, &at, error) : NULL;
    g_autoptr(CgPickle) object = machine ? next_pickle(l, data, &at, error) : NULL;
    g_autoptr(CgPickle) keys = object ? next_pickle(l, data, &at, error) : NULL;
    if (!keys || !list_old_storages(l, object, error))
        return FALSE;
    const CgPickled *list = cg_pickle_root(keys);
    for (guint i = 0; list->items && i < list->items->len; i++) {
        const CgPickled *key = item(list, i, CG_PICKLED_TEXT);
        if (!place_old_storage(l, key ? key->text : "", data, &at, error))
            return FALSE;
    }
    return add_root(l, cg_pickle_root(object), error);
}

/* ---- */

static gboolean begins_with(const guint8 *data, size_t size, const guint8 *magic, size_t length)
{
    return size >= length && memcmp(data, magic, length) == 0;
}

gboolean cg_torch_file_is(const guint8 *data, size_t size)
{
    return begins_with(data, size, zip_magic, sizeof zip_magic) ||
           begins_with(data, size, old_magic, sizeof old_magic);
}

gboolean cg_torch_file_read(CgSafetensorsHeader *header, GPtrArray *copies, CgMappedFile *file,
                            const guint8 *data, size_t size, const char *where, GError **error)
{
    g_autoptr(GHashTable) storages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Loader l = {.header = header,
                .copies = copies,
                .file = file,
                .where = where,
                .size = size,
                .storages = storages};
    return begins_with(data, size, zip_magic, sizeof zip_magic) ? read_zip(&l, data, error)
                                                                : read_old(&l, data, error);
}
