#include "models/checkpoint.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define MAX_EXTRAS_SHOWN 5

typedef struct {
    const CgSafetensor *entry;
    gboolean used;
} Item;

struct CgCheckpoint {
    gint ref_count;
    CgComponent component;
    char *where;
    CgSafetensors *file;
    GHashTable *items; /* diffusers name -> Item */
    GPtrArray *names;  /* in order */
};

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Indexes FILE, which it takes over, under the diffusers names of COMPONENT. */
static CgCheckpoint *checkpoint_new(CgSafetensors *file, CgComponent component, GError **error)
{
    g_autoptr(CgCheckpoint) c = g_new0(CgCheckpoint, 1);
    gboolean single_file = FALSE;
    c->ref_count = 1;
    c->component = component;
    c->where = g_strdup(cg_safetensors_path(file));
    c->file = file;
    c->items = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    c->names = g_ptr_array_new();
    for (guint i = 0; i < cg_safetensors_count(file) && !single_file; i++)
        single_file = cg_tensor_name_is_single_file(cg_safetensors_nth(file, i)->name);
    for (guint i = 0; i < cg_safetensors_count(file); i++) {
        const CgSafetensor *entry = cg_safetensors_nth(file, i);
        char *name = cg_tensor_name_translate(component, single_file, entry->name);
        if (!name)
            continue;
        Item *item = g_new0(Item, 1);
        item->entry = entry;
        if (!g_hash_table_insert(c->items, name, item)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: two tensors are both the %s's \"%s\"", c->where,
                        cg_component_name(component), name);
            return NULL;
        }
        g_ptr_array_add(c->names, name);
    }
    g_ptr_array_sort(c->names, compare_names);
    if (c->names->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: holds no tensors of a %s", c->where,
                    cg_component_name(component));
        return NULL;
    }
    return g_steal_pointer(&c);
}

CgCheckpoint *cg_checkpoint_open_file(const char *path, CgComponent component, GError **error)
{
    CgSafetensors *file = g_str_has_suffix(path, ".index.json")
                              ? cg_safetensors_open_sharded(path, error)
                              : cg_safetensors_open(path, error);
    return file ? checkpoint_new(file, component, error) : NULL;
}

CgCheckpoint *cg_checkpoint_open_folder(const char *dir, CgComponent component, GError **error)
{
    static const char *const suffixes[] = {".safetensors", ".safetensors.index.json",
                                           ".fp16.safetensors", ".safetensors.index.fp16.json"};
    const char *base = component == CG_COMPONENT_TEXT ? "model" : "diffusion_pytorch_model";
    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *name = g_strconcat(base, suffixes[i], NULL);
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        CgSafetensors *file = strstr(suffixes[i], ".index.")
                                  ? cg_safetensors_open_sharded(path, error)
                                  : cg_safetensors_open(path, error);
        return file ? checkpoint_new(file, component, error) : NULL;
    }
    g_autofree char *pickle = g_build_filename(
        dir, component == CG_COMPONENT_TEXT ? "pytorch_model.bin" : "diffusion_pytorch_model.bin",
        NULL);
    if (g_file_test(pickle, G_FILE_TEST_EXISTS))
        return cg_checkpoint_open_file(pickle, component, error);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: no %s weights; looked for %s.safetensors, its .index.json and .fp16 forms",
                dir, cg_component_name(component), base);
    return NULL;
}

static CgCheckpoint *checkpoint_ref(CgCheckpoint *c)
{
    g_atomic_int_inc(&c->ref_count);
    return c;
}

void cg_checkpoint_unref(CgCheckpoint *c)
{
    if (!c || !g_atomic_int_dec_and_test(&c->ref_count))
        return;
    g_clear_pointer(&c->names, g_ptr_array_unref);
    g_clear_pointer(&c->items, g_hash_table_unref);
    cg_safetensors_free(c->file);
    g_free(c->where);
    g_free(c);
}

void cg_checkpoint_rest(const CgCheckpoint *c)
{
    for (guint i = 0; i < cg_safetensors_count(c->file); i++)
        cg_safetensors_release(c->file, cg_safetensors_nth(c->file, i));
}

const char *cg_checkpoint_path(const CgCheckpoint *c)
{
    return c->where;
}

CgSafetensors *cg_checkpoint_file(const CgCheckpoint *c)
{
    return c->file;
}

guint64 cg_checkpoint_bytes(const CgCheckpoint *c)
{
    guint64 bytes = 0;
    for (guint i = 0; i < c->names->len; i++) {
        const Item *item = g_hash_table_lookup(c->items, g_ptr_array_index(c->names, i));
        bytes += item->entry->size;
    }
    return bytes;
}

guint cg_checkpoint_count(const CgCheckpoint *c)
{
    return c->names->len;
}

gboolean cg_checkpoint_has(const CgCheckpoint *c, const char *name)
{
    return g_hash_table_contains(c->items, name);
}

void cg_checkpoint_foreach(const CgCheckpoint *c, CgCheckpointVisit visit, void *data)
{
    for (guint i = 0; i < c->names->len; i++) {
        const char *name = g_ptr_array_index(c->names, i);
        const Item *item = g_hash_table_lookup(c->items, name);
        visit(data, name, item->entry);
    }
}

static gboolean is_float(CgDType dtype)
{
    return dtype == CG_F32 || dtype == CG_BF16 || dtype == CG_F16;
}

char *cg_checkpoint_find_not_finite(CgCheckpoint *c)
{
    for (guint i = 0; i < c->names->len; i++) {
        const Item *item = g_hash_table_lookup(c->items, g_ptr_array_index(c->names, i));
        if (!is_float(item->entry->dtype) || item->entry->shape.rank > CG_MAX_RANK)
            continue;
        g_autoptr(CgTensor) t = cg_safetensors_tensor(c->file, item->entry);
        if (!cg_tensor_is_finite(t))
            return g_strdup(g_ptr_array_index(c->names, i));
    }
    return NULL;
}

/* Same shape, or the same up to trailing ones: a 1x1 convolution and a matrix are one thing. */
static gboolean shape_fits(const CgShape *found, const CgShape *want)
{
    const CgShape *longer = found->rank >= want->rank ? found : want;
    if (found->rank > CG_MAX_RANK)
        return FALSE;
    for (int i = 0; i < longer->rank; i++) {
        const int64_t a = i < found->rank ? found->d[i] : 1, b = i < want->rank ? want->d[i] : 1;
        if (a != b)
            return FALSE;
    }
    return found->rank == want->rank || MIN(found->rank, want->rank) >= 2;
}

/* Extra tensors: part of the report when something else is wrong, else only worth a warning. */
static void report_extras(CgCheckpoint *c, GPtrArray *problems)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    guint extras = 0;
    for (guint i = 0; i < c->names->len; i++) {
        const char *name = g_ptr_array_index(c->names, i);
        const Item *item = g_hash_table_lookup(c->items, name);
        if (item->used)
            continue;
        if (problems->len > 0 || extras < MAX_EXTRAS_SHOWN)
            g_string_append_printf(shown, "%s%s", shown->len ? ", " : "", name);
        extras++;
        if (problems->len > 0)
            g_ptr_array_add(problems, g_strdup_printf("extra tensor %s", name));
    }
    if (extras > 0 && problems->len == 0)
        cg_log_warning("%s: %u tensor%s not part of the %s and not used: %s%s", c->where, extras,
                       extras == 1 ? " is" : "s are", cg_component_name(c->component), shown->str,
                       extras > MAX_EXTRAS_SHOWN ? ", ..." : "");
}

typedef struct {
    CgCheckpoint *checkpoint;
    const CgSafetensor *entry;
} View;

/* The weights were packed: the file's pages need not stay in memory. */
static void release_view(void *owner, void *data, size_t size)
{
    View *view = owner;
    (void)data;
    (void)size;
    cg_safetensors_release(view->checkpoint->file, view->entry);
    cg_checkpoint_unref(view->checkpoint);
    g_free(view);
}

CgTensor *cg_checkpoint_lookup(void *checkpoint, const char *name, const CgShape *want,
                               GPtrArray *problems)
{
    CgCheckpoint *c = checkpoint;
    char found_text[CG_SHAPE_TEXT], want_text[CG_SHAPE_TEXT];
    if (!name) {
        report_extras(c, problems);
        return NULL;
    }
    Item *item = g_hash_table_lookup(c->items, name);
    if (!item) {
        g_ptr_array_add(problems, g_strdup_printf("missing tensor %s %s", name,
                                                  cg_shape_text(want, want_text)));
        return NULL;
    }
    const CgSafetensor *entry = item->entry;
    item->used = TRUE;
    if (!is_float(entry->dtype)) {
        g_ptr_array_add(problems, g_strdup_printf("tensor %s has the type %s, not a float", name,
                                                  entry->dtype_name));
        return NULL;
    }
    if (!shape_fits(&entry->shape, want)) {
        g_ptr_array_add(problems, g_strdup_printf("tensor %s is %s, expected %s", name,
                                                  cg_shape_text(&entry->shape, found_text),
                                                  cg_shape_text(want, want_text)));
        return NULL;
    }
    if ((guintptr)entry->data % cg_dtype_size(entry->dtype)) {
        g_autoptr(CgTensor) copy = cg_safetensors_tensor(c->file, entry);
        return cg_tensor_reshape(copy, *want);
    }
    View *view = g_new(View, 1);
    *view = (View){.checkpoint = checkpoint_ref(c), .entry = entry};
    return cg_tensor_wrap(entry->dtype, *want, (void *)(guintptr)entry->data, entry->size,
                          release_view, view);
}
