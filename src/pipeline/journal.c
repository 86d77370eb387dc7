#include "pipeline/journal.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/smooth.h"
#include "base/system.h"
#include "pipeline/journal-private.h"
#include "pipeline/tensorboard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_JOURNAL  ((size_t)1 << 32)
#define DRAW_SECONDS 60
#define DRAW_SHARE   50 /* of the time between drawings that a drawing may take: 1 / 50 */

struct CgJournal {
    char *out, *path, *title;
    char *own_names[CG_JOURNAL_OWN + 1];
    int fd;
    GArray *rows;   /* CgJournalRow */
    GArray *points; /* CgBandPoint */
    CgSmooth smooth;
    CgBands *bands;
    CgEvents *events;
    double draw_seconds, drawn; /* cg_seconds() of the last drawing */
    gboolean no_curve, drawing_failed;
};

CgJournalRow cg_journal_row(guint64 step)
{
    CgJournalRow row = {step, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, {0}};
    for (int i = 0; i < CG_JOURNAL_OWN; i++)
        row.own[i] = NAN;
    return row;
}

/* The figures of every row, by name. */
typedef struct {
    const char *name;
    size_t offset;
} Field;
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, G_STRUCT_OFFSET(CgJournalRow, name)                                                 \
    }
static const Field fields[] = {
    FIELD(epoch),         FIELD(loss),          FIELD(smoothed),
    FIELD(learning_rate), FIELD(gradient_norm), FIELD(images_per_second),
    FIELD(seconds),       FIELD(memory),        FIELD(obedience),
};

static double *field_of(CgJournalRow *row, const Field *field)
{
    return (double *)(void *)((char *)row + field->offset);
}

static int own_count(const CgJournal *j)
{
    return (int)g_strv_length((char **)(guintptr)j->own_names);
}

/* Rows are rounded to what the file holds, so that a run that goes on has the very same numbers. */
static double rounded(double x)
{
    /* volatile: gcc 12.2 at -O2 leaves both conversions out where it does two numbers at once. */
    volatile float narrow = (float)x;
    return (double)narrow;
}

static void round_row(CgJournalRow *row)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        *field_of(row, &fields[i]) = rounded(*field_of(row, &fields[i]));
    for (int i = 0; i < CG_JOURNAL_OWN; i++)
        row->own[i] = rounded(row->own[i]);
}

static gboolean is_band_step(guint64 step)
{
    return step % CG_JOURNAL_BANDS_EVERY == 0;
}

/* Takes ROW, rounded, and its SAMPLES into everything that follows from them. */
static void take_in(CgJournal *j, CgJournalRow *row, const CgBandSample *samples, int count)
{
    row->smoothed = cg_smooth_add(&j->smooth, row->loss);
    cg_bands_add(j->bands, samples, count);
    g_array_append_vals(j->rows, row, 1);
    if (is_band_step(row->step)) {
        CgBandPoint point = {.step = row->step};
        guint counts[CG_JOURNAL_BANDS], total = 0;
        cg_bands_means(j->bands, point.means, counts);
        for (int i = 0; i < CG_JOURNAL_BANDS; i++)
            total += counts[i];
        if (total > 0)
            g_array_append_val(j->points, point);
    }
}

static gboolean system_error(const CgJournal *j, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot %s: %s", j->path, what,
                g_strerror(errno));
    return FALSE;
}

/* Reading. */

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static gboolean read_samples(const json_t *list, GArray *samples)
{
    g_array_set_size(samples, 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        if (json_array_size(pair) != 2)
            return FALSE;
        const json_t *place = json_array_get(pair, 0), *loss = json_array_get(pair, 1);
        /* Nine digits name an f32 and are not one: rounded as when they were written. */
        const CgBandSample s = {json_is_number(loss) ? rounded(json_number_value(loss)) : NAN,
                                json_is_number(place) ? rounded(json_number_value(place)) : -1};
        g_array_append_val(samples, s);
    }
    return TRUE;
}

/* The row in LINE, and its samples. FALSE with ERROR: it is none. */
static gboolean read_row(const CgJournal *j, const char *line, size_t size, const char *where,
                         CgJournalRow *row, GArray *samples, GError **error)
{
    gint64 step;
    g_autoptr(json_t) object = cg_json_parse(line, size, where, error);
    if (!object || !cg_json_int(object, where, "step", 0, 0, G_MAXINT64, &step, error))
        return FALSE;
    *row = cg_journal_row((guint64)step);
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        *field_of(row, &fields[i]) = number_of(object, fields[i].name);
    for (int i = 0; i < own_count(j); i++)
        row->own[i] = number_of(object, j->own_names[i]);
    const guint64 last =
        j->rows->len ? g_array_index(j->rows, CgJournalRow, j->rows->len - 1).step : 0;
    if (row->step <= last || !read_samples(json_object_get(object, "samples"), samples)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: is no row of a journal after step %" G_GUINT64_FORMAT, where, last);
        return FALSE;
    }
    round_row(row);
    return TRUE;
}

/* Takes in the rows up to STEP; *KEPT gets the bytes that they take. */
static gboolean read_rows(CgJournal *j, guint64 step, const char *text, size_t size, size_t *kept,
                          GError **error)
{
    g_autoptr(GArray) samples = g_array_new(FALSE, FALSE, sizeof(CgBandSample));
    size_t at = 0;
    *kept = 0;
    for (guint number = 1; at < size; number++) {
        const char *end = memchr(text + at, '\n', size - at);
        if (!end)
            return TRUE; /* torn */
        g_autofree char *where = g_strdup_printf("%s line %u", j->path, number);
        g_autoptr(GError) problem = NULL;
        CgJournalRow row;
        const size_t next = (size_t)(end - text) + 1;
        if (!read_row(j, text + at, next - 1 - at, where, &row, samples, &problem)) {
            if (next == size)
                return TRUE; /* the machine itself went down, say */
            g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                                       "the training's journal is damaged (move it away to begin "
                                       "a new one): ");
            return FALSE;
        }
        if (row.step > step)
            return TRUE;
        take_in(j, &row, (const CgBandSample *)(void *)samples->data, (int)samples->len);
        at = *kept = next;
    }
    return TRUE;
}

static gboolean take_lock(CgJournal *j, GError **error)
{
    if (flock(j->fd, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
    if (errno != EWOULDBLOCK)
        return system_error(j, "lock it", error);
    g_set_error(error, CG_ERROR, CG_ERROR_IO,
                "%s: another cagen is writing here; choose another --out or wait", j->path);
    return FALSE;
}

static gboolean open_file(CgJournal *j, guint64 step, GError **error)
{
    size_t kept = 0;
    if (!cg_file_make_directory(j->out, error))
        return FALSE;
    j->fd = open(j->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (j->fd < 0)
        return system_error(j, "open it", error);
    if (!take_lock(j, error))
        return FALSE;
    if (step > 0) {
        g_autoptr(CgMappedFile) file = cg_mapped_file_open(j->path, error);
        if (!file || !read_rows(j, step, (const char *)file->data, file->size, &kept, error))
            return FALSE;
    }
    if (ftruncate(j->fd, (off_t)kept) != 0)
        return system_error(j, "shorten it", error);
    const guint64 last =
        j->rows->len ? g_array_index(j->rows, CgJournalRow, j->rows->len - 1).step : 0;
    if (last < step)
        cg_log_warning("%s: ends at step %" G_GUINT64_FORMAT
                       ", but the training is at %" G_GUINT64_FORMAT "; what is between is lost",
                       j->path, last, step);
    return TRUE;
}

CgJournal *cg_journal_open(const CgJournalSettings *settings, guint64 step, GError **error)
{
    g_autoptr(CgJournal) j = g_new0(CgJournal, 1);
    j->out = g_strdup(settings->out);
    j->path = g_build_filename(settings->out, "journal.jsonl", NULL);
    j->title = g_strdup(settings->title);
    for (int i = 0; i < CG_JOURNAL_OWN && settings->own_names[i]; i++)
        j->own_names[i] = g_strdup(settings->own_names[i]);
    j->fd = -1;
    j->rows = g_array_new(FALSE, FALSE, sizeof(CgJournalRow));
    j->points = g_array_new(FALSE, FALSE, sizeof(CgBandPoint));
    j->smooth = cg_smooth(CG_JOURNAL_SMOOTHING);
    j->bands = cg_bands_new(CG_JOURNAL_BANDS, CG_JOURNAL_BANDS_WINDOW);
    j->draw_seconds = settings->draw_seconds > 0 ? settings->draw_seconds : DRAW_SECONDS;
    j->no_curve = settings->no_curve;
    j->drawn = cg_seconds();
    if (!open_file(j, step, error))
        return NULL;
    if (settings->tensorboard) {
        g_autofree char *folder = g_build_filename(j->out, "tensorboard", NULL);
        j->events = cg_events_open(folder, step, error);
        if (!j->events)
            return NULL;
    }
    return g_steal_pointer(&j);
}

void cg_journal_free(CgJournal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    cg_events_close(j->events);
    cg_bands_free(j->bands);
    g_array_unref(j->rows);
    g_array_unref(j->points);
    for (int i = 0; i < CG_JOURNAL_OWN; i++)
        g_free(j->own_names[i]);
    g_free(j->out);
    g_free(j->path);
    g_free(j->title);
    g_free(j);
}

/* Writing. */

/* Nine digits give an f32 back. */
static void print_number(GString *s, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(s,
                    isfinite(value) ? g_ascii_formatd(text, sizeof text, "%.9g", value) : "null");
}

/* NaN: not known, left out. Infinity is known, but JSON has no such number. */
static void print_figure(GString *s, const char *name, double value)
{
    if (isnan(value))
        return;
    g_autofree char *quoted = cg_json_quote(name);
    g_string_append_printf(s, ",%s:", quoted);
    print_number(s, value);
}

static void print_samples(GString *s, const CgBandSample *samples, int count)
{
    for (int i = 0; i < count; i++) {
        g_string_append(s, i ? ",[" : ",\"samples\":[[");
        print_number(s, rounded(samples[i].place));
        g_string_append_c(s, ',');
        print_number(s, rounded(samples[i].loss));
        g_string_append_c(s, ']');
    }
    if (count > 0)
        g_string_append_c(s, ']');
}

static void print_bands(GString *s, const CgJournal *j)
{
    double means[CG_JOURNAL_BANDS];
    guint counts[CG_JOURNAL_BANDS];
    cg_bands_means(j->bands, means, counts);
    for (int i = 0; i < CG_JOURNAL_BANDS; i++) {
        g_string_append(s, i ? "," : ",\"bands\":[");
        print_number(s, rounded(means[i]));
    }
    for (int i = 0; i < CG_JOURNAL_BANDS; i++)
        g_string_append_printf(s, "%s%u", i ? "," : "],\"band_counts\":[", counts[i]);
    g_string_append_c(s, ']');
}

static char *row_line(const CgJournal *j, CgJournalRow *row, const CgBandSample *samples, int count)
{
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "{\"step\":%" G_GUINT64_FORMAT, row->step);
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        print_figure(s, fields[i].name, *field_of(row, &fields[i]));
    /* A loss is always said, also one that is no number: that is why the training stopped. */
    if (isnan(row->loss))
        g_string_append(s, ",\"loss\":null");
    for (int i = 0; i < own_count(j); i++)
        print_figure(s, j->own_names[i], row->own[i]);
    print_samples(s, samples, count);
    if (is_band_step(row->step) && count > 0)
        print_bands(s, j);
    g_string_append(s, "}\n");
    return g_string_free(s, FALSE);
}

static gboolean write_line(CgJournal *j, const char *line, GError **error)
{
    struct stat before;
    if (fstat(j->fd, &before) != 0)
        return system_error(j, "look at it", error);
    for (size_t done = 0, length = strlen(line); done < length;) {
        const ssize_t n = write(j->fd, line + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            system_error(j, "write to it", error);
            if (ftruncate(j->fd, before.st_size) != 0)
                g_prefix_error(error, "(and could not repair it) ");
            return FALSE;
        }
        done += (size_t)n;
    }
    return TRUE;
}

static gboolean add_events(CgJournal *j, CgJournalRow *row, GError **error)
{
    enum { MOST = G_N_ELEMENTS(fields) + CG_JOURNAL_OWN + CG_JOURNAL_BANDS };
    static const char *const band_names[CG_JOURNAL_BANDS] = {
        "loss by timestep/0-20", "loss by timestep/20-40", "loss by timestep/40-60",
        "loss by timestep/60-80", "loss by timestep/80-100"};
    const char *names[MOST];
    double values[MOST];
    int count = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        names[count] = fields[i].name;
        values[count++] = *field_of(row, &fields[i]);
    }
    for (int i = 0; i < own_count(j); i++) {
        names[count] = j->own_names[i];
        values[count++] = row->own[i];
    }
    if (is_band_step(row->step)) {
        guint counts[CG_JOURNAL_BANDS];
        cg_bands_means(j->bands, values + count, counts);
        for (int i = 0; i < CG_JOURNAL_BANDS; i++)
            names[count++] = band_names[i];
    }
    return cg_events_add(j->events, row->step, names, values, count, error);
}

/* A picture that can't be drawn ends no training. */
static void draw(CgJournal *j)
{
    g_autoptr(GError) error = NULL;
    const double before = cg_seconds();
    if (j->rows->len > 0 && !j->no_curve &&
        !cg_journal_draw(j->rows, j->points, j->title, j->out, &error) && !j->drawing_failed) {
        cg_log_warning("%s", error->message);
        j->drawing_failed = TRUE;
    }
    j->drawn = cg_seconds();
    j->draw_seconds = MAX(j->draw_seconds, DRAW_SHARE * (j->drawn - before));
}

gboolean cg_journal_add(CgJournal *j, CgJournalRow *row, const CgBandSample *samples, int count,
                        GError **error)
{
    g_autofree CgBandSample *kept = g_new(CgBandSample, (gsize)count + 1);
    for (int i = 0; i < count; i++)
        kept[i] = (CgBandSample){rounded(samples[i].loss), rounded(samples[i].place)};
    round_row(row);
    take_in(j, row, kept, count);
    g_autofree char *line = row_line(j, row, kept, count);
    if (!write_line(j, line, error) || (j->events && !add_events(j, row, error)))
        return FALSE;
    if (cg_seconds() - j->drawn >= j->draw_seconds)
        draw(j);
    return TRUE;
}

gboolean cg_journal_sync(CgJournal *j, GError **error)
{
    return fsync(j->fd) == 0 || errno == EINVAL || system_error(j, "write to it", error);
}

const GArray *cg_journal_rows(const CgJournal *j)
{
    return j->rows;
}

gboolean cg_journal_close(CgJournal *j, GError **error)
{
    const gboolean ok = cg_journal_sync(j, error);
    draw(j);
    cg_journal_free(j);
    return ok;
}
