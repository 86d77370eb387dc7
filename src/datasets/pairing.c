/* Which mask belongs to which image. */
#include "datasets/dataset-private.h"

#include <string.h>

typedef struct {
    char *path;
    const char *name;
    gboolean taken;
} Mask;

struct CgPairing {
    CgDataset *dataset;
    const CgFolder *folder;
    GHashTable *masks; /* stem of the image -> Mask */
};

static void mask_free(gpointer data)
{
    Mask *m = data;
    g_free(m->path);
    g_free(m);
}

gsize cg_name_mask_stem(const char *name)
{
    static const char *const endings[] = {"_mask", "_GT", "_gt", "_label"};
    const gsize n = cg_name_stem(name);
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        const gsize length = strlen(endings[i]);
        if (n > length && !strncmp(name + n - length, endings[i], length))
            return n - length;
    }
    return n;
}

gboolean cg_name_is_mask(const char *name)
{
    return cg_name_mask_stem(name) < cg_name_stem(name);
}

/* Takes STEM. */
static void add_mask(CgPairing *p, char *stem, const char *name)
{
    const Mask *other = g_hash_table_lookup(p->masks, stem);
    if (other) {
        cg_dataset_problem(p->dataset, CG_PROBLEM_NAME, p->folder, name,
                           "the same image has the mask %s already; keep one of them", other->name);
        g_free(stem);
        return;
    }
    Mask *m = g_new(Mask, 1);
    *m = (Mask){cg_folder_path(p->dataset, p->folder, name), name, FALSE};
    g_hash_table_insert(p->masks, stem, m);
}

CgPairing *cg_pairing_new(CgDataset *d, const CgFolder *masks, gboolean (*is_mask)(const char *))
{
    CgPairing *p = g_new0(CgPairing, 1);
    p->dataset = d;
    p->folder = masks;
    p->masks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, mask_free);
    if (!masks)
        return p;
    for (guint i = 0; i < masks->files->len; i++) {
        const char *name = g_ptr_array_index(masks->files, i);
        if (cg_name_is_image(name) && (!is_mask || is_mask(name)))
            add_mask(p, g_strndup(name, cg_name_mask_stem(name)), name);
    }
    if (is_mask)
        return p;
    for (guint i = 0; i < masks->folders->len; i++) {
        const CgFolder *f = g_ptr_array_index(masks->folders, i);
        if (cg_folder_has_images(f))
            add_mask(p, g_strdup(f->name), f->name);
        else
            cg_dataset_stray_folder(d, f);
    }
    cg_dataset_strays(d, masks, TRUE);
    return p;
}

const char *cg_pairing_take(CgPairing *p, const char *image)
{
    g_autofree char *stem = g_strndup(image, cg_name_stem(image));
    Mask *m = g_hash_table_lookup(p->masks, stem);
    if (!m)
        return NULL;
    m->taken = TRUE;
    return m->path;
}

void cg_pairing_finish(CgPairing *p)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, p->masks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Mask *m = value;
        if (!m->taken)
            cg_dataset_problem(p->dataset, CG_PROBLEM_UNPAIRED_MASK, p->folder, m->name,
                               "no image belongs to this mask; remove it or add the image");
    }
    g_hash_table_unref(p->masks);
    g_free(p);
}
