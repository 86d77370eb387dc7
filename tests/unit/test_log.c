/* What the log writes to standard error, byte by byte. */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned short columns = 0; /* of the pseudo terminal; 0: it does not say */

/* What RUN writes to standard error; to a pseudo terminal when asked, NULL if there is none. */
static char *captured(void (*run)(void), gboolean terminal)
{
    int ends[2];
    if (terminal) {
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
        if (ends[0] < 0 || grantpt(ends[0]) != 0 || unlockpt(ends[0]) != 0)
            return NULL;
        ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
        if (ends[1] < 0)
            return NULL;
        const struct winsize size = {.ws_col = columns, .ws_row = 24};
        ioctl(ends[1], TIOCSWINSZ, &size);
    } else {
        g_assert_cmpint(pipe(ends), ==, 0);
    }
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    run();
    dup2(saved, STDERR_FILENO);
    close(saved);

    char *text = g_malloc0(65536);
    size_t used = 0;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ssize_t got;
    while ((got = read(ends[0], text + used, 65535 - used)) > 0)
        used += (size_t)got;
    close(ends[1]);
    close(ends[0]);
    cg_log_set_level(CG_LOG_NORMAL);
    cg_log_set_json(FALSE);
    return text;
}

static void say_all(void)
{
    cg_log_note("note %d", 1);
    cg_log_detail("detail");
    cg_log_warning("careful");
    cg_log_error("failed");
}

static void say_all_quietly(void)
{
    cg_log_set_level(CG_LOG_QUIET);
    say_all();
    g_autoptr(CgProgress) p = cg_progress_new("steps", 2);
    cg_progress_update(p, 2, NULL);
}

static void say_all_verbosely(void)
{
    cg_log_set_level(CG_LOG_VERBOSE);
    say_all();
}

static void levels_choose_what_is_said(void)
{
    g_autofree char *normal = captured(say_all, FALSE);
    g_autofree char *quiet = captured(say_all_quietly, FALSE);
    g_autofree char *verbose = captured(say_all_verbosely, FALSE);
    g_assert_cmpstr(normal, ==, "note 1\ncagen: warning: careful\ncagen: failed\n");
    g_assert_cmpstr(quiet, ==, "cagen: warning: careful\ncagen: failed\n");
    g_assert_cmpstr(verbose, ==, "note 1\ndetail\ncagen: warning: careful\ncagen: failed\n");
}

static void say_hostile_name(void)
{
    cg_log_error("%s: bad", "a\nb\x1b[31m\x7f.png");
}

static void message_stays_one_printable_line(void)
{
    g_autofree char *text = captured(say_hostile_name, FALSE);
    g_assert_cmpstr(text, ==, "cagen: a b?[31m?.png: bad\n");
}

static void work(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("sampling", 20);
    for (guint64 i = 1; i <= 20; i++)
        cg_progress_update(p, i, i < 20 ? "image 1 of 2" : NULL);
}

static void quick_work_is_one_plain_line(void)
{
    g_autofree char *text = captured(work, FALSE);
    g_assert_true(g_str_has_prefix(text, "sampling 20/20 (100%), took "));
    g_assert_true(strchr(text, '\n') == text + strlen(text) - 1);
}

static void work_with_note(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("sampling", 20);
    cg_progress_update(p, 1, "image 1 of 2");
    cg_log_note("hello");
    cg_progress_update(p, 20, NULL);
}

static void terminal_line_is_redrawn_and_ended(void)
{
    g_autofree char *text = captured(work_with_note, TRUE);
    if (!text) {
        g_test_skip("no pseudo terminal here");
        return;
    }
    g_assert_true(g_str_has_prefix(text, "\r\033[Ksampling 1/20 (5%), "));
    g_assert_nonnull(strstr(text, " left, image 1 of 2\r\033[Khello\r\n"));
    g_assert_nonnull(strstr(text, "\r\033[Ksampling 20/20 (100%), took "));
    g_assert_true(g_str_has_suffix(text, "\r\n"));
}

static void work_with_long_detail(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("sampling", 20);
    cg_progress_update(p, 1, "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééé");
}

static void terminal_line_never_wraps(void)
{
    columns = 40;
    g_autofree char *text = captured(work_with_long_detail, TRUE);
    columns = 0;
    if (!text) {
        g_test_skip("no pseudo terminal here");
        return;
    }
    g_assert_true(g_str_has_prefix(text, "\r\033[Ksampling 1/20 (5%), "));
    g_assert_true(g_str_has_suffix(text, "é\r\n"));
    g_assert_cmpint(g_utf8_strlen(text, -1), ==, 4 + 39 + 2);
}

static void work_as_json(void)
{
    cg_log_set_json(TRUE);
    g_assert_true(cg_log_is_json());
    say_hostile_name();
    g_autoptr(CgProgress) p = cg_progress_new("sampling", 4);
    cg_progress_update(p, 0, NULL);
    cg_progress_update(p, 3, "image \"1\"");
}

static void json_lines_are_objects(void)
{
    g_autofree char *text = captured(work_as_json, FALSE);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    json_t *object[3];
    g_assert_cmpuint(g_strv_length(lines), ==, 4); /* the last is empty */
    for (int i = 0; i < 3; i++) {
        object[i] = json_loads(lines[i], JSON_REJECT_DUPLICATES, NULL);
        g_assert_true(json_is_object(object[i]));
    }
    g_assert_cmpstr(json_string_value(json_object_get(object[0], "event")), ==, "error");
    g_assert_cmpstr(json_string_value(json_object_get(object[0], "message")), ==,
                    "a\nb\x1b[31m\x7f.png: bad");
    g_assert_cmpstr(json_string_value(json_object_get(object[2], "event")), ==, "progress");
    g_assert_cmpint((int)json_integer_value(json_object_get(object[2], "done")), ==, 3);
    g_assert_cmpint((int)json_integer_value(json_object_get(object[2], "total")), ==, 4);
    g_assert_cmpstr(json_string_value(json_object_get(object[2], "detail")), ==, "image \"1\"");
    g_assert_null(json_object_get(object[1], "seconds_left"));
    g_assert_true(json_is_number(json_object_get(object[2], "seconds_left")));
    for (int i = 0; i < 3; i++)
        json_decref(object[i]);
}

static void work_that_was_half_done(void)
{
    cg_log_set_json(TRUE);
    g_autoptr(CgProgress) p = cg_progress_new("sampling", 4);
    cg_progress_skip(p, 2);
    cg_progress_update(p, 1, NULL);
    cg_progress_skip(p, 100);
    cg_progress_update(p, 2, NULL);
}

static void skipped_steps_leave_the_total(void)
{
    g_autofree char *text = captured(work_that_was_half_done, FALSE);
    g_assert_nonnull(strstr(text, "\"done\":1,\"total\":2,"));
    g_assert_nonnull(strstr(text, "\"done\":2,\"total\":0,"));
}

static void work_that_goes_on(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("training", 1000);
    cg_progress_show_rate(p, "step");
    cg_progress_resume(p, 900);
    cg_progress_update(p, 900, NULL);
    g_usleep(20000);
    cg_progress_update(p, 901, "loss 0.02");
}

static void work_that_goes_on_as_json(void)
{
    cg_log_set_json(TRUE);
    work_that_goes_on();
}

static void resumed_work_is_timed_by_its_own_steps(void)
{
    g_autofree char *text = captured(work_that_goes_on_as_json, FALSE);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(json_t) first = json_loads(lines[0], 0, NULL);
    g_autoptr(json_t) second = json_loads(lines[1], 0, NULL);
    g_assert_null(json_object_get(first, "seconds_left"));
    g_assert_null(json_object_get(first, "seconds_per_step"));
    g_assert_cmpint((int)json_integer_value(json_object_get(second, "done")), ==, 901);
    g_assert_cmpint((int)json_integer_value(json_object_get(second, "resumed_at")), ==, 900);
    const double each = json_real_value(json_object_get(second, "seconds_per_step"));
    g_assert_cmpfloat(each, >=, 0.02);
    g_assert_cmpfloat_with_epsilon(json_real_value(json_object_get(second, "seconds_left")),
                                   99 * each, 1e-3 * 100);
}

static void speed_is_told_where_it_was_asked_for(void)
{
    g_autofree char *text = captured(work_that_goes_on, FALSE);
    g_assert_true(g_str_has_prefix(text, "training 901/1000 (90%), "));
    g_assert_nonnull(strstr(text, "step"));
    g_assert_true(strstr(text, " steps/s, ") || strstr(text, " s/step, "));
    g_assert_true(g_str_has_suffix(text, " left, loss 0.02\n"));
}

static void resumed_without_work(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("training", 1000);
    cg_progress_resume(p, 1000);
}

static void nothing_left_to_do_says_nothing(void)
{
    g_autofree char *text = captured(resumed_without_work, FALSE);
    g_assert_cmpstr(text, ==, "");
}

static void tell_of_checkpoint(void)
{
    cg_log_event("checkpoint", json_pack("{s:i, s:f}", "step", 12, "loss", 0.25), "saved at %d",
                 12);
}

static void tell_of_checkpoint_as_json(void)
{
    cg_log_set_json(TRUE);
    tell_of_checkpoint();
}

static void tell_of_checkpoint_quietly(void)
{
    cg_log_set_level(CG_LOG_QUIET);
    tell_of_checkpoint();
    tell_of_checkpoint_as_json();
}

static void event_is_a_note_or_an_object(void)
{
    g_autofree char *text = captured(tell_of_checkpoint, FALSE);
    g_autofree char *json = captured(tell_of_checkpoint_as_json, FALSE);
    g_autofree char *quiet = captured(tell_of_checkpoint_quietly, FALSE);
    g_assert_cmpstr(text, ==, "saved at 12\n");
    g_assert_cmpstr(json, ==, "{\"event\":\"checkpoint\",\"step\":12,\"loss\":0.25}\n");
    g_assert_cmpstr(quiet, ==, "");
}

static void fetch(void)
{
    g_autoptr(CgProgress) p = cg_progress_new("fetching", 3000000000);
    cg_progress_show_bytes(p);
    g_usleep(1000);
    cg_progress_update(p, 1500000000, "a.bin");
}

static void bytes_are_told_in_their_units(void)
{
    g_autofree char *text = captured(fetch, FALSE);
    g_autofree char *half = g_format_size(1500000000); /* with a space that does not break */
    g_autofree char *whole = g_format_size(3000000000);
    g_autofree char *begin = g_strdup_printf("fetching %s/%s (50%%), ", half, whole);
    g_assert_true(g_str_has_prefix(text, begin));
    g_assert_nonnull(strstr(text, "B/s, 0:0"));
    g_assert_true(g_str_has_suffix(text, " left, a.bin\n"));
}

#define TEST(name) g_test_add_func("/log/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_setenv("TERM", "xterm", TRUE);
    TEST(levels_choose_what_is_said);
    TEST(message_stays_one_printable_line);
    TEST(quick_work_is_one_plain_line);
    TEST(terminal_line_is_redrawn_and_ended);
    TEST(terminal_line_never_wraps);
    TEST(json_lines_are_objects);
    TEST(skipped_steps_leave_the_total);
    TEST(resumed_work_is_timed_by_its_own_steps);
    TEST(speed_is_told_where_it_was_asked_for);
    TEST(bytes_are_told_in_their_units);
    TEST(nothing_left_to_do_says_nothing);
    TEST(event_is_a_note_or_an_object);
    return g_test_run();
}
