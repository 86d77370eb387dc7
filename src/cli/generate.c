/* cagen generate: anomalous images from normal ones. */
#include "cli/commands.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "datasets/prompt.h"
#include "pipeline/batch.h"
#include "pipeline/default_model.h"
#include "pipeline/generated.h"
#include "pipeline/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_PROMPT_FILE  ((size_t)16 << 20)
#define COUNT_UNSET      G_MININT
#define REPAINT_STRENGTH 0.5

typedef struct {
    CgCliCompute compute;
    CgModelPaths paths;
    CgBatchOptions batch;
    CgJob *job; /* the options that a job has */
    char *jobs; /* jobs.jsonl */
    char *repaint;
    char **lora; /* "FILE:WEIGHT" */
    int tries;
    int count;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free((char *)(guintptr)o->paths.model);
    g_free((char *)(guintptr)o->paths.controlnet);
    g_free((char *)(guintptr)o->paths.vae);
    g_free((char *)(guintptr)o->paths.tokenizer);
    g_free((char *)(guintptr)o->paths.config);
    g_free((char *)(guintptr)o->batch.out);
    g_free((char *)(guintptr)o->batch.init_latents);
    g_free((char *)(guintptr)o->batch.save_latents);
    g_free((char *)(guintptr)o->batch.sheet);
    cg_job_free(o->job);
    g_free(o->jobs);
    g_free(o->repaint);
    g_strfreev(o->lora);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Image i of N takes the i-th normal image, mask and prompt, each list starting over at its end."
    "\nResults: DIR/CATEGORY/test/DEFECT/000.png, DIR/CATEGORY/ground_truth/DEFECT/000_mask.png,\n"
    "DIR/manifest.jsonl. The same command again continues where it stopped.\n\n"
    "--repaint takes what cagen augment --method crop-paste made: images with real defects pasted "
    "in.\n"
    "Noise is laid over them, and sampling goes on from there: it blends the defect in and varies "
    "it,\n"
    "the more the larger --strength is. Masks, normal images and, without --prompt, the defects' "
    "names\n"
    "are those of the folder.\n\n"
    "What is put aside lies in DIR/.dropped with its reason in the manifest; cagen sheet DIR "
    "--dropped shows it.\n\n"
    "A file for --jobs has one JSON object a line; its keys are the options' names with _ for -, "
    "its\n"
    "paths start at its own folder, and what a line does not say is taken from the command line:\n"
    "  {\"normal\": \"good/0.png\", \"mask\": \"0.png\", \"prompt\": \"bent nut\", "
    "\"control_scale\": 0.8}\n"
    "A manifest is such a file too: its images are made again.\n\n"
    "Example:\n"
    "  cagen generate --model sd15 --controlnet cagen-bottle --normal bottle/train/good \\\n"
    "                 --shape 'perlin|scratch' --prompt \"broken large bottle\" --count 100 --out "
    "made";

/* GOption forgets the defaults that it replaces. */
static void free_replaced(const CgJob *before, const CgJob *job)
{
    char *const old[] = {before->negative_prompt, before->sampler, before->fuse,
                         before->mask_policy,     before->paste,   before->window};
    char *const now[] = {job->negative_prompt, job->sampler, job->fuse,
                         job->mask_policy,     job->paste,   job->window};
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        if (old[i] != now[i])
            g_free(old[i]);
}

/* GOption wants one array; the members are grouped as --help shall show them. */
static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgJob *j = o->job;
    const CgJob defaults = *j;
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->paths.model,
         "model: folder in diffusers' layout, or .safetensors file (default: models/mini)",
         "DIR|FILE"},
        {"controlnet", 'c', 0, G_OPTION_ARG_FILENAME, &o->paths.controlnet,
         "ControlNet that reads the mask (default: controlnet/ in the model, if there)",
         "DIR|FILE"},
        {"vae", 0, 0, G_OPTION_ARG_FILENAME, &o->paths.vae,
         "autoencoder instead of the model's own (TAESD is fast)", "DIR|FILE"},
        {"lora", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->lora,
         "low-rank additions to the model, of weight 1 or another; may be given several times",
         "FILE[:WEIGHT]"},
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &o->paths.tokenizer,
         "tokenizer instead of the model's own", "DIR|FILE"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->paths.config,
         "model folder that lends a single file its configuration and tokenizer", "DIR"},
        {"normal", 'n', 0, G_OPTION_ARG_FILENAME, &j->normal, "normal image, or folder of them",
         "IMG|DIR"},
        {"mask", 0, 0, G_OPTION_ARG_FILENAME, &j->mask,
         "where the defect shall be (white), or folder of masks", "IMG|DIR"},
        {"shape", 0, 0, G_OPTION_ARG_STRING, &j->shape,
         "draw each image a mask of its own instead: perlin, scratch, ...; see cagen mask --help",
         "SPEC"},
        {"foreground", 0, 0, G_OPTION_ARG_FILENAME, &j->foreground,
         "drawn masks: where the object is: auto, object, texture (everywhere), or ready masks "
         "(default: auto)",
         "POLICY|IMG|DIR"},
        {"library", 0, 0, G_OPTION_ARG_FILENAME, &j->library, "real masks for the shape library",
         "IMG|DIR"},
        {"allowed", 0, 0, G_OPTION_ARG_FILENAME, &j->allowed,
         "drawn masks only where this is white", "IMG"},
        {"forbidden", 0, 0, G_OPTION_ARG_FILENAME, &j->forbidden,
         "no drawn masks where this is white", "IMG"},
        {"min-area", 0, 0, G_OPTION_ARG_DOUBLE, &j->min_area,
         "smallest drawn mask, as a share of the image (default: 64 pixels of 512x512)", "A"},
        {"max-area", 0, 0, G_OPTION_ARG_DOUBLE, &j->max_area, "largest drawn mask (default: 1)",
         "A"},
        {"fit-mask", 0, 0, G_OPTION_ARG_NONE, &j->fit_mask,
         "scale masks of another size to their image", NULL},
        {"prompt", 'p', 0, G_OPTION_ARG_FILENAME, &j->prompt,
         "\"{defect type} {category}\", or @FILE with one prompt a line", "TEXT|@FILE"},
        {"negative-prompt", 0, 0, G_OPTION_ARG_FILENAME, &j->negative_prompt,
         "what guidance leads away from (default: nothing)", "TEXT"},
        {"jobs", 0, 0, G_OPTION_ARG_FILENAME, &o->jobs,
         "one image per line, each with options of its own; see below", "FILE"},
        {"repaint", 0, 0, G_OPTION_ARG_FILENAME, &o->repaint,
         "begin from the images that cagen augment or generate made there; see below", "DIR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->batch.out, "folder for the results", "DIR"},
        {"count", 0, 0, G_OPTION_ARG_INT, &o->count,
         "images to make (default: as many as the longest list)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &j->seed, "seed of all noise (default: 0)", "S"},
        {"category", 0, 0, G_OPTION_ARG_FILENAME, &j->category,
         "category's folder (default: from the normal image's path)", "NAME"},
        {"defect", 0, 0, G_OPTION_ARG_FILENAME, &j->defect,
         "defect's folder (default: from the prompt)", "NAME"},
        {"steps", 0, 0, G_OPTION_ARG_INT, &j->steps, "sampling steps (default: 50)", "N"},
        {"sampler", 0, 0, G_OPTION_ARG_STRING, &j->sampler,
         "ddim (default), ddpm, pndm, dpmpp-2m, euler, unipc; the last three also with -karras",
         "NAME"},
        {"eta", 0, 0, G_OPTION_ARG_DOUBLE, &j->eta, "noise in each step of ddim, 0..1 (default: 0)",
         "E"},
        {"strength", 0, 0, G_OPTION_ARG_DOUBLE, &j->strength,
         "below 1: begin from the normal image with noise, that share of the steps before the end "
         "(default: 1, from noise; with --repaint 0.5)",
         "X"},
        {"guidance", 'g', 0, G_OPTION_ARG_DOUBLE, &j->guidance,
         "guidance scale; up to 1: off (default: 7.5)", "G"},
        {"clip-skip", 0, 0, G_OPTION_ARG_INT, &j->clip_skip,
         "leave out the text encoder's last N layers (default: 0)", "N"},
        {"control-scale", 0, 0, G_OPTION_ARG_DOUBLE, &j->control_scale,
         "weight of the ControlNet (default: 1)", "W"},
        {"control-start", 0, 0, G_OPTION_ARG_DOUBLE, &j->control_start,
         "share of the steps before the ControlNet begins (default: 0)", "X"},
        {"control-end", 0, 0, G_OPTION_ARG_DOUBLE, &j->control_end,
         "share of the steps after which it ends (default: 1)", "X"},
        {"guess-mode", 0, 0, G_OPTION_ARG_NONE, &j->guess_mode,
         "the ControlNet leads, the prompt hardly matters", NULL},
        {"fuse", 0, 0, G_OPTION_ARG_STRING, &j->fuse,
         "final (default): latents joined after sampling, as in the paper; step: in every step; "
         "off",
         "MODE"},
        {"mask-policy", 0, 0, G_OPTION_ARG_STRING, &j->mask_policy,
         "mask at latent size: max, area, nearest (default: max)", "NAME"},
        {"soft-mask", 0, 0, G_OPTION_ARG_NONE, &j->soft_mask,
         "keep in-between values of the mask at latent size", NULL},
        {"posterior-sample", 0, 0, G_OPTION_ARG_NONE, &j->posterior_sample,
         "encode the normal image as a seeded sample, not the mode", NULL},
        {"detail", 0, 0, G_OPTION_ARG_DOUBLE, &j->detail,
         "add back what the autoencoder loses of the picture that is begun from, 0..1; 1 keeps its "
         "grain (default: 0, as in the paper)",
         "W"},
        {"paste", 0, 0, G_OPTION_ARG_STRING, &j->paste,
         "exact (default): only the mask changes; feather, poisson: and a band around it; off: all",
         "MODE"},
        {"paste-band", 0, 0, G_OPTION_ARG_INT, &j->paste_band,
         "width of that band in pixels (default: 8)", "PX"},
        {"window", 0, 0, G_OPTION_ARG_STRING, &j->window,
         "auto (default): work in a window around the mask; full: on the whole image", "MODE"},
        {"size", 0, 0, G_OPTION_ARG_INT, &j->size,
         "longest side of the working picture in pixels (default: the model's own)", "PX"},
        {"vae-tiling", 0, 0, G_OPTION_ARG_NONE, &j->vae_tiling,
         "encode and decode in tiles: less memory, faint seams", NULL},
        {"tighten", 0, 0, G_OPTION_ARG_DOUBLE, &j->tighten,
         "write as the mask only the part of it that differs from the normal image by this much, "
         "in "
         "levels of 255 (default: 0, all of it)",
         "L"},
        {"obedience", 0, 0, G_OPTION_ARG_NONE, &o->batch.rules.obedience,
         "measure whether the mask was obeyed: a second sampling under an empty mask", NULL},
        {"min-obedience", 0, 0, G_OPTION_ARG_DOUBLE, &o->batch.rules.min_obedience,
         "put aside what obeys its mask less than this, 0..1", "X"},
        {"min-change", 0, 0, G_OPTION_ARG_DOUBLE, &o->batch.rules.min_change,
         "put aside what differs from the normal image by less than this in the mask, in levels of "
         "255",
         "L"},
        {"tries", 0, 0, G_OPTION_ARG_INT, &o->tries,
         "seeds to make an image with, until one is not put aside (default: 1)", "N"},
        {"sheet", 0, 0, G_OPTION_ARG_FILENAME, &o->batch.sheet,
         "contact sheet of the first results, to look at: normal, mask, result, difference", "PNG"},
        {"init-latents", 0, 0, G_OPTION_ARG_FILENAME, &o->batch.init_latents,
         "take the initial noise from a safetensors file", "FILE"},
        {"save-latents", 0, 0, G_OPTION_ARG_FILENAME, &o->batch.save_latents,
         "write initial, final and fused latents to a safetensors file", "FILE"},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    j->strength = NAN;
    const gboolean ok = cg_cli_parse(
        &argc, &argv, "generate", NULL,
        "Puts a defect into normal images: inside the mask what the prompt says, outside of it the "
        "image.",
        description, entries, error);
    free_replaced(&defaults, j);
    if (isnan(j->strength))
        j->strength = o->repaint ? REPAINT_STRENGTH : defaults.strength;
    return ok;
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "generate: %s; see cagen generate --help",
                message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    const CgJob *j = o->job;
    if (!o->batch.out)
        return usage(error, "--out is missing");
    if (!j->shape &&
        (j->foreground || j->library || j->allowed || j->forbidden || j->min_area > 0) && !o->jobs)
        return usage(error,
                     "--foreground, --library, --allowed, --forbidden and --min-area are for "
                     "masks drawn by --shape");
    if (o->repaint && (o->jobs || j->normal || j->mask || j->shape))
        return usage(error, "--repaint brings its own images and masks");
    if (o->jobs && (j->normal || j->mask || j->prompt || o->count != COUNT_UNSET))
        return usage(error, "--jobs brings its own images, masks, prompts and count");
    if (!o->jobs && !o->repaint && !(j->normal && (j->mask || j->shape) && j->prompt))
        return usage(error,
                     "--normal, --prompt and --mask or --shape are needed (or --jobs, --repaint)");
    if (!(o->batch.rules.min_obedience >= 0 && o->batch.rules.min_obedience <= 1) ||
        !(o->batch.rules.min_change >= 0 && o->batch.rules.min_change <= 255))
        return usage(error, "--min-obedience must be 0 to 1, --min-change 0 to 255");
    if (o->tries < 1 || o->tries > 1000)
        return usage(error, "--tries must be 1 to 1000");
    if (o->count != COUNT_UNSET && (o->count < 1 || o->count > 1000000))
        return usage(error, "--count must be 1 to 1000000");
    return TRUE;
}

/* TEXT itself, or the lines of the file behind its '@'. */
static GPtrArray *list_prompts(const char *text, GError **error)
{
    g_autoptr(GPtrArray) prompts = g_ptr_array_new_with_free_func(g_free);
    if (*text != '@') {
        g_ptr_array_add(prompts, g_strdup(text));
        return g_steal_pointer(&prompts);
    }
    size_t size;
    g_autofree char *content = cg_file_read(text + 1, MAX_PROMPT_FILE, &size, error);
    if (!content)
        return NULL;
    const char *begin = g_str_has_prefix(content, "\xef\xbb\xbf") ? content + 3 : content;
    if (strlen(content) < size || !g_utf8_validate(begin, -1, NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: not text in UTF-8, one prompt a line",
                    text + 1);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(begin, "\n", -1);
    for (char **line = lines; *line; line++)
        if (*g_strstrip(*line))
            g_ptr_array_add(prompts, g_strdup(*line));
    if (prompts->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: holds no prompts", text + 1);
        return NULL;
    }
    return g_steal_pointer(&prompts);
}

static void replace(char **text, const char *by)
{
    g_free(*text);
    *text = g_strdup(by);
}

/* Image I from G, with its defect's name for a prompt unless there are PROMPTS. */
static CgJob *repaint_job(const Options *o, const CgGenerated *g, const CgPrompts *names,
                          const GPtrArray *prompts, guint i)
{
    CgJob *job = cg_job_copy(o->job);
    g_auto(GStrv) named = cg_prompts_make(names, g->category, g->defect ? g->defect : "");
    replace(&job->begin, g->image);
    replace(&job->normal, g->normal);
    replace(&job->mask, g->mask);
    replace(&job->prompt, prompts ? g_ptr_array_index(prompts, i % prompts->len) : named[0]);
    if (!job->category)
        replace(&job->category, g->category);
    job->sample = i;
    return job;
}

static GPtrArray *repaint_jobs(const Options *o, GError **error)
{
    g_autoptr(GArray) made = cg_generated_list(o->repaint, o->job->category, error);
    if (!made)
        return NULL;
    g_autoptr(GPtrArray) prompts = o->job->prompt ? list_prompts(o->job->prompt, error) : NULL;
    if (o->job->prompt && !prompts)
        return NULL;
    g_autoptr(CgPrompts) names = cg_prompts_load(NULL, NULL);
    const guint count = o->count != COUNT_UNSET ? (guint)o->count : made->len;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    for (guint i = 0; i < count; i++) {
        const CgGenerated *g = &g_array_index(made, CgGenerated, i % made->len);
        if (!g->category) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s/manifest.jsonl: the row of %s has no \"category\"", o->repaint,
                        g->image);
            return NULL;
        }
        g_ptr_array_add(jobs, repaint_job(o, g, names, prompts, i));
        if (!cg_job_check(g_ptr_array_index(jobs, i), error))
            return NULL;
    }
    return g_steal_pointer(&jobs);
}

/* The jobs that the options describe. */
static GPtrArray *expand_jobs(const Options *o, GError **error)
{
    if (o->jobs)
        return cg_jobs_load(o->jobs, o->job, error);
    if (o->repaint)
        return repaint_jobs(o, error);
    g_autoptr(GPtrArray) normals = cg_pictures_list(o->job->normal, FALSE, error);
    if (!normals)
        return NULL;
    g_autoptr(GPtrArray) masks = NULL;
    if (o->job->mask && !(masks = cg_pictures_list(o->job->mask, FALSE, error)))
        return NULL;
    g_autoptr(GPtrArray) prompts = list_prompts(o->job->prompt, error);
    if (!prompts)
        return NULL;
    const guint longest = MAX(MAX(normals->len, masks ? masks->len : 1), prompts->len);
    const guint count = o->count != COUNT_UNSET ? (guint)o->count : longest;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    for (guint i = 0; i < count; i++) {
        CgJob *job = cg_job_copy(o->job);
        replace(&job->normal, g_ptr_array_index(normals, i % normals->len));
        if (masks)
            replace(&job->mask, g_ptr_array_index(masks, i % masks->len));
        replace(&job->prompt, g_ptr_array_index(prompts, i % prompts->len));
        job->sample = i;
        g_ptr_array_add(jobs, job);
        if (!cg_job_check(job, error))
            return NULL;
    }
    return g_steal_pointer(&jobs);
}

/* One line per image on standard output. */
static void print_row(void *data, const json_t *row)
{
    const Options *o = data;
    if (o->compute.json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
        putchar('\n');
    } else {
        g_autofree char *path = g_build_filename(o->batch.out, cg_json_text(row, "image"), NULL);
        printf("%s\n", path);
    }
    fflush(stdout);
}

static void print_summary(const CgBatchSummary *summary)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "made %u image%s", summary->made, summary->made == 1 ? "" : "s");
    if (summary->skipped)
        g_string_append_printf(text, ", %u were there already", summary->skipped);
    if (summary->dropped)
        g_string_append_printf(text, ", %u tr%s put aside", summary->dropped,
                               summary->dropped == 1 ? "y was" : "ies were");
    if (summary->given_up)
        g_string_append_printf(text, ", %u given up", summary->given_up);
    if (summary->made)
        g_string_append_printf(text, "; %.1f s per image", summary->seconds_per_image);
    cg_log_note("%s; peak memory %.2f GB", text->str, (double)cg_memory_peak() * 1e-9);
}

/* A model that was not named is the default one; a model may bring its own ControlNet. */
static gboolean complete_paths(CgModelPaths *paths, GError **error)
{
    if (!paths->model)
        paths->model = cg_default_model(error);
    if (!paths->model)
        return FALSE;
    if (!paths->controlnet)
        paths->controlnet = cg_model_own_controlnet(paths->model);
    return TRUE;
}

static gboolean run(Options *o, GError **error)
{
    CgBatchSummary summary;
    CgDType dtype;
    g_autoptr(CgEngine) engine = NULL;
    if (!cg_cli_compute_start(&o->compute, &engine, &dtype, error) || !check_options(o, error))
        return FALSE;
    g_autoptr(GPtrArray) jobs = expand_jobs(o, error);
    if (!jobs || !cg_image_init(error))
        return FALSE;
    if (!complete_paths(&o->paths, error))
        return FALSE;
    o->batch.tries = (guint)o->tries;
    o->paths.lora = (const char *const *)o->lora;
    g_autoptr(CgModel) model = cg_model_open(engine, dtype, &o->paths, error);
    if (!model)
        return FALSE;
    if (!model->controlnet)
        cg_log_note("no --controlnet: the mask only says where the image is replaced");
    const gboolean ok = cg_batch_run(model, jobs, &o->batch, print_row, o, &summary, error);
    if (!ok && g_error_matches(*error, CG_ERROR, CG_ERROR_CANCELLED)) {
        g_clear_error(error);
        g_set_error(error, CG_ERROR, CG_ERROR_CANCELLED,
                    "stopped after %u of %u images; the same command continues", summary.made,
                    jobs->len);
    }
    if (ok)
        print_summary(&summary);
    return ok;
}

int cg_cli_generate(int argc, char **argv)
{
    g_auto(Options) o = {.job = cg_job_new(), .count = COUNT_UNSET, .tries = 1};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error) || !run(&o, &error))
        return cg_cli_fail(error);
    return 0;
}
