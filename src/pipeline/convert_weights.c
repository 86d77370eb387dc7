#include "pipeline/convert_weights.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "models/ldm_names.h"

typedef struct {
    CgSafetensors *file; /* borrowed */
    const CgSafetensor *entry;
    char *name;
    CgShape shape;
    CgDType dtype;
} Item;

struct CgConversion {
    CgDType dtype;
    GHashTable *items; /* char * in the new file -> Item */
    guint64 bytes;
};

static void item_free(void *data)
{
    Item *item = data;
    g_free(item->name);
    g_free(item);
}

CgConversion *cg_conversion_new(CgDType dtype)
{
    CgConversion *c = g_new0(CgConversion, 1);
    c->dtype = dtype;
    c->items = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, item_free);
    return c;
}

void cg_conversion_free(CgConversion *c)
{
    if (!c)
        return;
    g_hash_table_unref(c->items);
    g_free(c);
}

guint cg_conversion_count(const CgConversion *c)
{
    return g_hash_table_size(c->items);
}

guint64 cg_conversion_bytes(const CgConversion *c)
{
    return c->bytes;
}

static gboolean is_float(CgDType dtype)
{
    return dtype == CG_F32 || dtype == CG_BF16 || dtype == CG_F16;
}

/* NAME is taken. */
static gboolean add(CgConversion *c, CgSafetensors *file, const CgSafetensor *entry, char *name,
                    const CgShape *shape, GError **error)
{
    g_autofree char *owned = name;
    if (entry->dtype == CG_DTYPE_COUNT || entry->shape.rank > CG_MAX_RANK) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: tensor %s has the type %s and %d dimensions; F32, F16, BF16, I32, I64 and "
                    "U8 with up to %d can be converted",
                    cg_safetensors_path(file), entry->name, entry->dtype_name, entry->shape.rank,
                    CG_MAX_RANK);
        return FALSE;
    }
    if (g_hash_table_contains(c->items, owned)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: tensor %s: a second one of this name",
                    cg_safetensors_path(file), owned);
        return FALSE;
    }
    Item *item = g_new0(Item, 1);
    *item = (Item){.file = file,
                   .entry = entry,
                   .name = g_steal_pointer(&owned),
                   .shape = *shape,
                   .dtype = c->dtype != CG_DTYPE_COUNT && is_float(entry->dtype) ? c->dtype
                                                                                 : entry->dtype};
    g_hash_table_insert(c->items, item->name, item);
    c->bytes += (guint64)cg_shape_count(shape) * cg_dtype_size(item->dtype);
    return TRUE;
}

gboolean cg_conversion_add_all(CgConversion *c, CgSafetensors *file, GError **error)
{
    for (guint i = 0; i < cg_safetensors_count(file); i++) {
        const CgSafetensor *entry = cg_safetensors_nth(file, i);
        if (!add(c, file, entry, g_strdup(entry->name), &entry->shape, error))
            return FALSE;
    }
    return TRUE;
}

typedef struct {
    CgConversion *conversion;
    CgComponent component;
    CgCheckpoint *checkpoint;
    GError *error;
} Visit;

/* The shape of a matrix that the original code has as a 1x1 convolution, either way. */
static CgShape matrix_shape(const CgShape *shape, gboolean convolution)
{
    CgShape s = *shape;
    if (convolution && s.rank == 2)
        return CG_SHAPE(s.d[0], s.d[1], 1, 1);
    if (!convolution && s.rank == 4 && s.d[2] == 1 && s.d[3] == 1)
        s.rank = 2;
    return s;
}

static void visit_diffusers(void *data, const char *name, const CgSafetensor *entry)
{
    Visit *v = data;
    const CgShape shape = cg_ldm_is_convolution(v->component, name)
                              ? matrix_shape(&entry->shape, FALSE)
                              : entry->shape;
    if (!v->error)
        add(v->conversion, cg_checkpoint_file(v->checkpoint), entry, g_strdup(name), &shape,
            &v->error);
}

static void visit_ldm(void *data, const char *name, const CgSafetensor *entry)
{
    Visit *v = data;
    if (v->error)
        return;
    g_autofree char *inner = cg_ldm_name(v->component, name);
    if (!inner) {
        g_set_error(&v->error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: tensor %s has no name in a single file; only networks built as those of "
                    "Stable Diffusion 1.x have",
                    cg_checkpoint_path(v->checkpoint), name);
        return;
    }
    const CgShape shape = cg_ldm_is_convolution(v->component, name)
                              ? matrix_shape(&entry->shape, TRUE)
                              : entry->shape;
    add(v->conversion, cg_checkpoint_file(v->checkpoint), entry,
        g_strconcat(cg_ldm_prefix(v->component), inner, NULL), &shape, &v->error);
}

static gboolean visit_all(CgConversion *c, CgComponent component, CgCheckpoint *checkpoint,
                          CgCheckpointVisit visit, GError **error)
{
    Visit v = {c, component, checkpoint, NULL};
    cg_checkpoint_foreach(checkpoint, visit, &v);
    if (!v.error)
        return TRUE;
    g_propagate_error(error, v.error);
    return FALSE;
}

gboolean cg_conversion_add_diffusers(CgConversion *c, CgComponent component,
                                     CgCheckpoint *checkpoint, GError **error)
{
    return visit_all(c, component, checkpoint, visit_diffusers, error);
}

gboolean cg_conversion_add_ldm(CgConversion *c, CgComponent component, CgCheckpoint *checkpoint,
                               GError **error)
{
    return visit_all(c, component, checkpoint, visit_ldm, error);
}

/* The tensor as it shall be written. */
static CgTensor *converted(const Item *item, GError **error)
{
    g_autoptr(CgTensor) t = cg_safetensors_tensor(item->file, item->entry);
    if (t->dtype == item->dtype)
        return g_steal_pointer(&t);
    g_autoptr(CgTensor) copy = cg_tensor_copy(t, item->dtype);
    if (cg_tensor_is_finite(copy) || !cg_tensor_is_finite(t))
        return g_steal_pointer(&copy);
    g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                "%s: tensor %s has numbers that %s cannot hold; convert to bf16 or f32",
                cg_safetensors_path(item->file), item->entry->name, cg_dtype_name(item->dtype));
    return NULL;
}

static gboolean put(const Item *item, CgSafetensorsWriter *w, GError **error)
{
    g_autoptr(CgTensor) t = cg_cancel_check(error) ? converted(item, error) : NULL;
    if (!t || !cg_safetensors_writer_put(w, t->data, cg_tensor_bytes(t), error))
        return FALSE;
    cg_safetensors_release(item->file, item->entry);
    return TRUE;
}

gboolean cg_conversion_write(CgConversion *c, const char *path, GError **error)
{
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    g_autoptr(CgProgress) progress = cg_progress_new("converting", c->bytes);
    GHashTableIter iter;
    gpointer value;
    guint64 done = 0;
    cg_progress_show_bytes(progress);
    cg_safetensors_writer_metadata(w, "format", "pt"); /* transformers insists on it */
    g_hash_table_iter_init(&iter, c->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Item *item = value;
        cg_safetensors_writer_declare(w, item->name, item->dtype, item->shape);
    }
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const Item *item = g_hash_table_lookup(c->items, cg_safetensors_writer_nth(w, i));
        if (!put(item, w, error))
            return FALSE;
        done += (guint64)cg_shape_count(&item->shape) * cg_dtype_size(item->dtype);
        cg_progress_update(progress, done, item->name);
    }
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
}
