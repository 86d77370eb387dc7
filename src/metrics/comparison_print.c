/* A comparison as Markdown, LaTeX, CSV and JSON. */
#include "metrics/comparison-private.h"

#include "metrics/published.h"
#include "metrics/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIXEL_AUROC, PIXEL_AP, IMAGE_AUROC, PIXEL_AUPRO }; /* places in cg_compared */
static const char *const titles[CG_COMPARED_COUNT] = {"Pixel AUROC", "Pixel AP", "Image AUROC",
                                                      "AUPRO (0.3)"};

/* The category of line I; NULL: the mean, which is the last line where there are several. */
static const char *nth_category(const CgComparison *c, guint i)
{
    return i < c->categories->len ? g_ptr_array_index(c->categories, i) : NULL;
}

static guint line_count(const CgComparison *c)
{
    return c->categories->len + (c->categories->len > 1);
}

static const char *nth_method(const CgComparison *c, guint i)
{
    return g_ptr_array_index(c->methods, i);
}

/* ---- the paper's figures */

typedef double (*PublishedColumn)(const CgPublished *p, guint compared);

static double draem_column(const CgPublished *p, guint compared)
{
    return compared == PIXEL_AUROC ? p->draem_auroc : p->draem_ap;
}

static double cagen_column(const CgPublished *p, guint compared)
{
    return compared == PIXEL_AUROC ? p->cagen_auroc : p->cagen_ap;
}

/* Of CATEGORY, or the mean where all categories are the paper's; NaN otherwise. */
static double published(const CgComparison *c, const char *category, PublishedColumn column,
                        guint compared)
{
    double sum = 0;
    if (category) {
        const CgPublished *p = cg_published_find(category);
        return p ? column(p, compared) : NAN;
    }
    for (guint i = 0; i < c->categories->len; i++)
        sum += published(c, nth_category(c, i), column, compared);
    return sum / c->categories->len;
}

static gboolean any_published(const CgComparison *c)
{
    for (guint i = 0; c->published && i < c->categories->len; i++)
        if (cg_published_find(nth_category(c, i)))
            return TRUE;
    return FALSE;
}

/* ---- tables for people */

static void add_cell(GPtrArray *cells, char *text)
{
    g_ptr_array_add(cells, text);
}

static char *pair_cell(CgTable *t, const CgComparison *c, const char *category, const char *method,
                       CgMode mode, gboolean without, guint first, guint second)
{
    CgCompared a, b;
    cg_comparison_find(c, category, method, mode, without, first, &a);
    cg_comparison_find(c, category, method, mode, without, second, &b);
    g_autofree char *left =
        a.undefined ? cg_table_undefined(t, a.undefined) : g_strdup_printf("%.1f", 100 * a.value);
    g_autofree char *right =
        b.undefined ? cg_table_undefined(t, b.undefined) : g_strdup_printf("%.1f", 100 * b.value);
    char *text = g_strconcat(left, " / ", right, NULL);
    g_free(a.undefined);
    g_free(b.undefined);
    return text;
}

static char *published_cell(const CgComparison *c, const char *category, PublishedColumn column)
{
    const double auroc = published(c, category, column, PIXEL_AUROC);
    return isnan(auroc)
               ? g_strdup("")
               : g_strdup_printf("%.1f / %.1f", auroc, published(c, category, column, PIXEL_AP));
}

/* Two measures of every method, "AUROC / AP", as the paper's tables are. */
static void fill_pairs(CgTable *t, const CgComparison *c, CgMode mode, gboolean without,
                       guint first, guint second)
{
    const gboolean paper = first == PIXEL_AUROC && mode == CG_MODE_DRAEM && any_published(c);
    GPtrArray *head = g_ptr_array_new();
    cg_table_init(t, 1);
    add_cell(head, g_strdup("category"));
    for (guint m = 0; m < c->methods->len; m++)
        add_cell(head, g_strdup(nth_method(c, m)));
    if (paper) {
        add_cell(head, g_strdup("paper: DRAEM"));
        add_cell(head, g_strdup("paper: CAGen"));
    }
    cg_table_take_row(t, head);
    for (guint i = 0; i < line_count(c); i++) {
        const char *category = nth_category(c, i);
        GPtrArray *cells = g_ptr_array_new();
        add_cell(cells, category ? cg_table_show(category) : g_strdup("mean"));
        for (guint m = 0; m < c->methods->len; m++)
            add_cell(cells,
                     pair_cell(t, c, category, nth_method(c, m), mode, without, first, second));
        if (paper) {
            add_cell(cells, published_cell(c, category, draem_column));
            add_cell(cells, published_cell(c, category, cagen_column));
        }
        cg_table_take_row(t, cells);
    }
}

static char *interval_cell(CgTable *t, const CgCompared *v)
{
    if (v->undefined)
        return cg_table_undefined(t, v->undefined);
    g_autofree char *value = isnan(v->low) ? g_strdup_printf("%.1f", 100 * v->value)
                                           : g_strdup_printf("%.1f [%.1f, %.1f]", 100 * v->value,
                                                             100 * v->low, 100 * v->high);
    if (isnan(v->difference))
        return g_steal_pointer(&value);
    if (isnan(v->difference_low))
        return g_strdup_printf("%s; %+.1f", value, 100 * v->difference);
    return g_strdup_printf("%s; %+.1f [%+.1f, %+.1f]%s", value, 100 * v->difference,
                           100 * v->difference_low, 100 * v->difference_high,
                           v->significant ? " *" : "");
}

/* One measure with its interval and the difference from the first method. */
static void fill_intervals(CgTable *t, const CgComparison *c, CgMode mode, gboolean without,
                           guint compared)
{
    GPtrArray *head = g_ptr_array_new();
    cg_table_init(t, 1);
    add_cell(head, g_strdup("category"));
    for (guint m = 0; m < c->methods->len; m++)
        add_cell(head, g_strdup(nth_method(c, m)));
    cg_table_take_row(t, head);
    for (guint i = 0; i < line_count(c); i++) {
        const char *category = nth_category(c, i);
        GPtrArray *cells = g_ptr_array_new();
        add_cell(cells, category ? cg_table_show(category) : g_strdup("mean"));
        for (guint m = 0; m < c->methods->len; m++) {
            CgCompared v;
            cg_comparison_find(c, category, nth_method(c, m), mode, without, compared, &v);
            add_cell(cells, interval_cell(t, &v));
            g_free(v.undefined);
        }
        cg_table_take_row(t, cells);
    }
}

static const char *images_name(gboolean without)
{
    return without ? "without the few-shot images" : "all test images";
}

typedef char *(*Printer)(const CgTable *);

static void append_table(GString *out, CgTable *t, Printer print, const char *heading)
{
    g_autofree char *text = print(t);
    if (print == cg_table_latex)
        g_string_append_printf(out, "%% %s\n%s\n", heading, text);
    else
        g_string_append_printf(out, "### %s\n\n%s\n", heading, text);
    cg_table_clear(t);
}

static void append_mode(GString *out, const CgComparison *c, CgMode mode, gboolean without,
                        Printer print)
{
    CgTable t;
    g_autofree char *pixels =
        g_strdup_printf("Pixel AUROC / AP, mode %s, %s", cg_mode_name(mode), images_name(without));
    g_autofree char *images = g_strdup_printf("Image AUROC / AUPRO (0.3), mode %s, %s",
                                              cg_mode_name(mode), images_name(without));
    fill_pairs(&t, c, mode, without, PIXEL_AUROC, PIXEL_AP);
    append_table(out, &t, print, pixels);
    fill_pairs(&t, c, mode, without, IMAGE_AUROC, PIXEL_AUPRO);
    append_table(out, &t, print, images);
}

static void count_seeds(const CgComparison *c, guint *fewest, guint *most)
{
    *fewest = G_MAXUINT;
    *most = 0;
    for (guint i = 0; i < c->categories->len; i++)
        for (guint m = 0; m < c->methods->len; m++) {
            CgCompared v;
            cg_comparison_find(c, nth_category(c, i), nth_method(c, m), cg_comparison_main_mode(c),
                               FALSE, IMAGE_AUROC, &v);
            *fewest = MIN(*fewest, v.seeds);
            *most = MAX(*most, v.seeds);
            g_free(v.undefined);
        }
}

static void append_notes(GString *out, const CgComparison *c, const char *before)
{
    guint fewest, most;
    count_seeds(c, &fewest, &most);
    g_string_append_printf(out, "%sPer cent; means over %u", before, fewest);
    if (most != fewest)
        g_string_append_printf(out, " to %u", most);
    g_string_append_printf(out, " seed%s.\n", most == 1 ? "" : "s");
    g_string_append_printf(
        out,
        "%sIn brackets: 95 %% intervals by bootstrap over test images%s. After the semicolon: the "
        "difference\n%sfrom %s on the same images and seeds; * its interval does not contain 0 "
        "(nothing is corrected for the\n%snumber of comparisons).\n",
        before,
        most > 1 ? " and seeds together"
                 : " (one seed: how much a training varies is "
                   "not in them)",
        before, nth_method(c, 0), before);
    if (any_published(c))
        g_string_append_printf(out,
                               "%sThe paper's columns are found by the category's name; they are "
                               "of 256 x 256 pixels, width 128, 700 epochs.\n",
                               before);
    for (guint i = 0; i < c->notes->len; i++)
        g_string_append_printf(out, "%s%s\n", before, (const char *)g_ptr_array_index(c->notes, i));
}

/* What evaluations noted, once for each category. */
static void append_result_notes(GString *out, const CgComparison *c, const char *before)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < c->results->len; i++) {
        const CgResult *r = g_ptr_array_index(c->results, i);
        for (guint n = 0; n < r->notes->len; n++) {
            char *note = g_ptr_array_index(r->notes, n);
            g_autofree char *shown = cg_table_show(note);
            if (g_hash_table_add(seen, note))
                g_string_append_printf(out, "%s%s\n", before, shown);
        }
    }
}

static char *print_tables(const CgComparison *c, Printer print)
{
    const gboolean latex = print == cg_table_latex;
    const char *before = latex ? "% " : "";
    const CgMode first = cg_comparison_main_mode(c);
    GString *out = g_string_new(NULL);
    for (int without = 0; without < 2; without++)
        if (cg_comparison_has(c, first, without))
            append_mode(out, c, first, without, print);
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        CgTable t;
        g_autofree char *heading = g_strdup_printf("%s with intervals, mode %s, %s", titles[k],
                                                   cg_mode_name(first), images_name(FALSE));
        fill_intervals(&t, c, first, FALSE, k);
        append_table(out, &t, print, heading);
    }
    for (int mode = 0; mode < CG_MODE_COUNT; mode++)
        for (int without = 0; without < 2 && (CgMode)mode != first; without++)
            if (cg_comparison_has(c, (CgMode)mode, without))
                append_mode(out, c, (CgMode)mode, without, print);
    append_notes(out, c, before);
    append_result_notes(out, c, latex ? "% " : "\n");
    return g_string_free(out, FALSE);
}

/* ---- every figure as a row, for programs */

typedef struct {
    const char *category, *method;
    CgMode mode;
    gboolean without;
    guint compared;
    CgCompared value;
    double published;
} Row;

typedef void (*RowFunction)(void *data, const Row *row);

/* The paper's figure for METHOD: DRAEM alone, or with something called cagen in its training set.
 */
static double published_for(const CgComparison *c, const Row *row)
{
    const gboolean measured = row->compared == PIXEL_AUROC || row->compared == PIXEL_AP;
    if (!measured || !c->published || row->mode != CG_MODE_DRAEM || row->without)
        return NAN;
    if (g_str_equal(row->method, "draem"))
        return published(c, row->category, draem_column, row->compared) / 100;
    if (g_str_has_prefix(row->method, "draem+cagen:"))
        return published(c, row->category, cagen_column, row->compared) / 100;
    return NAN;
}

static void visit_rows(const CgComparison *c, RowFunction each, void *data)
{
    for (int mode = 0; mode < CG_MODE_COUNT; mode++)
        for (int without = 0; without < 2; without++) {
            if (!cg_comparison_has(c, (CgMode)mode, without))
                continue;
            for (guint i = 0; i < line_count(c); i++)
                for (guint m = 0; m < c->methods->len; m++)
                    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
                        Row row = {.category = nth_category(c, i),
                                   .method = nth_method(c, m),
                                   .mode = (CgMode)mode,
                                   .without = without,
                                   .compared = k};
                        cg_comparison_find(c, row.category, row.method, row.mode, without, k,
                                           &row.value);
                        row.published = published_for(c, &row);
                        each(data, &row);
                        g_free(row.value.undefined);
                    }
        }
}

static void csv_row(void *data, const Row *row)
{
    GString *out = data;
    const CgCompared *v = &row->value;
    cg_csv_field(out, row->category ? row->category : "");
    g_string_append_c(out, ',');
    cg_csv_field(out, row->method);
    g_string_append_printf(out, ",%s,%d,%s,%u", cg_mode_name(row->mode), row->without,
                           cg_value_name(cg_compared[row->compared]), v->seeds);
    const double numbers[] = {v->value,          v->low, v->high, v->difference, v->difference_low,
                              v->difference_high};
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        cg_csv_number(out, numbers[i]);
    g_string_append_printf(out, ",%d", v->significant);
    cg_csv_number(out, row->published);
    g_string_append_c(out, ',');
    cg_csv_field(out, v->undefined ? v->undefined : "");
    g_string_append_c(out, '\n');
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *text(const char *t)
{
    g_autofree char *valid = t ? g_utf8_make_valid(t, -1) : NULL;
    return t ? json_string(valid) : json_null();
}

static void json_row(void *data, const Row *row)
{
    const CgCompared *v = &row->value;
    json_t *o = json_object();
    json_object_set_new(o, "category", text(row->category));
    json_object_set_new(o, "method", text(row->method));
    json_object_set_new(o, "mode", json_string(cg_mode_name(row->mode)));
    json_object_set_new(o, "without_few_shot", json_boolean(row->without));
    json_object_set_new(o, "measure", json_string(cg_value_name(cg_compared[row->compared])));
    json_object_set_new(o, "seeds", json_integer(v->seeds));
    if (v->undefined) {
        json_object_set_new(o, "undefined", text(v->undefined));
    } else {
        json_object_set_new(o, "value", number(v->value));
        json_object_set_new(o, "low", number(v->low));
        json_object_set_new(o, "high", number(v->high));
    }
    if (!isnan(v->difference)) {
        json_object_set_new(o, "difference", number(v->difference));
        json_object_set_new(o, "difference_low", number(v->difference_low));
        json_object_set_new(o, "difference_high", number(v->difference_high));
        json_object_set_new(o, "significant", json_boolean(v->significant));
    }
    if (!isnan(row->published))
        json_object_set_new(o, "paper", number(row->published));
    json_array_append_new(data, o);
}

static json_t *list(const GPtrArray *names)
{
    json_t *array = json_array();
    for (guint i = 0; i < names->len; i++)
        json_array_append_new(array, text(g_ptr_array_index(names, i)));
    return array;
}

static char *print_json(const CgComparison *c)
{
    json_t *rows = json_array();
    visit_rows(c, json_row, rows);
    g_autoptr(json_t) object = json_object();
    json_object_set_new(object, "categories", list(c->categories));
    json_object_set_new(object, "methods", list(c->methods));
    json_object_set_new(object, "rows", rows);
    if (c->notes->len)
        json_object_set_new(object, "notes", list(c->notes));
    char *dumped = json_dumps(object, JSON_INDENT(1));
    char *line = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    return line;
}

char *cg_comparison_print(const CgComparison *c, CgReportFormat format)
{
    if (format == CG_REPORT_JSON)
        return print_json(c);
    if (format != CG_REPORT_CSV)
        return print_tables(c, format == CG_REPORT_LATEX ? cg_table_latex : cg_table_markdown);
    GString *out =
        g_string_new("category,method,mode,without_few_shot,measure,seeds,value,low,high,"
                     "difference,difference_low,difference_high,significant,paper,"
                     "undefined\n");
    visit_rows(c, csv_row, out);
    return g_string_free(out, FALSE);
}
