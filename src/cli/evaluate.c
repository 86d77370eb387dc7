/* cagen evaluate */
#include "cli/evaluate.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/commands.h"
#include "cli/dataset.h"
#include "cli/detect.h"
#include "cli/options.h"
#include "metrics/bootstrap.h"
#include "pipeline/probe.h"

#include <math.h>
#include <stdio.h>

#define MAX_JOBS         1024
#define SMALL_SIDE       128 /* pixels up to which a training runs best on one thread */
#define THREADS_OF_A_JOB 8   /* and above */

typedef struct {
    CgCliCompute compute;
    CgTrainDetectorOptions detector;
    char *data, *layout, *out, *categories, *methods, *network, *seeds, *ratios, *replace,
        *textures, *split, *course, *mode, *only;
    char **synthetic;
    gint64 steps, warmup;
    int bootstrap, jobs;
    gboolean keep_models, redo, plan_only, table_only, no_paper;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data,    o->layout, o->out,    o->categories, o->methods,
                          o->network, o->seeds,  o->ratios, o->replace,    o->textures,
                          o->split,   o->course, o->mode,   o->only};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
    g_strfreev(o->synthetic);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "A method is BASE or BASE+SOURCE or BASE+SOURCE:RATIO. BASE is what anomalies are made with "
    "while\n"
    "training: draem, cutpaste, scar, cutpaste-union, nsa, memseg or none. SOURCE is what a share "
    "of\n"
    "the training set is replaced by: the name of a folder of --synthetic, or cutpaste, nsa, "
    "memseg,\n"
    "crop-paste (of the few-shot images in --split) and the others of cagen augment, made "
    "beforehand.\n"
    "Without a RATIO those of --ratio are taken, each as a method of its own; three or more draw "
    "a\n"
    "chart. The first method is what the others are compared with.\n\n"
    "Every training (a cell) leaves its result in --out, so that the same command goes on where it "
    "was\n"
    "interrupted, and a longer one takes over what is there. Tables: table.md, .csv, .tex, "
    ".json.\n\n"
    "Defaults are the paper's: 256 pixels, width 128, 700 epochs of batches of 8, 30 % "
    "replaced.\n\n"
    "Example:\n"
    "  cagen evaluate --data mvtec --textures dtd/images --synthetic generated --split shots.json "
    "\\\n"
    "      --methods draem,draem+cagen,draem+crop-paste --seeds 0,1,2 --out table1";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainDetectorOptions *d = &o->detector;
    CgTrainSettings *t = &d->train;
    const GOptionEntry entries[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set to train and test on", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder for results and tables", "DIR"},
        {"categories", 'c', 0, G_OPTION_ARG_FILENAME, &o->categories,
         "with commas between (default: all that can be trained and tested)", "NAMES"},
        {"methods", 0, 0, G_OPTION_ARG_STRING, &o->methods,
         "see below (default: draem, and draem+cagen with --synthetic)", "LIST"},
        {"seeds", 0, 0, G_OPTION_ARG_STRING, &o->seeds, "of trainings (default: 0,1,2)", "LIST"},
        {"ratio", 0, 0, G_OPTION_ARG_STRING, &o->ratios,
         "shares that sources replace, 0 to 1, with commas between (default: 0.3)", "LIST"},
        {"replace", 0, 0, G_OPTION_ARG_STRING, &o->replace,
         "a share of what: set, draw or anomalous; see cagen detect train --help (default: set)",
         "NAME"},
        {"synthetic", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->synthetic,
         "folder of generated images, as the source NAME (default: cagen); several are possible",
         "[NAME=]DIR"},
        {"textures", 0, 0, G_OPTION_ARG_FILENAME, &o->textures,
         "folder of pictures for draem and memseg, DTD say", "DIR"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "split of the few-shot images: for crop-paste, and tables without them", "FILE"},
        {"size", 0, 0, G_OPTION_ARG_INT, &d->samples.size,
         "pixels of a side, a multiple of 32 (default: 256)", "N"},
        {"network", 0, 0, G_OPTION_ARG_STRING, &o->network,
         "draem, or unet: the same experiment with a U-Net (default: draem)", "NAME"},
        {"width", 0, 0, G_OPTION_ARG_INT, &d->width,
         "channels, as in cagen detect train (default: 128, unet 64)", "N"},
        {"epochs", 0, 0, G_OPTION_ARG_DOUBLE, &t->epochs, "passes over the data (default: 700)",
         "N"},
        {"steps", 0, 0, G_OPTION_ARG_INT64, &o->steps, "updates, instead of epochs", "N"},
        {"batch", 0, 0, G_OPTION_ARG_INT, &t->batch, "samples at once (default: 8)", "N"},
        {"accumulate", 0, 0, G_OPTION_ARG_INT, &t->accumulate,
         "batches before an update (default: 1)", "N"},
        {"lr", 0, 0, G_OPTION_ARG_DOUBLE, &t->optimizer.rate, "learning rate (default: 1e-4)",
         "RATE"},
        {"lr-schedule", 0, 0, G_OPTION_ARG_STRING, &o->course,
         "constant, cosine, linear or steps (default: steps)", "NAME"},
        {"warmup", 0, 0, G_OPTION_ARG_INT64, &o->warmup,
         "steps over which the rate rises (default: 0)", "N"},
        {"recompute", 0, 0, G_OPTION_ARG_NONE, &t->recompute, "less memory, more time", NULL},
        {"mode", 0, 0, G_OPTION_ARG_STRING, &o->mode,
         "strict, draem, anomalib, or several with commas (default: all)", "NAMES"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "draws for 95 % intervals, 0 for none (default: 1000)", "N"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &o->jobs,
         "trainings side by side; results do not depend on it (default: by size and threads)", "N"},
        {"only", 0, 0, G_OPTION_ARG_FILENAME, &o->only,
         "this cell alone, and no table: for a cluster's jobs", "CATEGORY/METHOD/SEED"},
        {"keep-models", 0, 0, G_OPTION_ARG_NONE, &o->keep_models,
         "keep the detectors in --out/trainings", NULL},
        {"redo", 0, 0, G_OPTION_ARG_NONE, &o->redo,
         "do cells again that were made with other settings", NULL},
        {"plan", 0, 0, G_OPTION_ARG_NONE, &o->plan_only, "only say what it will take", NULL},
        {"table-only", 0, 0, G_OPTION_ARG_NONE, &o->table_only,
         "only make the tables of the results that are there", NULL},
        {"no-paper", 0, 0, G_OPTION_ARG_NONE, &o->no_paper, "leave the paper's figures out", NULL},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "evaluate", NULL,
                        "Trains and tests detectors with several methods on several categories, "
                        "and compares them.",
                        description, entries, error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "evaluate: %s; see cagen evaluate --help", what);
    return FALSE;
}

static gboolean check_training(Options *o, GError **error)
{
    CgTrainDetectorOptions *d = &o->detector;
    CgTrainSettings *t = &d->train;
    if (!cg_cli_detect_check("evaluate", o->network, d, error))
        return FALSE;
    if (o->steps < 0 || o->steps > G_MAXUINT32 || o->warmup < 0)
        return wrong("--steps and --warmup are not negative", error);
    if (o->steps == 0 && !(t->epochs > 0 && t->epochs <= 1e9))
        return wrong("--epochs must be above 0", error);
    if (t->batch < 1 || t->batch > 4096 || t->accumulate < 1 || t->accumulate > 4096)
        return wrong("--batch and --accumulate must be 1 to 4096", error);
    if (!(t->optimizer.rate > 0 && t->optimizer.rate <= 1))
        return wrong("--lr must be above 0 and at most 1", error);
    if (o->course && !cg_rate_course_parse(o->course, &t->optimizer.course))
        return wrong("--lr-schedule is constant, cosine, linear or steps", error);
    if (o->replace && !cg_replace_parse(o->replace, &d->samples.replace))
        return wrong("--replace is set, draw or anomalous", error);
    t->steps = (guint64)o->steps;
    t->optimizer.warmup = (guint64)o->warmup;
    return TRUE;
}

static gboolean check_options(Options *o, GError **error)
{
    if (!o->data || !o->out)
        return wrong(o->data ? "--out DIR is missing" : "--data DIR is missing", error);
    if (o->bootstrap < 0 || o->bootstrap > CG_BOOTSTRAP_MAX)
        return wrong("--bootstrap can be 0 to 100000", error);
    if (o->jobs < 0 || o->jobs > MAX_JOBS)
        return wrong("--jobs can be 1 to 1024", error);
    return check_training(o, error);
}

static GArray *parse_ratios(const char *text, GError **error)
{
    g_autoptr(GArray) ratios = g_array_new(FALSE, FALSE, sizeof(double));
    g_auto(GStrv) list = g_strsplit(text ? text : "0.3", ",", -1);
    for (char **at = list; *at; at++) {
        char *end;
        const double ratio = g_ascii_strtod(*at, &end);
        if (end == *at || *end || !(ratio >= 0 && ratio <= 1)) {
            wrong("--ratio is numbers from 0 to 1 with commas between", error);
            return NULL;
        }
        g_array_append_val(ratios, ratio);
    }
    return ratios->len ? g_steal_pointer(&ratios) : (wrong("--ratio is empty", error), NULL);
}

static GPtrArray *parse_sources(char *const *texts, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)cg_source_free);
    for (; texts && *texts; texts++) {
        CgSource *source = cg_source_parse(*texts, error);
        if (!source)
            return NULL;
        g_ptr_array_add(all, source);
    }
    return g_steal_pointer(&all);
}

static void experiment_clear(CgExperiment *x)
{
    cg_dataset_free((CgDataset *)(guintptr)x->options.dataset);
    cg_split_free((CgSplit *)(guintptr)x->options.split);
    g_clear_pointer(&x->categories, g_ptr_array_unref);
    g_clear_pointer(&x->methods, g_ptr_array_unref);
    g_clear_pointer(&x->sources, g_ptr_array_unref);
    g_clear_pointer(&x->seeds, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgExperiment, experiment_clear)

static gboolean parse_lists(const Options *o, CgExperiment *x, GError **error)
{
    g_autoptr(GArray) ratios = parse_ratios(o->ratios, error);
    const char *methods = o->methods ? o->methods : o->synthetic ? "draem,draem+cagen" : "draem";
    if (!ratios || !(x->seeds = cg_experiment_parse_seeds(o->seeds ? o->seeds : "0,1,2", error)) ||
        !(x->sources = parse_sources(o->synthetic, error)))
        return FALSE;
    x->methods =
        cg_methods_parse(methods, (const double *)(void *)ratios->data, ratios->len, error);
    return x->methods != NULL;
}

static gboolean open_experiment(const Options *o, CgDType dtype, CgExperiment *x, GError **error)
{
    CgCellOptions *c = &x->options;
    *c = (CgCellOptions){
        .data = o->data,
        .layout = o->layout,
        .out = o->out,
        .textures = o->textures,
        .split_path = o->split,
        .detector = o->detector,
        .evaluation = {.fpr_limit = 0.3, .threshold = NAN, .bootstrap = (guint)o->bootstrap},
        .dtype = dtype,
        .keep_models = o->keep_models,
        .redo = o->redo};
    x->published = !o->no_paper;
    if (!cg_cli_choose_modes("evaluate", o->mode, c->evaluation.modes, error) ||
        !parse_lists(o, x, error) ||
        !(c->dataset = cg_cli_dataset_open(o->data, o->layout, error)) ||
        (o->split && !(c->split = cg_split_load(o->split, error))))
        return FALSE;
    x->categories = cg_experiment_categories(c->dataset, o->categories, error);
    return x->categories && cg_experiment_check(x, error);
}

/* ---- running */

static gboolean run_only(const Options *o, const CgExperiment *x, GArray *cells, CgEngine *engine,
                         GError **error)
{
    for (guint i = 0; i < cells->len; i++) {
        const CgCell *cell = &g_array_index(cells, CgCell, i);
        g_autofree char *name = cg_experiment_cell_name(cell);
        if (g_str_equal(name, o->only))
            return cg_cell_run(&x->options, cell, engine, error);
    }
    g_autofree char *shown = cg_cli_dataset_show(o->only);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "evaluate: --only %s is none of the cells; the first is bottle/draem/0, say",
                shown);
    return FALSE;
}

typedef struct {
    const CgExperiment *experiment;
    CgProgress *progress;
} Watch;

static gboolean cell_done(void *data, guint done, GError **error)
{
    Watch *w = data;
    cg_progress_update(w->progress, done, NULL);
    return cg_experiment_table(w->experiment, NULL, NULL, error);
}

/* A training on one thread keeps a core busy when its pictures are small; large ones share cores.
 */
static guint choose_jobs(const Options *o, guint cells)
{
    const int threads = cg_threads();
    const guint usual =
        (guint)(o->detector.samples.size <= SMALL_SIDE ? threads : threads / THREADS_OF_A_JOB);
    return CLAMP(o->jobs ? (guint)o->jobs : usual, 1, MAX(cells, 1));
}

static gboolean run_cells(const Options *o, const CgExperiment *x, const GArray *todo,
                          CgEngine *engine, char *const *argv, GError **error)
{
    const guint jobs = choose_jobs(o, todo->len);
    if (jobs == 1)
        return cg_experiment_run(x, engine, error);
    g_autoptr(CgProgress) progress = cg_progress_new("cells", todo->len);
    Watch watch = {x, progress};
    return cg_cli_evaluate_jobs(x, todo, jobs, MAX(1, cg_threads() / (int)jobs), argv, cell_done,
                                &watch, error);
}

/* ---- the plan */

static gboolean say_plan(const Options *o, const CgExperiment *x, CgEngine *engine, GError **error)
{
    CgExperimentPlan plan;
    if (!cg_experiment_plan(x, engine, &plan, error))
        return FALSE;
    const double speed = plan.todo ? cg_probe_speed(engine, x->options.dtype, 1) : 0;
    const double hours = speed > 0 ? plan.flops / speed / 3600 : 0;
    g_autofree char *each = g_format_size(plan.memory);
    printf("%u cells, %u of them done; %.3g TFLOP to do, about %.1f hours on this machine at best, "
           "%s of memory for each of %u at a time\n",
           plan.cells, plan.cells - plan.todo, plan.flops * 1e-12, hours, each,
           choose_jobs(o, plan.todo));
    return TRUE;
}

/* ---- all of it */

static gboolean print_table(const Options *o, const CgExperiment *x, guint cells, GError **error)
{
    g_autofree char *text = NULL;
    guint count;
    if (!cg_experiment_table(x, &text, &count, error))
        return FALSE;
    if (o->compute.json)
        printf("{\"event\":\"table\",\"cells\":%u,\"done\":%u}\n", cells, count);
    else
        fputs(text, stdout);
    return TRUE;
}

static gboolean evaluate(const Options *o, const CgExperiment *x, CgEngine *engine,
                         char *const *argv, GError **error)
{
    g_autoptr(GArray) cells = cg_experiment_cells(x);
    if (o->table_only)
        return print_table(o, x, cells->len, error);
    if (o->only)
        return run_only(o, x, cells, engine, error);
    if (o->plan_only)
        return say_plan(o, x, engine, error);
    if (!cg_experiment_make_sources(x, error))
        return FALSE;
    g_autoptr(GArray) todo = cg_experiment_todo(x, cells, error);
    if (!todo)
        return FALSE;
    return run_cells(o, x, todo, engine, argv, error) && print_table(o, x, cells->len, error);
}

int cg_cli_evaluate(int argc, char **argv)
{
    g_auto(Options) o = {.bootstrap = 1000};
    g_auto(CgExperiment) x = {0};
    g_autoptr(CgEngine) engine = NULL;
    g_auto(GStrv) kept = g_strdupv(argv + 1); /* parsing takes them away */
    GError *error = NULL;
    CgDType dtype;
    cg_train_detector_options_default(&o.detector);
    o.detector.width = CG_CLI_OWN_WIDTH;
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, &error) ||
        !open_experiment(&o, dtype, &x, &error) || !evaluate(&o, &x, engine, kept, &error))
        return cg_cli_fail(error);
    return 0;
}
