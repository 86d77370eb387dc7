/* The journal of a training: its rows, going on after a pause or a kill, its curve and its event
 * files. */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/smooth.h"
#include "image/image.h"
#include "pipeline/journal.h"
#include "pipeline/tensorboard.h"
#include "support/folder.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static CgJournalSettings settings_of(const CgTestFolder *dir)
{
    return (CgJournalSettings){
        .out = dir->path, .title = "Test", .own_names = {"kl", "edge \"x\""}};
}

static CgJournal *opened(const CgTestFolder *dir, guint64 step)
{
    g_autoptr(GError) error = NULL;
    const CgJournalSettings settings = settings_of(dir);
    CgJournal *j = cg_journal_open(&settings, step, &error);
    g_assert_no_error(error);
    return j;
}

/* Two samples of each update: what a training would draw from its seed. */
static void write_steps(CgJournal *j, guint64 from, guint64 to)
{
    g_autoptr(GError) error = NULL;
    for (guint64 step = from; step <= to; step++) {
        CgRng rng = cg_rng(9, step);
        CgBandSample samples[2];
        CgJournalRow row = cg_journal_row(step);
        row.loss = 0;
        for (int i = 0; i < 2; i++) {
            samples[i].place = cg_rng_uniform(&rng, 0, 1);
            samples[i].loss = (1 - samples[i].place) / sqrt((double)step);
            row.loss += samples[i].loss / 2;
        }
        row.epoch = (double)step / 7;
        row.learning_rate = 1e-5;
        row.own[0] = 1.0 / 3;
        if (step % 40 == 0)
            row.obedience = 1 - 20.0 / (double)(step + 20);
        cg_journal_add(j, &row, samples, 2, &error);
        g_assert_no_error(error);
    }
}

static void close_journal(CgJournal *j)
{
    g_autoptr(GError) error = NULL;
    cg_journal_close(j, &error);
    g_assert_no_error(error);
}

static char *text_of(const CgTestFolder *dir, size_t *size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(dir, "journal.jsonl");
    char *text = cg_file_read(path, 1 << 26, size, &error);
    g_assert_no_error(error);
    return text;
}

static void write_text(const CgTestFolder *dir, const char *text)
{
    g_free(cg_test_folder_file(dir, "journal.jsonl", text, strlen(text)));
}

static void assert_same_journal(const CgTestFolder *a, const CgTestFolder *b)
{
    size_t size_a, size_b;
    g_autofree char *text_a = text_of(a, &size_a);
    g_autofree char *text_b = text_of(b, &size_b);
    g_assert_cmpmem(text_a, size_a, text_b, size_b);
}

static void row_holds_what_is_known(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    CgJournal *j = opened(dir, 0);
    CgJournalRow row = cg_journal_row(50);
    const CgBandSample samples[] = {{0.5, 0.25}, {0.1, 0.999}, {0.3, -1}, {NAN, 0.1}};
    row.loss = 0.1;
    row.learning_rate = 1e-5;
    row.own[1] = 2.5;
    g_assert_true(cg_journal_add(j, &row, samples, 4, NULL));
    g_assert_cmpfloat(row.smoothed, ==, (double)0.1f);
    row = cg_journal_row(51);
    row.loss = NAN;
    row.gradient_norm = INFINITY;
    g_assert_true(cg_journal_add(j, &row, NULL, 0, NULL));
    close_journal(j);
    g_autofree char *text = text_of(dir, NULL);
    g_assert_cmpstr(
        text, ==,
        "{\"step\":50,\"loss\":0.100000001,\"smoothed\":0.100000001,\"learning_rate\":9.99999975e-"
        "06"
        ",\"edge \\\"x\\\"\":2.5,\"samples\":[[0.25,0.5],[0.999000013,0.100000001],"
        "[-1,0.300000012],[0.100000001,null]],\"bands\":[null,0.5,null,null,0.100000001],"
        "\"band_counts\":[0,1,0,0,1]}\n"
        "{\"step\":51,\"smoothed\":0.100000001,\"gradient_norm\":null,\"loss\":null}\n");
}

static void pause_leaves_no_trace(void)
{
    g_autoptr(CgTestFolder) whole = cg_test_folder_new();
    g_autoptr(CgTestFolder) parts = cg_test_folder_new();
    CgJournal *j = opened(whole, 0);
    write_steps(j, 1, 700);
    close_journal(j);
    j = opened(parts, 0);
    write_steps(j, 1, 333);
    cg_journal_free(j); /* killed: nothing is finished */
    j = opened(parts, 310);
    g_assert_cmpuint(cg_journal_rows(j)->len, ==, 310);
    write_steps(j, 311, 700);
    g_assert_cmpuint(cg_journal_rows(j)->len, ==, 700);
    close_journal(j);
    assert_same_journal(whole, parts);
    /* Smoothing, bands and curve too are those of a training without a pause. */
    g_autofree char *curve_a = cg_test_folder_path(whole, "curve.svg");
    g_autofree char *curve_b = cg_test_folder_path(parts, "curve.svg");
    g_autofree char *hash_a = cg_file_sha256(curve_a, NULL);
    g_autofree char *hash_b = cg_file_sha256(curve_b, NULL);
    g_assert_nonnull(hash_a);
    g_assert_cmpstr(hash_a, ==, hash_b);
}

static void rows_read_back_are_the_rows_written(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    CgJournal *j = opened(dir, 0);
    write_steps(j, 1, 120);
    g_autoptr(GArray) before = g_array_copy((GArray *)(guintptr)cg_journal_rows(j));
    cg_journal_free(j);
    j = opened(dir, 120);
    const GArray *after = cg_journal_rows(j);
    g_assert_cmpuint(after->len, ==, 120);
    for (guint i = 0; i < 120; i++) {
        const CgJournalRow *a = &g_array_index(before, CgJournalRow, i);
        const CgJournalRow *b = &g_array_index(after, CgJournalRow, i);
        g_assert_cmpuint(a->step, ==, b->step);
        g_assert_true(a->loss == b->loss && a->smoothed == b->smoothed && a->epoch == b->epoch);
        g_assert_true(a->own[0] == b->own[0] && isnan(b->own[1]) && isnan(b->memory));
        g_assert_true(a->obedience == b->obedience || (isnan(a->obedience) && isnan(b->obedience)));
    }
    cg_journal_free(j);
}

static void killed_process_leaves_a_journal_to_go_on_with(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) whole = cg_test_folder_new();
    const pid_t child = fork();
    if (child == 0) {
        const CgJournalSettings settings = settings_of(dir);
        CgJournal *j = cg_journal_open(&settings, 0, NULL);
        write_steps(j, 1, 75);
        kill(getpid(), SIGKILL);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    CgJournal *j = opened(dir, 75);
    write_steps(j, 76, 100);
    cg_journal_free(j);
    j = opened(whole, 0);
    write_steps(j, 1, 100);
    cg_journal_free(j);
    assert_same_journal(dir, whole);
}

static void torn_last_line_is_cut(void)
{
    static const char *const torn[] = {"{\"step\":3,\"lo", "{\"step\":3,\"lo\n", "{\"step\":1}\n",
                                       "\n", "{\"step\":3,\"loss\":1,\"samples\":[[1]]}\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(torn); i++) {
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        CgJournal *j = opened(dir, 0);
        write_steps(j, 1, 2);
        cg_journal_free(j);
        g_autofree char *good = text_of(dir, NULL);
        g_autofree char *text = g_strconcat(good, torn[i], NULL);
        write_text(dir, text);
        j = opened(dir, 2);
        g_assert_cmpuint(cg_journal_rows(j)->len, ==, 2);
        cg_journal_free(j);
        g_autofree char *repaired = text_of(dir, NULL);
        g_assert_cmpstr(repaired, ==, good);
    }
}

static void damage_elsewhere_is_told_and_nothing_is_cut(void)
{
    static const char *const damaged[] = {
        "{\"step\":1}\nrubbish\n{\"step\":2}\n",
        "{\"step\":1}\n{\"step\":1}\n{\"step\":2}\n",
        "{\"step\":1}\n{\"step\":\"x\"}\n{\"step\":2}\n",
        "{\"step\":1}\n{\"step\":2,\"samples\":[3]}\n{\"step\":3}\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(damaged); i++) {
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        g_autoptr(GError) error = NULL;
        const CgJournalSettings settings = settings_of(dir);
        write_text(dir, damaged[i]);
        g_assert_null(cg_journal_open(&settings, 5, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "journal.jsonl line 2"));
        g_assert_nonnull(strstr(error->message, "move it away"));
        g_autofree char *text = text_of(dir, NULL);
        g_assert_cmpstr(text, ==, damaged[i]);
    }
}

static void new_training_begins_a_new_journal(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    write_text(dir, "an old one, whatever it is\n\n");
    CgJournal *j = opened(dir, 0);
    write_steps(j, 1, 1);
    cg_journal_free(j);
    g_autofree char *text = text_of(dir, NULL);
    g_assert_true(g_str_has_prefix(text, "{\"step\":1,"));
}

static void second_process_is_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgJournal) j = opened(dir, 0);
    g_autoptr(GError) error = NULL;
    const CgJournalSettings settings = settings_of(dir);
    g_assert_null(cg_journal_open(&settings, 0, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "another cagen is writing here"));
    write_steps(j, 1, 1); /* and the first goes on */
}

static void curve_is_drawn_at_the_end(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    CgJournal *j = opened(dir, 0);
    g_autofree char *path = cg_test_folder_path(dir, "curve.png");
    write_steps(j, 1, 1500);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS)); /* a minute is not over */
    close_journal(j);
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) image = cg_image_load(path, NULL, &error);
    g_assert_no_error(error);
    /* Loss, loss by timestep, obedience, and the learning rate. */
    g_assert_cmpint(image->height, ==, 4 * 300 * 2);
    const char *keep = g_getenv("CAGEN_KEEP_PLOTS");
    if (keep) {
        g_autofree char *copy = g_build_filename(keep, "curve.png", NULL);
        cg_image_save_png(image, copy, NULL);
    }
}

static void average_begins_without_bias(void)
{
    CgSmooth s = cg_smooth(0.9);
    g_assert_true(isnan(cg_smooth_value(&s)));
    g_assert_cmpfloat_with_epsilon(cg_smooth_add(&s, 5), 5, 1e-12);
    g_assert_cmpfloat_with_epsilon(cg_smooth_add(&s, NAN), 5, 1e-12);
    /* (0.09 * 5 + 0.1 * 10) / 0.19 */
    g_assert_cmpfloat_with_epsilon(cg_smooth_add(&s, 10), 1.45 / 0.19, 1e-12);
    for (int i = 0; i < 1000; i++)
        cg_smooth_add(&s, 2);
    g_assert_cmpfloat_with_epsilon(cg_smooth_value(&s), 2, 1e-12);
}

static void bands_forget_what_is_old(void)
{
    g_autoptr(CgBands) bands = cg_bands_new(2, 3);
    double means[2];
    guint counts[2];
    cg_bands_means(bands, means, counts);
    g_assert_true(isnan(means[0]) && counts[0] == 0);
    for (int i = 0; i < 5000; i++) {
        const CgBandSample samples[] = {{i, 0}, {1, 0.5}, {7, 1}, {7, -1}, {INFINITY, 0}};
        cg_bands_add(bands, samples, 5);
    }
    cg_bands_means(bands, means, counts);
    g_assert_cmpfloat(means[0], ==, 4998);
    g_assert_cmpfloat(means[1], ==, 1);
    g_assert_true(counts[0] == 3 && counts[1] == 3);
}

static void sum_is_castagnolis(void)
{
    /* The check value of the catalogue of parametrised CRC algorithms, and RFC 3720, B.4. */
    g_assert_cmphex(cg_crc32c("123456789", 9), ==, 0xe3069283);
    static const guint8 zeros[32];
    g_assert_cmphex(cg_crc32c(zeros, 32), ==, 0x8a9136aa);
    g_assert_cmphex(cg_crc32c(zeros, 0), ==, 0);
}

static void events_are_the_bytes_of_tensorboard(void)
{
    static const char *const names[] = {"loss", "unknown", "loss/band 1"};
    static const double values[] = {0.125, NAN, -3.5e-7};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cg_event_version(bytes, 1234567890.25);
    cg_event_start(bytes, 1234567891.5, 300);
    cg_event_scalars(bytes, 1234567892.0, 5000000000u, names, values, 3);
    g_autofree char *path = cg_test_fixture("journal/scalars.tfevents");
    size_t size;
    g_autofree char *want = cg_file_read(path, 10000, &size, NULL);
    g_assert_nonnull(want);
    g_assert_cmpmem(bytes->data, bytes->len, want, size);
}

static void each_run_has_a_later_event_file(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    CgJournalSettings settings = settings_of(dir);
    settings.tensorboard = TRUE;
    /* CAGEN_KEEP_EVENTS=FOLDER: for the script that reads it with TensorBoard itself. */
    if (g_getenv("CAGEN_KEEP_EVENTS"))
        settings.out = g_getenv("CAGEN_KEEP_EVENTS");
    for (int run = 0; run < 3; run++) {
        CgJournal *j = cg_journal_open(&settings, (guint64)run * 50, NULL);
        g_assert_nonnull(j);
        write_steps(j, (guint64)run * 50 + 1, (guint64)run * 50 + 70);
        cg_journal_free(j);
    }
    g_autofree char *folder = g_build_filename(settings.out, "tensorboard", NULL);
    g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
    int count = 0;
    for (const char *name; (name = g_dir_read_name(files)); count++)
        g_assert_true(g_str_has_prefix(name, "events.out.tfevents.") &&
                      g_str_has_suffix(name, ".cagen") && strlen(name) == 36);
    g_assert_cmpint(count, ==, 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/journal/" #name, name)
    TEST(row_holds_what_is_known);
    TEST(pause_leaves_no_trace);
    TEST(rows_read_back_are_the_rows_written);
    TEST(killed_process_leaves_a_journal_to_go_on_with);
    TEST(torn_last_line_is_cut);
    TEST(damage_elsewhere_is_told_and_nothing_is_cut);
    TEST(new_training_begins_a_new_journal);
    TEST(second_process_is_refused);
    TEST(curve_is_drawn_at_the_end);
    TEST(average_begins_without_bias);
    TEST(bands_forget_what_is_old);
    TEST(sum_is_castagnolis);
    TEST(events_are_the_bytes_of_tensorboard);
    TEST(each_run_has_a_later_event_file);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
