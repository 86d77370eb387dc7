#include "pipeline/figures.h"

#include "base/error.h"
#include "image/sheet.h"

#include <string.h>

/* Cells, and what they show and say. */
typedef struct {
    GArray *cells; /* CgSheetCell */
    GPtrArray *images, *texts;
} Sheet;

static void sheet_init(Sheet *s)
{
    s->cells = g_array_new(FALSE, FALSE, sizeof(CgSheetCell));
    s->images = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    s->texts = g_ptr_array_new_with_free_func(g_free);
}

static void sheet_clear(Sheet *s)
{
    g_array_unref(s->cells);
    g_ptr_array_unref(s->images);
    g_ptr_array_unref(s->texts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sheet, sheet_clear)

/* The picture at PATH (NULL: an empty place) under CAPTION. */
static gboolean add_cell(Sheet *s, const char *path, const char *caption, int cell, GError **error)
{
    CgSheetCell c = {NULL, NULL};
    if (path) {
        g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
        if (!image)
            return FALSE;
        const int longest = MAX(image->width, image->height);
        CgImage *shown = longest > cell
                             ? cg_image_resize(image, MAX(image->width * cell / longest, 1),
                                               MAX(image->height * cell / longest, 1))
                             : g_steal_pointer(&image);
        g_ptr_array_add(s->images, shown);
        c.image = shown;
    }
    if (caption) {
        char *text = g_strdup(caption);
        g_ptr_array_add(s->texts, text);
        c.caption = text;
    }
    g_array_append_val(s->cells, c);
    return TRUE;
}

static CgImage *draw(const Sheet *s, int columns, int cell, GError **error)
{
    return cg_contact_sheet(&g_array_index(s->cells, CgSheetCell, 0), (int)s->cells->len, columns,
                            cell, error);
}

static gboolean same_file(const char *a, const char *b)
{
    return a && b && g_str_equal(a, b);
}

/* The result of GROUP to show in ROW of ROWS: of NORMAL if there is one, otherwise evenly. */
static const CgGroupImage *choose(const CgGroup *group, const char *normal, int row, int rows)
{
    for (guint i = 0; i < group->images->len; i++)
        if (same_file(cg_group_image(group, i)->normal, normal))
            return cg_group_image(group, i);
    return cg_group_image(group, (guint)((guint64)row * group->images->len / (guint)rows));
}

static gboolean add_row(Sheet *s, GPtrArray *groups, const CgGroup *real, int row, int rows,
                        int cell, GError **error)
{
    const CgGroup *last = g_ptr_array_index(groups, groups->len - 1);
    const CgGroupImage *lead =
        cg_group_image(last, (guint)((guint64)row * last->images->len / (guint)rows));
    if (!add_cell(s, lead->normal, lead->normal ? "normal" : "normal (not known)", cell, error) ||
        !add_cell(s, lead->mask, "mask", cell, error))
        return FALSE;
    for (guint i = 0; i < groups->len; i++) {
        const CgGroup *g = g_ptr_array_index(groups, i);
        const CgGroupImage *shown = g == last ? lead : choose(g, lead->normal, row, rows);
        if (!add_cell(s, shown->image, g->name, cell, error))
            return FALSE;
    }
    return !real || add_cell(s, choose(real, NULL, row, rows)->image, real->name, cell, error);
}

CgImage *cg_figure_samples(GPtrArray *groups, const CgGroup *real, int rows, int cell,
                           GError **error)
{
    g_auto(Sheet) s = {0};
    sheet_init(&s);
    const CgGroup *last = g_ptr_array_index(groups, groups->len - 1);
    const int shown = MIN(rows, (int)last->images->len);
    for (int row = 0; row < shown; row++)
        if (!add_row(&s, groups, real, row, shown, cell, error))
            return NULL;
    return draw(&s, (int)groups->len + 2 + (real != NULL), cell, error);
}

/* ---- prompts */

/* Results of one normal picture and mask, one for each prompt. */
typedef struct {
    char *key;
    GPtrArray *results; /* CgGroupImage, borrowed */
} Pair;

static void pair_free(gpointer data)
{
    Pair *pair = data;
    g_free(pair->key);
    g_ptr_array_unref(pair->results);
    g_free(pair);
}

static void add_result(Pair *pair, const CgGroupImage *image)
{
    for (guint i = 0; i < pair->results->len; i++) {
        const CgGroupImage *known = g_ptr_array_index(pair->results, i);
        if (g_str_equal(known->prompt, image->prompt))
            return;
    }
    g_ptr_array_add(pair->results, (gpointer)(guintptr)image);
}

/* What a result was made from: two masks with the same pixels are one, wherever they lie. */
static char *pair_key(const CgGroupImage *image)
{
    g_autofree char *data = NULL;
    gsize size = 0;
    if (!g_file_get_contents(image->mask, &data, &size, NULL))
        return NULL;
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)data, size);
    return g_strconcat(image->normal, "\n", sum, NULL);
}

static int compare_pairs(gconstpointer a, gconstpointer b)
{
    const Pair *x = *(Pair *const *)a, *y = *(Pair *const *)b;
    if (x->results->len != y->results->len)
        return x->results->len < y->results->len ? 1 : -1;
    return strcmp(x->key, y->key);
}

static GPtrArray *find_pairs(const CgGroup *group)
{
    GPtrArray *pairs = g_ptr_array_new_with_free_func(pair_free);
    g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < group->images->len; i++) {
        const CgGroupImage *image = cg_group_image(group, i);
        g_autofree char *key =
            image->normal && image->mask && image->prompt ? pair_key(image) : NULL;
        if (!key)
            continue;
        Pair *pair = g_hash_table_lookup(by_key, key);
        if (!pair) {
            pair = g_new(Pair, 1);
            *pair = (Pair){g_steal_pointer(&key), g_ptr_array_new()};
            g_ptr_array_add(pairs, pair);
            g_hash_table_insert(by_key, pair->key, pair);
        }
        add_result(pair, image);
    }
    g_ptr_array_sort(pairs, compare_pairs);
    return pairs;
}

static gboolean add_pair(Sheet *s, const Pair *pair, int columns, int cell, GError **error)
{
    const CgGroupImage *first = g_ptr_array_index(pair->results, 0);
    if (!add_cell(s, first->normal, "normal", cell, error) ||
        !add_cell(s, first->mask, "mask", cell, error))
        return FALSE;
    for (int i = 0; i < columns; i++) {
        const CgGroupImage *image =
            i < (int)pair->results->len ? g_ptr_array_index(pair->results, i) : NULL;
        if (!add_cell(s, image ? image->image : NULL, image ? image->prompt : NULL, cell, error))
            return FALSE;
    }
    return TRUE;
}

CgImage *cg_figure_prompts(const CgGroup *group, int rows, int columns, int cell, GError **error)
{
    g_auto(Sheet) s = {0};
    sheet_init(&s);
    g_autoptr(GPtrArray) pairs = find_pairs(group);
    int shown = 0;
    while (shown < (int)pairs->len && shown < rows &&
           ((const Pair *)g_ptr_array_index(pairs, shown))->results->len > 1)
        shown++;
    if (shown == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no normal image and mask with results for two prompts; generate them with "
                    "the same --normal, --mask and --seed and another --prompt",
                    group->path);
        return NULL;
    }
    const int most = (int)((const Pair *)g_ptr_array_index(pairs, 0))->results->len;
    for (int i = 0; i < shown; i++)
        if (!add_pair(&s, g_ptr_array_index(pairs, i), MIN(columns, most), cell, error))
            return NULL;
    return draw(&s, MIN(columns, most) + 2, cell, error);
}
