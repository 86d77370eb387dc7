/* cagen reproduce */
#include "cli/commands.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/dataset.h"
#include "cli/detect.h"
#include "cli/options.h"
#include "metrics/bootstrap.h"
#include "pipeline/probe.h"
#include "pipeline/reproduce.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    CgCliCompute compute;
    CgReproduceOptions all;
    CgTrainDetectorOptions detector;
    CgJob *job;
    char *data, *layout, *dtd, *out, *categories, *seeds, *aliases;
    char *model, *controlnet, *vae, *tokenizer, *config;
    char **table;
    int shots, bootstrap;
    gint64 seed, train_steps, detector_steps;
    gboolean plan_only;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data,       o->layout,    o->dtd,     o->out,
                          o->categories, o->seeds,     o->aliases, o->model,
                          o->vae,        o->tokenizer, o->config,  o->controlnet};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
    g_strfreev(o->table);
    cg_job_free(o->job);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "table1 is the paper's on MVTec AD, table2 that on BTAD. In order: a few images of each defect "
    "type\n"
    "are drawn (shots.json), a ControlNet learns from them (controlnet/), 30 % of the normal "
    "images "
    "get\n"
    "a defect (generated/), detectors are trained without and with these and tested (evaluation/, "
    "with\n"
    "the tables). Every stage goes on where it was interrupted.\n\n"
    "Defaults are the paper's, and take months of a processor: --plan tells how long. Every "
    "option\n"
    "that makes it smaller makes it another experiment. docs/reproduction.md names what the paper "
    "leaves\n"
    "open.\n\n"
    "Example:\n"
    "  cagen reproduce table1 --data mvtec --dtd dtd/images --model sd15 --out table1 --plan";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainDetectorOptions *d = &o->detector;
    CgTrainSettings *t = &o->all.controlnet.train;
    const GOptionEntry entries[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "the data set", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"dtd", 0, 0, G_OPTION_ARG_FILENAME, &o->dtd, "pictures for DRAEM's textures", "DIR"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model, "Stable Diffusion 1.5", "DIR|FILE"},
        {"controlnet", 0, 0, G_OPTION_ARG_FILENAME, &o->controlnet,
         "generate with this one and train none (table2: that of table1, say)", "DIR|FILE"},
        {"vae", 0, 0, G_OPTION_ARG_FILENAME, &o->vae, "instead of the model's own", "DIR|FILE"},
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &o->tokenizer, "instead of the model's own",
         "DIR|FILE"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->config, "describes a single file", "DIR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder for everything", "DIR"},
        {"categories", 'c', 0, G_OPTION_ARG_FILENAME, &o->categories,
         "with commas between (default: all)", "NAMES"},
        {"shots", 'k', 0, G_OPTION_ARG_INT, &o->shots, "images per defect type (default: 3)", "K"},
        {"aliases", 0, 0, G_OPTION_ARG_FILENAME, &o->aliases, "names for prompts", "FILE"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed,
         "of shots, ControlNet and images (default: 0)", "S"},
        {"seeds", 0, 0, G_OPTION_ARG_STRING, &o->seeds, "of detectors (default: 0,1,2)", "LIST"},
        {"ratio", 0, 0, G_OPTION_ARG_DOUBLE, &o->all.ratio,
         "of the normal images that are replaced (default: 0.3)", "X"},
        {"train-epochs", 0, 0, G_OPTION_ARG_DOUBLE, &t->epochs, "of the ControlNet (default: 1000)",
         "N"},
        {"train-steps", 0, 0, G_OPTION_ARG_INT64, &o->train_steps, "of it, instead of epochs", "N"},
        {"train-batch", 0, 0, G_OPTION_ARG_INT, &t->batch, "of it (default: 4)", "N"},
        {"train-size", 0, 0, G_OPTION_ARG_INT, &o->all.controlnet.shots.size,
         "pixels of a side (default: the model's)", "PX"},
        {"train-lr", 0, 0, G_OPTION_ARG_DOUBLE, &t->optimizer.rate,
         "its learning rate (default: 1e-5)", "RATE"},
        {"recompute", 0, 0, G_OPTION_ARG_NONE, &t->recompute, "less memory, more time", NULL},
        {"generate-size", 0, 0, G_OPTION_ARG_INT, &o->job->size,
         "pixels of a side (default: the model's)", "PX"},
        {"generate-steps", 0, 0, G_OPTION_ARG_INT, &o->job->steps, "of sampling (default: 50)",
         "N"},
        {"size", 0, 0, G_OPTION_ARG_INT, &d->samples.size, "of detectors (default: 256)", "N"},
        {"width", 0, 0, G_OPTION_ARG_INT, &d->width, "of detectors (default: 128)", "N"},
        {"epochs", 0, 0, G_OPTION_ARG_DOUBLE, &d->train.epochs, "of detectors (default: 700)", "N"},
        {"steps", 0, 0, G_OPTION_ARG_INT64, &o->detector_steps, "of detectors, instead", "N"},
        {"batch", 0, 0, G_OPTION_ARG_INT, &d->train.batch, "of detectors (default: 8)", "N"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "draws for 95 % intervals (default: 1000)", "N"},
        {"plan", 0, 0, G_OPTION_ARG_NONE, &o->plan_only, "only say what it will take", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->table, NULL, NULL},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "reproduce", "table1|table2",
                        "The paper's experiment, from raw data to its table.", description, entries,
                        error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "reproduce: %s; see cagen reproduce --help", what);
    return FALSE;
}

static gboolean check_numbers(Options *o, GError **error)
{
    const CgTrainSettings *t = &o->all.controlnet.train, *d = &o->detector.train;
    if (o->shots < 1 || o->shots > CG_SPLIT_MAX_SHOTS || o->seed < 0)
        return wrong("--shots is 1 to 1000000, --seed not negative", error);
    if (!(o->all.ratio > 0 && o->all.ratio <= 1))
        return wrong("--ratio must be above 0 and at most 1", error);
    if (!cg_cli_detect_check("reproduce", NULL, &o->detector, error))
        return FALSE;
    if (o->train_steps < 0 || o->train_steps > G_MAXUINT32 || o->detector_steps < 0 ||
        o->detector_steps > G_MAXUINT32 || !(t->epochs > 0 && d->epochs > 0))
        return wrong("epochs are above 0, steps not negative", error);
    if (t->batch < 1 || t->batch > 4096 || d->batch < 1 || d->batch > 4096)
        return wrong("--train-batch and --batch are 1 to 4096", error);
    if (!(t->optimizer.rate > 0 && t->optimizer.rate <= 1))
        return wrong("--train-lr is above 0 and at most 1", error);
    if (o->bootstrap < 0 || o->bootstrap > CG_BOOTSTRAP_MAX)
        return wrong("--bootstrap can be 0 to 100000", error);
    return TRUE;
}

static gboolean check_options(Options *o, GError **error)
{
    if (!o->table || o->table[1] ||
        !(g_str_equal(o->table[0], "table1") || g_str_equal(o->table[0], "table2")))
        return wrong("table1 or table2 is needed", error);
    const struct {
        const char *value, *missing;
    } needed[] = {{o->data, "--data DIR is missing"},
                  {o->dtd, "--dtd DIR is missing"},
                  {o->model, "--model DIR is missing"},
                  {o->out, "--out DIR is missing"}};
    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!needed[i].value)
            return wrong(needed[i].missing, error);
    return check_numbers(o, error);
}

static void experiment_clear(CgExperiment *x)
{
    cg_dataset_free((CgDataset *)(guintptr)x->options.dataset);
    g_clear_pointer(&x->categories, g_ptr_array_unref);
    g_clear_pointer(&x->seeds, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgExperiment, experiment_clear)

static gboolean open_experiment(Options *o, CgDType dtype, CgExperiment *x, GError **error)
{
    o->detector.train.steps = (guint64)o->detector_steps;
    *x = (CgExperiment){.published = TRUE,
                        .options = {.data = o->data,
                                    .layout = o->layout,
                                    .textures = o->dtd,
                                    .detector = o->detector,
                                    .dtype = dtype,
                                    .evaluation = {.modes = {TRUE, TRUE, TRUE},
                                                   .fpr_limit = 0.3,
                                                   .threshold = NAN,
                                                   .bootstrap = (guint)o->bootstrap}}};
    x->seeds = cg_experiment_parse_seeds(o->seeds ? o->seeds : "0,1,2", error);
    if (!x->seeds || !(x->options.dataset = cg_cli_dataset_open(o->data, o->layout, error)))
        return FALSE;
    x->categories = cg_experiment_categories(x->options.dataset, o->categories, error);
    return x->categories && cg_experiment_check(x, error);
}

static void hand_over(Options *o, CgExperiment *x)
{
    CgReproduceOptions *all = &o->all;
    all->out = o->out;
    all->aliases = o->aliases;
    all->model = (CgModelPaths){.model = o->model,
                                .controlnet = o->controlnet,
                                .vae = o->vae,
                                .tokenizer = o->tokenizer,
                                .config = o->config};
    all->controlnet.train.steps = (guint64)o->train_steps;
    all->job = o->job;
    all->shots = (guint)o->shots;
    all->seed = (guint64)o->seed;
    all->experiment = x;
}

static gboolean print_plan(const Options *o, CgEngine *engine, CgDType dtype, GError **error)
{
    double flops;
    guint64 disk;
    if (!cg_reproduce_plan(&o->all, engine, dtype, &flops, &disk, error))
        return FALSE;
    const double speed = cg_probe_speed(engine, dtype, 1);
    g_autofree char *size = g_format_size(disk);
    printf("%.3g TFLOP in all, about %.1f hours on this machine at best; about %s of disk\n",
           flops * 1e-12, speed > 0 ? flops / speed / 3600 : NAN, size);
    return TRUE;
}

static gboolean run(const Options *o, CgEngine *engine, CgDType dtype, GError **error)
{
    g_autofree char *table = NULL;
    if (o->plan_only)
        return print_plan(o, engine, dtype, error);
    if (!cg_reproduce_run(&o->all, engine, dtype, &table, error))
        return FALSE;
    fputs(table, stdout);
    return TRUE;
}

/* The paper's image is what the decoder gives (eq. 5), of the whole picture; its masks are Perlin
 * noise on the object. */
static CgJob *paper_job(void)
{
    CgJob *job = cg_job_new();
    const struct {
        char **to;
        const char *value;
    } texts[] = {{&job->shape, "perlin"}, {&job->paste, "off"}, {&job->window, "full"}};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_free(*texts[i].to);
        *texts[i].to = g_strdup(texts[i].value);
    }
    return job;
}

int cg_cli_reproduce(int argc, char **argv)
{
    g_auto(Options) o = {.shots = 3, .bootstrap = 1000, .job = paper_job(), .all.ratio = 0.3};
    g_auto(CgExperiment) x = {0};
    g_autoptr(CgEngine) engine = NULL;
    GError *error = NULL;
    CgDType dtype;
    cg_train_detector_options_default(&o.detector);
    cg_train_controlnet_options_default(&o.all.controlnet);
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, &error) || !cg_image_init(&error) ||
        !open_experiment(&o, dtype, &x, &error))
        return cg_cli_fail(error);
    hand_over(&o, &x);
    return run(&o, engine, dtype, &error) ? 0 : cg_cli_fail(error);
}
