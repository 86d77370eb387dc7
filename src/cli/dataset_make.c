/* cagen dataset make: a data set of drawn pictures. */
#include "cli/dataset.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "pipeline/drawings.h"

#include <stdio.h>

#define MAX_IMAGES ((int)CG_DRAWING_MAX_NUMBER)

typedef struct {
    CgCliCompute compute;
    char *out, *twins, *categories;
    gint64 seed;
    int size, train, test_good, per_defect;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free(o->out);
    g_free(o->twins);
    g_free(o->categories);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* The categories with their defects, and an example. */
static char *describe(void)
{
    g_autoptr(GString) text = g_string_new("Categories and their defects:\n");
    const CgDrawing *drawing;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
        const char *defect;
        g_string_append_printf(text, "  %-15s", cg_drawing_category(drawing));
        for (guint d = 0; (defect = cg_drawing_defect(drawing, d)); d++)
            g_string_append_printf(text, "%s%s", d ? ", " : "", defect);
        g_string_append_c(text, '\n');
    }
    g_string_append(text,
                    "\nThe layout is that of MVTec AD. The same command gives the same bytes; "
                    "after an interruption it\ncontinues, with larger numbers it adds.\n\n"
                    "Example:\n"
                    "  cagen dataset make --categories hex_nut,wood --size 128 --out drawn");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "the folder to write", "DIR"},
        {"categories", 'c', 0, G_OPTION_ARG_STRING, &o->categories,
         "names with commas between, see below (default: all)", "LIST"},
        {"size", 0, 0, G_OPTION_ARG_INT, &o->size, "pixels a side, 32 to 1024 (default: 256)", "N"},
        {"train", 0, 0, G_OPTION_ARG_INT, &o->train,
         "good images to train with, of each category (default: 200)", "N"},
        {"test-good", 0, 0, G_OPTION_ARG_INT, &o->test_good,
         "good images to test with (default: 40)", "N"},
        {"per-defect", 0, 0, G_OPTION_ARG_INT, &o->per_defect,
         "images of each defect (default: 40)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of all that is drawn (default: 0)",
         "S"},
        {"twins", 0, 0, G_OPTION_ARG_FILENAME, &o->twins,
         "also write what each defective image was before, as DIR/CATEGORY/DEFECT/000.png", "DIR"},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    g_autofree char *description = describe();
    return cg_cli_parse(&argc, &argv, "dataset make", NULL,
                        "Draws a data set of parts and materials that exist nowhere, with defects "
                        "and exact masks.",
                        description, entries, error);
}

static gboolean check_number(const char *option, int value, int low, int high, GError **error)
{
    if (value >= low && value <= high)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "dataset make: %s must be %d to %d, not %d",
                option, low, high, value);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->out) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "dataset make: --out DIR is needed; see cagen dataset make --help");
        return FALSE;
    }
    if (o->seed < 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "dataset make: --seed must be 0 or more");
        return FALSE;
    }
    return check_number("--size", o->size, CG_DRAWING_MIN_SIZE, CG_DRAWING_MAX_SIZE, error) &&
           check_number("--train", o->train, 0, MAX_IMAGES, error) &&
           check_number("--test-good", o->test_good, 0, MAX_IMAGES, error) &&
           check_number("--per-defect", o->per_defect, 0, MAX_IMAGES, error);
}

/* LIST's categories, or all; each once. */
static GPtrArray *find_categories(const char *list, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_auto(GStrv) names = list ? g_strsplit(list, ",", -1) : NULL;
    const CgDrawing *drawing;
    for (guint i = 0; !list && (drawing = cg_drawing_get(i)); i++)
        g_ptr_array_add(found, (gpointer)(guintptr)drawing);
    for (guint i = 0; names && names[i]; i++) {
        if (!(drawing = cg_drawing_find(g_strstrip(names[i]), error)))
            return NULL;
        if (!g_ptr_array_find(found, drawing, NULL))
            g_ptr_array_add(found, (gpointer)(guintptr)drawing);
    }
    if (found->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "dataset make: --categories names none");
        return NULL;
    }
    return g_steal_pointer(&found);
}

static void print_row(void *data, const json_t *row)
{
    (void)data;
    json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
    putchar('\n');
    fflush(stdout);
}

static void print_summary(const Options *o, guint total, const CgBatchSummary *s)
{
    if (!o->compute.json)
        printf("%s: %u images\n", o->out, total);
    g_autofree char *there =
        s->skipped ? g_strdup_printf(", %u were there already", s->skipped) : g_strdup("");
    g_autofree char *speed = s->made ? g_strdup_printf("; %.1f images per second on %d thread%s",
                                                       1 / s->seconds_per_image, cg_threads(),
                                                       cg_threads() == 1 ? "" : "s")
                                     : g_strdup("");
    cg_log_note("drew %u image%s%s%s", s->made, s->made == 1 ? "" : "s", there, speed);
}

static gboolean run(Options *o, GError **error)
{
    CgBatchSummary summary;
    if (!cg_cli_common_start(&o->compute, error) || !check_options(o, error))
        return FALSE;
    g_autoptr(GPtrArray) categories = find_categories(o->categories, error);
    if (!categories)
        return FALSE;
    const CgDrawingsOptions options = {
        .out = o->out,
        .twins = o->twins,
        .categories = categories,
        .seed = (guint64)o->seed,
        .size = o->size,
        .train = (guint)o->train,
        .test_good = (guint)o->test_good,
        .per_defect = (guint)o->per_defect,
    };
    const guint total = cg_drawings_count(&options);
    if (total == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "dataset make: no image is asked for");
        return FALSE;
    }
    const gboolean ok =
        cg_drawings_run(&options, o->compute.json ? print_row : NULL, o, &summary, error);
    if (!ok && g_error_matches(*error, CG_ERROR, CG_ERROR_CANCELLED)) {
        g_clear_error(error);
        g_set_error(error, CG_ERROR, CG_ERROR_CANCELLED,
                    "stopped after %u of %u images; the same command continues", summary.made,
                    total);
    }
    if (ok)
        print_summary(o, total, &summary);
    return ok;
}

int cg_cli_dataset_make(int argc, char **argv)
{
    g_auto(Options) o = {.size = 256, .train = 200, .test_good = 40, .per_defect = 40};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error) || !run(&o, &error))
        return cg_cli_fail(error);
    return 0;
}
