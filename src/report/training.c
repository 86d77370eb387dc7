/* The section on trainings, from their journals. */
#include "report/page-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "report/html.h"
#include "report/line_chart.h"

#include <math.h>
#include <string.h>

#define MAX_JOURNAL ((size_t)1 << 30)

typedef struct {
    GArray *step, *loss, *smoothed, *obedience, *obedience_step; /* double */
    double epoch, rate, seconds, memory, last_loss;
} Journal;

static void journal_clear(Journal *j)
{
    GArray *const all[] = {j->step, j->loss, j->smoothed, j->obedience, j->obedience_step};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        if (all[i])
            g_array_unref(all[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Journal, journal_clear)

static void add_row(Journal *j, const json_t *row)
{
    const double step = cg_page_number(row, "step"), loss = cg_page_number(row, "loss");
    const double smoothed = cg_page_number(row, "smoothed");
    const double obedience = cg_page_number(row, "obedience");
    g_array_append_val(j->step, step);
    g_array_append_val(j->loss, loss);
    g_array_append_val(j->smoothed, smoothed);
    if (isfinite(obedience)) {
        g_array_append_val(j->obedience_step, step);
        g_array_append_val(j->obedience, obedience);
    }
    j->epoch = cg_page_number(row, "epoch");
    j->rate = cg_page_number(row, "learning_rate");
    j->seconds = cg_page_number(row, "seconds");
    j->memory = cg_page_number(row, "memory");
    j->last_loss = smoothed;
}

/* A last line without its end is one that is being written. */
static gboolean read_rows(Journal *j, char *text, const char *path, GError **error)
{
    GArray **const all[] = {&j->step, &j->loss, &j->smoothed, &j->obedience, &j->obedience_step};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        *all[i] = g_array_new(FALSE, FALSE, sizeof(double));
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        g_autoptr(json_t) row = cg_json_parse(line, (size_t)(end - line), path, error);
        if (!row)
            return FALSE;
        add_row(j, row);
    }
    if (j->step->len > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: no update in it yet", path);
    return FALSE;
}

static void add_losses(GString *out, const Journal *j, const char *title)
{
    const double *x = (const double *)(const void *)j->step->data;
    const CgLine lines[] = {
        {.name = "each update",
         .x = x,
         .y = (const double *)(const void *)j->loss->data,
         .count = j->loss->len,
         .faint = TRUE},
        {.name = "smoothed",
         .x = x,
         .y = (const double *)(const void *)j->smoothed->data,
         .count = j->smoothed->len},
    };
    cg_line_chart_add(out, &(CgLineChart){.title = title,
                                          .x_label = "updates",
                                          .y_label = "loss",
                                          .y_log = TRUE,
                                          .lines = lines,
                                          .count = 2});
}

static void add_obedience(GString *out, const Journal *j)
{
    if (j->obedience->len < 2)
        return;
    const CgLine line = {.name = "obedience",
                         .x = (const double *)(const void *)j->obedience_step->data,
                         .y = (const double *)(const void *)j->obedience->data,
                         .count = j->obedience->len};
    cg_line_chart_add(out, &(CgLineChart){.title = "How far changes keep to the mask, 0 to 1",
                                          .x_label = "updates",
                                          .y_label = "obedience",
                                          .lines = &line,
                                          .count = 1});
}

static void add_term(GString *out, const char *name, const char *unit, double value)
{
    g_string_append_printf(out, "<div><dt>%s</dt><dd>", name);
    if (isfinite(value))
        g_string_append_printf(out, fabs(value) >= 1000 ? "%.0f%s" : "%.4g%s", value, unit);
    else
        g_string_append_c(out, '-');
    g_string_append(out, "</dd></div>\n");
}

gboolean cg_page_add_training(CgPage *page, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_TRAINING];
    g_autofree char *file = g_build_filename(path, "journal.jsonl", NULL);
    g_autofree char *text = cg_file_read(file, MAX_JOURNAL, NULL, error);
    g_auto(Journal) j = {0};
    if (!text || !read_rows(&j, text, file, error))
        return FALSE;
    cg_page_heading(out, "Training", path);
    g_string_append(out, "<dl class=\"terms\">\n");
    add_term(out, "updates", "", g_array_index(j.step, double, j.step->len - 1));
    add_term(out, "epochs", "", j.epoch);
    add_term(out, "smoothed loss", "", j.last_loss);
    add_term(out, "learning rate", "", j.rate);
    add_term(out, "time", " min", j.seconds / 60);
    add_term(out, "memory", " MiB", j.memory / 1048576);
    g_string_append(out, "</dl>\n<div class=\"charts\">");
    add_losses(out, &j, "Loss");
    add_obedience(out, &j);
    g_string_append(out, "</div>\n");
    cg_page_count(page, (guint64)MAX(g_array_index(j.step, double, j.step->len - 1), 0),
                  "training updates");
    return TRUE;
}
