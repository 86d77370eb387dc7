/* Generation end to end in the process: a mini model on disk, pictures in memory. */
#include "base/file.h"
#include "base/rng.h"
#include "base/system.h"
#include "pipeline/batch.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

typedef struct {
    CgEngine *engine;
    CgModel *model;
    CgDenoiser *denoiser;
    CgImage *normal, *mask; /* 200 x 160 */
} Fixture;

static char *model_folder; /* made once */

static char *temporary_folder(void)
{
    g_autoptr(GError) error = NULL;
    char *path = g_dir_make_tmp("cagen-test-XXXXXX", &error);
    g_assert_no_error(error);
    return path;
}

static void remove_folder(const char *path)
{
    const char *argv[] = {"rm", "-rf", path, NULL};
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
}

static void make_model(void)
{
    g_autoptr(GError) error = NULL;
    const char *tools = g_getenv("CAGEN_TOOLS");
    g_autofree char *tool =
        g_build_filename(tools ? tools : "build/release/tools", "make_model", NULL);
    g_autofree char *tokenizer = test_fixture_path("tokenizer/mini");
    model_folder = temporary_folder();
    const char *argv[] = {tool, "--config", "mini", "--tokenizer", tokenizer, model_folder, NULL};
    int status = -1;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                 &status, &error);
    g_assert_no_error(error);
    g_assert_true(g_spawn_check_wait_status(status, &error));
}

static CgModel *open_model(CgEngine *engine, CgDType dtype)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *model = g_build_filename(model_folder, "model", NULL);
    g_autofree char *controlnet = g_build_filename(model_folder, "controlnet", NULL);
    const CgModelPaths paths = {.model = model, .controlnet = controlnet};
    CgModel *m = cg_model_open(engine, dtype, &paths, &error);
    g_assert_no_error(error);
    return m;
}

/* A smooth picture with noise, so that no two neighbours are alike. */
static CgImage *make_normal(int width, int height, int channels)
{
    CgImage *image = cg_image_new(width, height, channels);
    CgRng rng = cg_rng(7, 0);
    for (int i = 0; i < width * height * channels; i++)
        image->pixels[i] = (guint8)(60 + i / channels % width / 2 + cg_rng_int(&rng, 0, 40));
    return image;
}

static CgImage *make_mask(int width, int height, int x0, int y0, int x1, int y1)
{
    CgImage *mask = cg_image_new(width, height, 1);
    for (int y = y0; y < y1; y++)
        memset(mask->pixels + y * width + x0, 255, (size_t)(x1 - x0));
    return mask;
}

static void set_up(Fixture *f, gconstpointer data)
{
    (void)data;
    f->engine = cg_engine_cpu_new();
    f->model = open_model(f->engine, CG_F32);
    f->denoiser = cg_denoiser_new(f->model);
    f->normal = make_normal(200, 160, 3);
    f->mask = make_mask(200, 160, 90, 40, 131, 77);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_denoiser_free(f->denoiser);
    cg_model_free(f->model);
    cg_engine_free(f->engine);
    cg_image_free(f->normal);
    cg_image_free(f->mask);
}

static CgGenerateSettings quick_settings(void)
{
    CgGenerateSettings s;
    cg_generate_settings_default(&s);
    s.denoise.prompt = "broken large bottle";
    s.denoise.steps = 2;
    return s;
}

static CgGenerateResult generate(Fixture *f, const CgGenerateSettings *s, const CgImage *normal,
                                 const CgImage *mask)
{
    g_autoptr(GError) error = NULL;
    CgGenerateResult r;
    const CgGenerateInput input = {.normal = normal, .mask = mask};
    cg_generate(f->denoiser, f->model, s, &input, NULL, NULL, &r, &error);
    g_assert_no_error(error);
    return r;
}

static guint differing_pixels(const CgImage *a, const CgImage *b, const CgImage *mask,
                              gboolean inside)
{
    guint count = 0;
    g_assert_cmpint(a->width, ==, b->width);
    g_assert_cmpint(a->height, ==, b->height);
    g_assert_cmpint(a->channels, ==, b->channels);
    for (int i = 0; i < a->width * a->height; i++)
        if ((mask->pixels[i] != 0) == inside)
            count += memcmp(a->pixels + i * a->channels, b->pixels + i * b->channels,
                            (size_t)a->channels) != 0;
    return count;
}

static void mask_outside_pixels_stay_identical(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    CgGenerateResult r = generate(f, &s, f->normal, f->mask);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, f->mask, FALSE), ==, 0);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, f->mask, TRUE), >, 41 * 37 / 2);
    cg_generate_result_clear(&r);
}

static void paste_off_replaces_the_window(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    s.paste = CG_PASTE_OFF;
    s.window = CG_WINDOW_FULL;
    CgGenerateResult r = generate(f, &s, f->normal, f->mask);
    g_assert_cmpint(r.window.width, ==, 200);
    g_assert_cmpint(r.window.height, ==, 160);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, f->mask, FALSE), >, 200 * 160 / 2);
    cg_generate_result_clear(&r);
}

static void working_picture_keeps_the_windows_proportions(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    s.window = CG_WINDOW_FULL;
    CgGenerateResult r = generate(f, &s, f->normal, f->mask);
    g_assert_cmpint(r.width, ==, 128);  /* what the mini model was made for */
    g_assert_cmpint(r.height, ==, 104); /* 160 * 128 / 200 = 102.4, in cells of 8 */
    g_assert_cmpint(r.latent->shape.d[1], ==, 13);
    g_assert_cmpint(r.latent->shape.d[2], ==, 16);
    cg_generate_result_clear(&r);
}

static void same_bytes_for_any_number_of_threads(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    cg_threads_set(1);
    CgGenerateResult one = generate(f, &s, f->normal, f->mask);
    cg_threads_set(2);
    CgGenerateResult two = generate(f, &s, f->normal, f->mask);
    cg_threads_set(0);
    g_assert_cmpmem(one.fused->data, cg_tensor_bytes(one.fused), two.fused->data,
                    cg_tensor_bytes(two.fused));
    g_assert_cmpmem(one.image->pixels, 200 * 160 * 3, two.image->pixels, 200 * 160 * 3);
    cg_generate_result_clear(&one);
    cg_generate_result_clear(&two);
}

static void samples_of_one_seed_differ(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    CgGenerateResult first = generate(f, &s, f->normal, f->mask);
    s.sample = 1;
    CgGenerateResult second = generate(f, &s, f->normal, f->mask);
    g_assert_cmpuint(differing_pixels(first.image, second.image, f->mask, TRUE), >, 0);
    cg_generate_result_clear(&first);
    cg_generate_result_clear(&second);
}

static void prompt_changes_the_result(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    CgGenerateResult first = generate(f, &s, f->normal, f->mask);
    s.denoise.prompt = "scratched pill";
    CgGenerateResult second = generate(f, &s, f->normal, f->mask);
    g_assert_cmpuint(differing_pixels(first.image, second.image, f->mask, TRUE), >, 0);
    cg_generate_result_clear(&first);
    cg_generate_result_clear(&second);
}

static void given_noise_gives_the_same_picture(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgGenerateSettings s = quick_settings();
    CgGenerateResult first = generate(f, &s, f->normal, f->mask), second;
    s.seed = 99; /* not used: the noise is given, ddim adds none */
    const CgGenerateInput input = {.normal = f->normal, .mask = f->mask, .init = first.init};
    cg_generate(f->denoiser, f->model, &s, &input, NULL, NULL, &second, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(differing_pixels(first.image, second.image, f->mask, TRUE), ==, 0);
    cg_generate_result_clear(&first);
    cg_generate_result_clear(&second);
}

/* Where noise is little, what differs between two beginnings is left; the latents outside of the
 * mask are z_i all the same. */
static void low_strength_keeps_what_is_begun_from(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgGenerateSettings s = quick_settings();
    CgGenerateResult r;
    g_autoptr(CgImage) begin = cg_image_copy(f->normal);
    memset(begin->pixels, 255, (size_t)begin->width * (size_t)begin->height * 3);
    s.denoise.steps = 50;
    s.denoise.strength = 0.02; /* one step at the lowest timestep */
    CgGenerateResult from_normal = generate(f, &s, f->normal, f->mask);
    const CgGenerateInput input = {.normal = f->normal, .mask = f->mask, .begin = begin};
    cg_generate(f->denoiser, f->model, &s, &input, NULL, NULL, &r, &error);
    g_assert_no_error(error);
    double between = 0, missed = 0;
    for (size_t i = 0; i < r.latent->count; i++) {
        const double want = cg_tensor_f32(r.begin)[i] - cg_tensor_f32(r.normal)[i];
        const double got = cg_tensor_f32(r.latent)[i] - cg_tensor_f32(from_normal.latent)[i];
        between += fabs(want);
        missed += fabs(got - want);
    }
    g_assert_cmpfloat(missed, <, 0.2 * between);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, f->mask, FALSE), ==, 0);
    cg_generate_result_clear(&from_normal);
    cg_generate_result_clear(&r);
}

/* Each pixel in the mask is what it was without, plus what the autoencoder lost of the picture. */
static void detail_adds_what_the_autoencoder_loses(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgGenerateSettings s = quick_settings();
    CgGenerateResult plain = generate(f, &s, f->normal, f->mask);
    s.detail = 1;
    CgGenerateResult detailed = generate(f, &s, f->normal, f->mask);
    const CgRect w = plain.window;
    CgContext *cx = cg_denoiser_context(f->denoiser);
    g_autoptr(CgTensor) decoded = cg_vae_decode(cx, f->model->vae, plain.normal);
    g_assert_true(cg_context_ok(cx, &error));
    g_autoptr(CgImage) small = cg_image_from_tensor(decoded, 0);
    g_autoptr(CgImage) known = cg_image_resize(small, w.width, w.height);
    size_t compared = 0, changed = 0;
    for (int y = 0; y < w.height; y++)
        for (int x = 0; x < w.width; x++) {
            const size_t at = (size_t)(w.y + y) * (size_t)f->normal->width + (size_t)(w.x + x);
            for (size_t c = 0; f->mask->pixels[at] && c < 3; c++) {
                const size_t i = 3 * at + c, k = 3 * ((size_t)y * (size_t)w.width + (size_t)x) + c;
                const int lost = f->normal->pixels[i] - known->pixels[k];
                const int want = CLAMP(plain.image->pixels[i] + lost, 0, 255);
                g_assert_cmpint(detailed.image->pixels[i], ==, want);
                changed += lost != 0;
                compared++;
            }
        }
    g_assert_cmpuint(changed, >, compared / 2);
    g_assert_cmpuint(differing_pixels(f->normal, detailed.image, f->mask, FALSE), ==, 0);
    cg_generate_result_clear(&plain);
    cg_generate_result_clear(&detailed);
}

static void picture_of_another_size_to_begin_from_is_refused(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgGenerateResult r;
    g_autoptr(CgImage) begin = cg_image_new(32, 48, 3);
    const CgGenerateSettings s = quick_settings();
    const CgGenerateInput input = {.normal = f->normal, .mask = f->mask, .begin = begin};
    g_assert_false(cg_generate(f->denoiser, f->model, &s, &input, NULL, NULL, &r, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "the picture to begin from is 32x48"));
    cg_generate_result_clear(&r);
}

static void grey_picture_stays_grey(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    g_autoptr(CgImage) grey = make_normal(200, 160, 1);
    CgGenerateResult r = generate(f, &s, grey, f->mask);
    g_assert_cmpint(r.image->channels, ==, 1);
    g_assert_cmpuint(differing_pixels(grey, r.image, f->mask, FALSE), ==, 0);
    cg_generate_result_clear(&r);
}

static void large_narrow_picture_is_done_in_a_window(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    g_autoptr(CgImage) normal = make_normal(1500, 300, 3);
    g_autoptr(CgImage) mask = make_mask(1500, 300, 1400, 100, 1460, 180);
    CgGenerateResult r = generate(f, &s, normal, mask);
    g_assert_cmpint(r.window.width, <, 300);
    g_assert_cmpint(r.window.x + r.window.width, <=, 1500);
    g_assert_cmpint(r.window.x, <=, 1400);
    g_assert_cmpint(r.window.x + r.window.width, >=, 1460);
    g_assert_cmpuint(differing_pixels(normal, r.image, mask, FALSE), ==, 0);
    cg_generate_result_clear(&r);
}

static void mask_over_everything_is_allowed(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    g_autoptr(CgImage) all = make_mask(200, 160, 0, 0, 200, 160);
    CgGenerateResult r = generate(f, &s, f->normal, all);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, all, TRUE), >, 0);
    cg_generate_result_clear(&r);
}

/* What must be refused, and with which error. */
static void refused(Fixture *f, const CgImage *normal, const CgImage *mask,
                    const CgGenerateSettings *s, CgErrorCode code, const char *says)
{
    g_autoptr(GError) error = NULL;
    CgGenerateResult r;
    const CgGenerateInput input = {.normal = normal, .mask = mask};
    g_assert_false(cg_generate(f->denoiser, f->model, s, &input, NULL, NULL, &r, &error));
    g_assert_error(error, CG_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, says));
    cg_generate_result_clear(&r);
}

static void unfit_masks_and_pictures_are_refused(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgGenerateSettings s = quick_settings();
    g_autoptr(CgImage) empty = cg_image_new(200, 160, 1);
    g_autoptr(CgImage) other = make_mask(100, 160, 0, 0, 9, 9);
    g_autoptr(CgImage) dot = make_normal(1, 1, 3);
    g_autoptr(CgImage) dot_mask = make_mask(1, 1, 0, 0, 1, 1);
    refused(f, f->normal, empty, &s, CG_ERROR_USAGE, "empty");
    refused(f, f->normal, other, &s, CG_ERROR_SHAPE, "100x160");
    refused(f, dot, dot_mask, &s, CG_ERROR_SHAPE, "too small");
}

static void thin_mask_is_refused_where_it_vanishes(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    g_autoptr(CgImage) line = make_mask(200, 160, 90, 51, 120, 52);
    s.mask_policy = CG_MASK_AREA;
    refused(f, f->normal, line, &s, CG_ERROR_SHAPE, "too thin");
    s.mask_policy = CG_MASK_MAX;
    CgGenerateResult r = generate(f, &s, f->normal, line);
    g_assert_cmpuint(differing_pixels(f->normal, r.image, line, TRUE), >, 0);
    cg_generate_result_clear(&r);
}

static void plan_counts_the_memory_of_the_run(Fixture *f, gconstpointer data)
{
    (void)data;
    CgGenerateSettings s = quick_settings();
    CgGeneratePlan plan;
    CgEngineInfo info;
    s.window = CG_WINDOW_FULL;
    cg_generate_plan(f->model, &s, 128, 104, &plan);
    CgGenerateResult r = generate(f, &s, f->normal, f->mask);
    cg_generate_result_clear(&r);
    cg_engine_cpu_info(f->engine, &info);
    /* The text states live longer in the real run; scratch of kernels is not counted. */
    const double activations = (double)(info.pool_peak - info.pool_scratch);
    g_assert_cmpfloat((double)plan.activation_bytes, >, 0.7 * activations);
    g_assert_cmpfloat((double)plan.activation_bytes, <, 1.3 * activations);
    g_assert_cmpuint(plan.weight_bytes, ==, 4 * cg_model_parameter_count(f->model));
}

static CgJob *saved_job(const Fixture *f, const char *folder, const char *prompt)
{
    g_autoptr(GError) error = NULL;
    CgJob *job = cg_job_new();
    job->normal = g_build_filename(folder, "normal.png", NULL);
    job->mask = g_build_filename(folder, "mask.png", NULL);
    job->prompt = g_strdup(prompt);
    job->steps = 2;
    cg_image_save_png(f->normal, job->normal, &error);
    g_assert_no_error(error);
    cg_image_save_png(f->mask, job->mask, &error);
    g_assert_no_error(error);
    return job;
}

static void batch_writes_the_promised_layout(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = temporary_folder();
    g_autofree char *out = g_build_filename(folder, "out", NULL);
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    const CgBatchOptions options = {.out = out};
    CgBatchSummary summary;
    static const char *const made[] = {"manifest.jsonl", "pill/test/broken/000.png",
                                       "pill/ground_truth/broken/000_mask.png",
                                       "pill/test/broken/001.png", "pill/test/bent_pin/000.png"};
    for (int i = 0; i < 3; i++) {
        CgJob *job = saved_job(f, folder, i < 2 ? "broken pill" : "Bent, pin! pill");
        job->category = g_strdup("pill");
        job->sample = i;
        g_ptr_array_add(jobs, job);
    }
    cg_batch_run(f->model, jobs, &options, NULL, NULL, &summary, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(summary.made, ==, 3);
    for (size_t i = 0; i < G_N_ELEMENTS(made); i++) {
        g_autofree char *path = g_build_filename(out, made[i], NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            g_error("%s was not made", path);
    }
    g_autofree char *mask_path = g_build_filename(out, made[2], NULL);
    g_autoptr(CgImage) mask = cg_image_load(mask_path, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(mask->pixels, 200 * 160, f->mask->pixels, 200 * 160);
    remove_folder(folder);
}

static void finished_images_are_not_made_again(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = temporary_folder();
    g_autofree char *out = g_build_filename(folder, "out", NULL);
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)cg_job_free);
    const CgBatchOptions options = {.out = out};
    CgBatchSummary summary;
    g_ptr_array_add(jobs, saved_job(f, folder, "broken pill"));
    cg_batch_run(f->model, jobs, &options, NULL, NULL, &summary, &error);
    g_assert_no_error(error);
    CgJob *second = cg_job_copy(g_ptr_array_index(jobs, 0));
    second->sample = 1;
    g_ptr_array_add(jobs, second);
    cg_batch_run(f->model, jobs, &options, NULL, NULL, &summary, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(summary.made, ==, 1);
    g_assert_cmpuint(summary.skipped, ==, 1);
    /* Other settings for what is there already: nothing is overwritten. */
    second->guidance = 3;
    g_assert_false(cg_batch_run(f->model, jobs, &options, NULL, NULL, &summary, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    remove_folder(folder);
}

#define ADD(test) g_test_add("/generate/" #test, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    make_model();
    ADD(mask_outside_pixels_stay_identical);
    ADD(paste_off_replaces_the_window);
    ADD(working_picture_keeps_the_windows_proportions);
    ADD(same_bytes_for_any_number_of_threads);
    ADD(samples_of_one_seed_differ);
    ADD(prompt_changes_the_result);
    ADD(given_noise_gives_the_same_picture);
    ADD(low_strength_keeps_what_is_begun_from);
    ADD(detail_adds_what_the_autoencoder_loses);
    ADD(picture_of_another_size_to_begin_from_is_refused);
    ADD(grey_picture_stays_grey);
    ADD(large_narrow_picture_is_done_in_a_window);
    ADD(mask_over_everything_is_allowed);
    ADD(unfit_masks_and_pictures_are_refused);
    ADD(thin_mask_is_refused_where_it_vanishes);
    ADD(plan_counts_the_memory_of_the_run);
    ADD(batch_writes_the_promised_layout);
    ADD(finished_images_are_not_made_again);
    const int status = g_test_run();
    remove_folder(model_folder);
    g_free(model_folder);
    return status;
}
