/* A split for data sets that come without one. */
#include "datasets/dataset-private.h"

#include "base/rng.h"

#include <string.h>

typedef struct {
    char *key;
    guint64 order; /* random */
    GArray *members;
} Group;

static void group_free(gpointer data)
{
    Group *g = data;
    g_free(g->key);
    g_array_unref(g->members);
    g_free(g);
}

static int compare_groups(gconstpointer a, gconstpointer b)
{
    const Group *x = *(Group *const *)a, *y = *(Group *const *)b;
    return x->order < y->order ? -1 : x->order > y->order ? 1 : strcmp(x->key, y->key);
}

/* The normal training samples of CATEGORY in groups, in random order. The order depends on the
 * part of the key below the root alone, not on where the data set lies or what else is in it. */
static GPtrArray *make_groups(const CgDataset *d, const char *category, CgGroupKey key,
                              guint *total)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
    *total = 0;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (s->category != category || !cg_sample_is_good(s) || s->split != CG_DATASET_TRAIN)
            continue;
        g_autofree char *name = key(s);
        Group *g = g_hash_table_lookup(known, name);
        if (!g) {
            CgRng rng =
                cg_rng(0, CG_STREAM(CG_STREAM_SPLIT, g_str_hash(cg_dataset_relative(d, name))));
            g = g_new(Group, 1);
            *g = (Group){g_strdup(name), cg_rng_next(&rng), g_array_new(FALSE, FALSE, sizeof i)};
            g_hash_table_insert(known, g->key, g);
            g_ptr_array_add(groups, g);
        }
        g_array_append_val(g->members, i);
        ++*total;
    }
    g_ptr_array_sort(groups, compare_groups);
    return groups;
}

static void draw_category(CgDataset *d, const char *category, CgGroupKey key)
{
    guint total, taken = 0;
    g_autoptr(GPtrArray) groups = make_groups(d, category, key, &total);
    for (guint k = 0; k < groups->len; k++) {
        const Group *g = g_ptr_array_index(groups, k);
        const gboolean train = taken * 5 < total * 4;
        for (guint m = 0; m < g->members->len; m++) {
            CgSample *s = &g_array_index(d->samples, CgSample, g_array_index(g->members, guint, m));
            s->split = train ? CG_DATASET_TRAIN : CG_DATASET_TEST;
        }
        taken += g->members->len;
    }
}

void cg_dataset_draw_split(CgDataset *d, CgGroupKey key)
{
    g_autoptr(GHashTable) categories = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < d->samples->len; i++)
        g_hash_table_add(categories, (gpointer)cg_dataset_sample(d, i)->category);
    GHashTableIter iter;
    gpointer category;
    g_hash_table_iter_init(&iter, categories);
    while (g_hash_table_iter_next(&iter, &category, NULL))
        draw_category(d, category, key);
    for (guint i = 0; i < d->samples->len; i++) {
        CgSample *s = &g_array_index(d->samples, CgSample, i);
        if (!cg_sample_is_good(s))
            s->split = CG_DATASET_TEST;
    }
    d->drawn = TRUE;
}
