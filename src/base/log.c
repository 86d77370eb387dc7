#include "base/log.h"

#include "base/json.h"
#include "base/system.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_INTERVAL    5.0   /* seconds between progress lines in a log file, at first .. */
#define PLAIN_SHARE       0.02  /* .. and this share of the time so far .. */
#define PLAIN_LONGEST     300.0 /* .. up to so much */
#define TERMINAL_INTERVAL 0.1   /* seconds between redraws on a terminal */

struct CgProgress {
    char *what;
    char *detail;
    char *unit; /* of the speed; NULL: not shown */
    gboolean bytes;
    guint64 total, done;
    guint64 before; /* of done: by an earlier run */
    double started;
    double shown; /* when the last line went out; negative: never */
    guint64 shown_done;
};

/* One lock for what goes to standard error: lines of several threads never mix. */
static GMutex lock;
static CgLogLevel level = CG_LOG_NORMAL;
static gboolean as_json = FALSE;
static gboolean line_open = FALSE; /* a progress line without newline stands on the terminal */

void cg_log_set_level(CgLogLevel new_level)
{
    g_mutex_lock(&lock);
    level = new_level;
    g_mutex_unlock(&lock);
}

void cg_log_set_json(gboolean json)
{
    g_mutex_lock(&lock);
    as_json = json;
    g_mutex_unlock(&lock);
}

gboolean cg_log_is_json(void)
{
    g_mutex_lock(&lock);
    gboolean json = as_json;
    g_mutex_unlock(&lock);
    return json;
}

/* File names may hold anything, also newlines and terminal escapes; a message stays one line. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : '?';
}

/* Writes TEXT in one call; the lock is held. */
static void put(const char *text)
{
    fputs(text, stderr);
    fflush(stderr);
}

static void message(const char *event, CgLogLevel least, const char *prefix, const char *format,
                    va_list args) G_GNUC_PRINTF(4, 0);
static void message(const char *event, CgLogLevel least, const char *prefix, const char *format,
                    va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);
    g_autofree char *line = NULL;

    g_mutex_lock(&lock);
    if (level < least) {
        g_mutex_unlock(&lock);
        return;
    }
    if (as_json) {
        g_autofree char *quoted = cg_json_quote(text);
        line = g_strdup_printf("{\"event\":\"%s\",\"message\":%s}\n", event, quoted);
    } else {
        make_printable(text);
        line = g_strdup_printf("%s%s%s\n", line_open ? "\r\033[K" : "", prefix, text);
        line_open = FALSE;
    }
    put(line);
    g_mutex_unlock(&lock);
}

#define MESSAGE(event, least, prefix)                                                              \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        message(event, least, prefix, format, args);                                               \
        va_end(args);                                                                              \
    } while (0)

void cg_log_note(const char *format, ...)
{
    MESSAGE("note", CG_LOG_NORMAL, "");
}

void cg_log_detail(const char *format, ...)
{
    MESSAGE("detail", CG_LOG_VERBOSE, "");
}

void cg_log_event(const char *event, json_t *members, const char *format, ...)
{
    g_autoptr(json_t) owned = members;
    if (!cg_log_is_json()) {
        MESSAGE(event, CG_LOG_NORMAL, "");
        return;
    }
    g_autoptr(json_t) object = json_pack("{s:s}", "event", event);
    json_object_update(object, owned);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    g_mutex_lock(&lock);
    if (text && level >= CG_LOG_NORMAL) {
        g_autofree char *line = g_strconcat(text, "\n", NULL);
        put(line);
    }
    g_mutex_unlock(&lock);
    free(text);
}

void cg_log_warning(const char *format, ...)
{
    MESSAGE("warning", CG_LOG_QUIET, "cagen: warning: ");
}

void cg_log_error(const char *format, ...)
{
    MESSAGE("error", CG_LOG_QUIET, "cagen: ");
}

/* Seconds that a step took in this run; negative when nothing is known yet. */
static double step_seconds(const CgProgress *p, double now)
{
    return p->done > p->before ? (now - p->started) / (double)(p->done - p->before) : -1;
}

/* Seconds still to go, from the speed so far; negative when nothing is known yet. */
static double time_left(const CgProgress *p, double now)
{
    const double each = step_seconds(p, now);
    if (each < 0 || p->total == 0)
        return -1;
    return p->done >= p->total ? 0 : each * (double)(p->total - p->done);
}

static char *duration_text(double seconds)
{
    guint64 s = (guint64)ceil(seconds);
    if (s < 3600)
        return g_strdup_printf("%d:%02d", (int)(s / 60), (int)(s % 60));
    return g_strdup_printf("%" G_GUINT64_FORMAT ":%02d:%02d", s / 3600, (int)(s / 60 % 60),
                           (int)(s % 60));
}

static char *json_line(const CgProgress *p, double now)
{
    g_autofree char *what = cg_json_quote(p->what);
    double left = time_left(p, now);
    GString *s = g_string_new(NULL);
    g_string_append_printf(s,
                           "{\"event\":\"progress\",\"what\":%s,\"done\":%" G_GUINT64_FORMAT
                           ",\"total\":%" G_GUINT64_FORMAT ",\"seconds\":%.3f",
                           what, p->done, p->total, now - p->started);
    if (left >= 0)
        g_string_append_printf(s, ",\"seconds_left\":%.3f", left);
    if (p->before > 0)
        g_string_append_printf(s, ",\"resumed_at\":%" G_GUINT64_FORMAT, p->before);
    if (p->unit && p->done > p->before)
        g_string_append_printf(s, ",\"seconds_per_%s\":%.6f", p->unit, step_seconds(p, now));
    if (p->detail) {
        g_autofree char *detail = cg_json_quote(p->detail);
        g_string_append_printf(s, ",\"detail\":%s", detail);
    }
    g_string_append(s, "}\n");
    return g_string_free(s, FALSE);
}

/* "1.94 s/step" or "7.2 steps/s", whichever has a number above 1. */
static void append_rate(GString *s, const char *unit, double seconds)
{
    if (seconds >= 1)
        g_string_append_printf(s, ", %.3g s/%s", seconds, unit);
    else if (seconds > 0)
        g_string_append_printf(s, ", %.3g %ss/s", 1 / seconds, unit);
}

/* " 3/20" */
static void append_counts(GString *s, const CgProgress *p)
{
    if (!p->bytes) {
        g_string_append_printf(s, " %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, p->done, p->total);
        return;
    }
    g_autofree char *done = g_format_size(p->done);
    g_autofree char *total = g_format_size(p->total);
    g_string_append_printf(s, " %s/%s", done, total);
}

/* "12.5 MB/s" */
static void append_speed(GString *s, const CgProgress *p, double now)
{
    if (p->done <= p->before || now <= p->started)
        return;
    g_autofree char *speed = g_format_size((guint64)(1 / step_seconds(p, now)));
    g_string_append_printf(s, ", %s/s", speed);
}

/* "sampling 3/20 (15%), 0:12 left, image 3 of 20" */
static char *text_line(const CgProgress *p, double now)
{
    double left = time_left(p, now);
    GString *s = g_string_new(p->what);
    append_counts(s, p);
    if (p->total > 0)
        g_string_append_printf(s, " (%d%%)", (int)(100.0 * (double)p->done / (double)p->total));
    if (p->unit)
        append_rate(s, p->unit, step_seconds(p, now));
    if (p->bytes)
        append_speed(s, p, now);
    if (p->done >= p->total) {
        g_autofree char *spent = duration_text(now - p->started);
        g_string_append_printf(s, ", took %s", spent);
    } else if (left >= 0) {
        g_autofree char *text = duration_text(left);
        g_string_append_printf(s, ", %s left", text);
    }
    if (p->detail)
        g_string_append_printf(s, ", %s", p->detail);
    make_printable(s->str);
    return g_string_free(s, FALSE);
}

/* Whether standard error can redraw a line. */
static gboolean on_terminal(void)
{
    return isatty(STDERR_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

/* Cuts TEXT to the width of the terminal: a line that wraps cannot be redrawn. */
static void fit_terminal(char *text)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return;
    if (g_utf8_validate(text, -1, NULL) && g_utf8_strlen(text, -1) >= size.ws_col)
        *g_utf8_offset_to_pointer(text, size.ws_col - 1) = '\0';
}

/* Shows P's state; the lock is held. */
static void show(CgProgress *p, double now)
{
    if (as_json) {
        g_autofree char *line = json_line(p, now);
        put(line);
    } else {
        gboolean terminal = on_terminal();
        g_autofree char *text = text_line(p, now);
        if (terminal)
            fit_terminal(text);
        g_autofree char *line =
            terminal ? g_strdup_printf("\r\033[K%s", text) : g_strdup_printf("%s\n", text);
        put(line);
        line_open = terminal;
    }
    p->shown = now;
    p->shown_done = p->done;
}

CgProgress *cg_progress_new(const char *what, guint64 total)
{
    CgProgress *p = g_new0(CgProgress, 1);
    p->what = g_strdup(what);
    p->total = total;
    p->started = cg_seconds();
    p->shown = -1;
    return p;
}

void cg_progress_resume(CgProgress *p, guint64 done)
{
    g_mutex_lock(&lock);
    p->before = p->done = p->shown_done = done;
    p->started = cg_seconds();
    g_mutex_unlock(&lock);
}

void cg_progress_show_rate(CgProgress *p, const char *unit)
{
    g_mutex_lock(&lock);
    g_free(p->unit);
    p->unit = g_strdup(unit);
    g_mutex_unlock(&lock);
}

void cg_progress_show_bytes(CgProgress *p)
{
    g_mutex_lock(&lock);
    p->bytes = TRUE;
    g_mutex_unlock(&lock);
}

/* A night's training shall not leave thousands of lines in a log file. */
static double plain_interval(const CgProgress *p, double now)
{
    return CLAMP(PLAIN_SHARE * (now - p->started), PLAIN_INTERVAL, PLAIN_LONGEST);
}

void cg_progress_update(CgProgress *p, guint64 done, const char *detail)
{
    double now = cg_seconds();

    g_mutex_lock(&lock);
    p->done = done;
    if (g_strcmp0(p->detail, detail) != 0) {
        g_free(p->detail);
        p->detail = g_strdup(detail);
    }
    if (level >= CG_LOG_NORMAL) {
        double interval = on_terminal() ? TERMINAL_INTERVAL : plain_interval(p, now);
        double last = p->shown >= 0 ? p->shown : p->started;
        gboolean due = now - last >= interval || (interval < 1 && p->shown < 0);
        if (as_json || due)
            show(p, now);
    }
    g_mutex_unlock(&lock);
}

void cg_progress_skip(CgProgress *p, guint64 count)
{
    g_mutex_lock(&lock);
    p->total -= MIN(count, p->total);
    g_mutex_unlock(&lock);
}

void cg_progress_free(CgProgress *p)
{
    if (!p)
        return;
    g_mutex_lock(&lock);
    if (!as_json && level >= CG_LOG_NORMAL) {
        gboolean unseen = p->shown < 0 ? p->done > p->before : p->shown_done != p->done;
        if (unseen)
            show(p, cg_seconds());
        if (line_open)
            put("\n");
        line_open = FALSE;
    }
    g_mutex_unlock(&lock);
    g_free(p->what);
    g_free(p->detail);
    g_free(p->unit);
    g_free(p);
}
