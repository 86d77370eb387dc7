#include "pipeline/batch.h"

#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "pipeline/batch_inputs.h"
#include "pipeline/job_inputs.h"
#include "pipeline/output.h"
#include "pipeline/probe.h"
#include "synthesis/tighten.h"
#include "tensor/safetensors.h"

#include <string.h>

#define MAX_SAVED_LATENTS 4096
#define PROBE_SECONDS     0.3
#define DROPPED           ".dropped" /* hidden: readers of data sets pass it by */

/* A job with what the run knows of it. */
typedef struct {
    CgJob *job;
    CgGenerateSettings settings;
} Item;

/* One try at an item. */
typedef struct {
    Item *item;
    const char *key;
    const CgImage *mask;
    const CgImage *truth; /* the mask that is written: MASK, or the seen part of it */
    guint number;
    gboolean kept;
} Attempt;

typedef struct {
    const CgModel *model;
    const CgBatchOptions *options;
    CgDenoiser *denoiser;
    CgMaskRecipes *recipes;
    CgManifest *manifest;
    GArray *items;
    CgOutput *outputs; /* of the items */
    CgSafetensors *init;
    char *init_sha256;              /* NULL: seeded noise */
    json_t *lora;                   /* merged into the model; NULL: nothing */
    GPtrArray *saved_names, *saved; /* latents to write at the end */
    CgProgress *progress;
    CgRowFunction row_done;
    void *row_data;
    guint current;        /* item being made */
    guint64 steps_done;   /* of the items before it */
    guint64 reached;      /* what was told last */
    CgBatchInputs inputs; /* of the current item */
} Batch;

static void batch_clear(Batch *b)
{
    cg_denoiser_free(b->denoiser);
    cg_mask_recipes_free(b->recipes);
    cg_manifest_close(b->manifest);
    cg_safetensors_free(b->init);
    cg_progress_free(b->progress);
    cg_outputs_free(b->outputs, b->items->len);
    g_clear_pointer(&b->items, g_array_unref);
    g_clear_pointer(&b->saved_names, g_ptr_array_unref);
    g_clear_pointer(&b->saved, g_ptr_array_unref);
    g_free(b->init_sha256);
    json_decref(b->lora);
    cg_batch_inputs_clear(&b->inputs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_clear)

/* A further try differs by its noise or its mask: one of them has to be drawn. */
static gboolean check_tries(const CgBatchOptions *o, const CgJob *job, GError **error)
{
    if (o->tries <= 1 || !o->init_latents || job->shape)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "--tries makes an image anew with other noise, but --init-latents gives the noise, "
                "and %s the mask; leave one of the two out, or draw masks with --shape",
                job->mask);
    return FALSE;
}

static gboolean name_outputs(Batch *b, GPtrArray *jobs, GError **error)
{
    g_autofree const char **categories = g_new(const char *, jobs->len);
    g_autofree const char **defects = g_new(const char *, jobs->len);
    for (guint i = 0; i < jobs->len; i++) {
        CgJob *job = g_ptr_array_index(jobs, i);
        Item item = {.job = job};
        if (!cg_job_settings(job, &item.settings, error) || !cg_job_name(job, error) ||
            !cg_denoise_check(b->model, &item.settings.denoise, error) ||
            !cg_scores_check(&b->options->rules, &item.settings, error) ||
            !check_tries(b->options, job, error))
            return FALSE;
        categories[i] = job->category;
        defects[i] = job->defect;
        g_array_append_val(b->items, item);
    }
    b->outputs = cg_outputs_new(categories, defects, jobs->len);
    return TRUE;
}

/* What tells one result from another: the settings, the inputs' content, the weights. */
static char *item_key(const Batch *b, const Item *item)
{
    static const char *const paths[] = {"normal",  "begin",   "mask",     "foreground",
                                        "library", "allowed", "forbidden"};
    g_autoptr(json_t) object = cg_job_to_json(item->job);
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        json_object_del(object, paths[i]);
    if (!(item->job->detail > 0)) /* as it was before there was any */
        json_object_del(object, "detail");
    char *text = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(10));
    const CgScoreRules *rules = &b->options->rules;
    const gboolean ruled = rules->min_obedience > 0 || rules->min_change > 0;
    g_autofree char *kept =
        g_strdup_printf("obedience %g, change %g, %u tries", rules->min_obedience,
                        rules->min_change, b->options->tries);
    g_autofree char *all = g_strjoin(
        "\n", text, b->inputs.normal.sha256, b->inputs.mask.sha256, b->model->fingerprint,
        b->model->controlnet_fingerprint ? b->model->controlnet_fingerprint : "-",
        b->model->vae_fingerprint, b->model->text_fingerprint, cg_dtype_name(b->model->dtype),
        b->init_sha256 ? b->init_sha256 : "-", ruled ? kept : NULL, NULL);
    free(text);
    /* What came to be possible later leaves the keys of everything before it as they were. */
    g_autoptr(GString) more = g_string_new(all);
    char *lora = b->lora
                     ? json_dumps(b->lora, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(10))
                     : NULL;
    if (lora)
        g_string_append_printf(more, "\n%s", lora);
    if (b->inputs.begin.sha256)
        g_string_append_printf(more, "\nbegin %s", b->inputs.begin.sha256);
    free(lora);
    return cg_output_key(more->str);
}

static json_t *absolute_job(const CgJob *job)
{
    const struct {
        const char *key, *path;
    } paths[] = {{"normal", job->normal},   {"begin", job->begin},
                 {"mask", job->mask},       {"library", job->library},
                 {"allowed", job->allowed}, {"forbidden", job->forbidden}};
    json_t *object = cg_job_to_json(job);
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (!json_object_get(object, paths[i].key))
            continue;
        g_autofree char *path = g_canonicalize_filename(paths[i].path, NULL);
        json_object_set_new(object, paths[i].key, json_string(path));
    }
    return object;
}

static json_t *make_row(const Batch *b, const Item *item, const CgOutput *output, const char *key,
                        const CgGenerateResult *r)
{
    const CgModel *m = b->model;
    const CgRect w = r->window;
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "image", output->image, "mask",
                  output->mask, "category", item->job->category, "defect", item->job->defect,
                  "prompt", item->job->prompt, "normal_sha256", b->inputs.normal.sha256,
                  item->job->shape ? "mask_pixels_sha256" : "mask_sha256", b->inputs.mask.sha256);
    json_object_set_new(row, "job", absolute_job(item->job));
    json_object_set_new(row, "window", json_pack("[i, i, i, i]", w.x, w.y, w.width, w.height));
    json_object_set_new(row, "working_size", json_pack("[i, i]", r->width, r->height));
    json_object_set_new(row, "model", json_string(m->path));
    json_object_set_new(row, "model_fingerprint", json_string(m->fingerprint));
    json_object_set_new(row, "controlnet",
                        m->controlnet ? json_string(m->controlnet_path) : json_null());
    json_object_set_new(row, "controlnet_fingerprint",
                        m->controlnet ? json_string(m->controlnet_fingerprint) : json_null());
    json_object_set_new(row, "vae", json_string(m->vae_path));
    json_object_set_new(row, "vae_fingerprint", json_string(m->vae_fingerprint));
    json_object_set_new(row, "text_encoder_fingerprint", json_string(m->text_fingerprint));
    if (b->inputs.begin.sha256)
        json_object_set_new(row, "begin_sha256", json_string(b->inputs.begin.sha256));
    if (b->lora)
        json_object_set(row, "lora", b->lora);
    if (b->init_sha256)
        json_object_set_new(row, "init_latents_sha256", json_string(b->init_sha256));
    json_object_set_new(row, "dtype", json_string(cg_dtype_name(m->dtype)));
    json_object_set_new(row, "engine", json_string(m->engine->ops->name));
    json_object_set_new(row, "version", json_string(CAGEN_VERSION));
    json_object_set_new(row, "seconds",
                        json_real(r->seconds_encode + r->seconds_sample + r->seconds_decode));
    json_object_set_new(row, "key", json_string(key));
    return row;
}

/* x_T for item I from the file: "init.000007", or row I of "init" or "latents"; [1, h, w, c]. */
static CgTensor *read_init(const Batch *b, guint i, GError **error)
{
    g_autofree char *name = g_strdup_printf("init.%06u", i);
    const char *const tried[] = {name, "init", "latents"};
    const CgSafetensor *entry = NULL;
    for (size_t k = 0; k < G_N_ELEMENTS(tried) && !entry; k++)
        entry = cg_safetensors_find(b->init, tried[k]);
    const gboolean real =
        entry && (entry->dtype == CG_F32 || entry->dtype == CG_F16 || entry->dtype == CG_BF16);
    if (!real || entry->shape.rank != 4) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no tensor \"%s\", \"init\" or \"latents\" of floats [n, c, h, w]",
                    b->options->init_latents, name);
        return NULL;
    }
    const int64_t row = g_str_equal(entry->name, name) ? 0 : i;
    if (row >= entry->shape.d[0]) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: holds initial latents of %" G_GINT64_FORMAT " images; image %u has none",
                    b->options->init_latents, entry->shape.d[0], i + 1);
        return NULL;
    }
    g_autoptr(CgTensor) all = cg_safetensors_tensor(b->init, entry);
    g_autoptr(CgTensor) one = cg_tensor_rows(all, row, 1);
    g_autoptr(CgTensor) f32 = cg_tensor_copy(one, CG_F32);
    if (!cg_tensor_is_finite(f32)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "%s: \"%s\" holds NaN or infinity",
                    b->options->init_latents, entry->name);
        return NULL;
    }
    return cg_tensor_nchw_to_nhwc(f32);
}

static void keep_latent(Batch *b, const char *name, guint i, const CgTensor *latent)
{
    g_ptr_array_add(b->saved_names, g_strdup_printf("%s.%06u", name, i));
    g_ptr_array_add(b->saved, cg_tensor_nhwc_to_nchw(latent));
}

static gboolean after_step(void *data, int step, int steps)
{
    Batch *b = data;
    const Item *item = &g_array_index(b->items, Item, b->current);
    /* Some samplers call the network once more than they have steps. */
    const guint64 share = (guint64)step * (guint64)item->settings.denoise.steps / (guint64)steps;
    g_autofree char *detail = g_strdup_printf("image %u of %u, step %d of %d", b->current + 1,
                                              b->items->len, step, steps);
    /* A further try does not lead back. */
    b->reached = MAX(b->reached, b->steps_done + share);
    cg_progress_update(b->progress, b->reached, detail);
    return !cg_cancelled();
}

/* Where try NUMBER of OUTPUT goes when it falls short. */
static CgOutput dropped_output(const CgOutput *output, guint number)
{
    const size_t stem = strlen(output->image) - strlen(".png");
    return (CgOutput){
        g_strdup_printf(DROPPED "/%.*s-%u.png", (int)stem, output->image, number),
        g_strdup_printf(DROPPED "/%.*s-%u_mask.png", (int)stem, output->image, number)};
}

/* The picture, its mask and its row, or nothing of them. */
static gboolean write_item(Batch *b, const Attempt *a, const CgOutput *output, const char *reason,
                           const CgGenerateResult *r, const CgScores *scores, GError **error)
{
    g_autoptr(json_t) row = make_row(b, a->item, output, a->key, r);
    json_object_set_new(row, "kept", json_boolean(!reason));
    json_object_set_new(row, "scores", cg_scores_to_json(scores));
    if (a->item->job->tighten > 0)
        json_object_set_new(row, "tightened_to",
                            json_real(cg_mask_area(a->truth) / cg_mask_area(a->mask)));
    if (reason)
        json_object_set_new(row, "reason", json_string(reason));
    if (!cg_output_write_pictures(b->options->out, output, r->image, a->truth, error) ||
        !cg_output_write_row(b->options->out, b->manifest, output, row, error))
        return FALSE;
    if (b->row_done)
        b->row_done(b->row_data, row);
    return TRUE;
}

static void keep_latents(Batch *b, const CgGenerateResult *r)
{
    keep_latent(b, "init", b->current, r->init);
    keep_latent(b, "final", b->current, r->latent);
    keep_latent(b, "fused", b->current, r->fused);
}

/* The part of the mask where the defect can be seen, if asked for; NULL: the mask itself. */
static CgImage *seen_part(const Batch *b, const Attempt *a, const CgGenerateResult *r,
                          char **reason)
{
    CgRect bounds;
    const double level = a->item->job->tighten;
    g_autoptr(CgImage) tight =
        level > 0 ? cg_mask_tighten(a->mask, b->inputs.normal.image, r->image, level) : NULL;
    if (!tight || cg_mask_bounds(tight, &bounds))
        return g_steal_pointer(&tight);
    if (!*reason)
        *reason = g_strdup_printf("no change of %g in the mask", level);
    return NULL;
}

/* What was made goes where its scores send it. */
static gboolean judge(Batch *b, Attempt *a, const CgGenerateResult *r, GError **error)
{
    CgScores scores;
    if (!cg_scores_measure(b->denoiser, b->model, &a->item->settings, b->inputs.normal.image,
                           a->mask, r, &b->options->rules, &scores, error))
        return FALSE;
    g_autofree char *reason = cg_scores_reason(&scores, &b->options->rules);
    g_autoptr(CgImage) tight = seen_part(b, a, r, &reason);
    g_auto(CgOutput) aside = dropped_output(&b->outputs[b->current], a->number);
    a->truth = tight ? tight : a->mask;
    a->kept = !reason;
    if (!write_item(b, a, reason ? &aside : &b->outputs[b->current], reason, r, &scores, error))
        return FALSE;
    if (!reason && b->options->save_latents)
        keep_latents(b, r);
    return TRUE;
}

static gboolean make_item(Batch *b, Attempt *a, GError **error)
{
    CgGenerateResult r;
    const Item *item = a->item;
    g_autoptr(CgTensor) init = b->init ? read_init(b, b->current, error) : NULL;
    if (b->init && !init)
        return FALSE;
    const CgGenerateInput input = {.normal = b->inputs.normal.image,
                                   .mask = a->mask,
                                   .begin = b->inputs.begin.image,
                                   .init = init};
    gboolean ok =
        cg_generate(b->denoiser, b->model, &item->settings, &input, after_step, b, &r, error);
    if (!ok && !g_error_matches(*error, CG_ERROR, CG_ERROR_CANCELLED) &&
        !g_error_matches(*error, CG_ERROR, CG_ERROR_NUMERIC))
        g_prefix_error(error, "%s with %s: ", item->job->normal,
                       item->job->shape ? item->job->shape : item->job->mask);
    ok = ok && judge(b, a, &r, error);
    cg_generate_result_clear(&r);
    return ok;
}

/* Try A->number, unless it fell short in an earlier run: with a seed of its own, and a mask of its
 * own where masks are drawn. */
static gboolean attempt(Batch *b, Attempt *a, CgBatchSummary *summary, GError **error)
{
    Item *item = a->item;
    g_auto(CgOutput) aside = dropped_output(&b->outputs[b->current], a->number);
    gboolean fell_short;
    if (!cg_output_is_done(b->options->out, b->manifest, &aside, a->key, &fell_short, error))
        return FALSE;
    if (fell_short)
        return TRUE;
    item->job->seed += a->number;
    item->settings.seed += a->number;
    gboolean ok =
        a->number == 0 || cg_batch_inputs_load_mask(&b->inputs, b->recipes, item->job, error);
    g_autoptr(CgImage) mask = ok ? cg_batch_inputs_fitted_mask(&b->inputs) : NULL;
    a->mask = mask;
    ok = ok && make_item(b, a, error);
    item->job->seed -= a->number;
    item->settings.seed -= a->number;
    a->mask = a->truth = NULL;
    summary->dropped += ok && !a->kept;
    return ok;
}

static gboolean run_item(Batch *b, Item *item, CgBatchSummary *summary, GError **error)
{
    gboolean done;
    if (!cg_batch_inputs_load(&b->inputs, item->job, error) ||
        !cg_batch_inputs_load_mask(&b->inputs, b->recipes, item->job, error))
        return FALSE;
    g_autofree char *key = item_key(b, item);
    if (!cg_output_is_done(b->options->out, b->manifest, &b->outputs[b->current], key, &done,
                           error))
        return FALSE;
    if (done) {
        summary->skipped++;
        cg_progress_skip(b->progress, (guint64)item->settings.denoise.steps);
        return TRUE;
    }
    const double begin = cg_seconds();
    Attempt a = {.item = item, .key = key};
    for (a.number = 0; !a.kept && a.number < MAX(b->options->tries, 1); a.number++)
        if (!attempt(b, &a, summary, error))
            return FALSE;
    const guint counted = summary->made + summary->given_up;
    summary->seconds_per_image =
        (summary->seconds_per_image * counted + cg_seconds() - begin) / (counted + 1);
    *(a.kept ? &summary->made : &summary->given_up) += 1;
    b->steps_done += (guint64)item->settings.denoise.steps;
    return TRUE;
}

/* The item with the largest working picture, as far as that is known before masks are read. */
static const Item *largest_item(const Batch *b)
{
    const Item *largest = NULL;
    int largest_side = 0;
    for (guint i = 0; i < b->items->len; i++) {
        const Item *item = &g_array_index(b->items, Item, i);
        const int side = item->settings.size ? item->settings.size : cg_model_size(b->model);
        if (side > largest_side) {
            largest = item;
            largest_side = side;
        }
    }
    return largest;
}

/* Says what the largest image will need, and refuses what can't fit. */
static gboolean announce(Batch *b, GError **error)
{
    const Item *largest = largest_item(b);
    CgGeneratePlan plan;
    CgRect window;
    int width, height;
    if (!cg_batch_inputs_load(&b->inputs, largest->job, error) ||
        !cg_batch_inputs_load_mask(&b->inputs, b->recipes, largest->job, error))
        return FALSE;
    g_autoptr(CgImage) mask = cg_batch_inputs_fitted_mask(&b->inputs);
    if (!cg_generate_geometry(b->model, &largest->settings, mask, &window, &width, &height, error))
        return FALSE;
    cg_generate_plan(b->model, &largest->settings, width, height, &plan);
    const double speed = cg_probe_speed(b->model->engine, b->model->dtype, PROBE_SECONDS);
    const double need = (double)(plan.weight_bytes + plan.activation_bytes);
    const guint64 available = cg_memory_available();
    const double seconds = speed > 0 ? plan.flops / speed : 0;
    cg_log_note("plan: %u image%s of %dx%d, %d steps; memory %.2f GB (%.2f weights, %.2f "
                "activations); about %.*f s per image at %.0f GFLOP/s",
                b->items->len, b->items->len == 1 ? "" : "s", width, height,
                largest->settings.denoise.steps, need * 1e-9, (double)plan.weight_bytes * 1e-9,
                (double)plan.activation_bytes * 1e-9, seconds < 10 ? 1 : 0, seconds, speed * 1e-9);
    if (available > 0 && need > (double)available) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "%.2f GB of memory are needed, %.2f GB are free; use a smaller --size, "
                    "--vae-tiling or --dtype bf16",
                    need * 1e-9, (double)available * 1e-9);
        return FALSE;
    }
    return TRUE;
}

static gboolean open_latents(Batch *b, GError **error)
{
    const CgBatchOptions *o = b->options;
    if (o->init_latents && (!(b->init = cg_safetensors_open(o->init_latents, error)) ||
                            !(b->init_sha256 = cg_file_sha256(o->init_latents, error))))
        return FALSE;
    if (o->save_latents && b->items->len > MAX_SAVED_LATENTS) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--save-latents is for at most %d images, not %u", MAX_SAVED_LATENTS,
                    b->items->len);
        return FALSE;
    }
    return cg_file_can_write(o->save_latents, error);
}

static gboolean prepare(Batch *b, GPtrArray *jobs, GError **error)
{
    guint64 steps = 0;
    b->recipes = cg_mask_recipes_new();
    b->lora = cg_model_lora_to_json(b->model);
    if (!cg_mask_recipes_settle(jobs, error) || !name_outputs(b, jobs, error) ||
        !cg_jobs_check_inputs(jobs, b->recipes, error) || !open_latents(b, error) ||
        !cg_file_can_write(b->options->sheet, error))
        return FALSE;
    for (guint i = 0; i < b->items->len; i++)
        steps += (guint64)g_array_index(b->items, Item, i).settings.denoise.steps;
    if (!announce(b, error) || !(b->manifest = cg_manifest_open(b->options->out, error)) ||
        !cg_outputs_check(b->options->out, b->manifest, b->outputs, b->items->len, error))
        return FALSE;
    if (b->options->save_latents && cg_manifest_count(b->manifest) > 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s holds results already; --save-latents needs an empty --out",
                    b->options->out);
        return FALSE;
    }
    b->denoiser = cg_denoiser_new(b->model);
    b->progress = cg_progress_new("sampling", steps);
    return TRUE;
}

static gboolean write_sheet(const Batch *b, GError **error)
{
    const guint count = b->items->len;
    g_autofree const char **normals = g_new(const char *, count);
    g_autofree const char **captions = g_new(const char *, count);
    g_autofree CgOutput *shown = g_new(CgOutput, count);
    guint n = 0;
    for (guint i = 0; i < count; i++) {
        const CgJob *job = g_array_index(b->items, Item, i).job;
        if (!cg_manifest_find(b->manifest, b->outputs[i].image))
            continue; /* given up */
        normals[n] = job->normal;
        captions[n] = job->prompt;
        shown[n++] = b->outputs[i];
    }
    if (n == 0) {
        cg_log_warning("%s is not written: there is nothing to show", b->options->sheet);
        return TRUE;
    }
    return cg_outputs_sheet(b->options->out, shown, normals, captions, n, b->options->sheet, error);
}

gboolean cg_batch_run(const CgModel *model, GPtrArray *jobs, const CgBatchOptions *options,
                      CgRowFunction row_done, void *data, CgBatchSummary *summary, GError **error)
{
    g_auto(Batch) b = {.model = model, .options = options, .row_done = row_done, .row_data = data};
    *summary = (CgBatchSummary){0};
    b.items = g_array_new(FALSE, TRUE, sizeof(Item));
    b.saved_names = g_ptr_array_new_with_free_func(g_free);
    b.saved = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    if (!prepare(&b, jobs, error))
        return FALSE;
    for (b.current = 0; b.current < b.items->len; b.current++)
        if (!cg_cancel_check(error) ||
            !run_item(&b, &g_array_index(b.items, Item, b.current), summary, error))
            return FALSE;
    if (b.saved->len > 0 &&
        !cg_safetensors_save(options->save_latents, (const char *const *)b.saved_names->pdata,
                             (CgTensor *const *)b.saved->pdata, b.saved->len, error))
        return FALSE;
    return !options->sheet || write_sheet(&b, error);
}
