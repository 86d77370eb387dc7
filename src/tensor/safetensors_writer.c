#include "base/error.h"
#include "base/size.h"
#include "base/system.h"
#include "tensor/safetensors-private.h"

#include <string.h>

typedef struct {
    char *name;
    CgDType dtype;
    CgShape shape;
    guint declared; /* place among the declarations */
    size_t size;
} Declared;

typedef struct {
    char *key, *value;
} Pair;

struct CgSafetensorsWriter {
    GArray *tensors;  /* of Declared; in the file's order once begun */
    GArray *metadata; /* of Pair */
    CgAtomicFile *file;
    char *path;
    guint next; /* tensor whose data comes next */
};

static void declared_clear(void *data)
{
    g_free(((Declared *)data)->name);
}

static void pair_clear(void *data)
{
    Pair *pair = data;
    g_free(pair->key);
    g_free(pair->value);
}

CgSafetensorsWriter *cg_safetensors_writer_new(void)
{
    CgSafetensorsWriter *w = g_new0(CgSafetensorsWriter, 1);
    w->tensors = g_array_new(FALSE, FALSE, sizeof(Declared));
    w->metadata = g_array_new(FALSE, FALSE, sizeof(Pair));
    g_array_set_clear_func(w->tensors, declared_clear);
    g_array_set_clear_func(w->metadata, pair_clear);
    return w;
}

void cg_safetensors_writer_free(CgSafetensorsWriter *w)
{
    if (!w)
        return;
    cg_atomic_file_abort(w->file);
    g_array_unref(w->tensors);
    g_array_unref(w->metadata);
    g_free(w->path);
    g_free(w);
}

void cg_safetensors_writer_metadata(CgSafetensorsWriter *w, const char *key, const char *value)
{
    g_assert(!w->path);
    Pair pair = {g_strdup(key), g_strdup(value)};
    g_array_append_val(w->metadata, pair);
}

void cg_safetensors_writer_declare(CgSafetensorsWriter *w, const char *name, CgDType dtype,
                                   CgShape shape)
{
    g_assert(!w->path && dtype < CG_DTYPE_COUNT && shape.rank <= CG_MAX_RANK);
    Declared tensor = {g_strdup(name), dtype, shape, w->tensors->len, 0};
    g_array_append_val(w->tensors, tensor);
}

/* The format's own names, and upstream's order of dtypes: what has the higher rank comes first, so
 * that all tensors are aligned to their elements. */
static const struct {
    const char *name;
    int rank;
} file_types[CG_DTYPE_COUNT] = {
    [CG_U8] = {"U8", 0},   [CG_F16] = {"F16", 1}, [CG_BF16] = {"BF16", 2},
    [CG_I32] = {"I32", 3}, [CG_F32] = {"F32", 4}, [CG_I64] = {"I64", 5},
};

static int compare_tensors(const void *a, const void *b)
{
    const Declared *x = a, *y = b;
    int by_type = file_types[y->dtype].rank - file_types[x->dtype].rank;
    return by_type ? by_type : strcmp(x->name, y->name);
}

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const Pair *)a)->key, ((const Pair *)b)->key);
}

/* As serde_json writes it, which upstream uses: only what must be escaped is. */
static void append_string(GString *json, const char *text)
{
    static const char special[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    g_string_append_c(json, '"');
    for (const char *p = text; *p; p++) {
        const char *found = strchr(special, *p);
        if (found)
            g_string_append_printf(json, "\\%c", letters[found - special]);
        else if ((guchar)*p < 0x20)
            g_string_append_printf(json, "\\u%04x", (guint)(guchar)*p);
        else
            g_string_append_c(json, *p);
    }
    g_string_append_c(json, '"');
}

static void append_metadata(GString *json, const GArray *metadata)
{
    append_string(json, CG_SAFETENSORS_METADATA);
    g_string_append(json, ":{");
    for (guint i = 0; i < metadata->len; i++) {
        const Pair *pair = &g_array_index(metadata, Pair, i);
        g_string_append(json, i ? "," : "");
        append_string(json, pair->key);
        g_string_append_c(json, ':');
        append_string(json, pair->value);
    }
    g_string_append_c(json, '}');
}

static void append_tensor(GString *json, const Declared *t, guint64 begin)
{
    append_string(json, t->name);
    g_string_append_printf(json, ":{\"dtype\":\"%s\",\"shape\":[", file_types[t->dtype].name);
    for (int i = 0; i < t->shape.rank; i++)
        g_string_append_printf(json, "%s%" G_GINT64_FORMAT, i ? "," : "", t->shape.d[i]);
    g_string_append_printf(json,
                           "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}",
                           begin, begin + t->size);
}

static gboolean fail(const CgSafetensorsWriter *w, CgErrorCode code, const char *name,
                     const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, code, "%s: cannot write tensor \"%.160s\": %s", w->path, name,
                what);
    return FALSE;
}

/* Sorts and checks the declarations; *TOTAL gets the bytes of all data. */
static gboolean check_declarations(CgSafetensorsWriter *w, size_t *total, GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    *total = 0;
    g_array_sort(w->tensors, compare_tensors);
    g_array_sort(w->metadata, compare_pairs);
    for (guint i = 0; i < w->tensors->len; i++) {
        Declared *t = &g_array_index(w->tensors, Declared, i);
        size_t count;
        if (!g_utf8_validate(t->name, -1, NULL))
            return fail(w, CG_ERROR_USAGE, t->name, "its name is not UTF-8", error);
        if (strcmp(t->name, CG_SAFETENSORS_METADATA) == 0)
            return fail(w, CG_ERROR_USAGE, t->name, "the format reserves this name", error);
        if (!g_hash_table_add(names, t->name))
            return fail(w, CG_ERROR_USAGE, t->name, "the name is used twice", error);
        if (!cg_shape_checked_count(&t->shape, cg_dtype_size(t->dtype), &count))
            return fail(w, CG_ERROR_SHAPE, t->name, "its shape overflows", error);
        t->size = count * cg_dtype_size(t->dtype);
        if (!cg_size_add(*total, t->size, total))
            return fail(w, CG_ERROR_SHAPE, t->name, "the file would be too large", error);
    }
    for (guint i = 0; i < w->metadata->len; i++) {
        const Pair *pair = &g_array_index(w->metadata, Pair, i);
        if (g_utf8_validate(pair->key, -1, NULL) && g_utf8_validate(pair->value, -1, NULL) &&
            (i == 0 || strcmp(pair[-1].key, pair->key) != 0))
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: metadata \"%.160s\" is given twice or is not UTF-8", w->path, pair->key);
        return FALSE;
    }
    return TRUE;
}

static GString *header_text(const CgSafetensorsWriter *w)
{
    GString *json = g_string_new("{");
    guint64 begin = 0;
    if (w->metadata->len > 0)
        append_metadata(json, w->metadata);
    for (guint i = 0; i < w->tensors->len; i++) {
        const Declared *t = &g_array_index(w->tensors, Declared, i);
        if (json->len > 1)
            g_string_append_c(json, ',');
        append_tensor(json, t, begin);
        begin += t->size;
    }
    g_string_append_c(json, '}');
    while (json->len % 8 != 0)
        g_string_append_c(json, ' ');
    return json;
}

/* A full disk shows itself before gigabytes were written, not after. */
static gboolean check_disk(const CgSafetensorsWriter *w, size_t total, GError **error)
{
    guint64 available = cg_disk_free(w->path);
    if (available == 0 || total <= available) /* 0: unknown; the writes will tell */
        return TRUE;
    g_autofree char *need = g_format_size(total);
    g_autofree char *have = g_format_size(available);
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: needs %s, but the disk has %s left; make room",
                w->path, need, have);
    return FALSE;
}

gboolean cg_safetensors_writer_begin(CgSafetensorsWriter *w, const char *path, GError **error)
{
    size_t total;
    g_assert(!w->path);
    w->path = g_strdup(path);
    if (!check_declarations(w, &total, error))
        return FALSE;
    g_autoptr(GString) json = header_text(w);
    if (json->len > CG_SAFETENSORS_MAX_HEADER) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a header of %zu bytes is beyond the format's limit of %u", path,
                    (size_t)json->len, CG_SAFETENSORS_MAX_HEADER);
        return FALSE;
    }
    if (!check_disk(w, total, error))
        return FALSE;

    guint8 length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (guint8)((guint64)json->len >> (8 * i));
    w->file = cg_atomic_file_open(path, error);
    return w->file && cg_atomic_file_write(w->file, length, sizeof length, error) &&
           cg_atomic_file_write(w->file, json->str, json->len, error);
}

guint cg_safetensors_writer_count(const CgSafetensorsWriter *w)
{
    return w->tensors->len;
}

const char *cg_safetensors_writer_nth(const CgSafetensorsWriter *w, guint i)
{
    g_assert(i < w->tensors->len);
    return g_array_index(w->tensors, Declared, i).name;
}

gboolean cg_safetensors_writer_put(CgSafetensorsWriter *w, const void *data, size_t size,
                                   GError **error)
{
    g_assert(w->file && w->next < w->tensors->len);
    const Declared *t = &g_array_index(w->tensors, Declared, w->next);
    if (size != t->size) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: tensor \"%.160s\" was declared with %zu bytes, but %zu came", w->path,
                    t->name, t->size, size);
        return FALSE;
    }
    w->next++;
    return cg_atomic_file_write(w->file, data, size, error);
}

gboolean cg_safetensors_writer_commit(CgSafetensorsWriter *w, GError **error)
{
    gboolean ok = FALSE;
    g_assert(w->file);
    if (w->next < w->tensors->len)
        fail(w, CG_ERROR_MISSING, g_array_index(w->tensors, Declared, w->next).name,
             "its data never came", error);
    else
        ok = cg_atomic_file_commit(g_steal_pointer(&w->file), error);
    cg_safetensors_writer_free(w);
    return ok;
}

gboolean cg_safetensors_save(const char *path, const char *const *names, CgTensor *const *tensors,
                             guint count, GError **error)
{
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    for (guint i = 0; i < count; i++)
        cg_safetensors_writer_declare(w, names[i], tensors[i]->dtype, tensors[i]->shape);
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < count; i++) {
        const CgTensor *t = tensors[g_array_index(w->tensors, Declared, i).declared];
        if (!cg_safetensors_writer_put(w, t->data, cg_tensor_bytes(t), error))
            return FALSE;
    }
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
}
