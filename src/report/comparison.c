/* Methods compared, of cagen evaluate: a table for each measure, and the methods' mean curves. */
#include "report/page-private.h"

#include "metrics/published.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

#define MAX_NAMES 1000 /* of categories, and of methods */

typedef enum { NO_MEASURE_OF_THE_PAPER, PAPER_AUROC, PAPER_AP } Published;

static const struct {
    const char *key, *title;
    Published published;
} measures[] = {
    {"pixel_auroc", "Pixel AUROC", PAPER_AUROC},
    {"pixel_ap", "Pixel AP", PAPER_AP},
    {"image_auroc", "Image AUROC", NO_MEASURE_OF_THE_PAPER},
    {"pixel_aupro", "AUPRO", NO_MEASURE_OF_THE_PAPER},
};

/* One table's rows: of a mode, and of all test images or those without the few-shot ones. */
typedef struct {
    const char *mode;
    gboolean without;
} View;

typedef struct {
    const json_t *categories, *methods;
    GHashTable *rows;   /* of the JSON, borrowed, by row_key */
    gboolean published; /* the paper's figures are wanted */
    guint fewest_seeds, most_seeds;
} Compared;

static void compared_clear(Compared *c)
{
    g_clear_pointer(&c->rows, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Compared, compared_clear)

static const char *nth(const json_t *names, gsize i)
{
    return json_string_value(json_array_get(names, i));
}

/* ---- reading */

static char *row_key(const char *category, const char *method, const View *view,
                     const char *measure)
{
    return g_strdup_printf("%s\n%s\n%s\n%d\n%s", category ? category : "", method ? method : "",
                           view->mode ? view->mode : "", view->without, measure ? measure : "");
}

static void read_rows(Compared *c, const json_t *rows)
{
    c->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    c->fewest_seeds = G_MAXUINT;
    for (gsize i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const View view = {cg_json_text(row, "mode"),
                           json_is_true(json_object_get(row, "without_few_shot"))};
        const guint seeds = (guint)json_integer_value(json_object_get(row, "seeds"));
        g_hash_table_insert(c->rows,
                            row_key(cg_json_text(row, "category"), cg_json_text(row, "method"),
                                    &view, cg_json_text(row, "measure")),
                            row);
        c->published = c->published || json_object_get(row, "paper");
        c->fewest_seeds = MIN(c->fewest_seeds, seeds);
        c->most_seeds = MAX(c->most_seeds, seeds);
    }
}

/* Row I of the table is of this category; NULL: the mean of all, the last one. */
static const json_t *find(const Compared *c, gsize i, const char *method, const View *view,
                          const char *measure)
{
    g_autofree char *key = row_key(nth(c->categories, i), method, view, measure);
    return g_hash_table_lookup(c->rows, key);
}

/* ---- cells */

static void add_difference(GString *out, const json_t *row)
{
    const double d = cg_page_number(row, "difference");
    if (!isfinite(d))
        return;
    const double low = cg_page_number(row, "difference_low");
    const double high = cg_page_number(row, "difference_high");
    const gboolean significant = json_is_true(json_object_get(row, "significant"));
    g_string_append_printf(out, "<span class=\"difference%s\">%+.1f", significant ? " sure" : "",
                           100 * d);
    if (significant)
        g_string_append(out, " <abbr title=\"the interval does not contain 0\">*</abbr>");
    if (isfinite(low) && isfinite(high))
        g_string_append_printf(out, " <span class=\"interval\">%+.1f to %+.1f</span>", 100 * low,
                               100 * high);
    g_string_append(out, "</span>");
}

static double published_value(const char *category, Published which, gboolean cagen)
{
    const CgPublished *p = category ? cg_published_find(category) : NULL;
    if (!p)
        return NAN;
    if (which == PAPER_AUROC)
        return cagen ? p->cagen_auroc : p->draem_auroc;
    return cagen ? p->cagen_ap : p->draem_ap;
}

/* Of row I; the mean's, where the paper has all categories. */
static void add_published(GString *out, const Compared *c, gsize i, Published which, gboolean cagen)
{
    const gsize count = json_array_size(c->categories);
    double value = 0;
    if (i < count)
        value = published_value(nth(c->categories, i), which, cagen);
    for (gsize k = 0; i == count && k < count; k++)
        value += published_value(nth(c->categories, k), which, cagen) / (double)count;
    if (isfinite(value))
        cg_html_number_cell(out, "%.1f", value);
    else
        cg_html_number_cell(out, "-");
}

/* ---- tables */

static void add_head(GString *out, const Compared *c, gboolean published)
{
    g_string_append(out, "<thead><tr><th scope=\"col\">Category</th>");
    for (gsize m = 0; m < json_array_size(c->methods); m++) {
        g_string_append(out, "<th scope=\"col\" class=\"n\">");
        cg_html_text(out, nth(c->methods, m));
        g_string_append(out, "</th>");
    }
    if (published)
        g_string_append(out, "<th scope=\"col\" class=\"n\">Paper: DRAEM</th><th scope=\"col\" "
                             "class=\"n\">Paper: CAGen</th>");
    g_string_append(out, "</tr></thead>\n<tbody>\n");
}

/* FALSE when nothing was measured. */
static gboolean add_row(GString *out, const Compared *c, gsize i, const View *view, gsize measure,
                        gboolean published)
{
    const char *category = nth(c->categories, i);
    const gsize before = out->len;
    gboolean found = FALSE;
    g_string_append(out, "<tr><th scope=\"row\">");
    cg_html_text(out, category ? category : "mean of categories");
    g_string_append(out, "</th>");
    for (gsize m = 0; m < json_array_size(c->methods); m++) {
        const json_t *row = find(c, i, nth(c->methods, m), view, measures[measure].key);
        g_string_append(out, "<td class=\"n\">");
        cg_page_per_cent(out, row);
        add_difference(out, row);
        g_string_append(out, "</td>");
        found = found || row;
    }
    for (int cagen = 0; published && cagen < 2; cagen++)
        add_published(out, c, i, measures[measure].published, cagen);
    g_string_append(out, "</tr>\n");
    if (!found)
        g_string_truncate(out, before);
    return found;
}

static gboolean add_table(GString *out, const Compared *c, const View *view, gsize measure)
{
    const gboolean published = c->published && measures[measure].published && !view->without &&
                               g_str_equal(view->mode, "draem");
    GString *rows = g_string_new(NULL);
    for (gsize i = 0; i <= json_array_size(c->categories); i++)
        add_row(rows, c, i, view, measure, published);
    const gboolean found = rows->len > 0;
    if (found) {
        g_string_append_printf(out, "<h4>%s</h4>\n", measures[measure].title);
        cg_html_begin_table(out, measures[measure].title);
        add_head(out, c, published);
        g_string_append_len(out, rows->str, (gssize)rows->len);
        cg_html_end_table(out);
    }
    g_string_free(rows, TRUE);
    return found;
}

/* The tables of VIEW, folded away unless it is the FIRST. */
static gboolean add_view(GString *out, const Compared *c, const View *view, gboolean first)
{
    const gsize before = out->len;
    gboolean found = FALSE;
    g_string_append_printf(
        out, first ? "<p>Mode %s, %s.</p>\n" : "<details><summary>Mode %s, %s</summary>\n",
        view->mode, view->without ? "without the few-shot images" : "all test images");
    for (gsize m = 0; m < G_N_ELEMENTS(measures); m++)
        found = add_table(out, c, view, m) || found;
    g_string_append(out, first ? "" : "</details>\n");
    if (!found)
        g_string_truncate(out, before);
    return found;
}

static void add_explanation(GString *out, const Compared *c)
{
    if (c->most_seeds < 2) {
        g_string_append(out,
                        "<p class=\"note\">One training each; below each its 95 % interval, over "
                        "test images alone. Then the difference from ");
    } else {
        g_string_append_printf(out, "<p class=\"note\">Means over %u", c->fewest_seeds);
        if (c->most_seeds != c->fewest_seeds)
            g_string_append_printf(out, " to %u", c->most_seeds);
        g_string_append(out, " trainings with other seeds; below each its 95 % interval, over "
                             "trainings and test images together. Then the difference from ");
    }
    cg_html_text(out, nth(c->methods, 0));
    g_string_append(out, " on the same seeds and images; * its interval does not contain 0, "
                         "nothing being corrected for the number of comparisons.");
    if (c->published)
        g_string_append(out,
                        " Paper: the category of that name, at 256 x 256 pixels, width 128, 700 "
                        "epochs.");
    g_string_append(out, "</p>\n");
}

gboolean cg_page_add_comparison(GString *out, const json_t *json, const char *folder)
{
    static const char *const modes[] = {"draem", "strict", "anomalib"};
    g_auto(Compared) c = {.categories = json_object_get(json, "categories"),
                          .methods = json_object_get(json, "methods")};
    gboolean found = FALSE;
    if (json_array_size(c.categories) > MAX_NAMES || json_array_size(c.methods) > MAX_NAMES)
        return FALSE;
    read_rows(&c, json_object_get(json, "rows"));
    for (gsize m = 0; m < G_N_ELEMENTS(modes); m++)
        for (int without = 0; without < 2; without++) {
            const View view = {modes[m], without};
            found = add_view(out, &c, &view, !found) || found;
        }
    if (!found)
        return FALSE;
    add_explanation(out, &c);
    if (folder)
        cg_page_add_method_curves(out, c.categories, c.methods, folder);
    return TRUE;
}
