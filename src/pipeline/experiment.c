#include "pipeline/experiment.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "metrics/comparison.h"

#include <string.h>

#define MAX_SEEDS 1000

/* ---- categories */

typedef struct {
    guint train, test;
} Counts;

static Counts count_images(const CgDataset *d, const char *category)
{
    Counts n = {0};
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (!g_str_equal(s->category, category))
            continue;
        n.train += s->split == CG_DATASET_TRAIN && cg_sample_is_good(s);
        n.test += s->split == CG_DATASET_TEST;
    }
    return n;
}

/* Why nothing can be measured on the category, or NULL. */
static const char *find_lack(const CgDataset *d, const char *category)
{
    const Counts n = count_images(d, category);
    return !g_utf8_validate(category, -1, NULL) ? "its name is not UTF-8"
           : n.train == 0                       ? "it has no normal images to train with"
           : n.test == 0                        ? "it has no test images"
                                                : NULL;
}

static const char *find_category(const CgDataset *d, const char *name)
{
    for (guint i = 0; i < d->categories->len; i++)
        if (g_str_equal(g_ptr_array_index(d->categories, i), name))
            return g_ptr_array_index(d->categories, i);
    return NULL;
}

static gboolean add_named(GPtrArray *all, const CgDataset *d, const char *names, GError **error)
{
    g_auto(GStrv) list = g_strsplit(names, ",", -1);
    for (char **name = list; *name; name++) {
        const char *category = find_category(d, *name);
        const char *lack = category ? find_lack(d, category) : "there is no such category";
        g_autofree char *quoted = cg_json_quote(*name);
        if (lack) {
            g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: category %s: %s", d->root, quoted,
                        lack);
            return FALSE;
        }
        if (!g_ptr_array_find(all, category, NULL))
            g_ptr_array_add(all, (gpointer)(guintptr)category);
    }
    return TRUE;
}

GPtrArray *cg_experiment_categories(const CgDataset *d, const char *names, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    if (names)
        return add_named(all, d, names, error) ? g_steal_pointer(&all) : NULL;
    for (guint i = 0; i < d->categories->len; i++) {
        const char *category = g_ptr_array_index(d->categories, i);
        const char *lack = find_lack(d, category);
        g_autofree char *quoted = cg_json_quote(category);
        if (lack)
            cg_log_note("category %s is left out: %s", quoted, lack);
        else
            g_ptr_array_add(all, (gpointer)(guintptr)category);
    }
    if (all->len)
        return g_steal_pointer(&all);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: no category has both normal images to train with and test images", d->root);
    return NULL;
}

/* ---- cells */

static const CgMethod *nth_method(const CgExperiment *x, guint i)
{
    return g_ptr_array_index(x->methods, i);
}

static const char *nth_category(const CgExperiment *x, guint i)
{
    return g_ptr_array_index(x->categories, i);
}

gboolean cg_experiment_check(const CgExperiment *x, GError **error)
{
    const char *textures = x->options.textures;
    if (textures && !g_file_test(textures, G_FILE_TEST_EXISTS)) {
        g_autofree char *shown = g_utf8_make_valid(textures, -1);
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such folder of textures", shown);
        return FALSE;
    }
    for (guint m = 0; x->methods && m < x->methods->len; m++)
        if (!cg_source_check(x->sources, nth_method(x, m), &x->options, error))
            return FALSE;
    return TRUE;
}

static void cell_clear(gpointer data)
{
    CgCell *cell = data;
    g_free((gpointer)(guintptr)cell->synthetic);
}

GArray *cg_experiment_cells(const CgExperiment *x)
{
    GArray *cells = g_array_new(FALSE, FALSE, sizeof(CgCell));
    g_array_set_clear_func(cells, cell_clear);
    for (guint s = 0; s < x->seeds->len; s++)
        for (guint c = 0; c < x->categories->len; c++)
            for (guint m = 0; m < x->methods->len; m++) {
                const CgCell cell = {.category = nth_category(x, c),
                                     .method = nth_method(x, m),
                                     .seed = g_array_index(x->seeds, guint64, s),
                                     .synthetic =
                                         cg_source_folder(x->sources, nth_method(x, m),
                                                          nth_category(x, c), &x->options)};
                g_array_append_val(cells, cell);
            }
    return cells;
}

char *cg_experiment_cell_name(const CgCell *cell)
{
    return g_strdup_printf("%s/%s/%" G_GUINT64_FORMAT, cell->category, cell->method->name,
                           cell->seed);
}

gboolean cg_experiment_make_sources(const CgExperiment *x, GError **error)
{
    for (guint c = 0; c < x->categories->len; c++)
        for (guint m = 0; m < x->methods->len; m++)
            if (!cg_source_make(x->sources, nth_method(x, m), nth_category(x, c), &x->options,
                                error))
                return FALSE;
    return TRUE;
}

GArray *cg_experiment_parse_seeds(const char *text, GError **error)
{
    g_autoptr(GArray) seeds = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_auto(GStrv) list = g_strsplit(text, ",", -1);
    for (char **at = list; *at; at++) {
        guint64 seed;
        gboolean twice = FALSE;
        if (!g_ascii_string_to_unsigned(*at, 10, 0, G_MAXINT64, &seed, NULL) ||
            seeds->len == MAX_SEEDS) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                        "--seeds are whole numbers with commas between, at most %d", MAX_SEEDS);
            return NULL;
        }
        for (guint i = 0; i < seeds->len; i++)
            twice |= g_array_index(seeds, guint64, i) == seed;
        if (twice) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--seeds has %s twice", *at);
            return NULL;
        }
        g_array_append_val(seeds, seed);
    }
    if (seeds->len)
        return g_steal_pointer(&seeds);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--seeds is empty");
    return NULL;
}

/* ---- running */

GArray *cg_experiment_todo(const CgExperiment *x, const GArray *cells, GError **error)
{
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(CgCell));
    for (guint i = 0; i < cells->len; i++) {
        const CgCell cell = g_array_index(cells, CgCell, i);
        gboolean done;
        if (!cg_cell_is_done(&x->options, &cell, &done, error))
            return NULL;
        if (!done)
            g_array_append_val(todo, cell);
    }
    return g_steal_pointer(&todo);
}

gboolean cg_experiment_plan(const CgExperiment *x, CgEngine *engine, CgExperimentPlan *out,
                            GError **error)
{
    g_autoptr(GArray) cells = cg_experiment_cells(x);
    g_autoptr(GArray) todo = cg_experiment_todo(x, cells, error);
    g_autoptr(GHashTable) plans = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    if (!todo)
        return FALSE;
    *out = (CgExperimentPlan){.cells = cells->len, .todo = todo->len};
    for (guint i = 0; i < todo->len; i++) {
        CgCell cell = g_array_index(todo, CgCell, i);
        CgTrainResult *plan = g_hash_table_lookup(plans, cell.category);
        if (!plan) { /* the same for all methods and seeds */
            plan = g_new0(CgTrainResult, 1);
            g_hash_table_insert(plans, (gpointer)(guintptr)cell.category, plan);
            cell.synthetic = NULL; /* may not be there yet */
            if (!cg_cell_plan(&x->options, &cell, engine, plan, error))
                return FALSE;
        }
        out->flops += plan->flops * (double)plan->steps;
        out->memory = MAX(out->memory, plan->memory);
        out->state_bytes = MAX(out->state_bytes, plan->state_bytes);
    }
    return TRUE;
}

gboolean cg_experiment_run(const CgExperiment *x, CgEngine *engine, GError **error)
{
    g_autoptr(GArray) cells = cg_experiment_cells(x);
    g_autoptr(GArray) todo = cg_experiment_todo(x, cells, error);
    if (!todo)
        return FALSE;
    for (guint i = 0; i < todo->len; i++) {
        const CgCell *cell = &g_array_index(todo, CgCell, i);
        g_autofree char *name = cg_experiment_cell_name(cell);
        cg_log_note("cell %s (%u of %u)", name, i + 1, todo->len);
        if (!cg_cell_run(&x->options, cell, engine, error)) {
            g_prefix_error(error, "%s: ", name);
            return FALSE;
        }
        if (!cg_experiment_table(x, NULL, NULL, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- the table */

static gboolean load_results(const CgExperiment *x, CgComparison *table, guint *count,
                             GError **error)
{
    g_autoptr(GArray) cells = cg_experiment_cells(x);
    *count = 0;
    for (guint i = 0; i < cells->len; i++) {
        const CgCell *cell = &g_array_index(cells, CgCell, i);
        g_autofree char *path = cg_cell_path(&x->options, cell);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        CgResult *result = cg_result_load(path, error);
        if (!result)
            return FALSE;
        if (!g_str_equal(result->category, cell->category) ||
            !g_str_equal(result->method, cell->method->name) || result->seed != cell->seed) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: holds the result of another cell; remove it", path);
            cg_result_free(result);
            return FALSE;
        }
        cg_comparison_add(table, result);
        *count += 1;
    }
    return TRUE;
}

static CgComparison *new_comparison(const CgExperiment *x)
{
    g_autofree const char **categories = g_new0(const char *, x->categories->len + 1);
    g_autofree const char **methods = g_new0(const char *, x->methods->len + 1);
    for (guint i = 0; i < x->categories->len; i++)
        categories[i] = nth_category(x, i);
    for (guint i = 0; i < x->methods->len; i++)
        methods[i] = nth_method(x, i)->name;
    const gboolean draem = x->options.detector.network == CG_DETECTOR_DRAEM;
    CgComparison *table = cg_comparison_new(categories, methods, x->published && draem);
    if (!draem)
        cg_comparison_note(table, "The detectors are U-Nets that see the picture alone (--network "
                                  "unet), not DRAEM: the paper has no figures of them.");
    return table;
}

static gboolean write_table(const CgComparison *table, const char *out, GError **error)
{
    static const struct {
        const char *name;
        CgReportFormat format;
    } files[] = {{"table.md", CG_REPORT_MD},
                 {"table.csv", CG_REPORT_CSV},
                 {"table.tex", CG_REPORT_LATEX},
                 {"table.json", CG_REPORT_JSON}};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(out, files[i].name, NULL);
        g_autofree char *text = cg_comparison_print(table, files[i].format);
        if (!cg_file_write(path, text, strlen(text), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean write_charts(const CgComparison *table, const char *out, GError **error)
{
    static const char *const names[] = {"ratio.svg", "ratio.png"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        gboolean drawn;
        g_autofree char *path = g_build_filename(out, names[i], NULL);
        if (!cg_comparison_chart(table, path, &drawn, error))
            return FALSE;
    }
    return TRUE;
}

gboolean cg_experiment_table(const CgExperiment *x, char **text, guint *count, GError **error)
{
    guint found;
    g_autoptr(CgComparison) table = new_comparison(x);
    if (!load_results(x, table, &found, error) || !write_table(table, x->options.out, error) ||
        !write_charts(table, x->options.out, error))
        return FALSE;
    if (text)
        *text = cg_comparison_print(table, CG_REPORT_MD);
    if (count)
        *count = found;
    return TRUE;
}
