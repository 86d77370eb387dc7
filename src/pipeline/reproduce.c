#include "pipeline/reproduce.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "pipeline/batch.h"
#include "pipeline/cell_settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BITS_LOST 12 /* a job's seed is a number that JSON keeps exactly */

typedef struct {
    const CgReproduceOptions *options;
    CgEngine *engine;
    CgDType dtype;
    CgPrompts *prompts;
    CgSplit *split;
    char *split_path, *controlnet, *generated, *evaluation;
} Run;

static void run_clear(Run *r)
{
    CgExperiment *x = r->options->experiment;
    x->options.split = NULL;
    x->options.out = x->options.split_path = NULL;
    g_clear_pointer(&x->methods, g_ptr_array_unref);
    g_clear_pointer(&x->sources, g_ptr_array_unref);
    cg_prompts_free(r->prompts);
    cg_split_free(r->split);
    g_free(r->split_path);
    g_free(r->controlnet);
    g_free(r->generated);
    g_free(r->evaluation);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static const CgDataset *dataset(const Run *r)
{
    return r->options->experiment->options.dataset;
}

static char *below(const Run *r, const char *name)
{
    return g_build_filename(r->options->out, name, NULL);
}

static gboolean exists(const char *folder, const char *file)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- settings */

static json_t *describe(const Run *r)
{
    const CgReproduceOptions *o = r->options;
    const CgTrainSettings *t = &o->controlnet.train;
    json_t *object = json_object(), *train = json_object();
    json_object_set_new(object, "shots", json_integer(o->shots));
    json_object_set_new(object, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(object, "ratio", json_real(o->ratio));
    json_object_set_new(object, "version", json_string(CAGEN_VERSION));
    json_object_set_new(object, "generate", cg_job_to_json(o->job));
    json_object_set_new(train, "steps", json_integer((json_int_t)t->steps));
    json_object_set_new(train, "epochs", json_real(t->epochs));
    json_object_set_new(train, "batch", json_integer(t->batch));
    json_object_set_new(train, "accumulate", json_integer(t->accumulate));
    json_object_set_new(train, "rate", json_real(t->optimizer.rate));
    json_object_set_new(train, "size", json_integer(o->controlnet.shots.size));
    json_object_set_new(object, "controlnet",
                        o->model.controlnet ? json_null() : json_incref(train));
    json_decref(train);
    return object;
}

/* The settings of an earlier run in the same folder must be these. */
static gboolean settle_settings(const Run *r, gboolean write, GError **error)
{
    g_autoptr(json_t) wanted = describe(r);
    g_autofree char *path = below(r, "settings.json");
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autoptr(json_t) were = cg_json_load(path, error);
        return were && cg_cell_settings_check(were, wanted, path, error);
    }
    if (!write)
        return TRUE;
    char *text = json_dumps(wanted, JSON_INDENT(1) | JSON_SORT_KEYS);
    const gboolean ok = cg_file_make_directory(r->options->out, error) &&
                        cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

/* ---- the stages */

static gboolean settle_split(Run *r, gboolean write, GError **error)
{
    const CgReproduceOptions *o = r->options;
    if (g_file_test(r->split_path, G_FILE_TEST_EXISTS))
        r->split = cg_split_load(r->split_path, error);
    else
        r->split = cg_split_draw(dataset(r), o->shots, o->seed, error);
    if (!r->split)
        return FALSE;
    cg_log_note("shots: %u images, at most %u of each defect type", r->split->images->len,
                o->shots);
    return !write || cg_split_save(r->split, r->split_path, r->prompts, error);
}

static CgTrainControlnetOptions controlnet_options(const Run *r, gboolean plan)
{
    const CgReproduceOptions *o = r->options;
    CgTrainControlnetOptions c = o->controlnet;
    c.model = o->model;
    c.shots.data = o->experiment->options.data;
    c.shots.layout = o->experiment->options.layout;
    c.shots.split = plan ? NULL : r->split_path;
    c.shots.aliases = o->aliases;
    c.shots.shots = o->shots;
    c.shots.seed = c.train.seed = o->seed;
    c.train.out = r->controlnet;
    c.train.resume = exists(r->controlnet, "state.safetensors");
    return c;
}

static gboolean has_controlnet(const Run *r)
{
    return r->options->model.controlnet ||
           exists(r->controlnet, "diffusion_pytorch_model.safetensors");
}

static gboolean train_controlnet(const Run *r, GError **error)
{
    CgTrainResult result;
    const CgTrainControlnetOptions c = controlnet_options(r, FALSE);
    if (has_controlnet(r))
        return TRUE;
    cg_log_note("stage: the ControlNet");
    return cg_train_controlnet(r->engine, r->dtype, &c, FALSE, &result, error);
}

/* The defect types of CATEGORY that there are shots of, in order. */
static GPtrArray *list_defects(const Run *r, const char *category)
{
    GPtrArray *all = g_ptr_array_new();
    for (guint i = 0; i < r->split->images->len; i++) {
        const CgShot *shot = g_ptr_array_index(r->split->images, i);
        if (g_str_equal(shot->category, category) &&
            !g_ptr_array_find_with_equal_func(all, shot->defect, g_str_equal, NULL))
            g_ptr_array_add(all, shot->defect);
    }
    return all;
}

/* round(ratio n) of the category's n normal images, evenly; defect types one after the other. */
static gboolean add_jobs(const Run *r, const char *category, GPtrArray *jobs, GError **error)
{
    const CgReproduceOptions *o = r->options;
    g_autoptr(GPtrArray) defects = list_defects(r, category);
    g_autoptr(GPtrArray) normals = cg_source_normals(dataset(r), category);
    const guint count = MAX(1, (guint)lround(o->ratio * normals->len));
    if (defects->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "category \"%s\" has no defect with a mask to learn from", category);
        return FALSE;
    }
    for (guint i = 0; i < count; i++) {
        const char *defect = g_ptr_array_index(defects, i % defects->len);
        g_auto(GStrv) prompts = cg_prompts_make(r->prompts, category, defect);
        CgJob *job = cg_job_copy(o->job);
        g_ptr_array_add(jobs, job);
        job->normal = g_strdup(g_ptr_array_index(normals, i * normals->len / count));
        job->prompt = g_strdup(prompts[0]);
        job->category = g_strdup(category);
        job->defect = g_strdup(defect);
        job->seed = (gint64)(cg_rng_named_seed(o->seed, category) >> SEED_BITS_LOST);
        job->sample = i;
        if (!cg_job_check(job, error))
            return FALSE;
    }
    return TRUE;
}

static GPtrArray *list_jobs(const Run *r, GError **error)
{
    const GPtrArray *categories = r->options->experiment->categories;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    for (guint i = 0; i < categories->len; i++)
        if (!add_jobs(r, g_ptr_array_index(categories, i), jobs, error))
            return NULL;
    return g_steal_pointer(&jobs);
}

static CgModel *open_model(const Run *r, GError **error)
{
    CgModelPaths paths = r->options->model;
    if (!paths.controlnet && has_controlnet(r))
        paths.controlnet = r->controlnet;
    return cg_model_open(r->engine, r->dtype, &paths, error);
}

static gboolean generate(const Run *r, GError **error)
{
    CgBatchSummary summary;
    const CgBatchOptions batch = {.out = r->generated};
    g_autoptr(GPtrArray) jobs = list_jobs(r, error);
    g_autoptr(CgModel) model = jobs ? open_model(r, error) : NULL;
    if (!model)
        return FALSE;
    cg_log_note("stage: %u images", jobs->len);
    return cg_batch_run(model, jobs, &batch, NULL, NULL, &summary, error);
}

static void set_up_experiment(const Run *r)
{
    CgExperiment *x = r->options->experiment;
    CgSource *source = g_new(CgSource, 1);
    *source = (CgSource){g_strdup("cagen"), g_strdup(r->generated)};
    x->sources = g_ptr_array_new_with_free_func((GDestroyNotify)cg_source_free);
    g_ptr_array_add(x->sources, source);
    x->methods = cg_methods_parse("draem,draem+cagen", &r->options->ratio, 1, NULL);
    x->options.out = r->evaluation;
    x->options.split_path = r->split_path;
    x->options.split = r->split;
}

static void run_init(Run *r, const CgReproduceOptions *o, CgEngine *engine, CgDType dtype)
{
    *r = (Run){.options = o, .engine = engine, .dtype = dtype};
    r->split_path = below(r, "shots.json");
    r->controlnet = below(r, "controlnet");
    r->generated = below(r, "generated");
    r->evaluation = below(r, "evaluation");
}

gboolean cg_reproduce_run(const CgReproduceOptions *o, CgEngine *engine, CgDType dtype,
                          char **table, GError **error)
{
    g_auto(Run) r;
    run_init(&r, o, engine, dtype);
    if (!(r.prompts = cg_prompts_load(o->aliases, error)) || !settle_settings(&r, TRUE, error) ||
        !settle_split(&r, TRUE, error) || !train_controlnet(&r, error) || !generate(&r, error))
        return FALSE;
    set_up_experiment(&r);
    cg_log_note("stage: detectors");
    return cg_experiment_run(o->experiment, engine, error) &&
           cg_experiment_table(o->experiment, table, NULL, error);
}

/* ---- the plan */

static gboolean plan_controlnet(const Run *r, double *flops, guint64 *disk, GError **error)
{
    CgTrainResult plan;
    const CgTrainControlnetOptions c = controlnet_options(r, TRUE);
    if (has_controlnet(r)) {
        cg_log_note("ControlNet: there");
        return TRUE;
    }
    if (!cg_train_controlnet(r->engine, r->dtype, &c, TRUE, &plan, error))
        return FALSE;
    *flops += plan.flops * (double)plan.steps;
    *disk += plan.state_bytes + plan.state_bytes / 3;
    cg_log_note("ControlNet: %.3g TFLOP", plan.flops * (double)plan.steps * 1e-12);
    return TRUE;
}

static gboolean plan_images(const Run *r, double *flops, guint64 *disk, GError **error)
{
    CgGeneratePlan plan;
    CgGenerateSettings settings;
    g_autoptr(GPtrArray) jobs = list_jobs(r, error);
    g_autoptr(CgModel) model = jobs ? open_model(r, error) : NULL;
    if (!model || !cg_job_settings(r->options->job, &settings, error))
        return FALSE;
    const int size = settings.size ? settings.size : cg_model_size(model);
    cg_generate_plan(model, &settings, size, size, &plan);
    guint todo = 0;
    for (guint i = 0; i < jobs->len; i++) {
        const CgJob *job = g_ptr_array_index(jobs, i);
        int width, height, channels;
        if (!cg_image_probe(job->normal, &width, &height, &channels, error))
            return FALSE;
        *disk += (guint64)width * (guint64)height * (guint64)channels;
        todo++;
    }
    cg_log_note("images: %u of %.3g TFLOP each (those that are there are not made again)", todo,
                plan.flops * 1e-12);
    *flops += plan.flops * todo;
    return TRUE;
}

gboolean cg_reproduce_plan(const CgReproduceOptions *o, CgEngine *engine, CgDType dtype,
                           double *flops, guint64 *disk, GError **error)
{
    g_auto(Run) r;
    CgExperimentPlan plan;
    *flops = 0;
    *disk = 0;
    run_init(&r, o, engine, dtype);
    if (!(r.prompts = cg_prompts_load(o->aliases, error)) || !settle_settings(&r, FALSE, error) ||
        !settle_split(&r, FALSE, error) || !plan_controlnet(&r, flops, disk, error) ||
        !plan_images(&r, flops, disk, error))
        return FALSE;
    set_up_experiment(&r);
    if (!cg_experiment_plan(o->experiment, engine, &plan, error))
        return FALSE;
    cg_log_note("detectors: %u trainings, %u of them done; %.3g TFLOP", plan.cells,
                plan.cells - plan.todo, plan.flops * 1e-12);
    *flops += plan.flops;
    *disk += plan.state_bytes;
    return TRUE;
}
