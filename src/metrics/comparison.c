#include "metrics/comparison-private.h"

#include "metrics/repeated.h"

#include <math.h>
#include <string.h>

CgComparison *cg_comparison_new(const char *const *categories, const char *const *methods,
                                gboolean published)
{
    CgComparison *c = g_new0(CgComparison, 1);
    c->published = published;
    c->categories = g_ptr_array_new_with_free_func(g_free);
    c->methods = g_ptr_array_new_with_free_func(g_free);
    c->results = g_ptr_array_new_with_free_func((GDestroyNotify)cg_result_free);
    c->notes = g_ptr_array_new_with_free_func(g_free);
    for (; *categories; categories++)
        g_ptr_array_add(c->categories, g_strdup(*categories));
    for (; *methods; methods++)
        g_ptr_array_add(c->methods, g_strdup(*methods));
    return c;
}

void cg_comparison_free(CgComparison *c)
{
    if (!c)
        return;
    g_ptr_array_unref(c->categories);
    g_ptr_array_unref(c->methods);
    g_ptr_array_unref(c->results);
    g_ptr_array_unref(c->notes);
    g_free(c);
}

void cg_comparison_note(CgComparison *c, const char *text)
{
    g_ptr_array_add(c->notes, g_strdup(text));
}

static int by_seed(gconstpointer a, gconstpointer b)
{
    const CgResult *x = *(const CgResult *const *)a, *y = *(const CgResult *const *)b;
    return (x->seed > y->seed) - (x->seed < y->seed);
}

void cg_comparison_add(CgComparison *c, CgResult *result)
{
    g_ptr_array_add(c->results, result);
    g_ptr_array_sort(c->results, by_seed);
}

static const CgResultRow *find_row(const CgResult *r, CgMode mode, gboolean without_shots)
{
    for (guint i = 0; i < r->rows->len; i++) {
        const CgResultRow *row = &g_array_index(r->rows, CgResultRow, i);
        if (row->mode == mode && row->without_shots == without_shots)
            return row;
    }
    return NULL;
}

gboolean cg_comparison_has(const CgComparison *c, CgMode mode, gboolean without_shots)
{
    for (guint i = 0; i < c->results->len; i++)
        if (find_row(g_ptr_array_index(c->results, i), mode, without_shots))
            return TRUE;
    return FALSE;
}

CgMode cg_comparison_main_mode(const CgComparison *c)
{
    static const CgMode order[] = {CG_MODE_DRAEM, CG_MODE_STRICT, CG_MODE_ANOMALIB};
    for (guint i = 0; i < G_N_ELEMENTS(order); i++)
        if (cg_comparison_has(c, order[i], FALSE))
            return order[i];
    return CG_MODE_DRAEM;
}

/* Which figures are asked for. */
typedef struct {
    CgMode mode;
    gboolean without_shots;
    guint compared;
} Kind;

/* One measure of one method on one category, by seed. */
typedef struct {
    GArray *seeds;    /* guint64 */
    GArray *values;   /* double */
    GPtrArray *draws; /* float *, borrowed */
    guint draw_count; /* the fewest */
} Group;

static void group_clear(gpointer data)
{
    Group *g = data;
    g_array_unref(g->seeds);
    g_array_unref(g->values);
    g_ptr_array_unref(g->draws);
}

static gboolean has_seed(const GArray *seeds, guint64 seed)
{
    for (guint i = 0; i < seeds->len; i++)
        if (g_array_index(seeds, guint64, i) == seed)
            return TRUE;
    return FALSE;
}

/* Those with one of SEEDS (NULL: any). Returns why there is no value, or NULL. */
static const char *collect(const CgComparison *c, const char *category, const char *method,
                           const Kind *kind, const GArray *seeds, Group *g)
{
    *g = (Group){g_array_new(FALSE, FALSE, sizeof(guint64)),
                 g_array_new(FALSE, FALSE, sizeof(double)), g_ptr_array_new(), G_MAXUINT};
    const char *lack = NULL;
    for (guint i = 0; i < c->results->len; i++) {
        const CgResult *r = g_ptr_array_index(c->results, i);
        if (!g_str_equal(r->category, category) || !g_str_equal(r->method, method) ||
            (seeds && !has_seed(seeds, r->seed)))
            continue;
        const CgResultRow *row = find_row(r, kind->mode, kind->without_shots);
        g_array_append_val(g->seeds, r->seed);
        const char *reason = row                   ? row->reasons[kind->compared]
                             : kind->without_shots ? "no image of this category was learnt from"
                                                   : "not measured in this mode";
        lack = lack ? lack : reason;
        if (reason)
            continue;
        g_array_append_val(g->values, row->values[kind->compared]);
        g_ptr_array_add(g->draws, row->draws[kind->compared]);
        g->draw_count = MIN(g->draw_count, r->draws);
    }
    return lack ? lack : g->seeds->len ? NULL : "not measured yet";
}

static CgRepeated repeated(const Group *g)
{
    return (CgRepeated){g->seeds->len, (const double *)(const void *)g->values->data,
                        (const float **)g->draws->pdata};
}

static CgMeanInterval compare(const GArray *a, const GArray *b)
{
    g_autofree CgRepeated *ra = g_new(CgRepeated, a->len), *rb = g_new(CgRepeated, a->len);
    guint draws = G_MAXUINT;
    for (guint i = 0; i < a->len; i++) {
        const Group *ga = &g_array_index(a, Group, i);
        ra[i] = repeated(ga);
        draws = MIN(draws, ga->draw_count);
        if (!b)
            continue;
        rb[i] = repeated(&g_array_index(b, Group, i));
        draws = MIN(draws, g_array_index(b, Group, i).draw_count);
    }
    return cg_repeated_compare(ra, b ? rb : NULL, a->len, draws, 0);
}

static GArray *groups_new(void)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(Group));
    g_array_set_clear_func(groups, group_clear);
    return groups;
}

static void find_value(const CgComparison *c, const GPtrArray *categories, const char *method,
                       const Kind *kind, CgCompared *out)
{
    g_autoptr(GArray) groups = groups_new();
    out->seeds = G_MAXUINT;
    for (guint i = 0; i < categories->len; i++) {
        Group g;
        const char *category = g_ptr_array_index(categories, i);
        const char *reason = collect(c, category, method, kind, NULL, &g);
        out->seeds = MIN(out->seeds, g.seeds->len);
        g_array_append_val(groups, g);
        if (!reason)
            continue;
        out->undefined =
            categories->len > 1 ? g_strdup_printf("%s: %s", category, reason) : g_strdup(reason);
        return;
    }
    const CgMeanInterval mean = compare(groups, NULL);
    out->value = mean.mean;
    out->low = mean.low;
    out->high = mean.high;
}

/* On the seeds that the method and the first one both have. */
static void find_difference(const CgComparison *c, const GPtrArray *categories, const char *method,
                            const Kind *kind, CgCompared *out)
{
    const char *first = g_ptr_array_index(c->methods, 0);
    g_autoptr(GArray) a = groups_new(), b = groups_new();
    for (guint i = 0; i < categories->len; i++) {
        const char *category = g_ptr_array_index(categories, i);
        Group all, mine, theirs;
        const char *reason = collect(c, category, first, kind, NULL, &all);
        const char *mine_reason = collect(c, category, method, kind, all.seeds, &mine);
        const char *theirs_reason = collect(c, category, first, kind, mine.seeds, &theirs);
        group_clear(&all);
        g_array_append_val(a, mine);
        g_array_append_val(b, theirs);
        if (reason || mine_reason || theirs_reason)
            return;
    }
    const CgMeanInterval mean = compare(a, b);
    out->difference = mean.mean;
    out->difference_low = mean.low;
    out->difference_high = mean.high;
    out->significant = mean.low > 0 || mean.high < 0;
}

void cg_comparison_find(const CgComparison *c, const char *category, const char *method,
                        CgMode mode, gboolean without_shots, guint compared, CgCompared *out)
{
    const Kind kind = {mode, without_shots, compared};
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_ptr_array_add(one, (gpointer)(guintptr)category);
    const GPtrArray *categories = category ? one : c->categories;
    *out = (CgCompared){.value = NAN,
                        .low = NAN,
                        .high = NAN,
                        .difference = NAN,
                        .difference_low = NAN,
                        .difference_high = NAN};
    find_value(c, categories, method, &kind, out);
    if (!out->undefined && !g_str_equal(method, g_ptr_array_index(c->methods, 0)))
        find_difference(c, categories, method, &kind, out);
}
