#include "pipeline/journal-private.h"

#include "image/plot.h"

#include <math.h>
#include <string.h>

#define WIDTH       760
#define ROW_HEIGHT  300
#define MAX_POINTS  400  /* of a curve: more than can be seen make large files */
#define SINGLE_ROWS 1000 /* up to so many rows each is drawn, above that their range */
#define RANGE_ROWS  10   /* at least, for a range */

static const CgJournalRow *row_at(const GArray *rows, guint i)
{
    return &g_array_index(rows, CgJournalRow, i);
}

static int compare(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Losses from FROM to TO - 1 as one point: where the smoothed curve ends, and the range that the
 * middle four fifths of the single losses span. */
static void summarise(const GArray *rows, guint from, guint to, double *smoothed, double *low,
                      double *high)
{
    g_autoptr(GArray) losses = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = from; i < to; i++)
        if (isfinite(row_at(rows, i)->loss))
            g_array_append_val(losses, row_at(rows, i)->loss);
    *smoothed = row_at(rows, to - 1)->smoothed;
    *low = *high = NAN;
    if (losses->len == 0)
        return;
    g_array_sort(losses, compare);
    const guint cut = losses->len / 10;
    *low = g_array_index(losses, double, cut);
    *high = g_array_index(losses, double, losses->len - 1 - cut);
}

/* A loss that falls to less than a fifth is seen better on a logarithmic axis. */
static gboolean wants_log(const double *values, guint count)
{
    double low = INFINITY, high = -INFINITY;
    for (guint i = 0; i < count; i++)
        if (isfinite(values[i])) {
            low = MIN(low, values[i]);
            high = MAX(high, values[i]);
        }
    return low > 0 && high > 5 * low;
}

/* All charts have one axis below each other. */
static CgChart *new_chart(const char *title, const char *y_label, const GArray *rows)
{
    CgChart *chart = cg_chart_new(title, "update", y_label);
    const double last = (double)row_at(rows, rows->len - 1)->step;
    cg_chart_set_x_range(chart, 0, last + 0.02 * last);
    return chart;
}

static CgChart *loss_chart(const GArray *rows, const char *title)
{
    const gboolean single = rows->len <= SINGLE_ROWS;
    const guint columns = single ? rows->len : MIN(rows->len / RANGE_ROWS, MAX_POINTS);
    g_autofree double *x = g_new(double, 4 * columns + 1);
    double *smoothed = x + columns, *low = smoothed + columns, *high = low + columns;
    for (guint c = 0; c < columns; c++) {
        const guint from = (guint)((guint64)c * rows->len / columns);
        const guint to = (guint)((guint64)(c + 1) * rows->len / columns);
        x[c] = (double)row_at(rows, to - 1)->step;
        summarise(rows, from, to, smoothed + c, low + c, high + c);
    }
    CgChart *chart = new_chart(title, "loss", rows);
    cg_chart_set_log(chart, FALSE, wants_log(smoothed, columns));
    if (single)
        cg_chart_add(chart, &(CgSeries){.name = "one update",
                                        .x = x,
                                        .y = low,
                                        .count = columns,
                                        .colour = CG_RGB(190, 215, 235),
                                        .size = 0.8});
    cg_chart_add(
        chart, &(CgSeries){.name = single ? "smoothed" : "smoothed (shaded: four of five updates)",
                           .x = x,
                           .y = smoothed,
                           .low = single ? NULL : low,
                           .high = single ? NULL : high,
                           .count = columns,
                           .colour = cg_plot_colour(0)});
    return chart;
}

/* One of so many points is drawn, and always the last. */
static guint stride_of(guint count)
{
    return (count + MAX_POINTS - 1) / MAX_POINTS;
}

static CgChart *bands_chart(const GArray *points, const GArray *rows)
{
    const guint stride = stride_of(points->len), count = points->len / stride;
    g_autofree double *x = g_new(double, count + 1);
    g_autofree double *all = g_new(double, CG_JOURNAL_BANDS *count + 1);
    CgChart *chart = new_chart("Loss by timestep (0 %: no noise, 100 %: all noise)", "loss", rows);
    for (int band = 0; band < CG_JOURNAL_BANDS; band++) {
        double *y = all + (guint)band * count;
        for (guint i = 0; i < count; i++) {
            const guint at = points->len - 1 - (count - 1 - i) * stride;
            const CgBandPoint *p = &g_array_index(points, CgBandPoint, at);
            x[i] = (double)p->step;
            y[i] = p->means[band];
        }
        g_autofree char *name = g_strdup_printf("%d–%d %%", 100 * band / CG_JOURNAL_BANDS,
                                                100 * (band + 1) / CG_JOURNAL_BANDS);
        cg_chart_add(chart, &(CgSeries){.name = name,
                                        .x = x,
                                        .y = y,
                                        .count = count,
                                        .colour = cg_plot_ramp((guint)band, CG_JOURNAL_BANDS)});
    }
    cg_chart_set_log(chart, FALSE, wants_log(all, CG_JOURNAL_BANDS * count));
    return chart;
}

typedef double (*Figure)(const CgJournalRow *row);

static double learning_rate(const CgJournalRow *row)
{
    return row->learning_rate;
}

static double gradient_norm(const CgJournalRow *row)
{
    return row->gradient_norm;
}

/* A figure of single updates. NULL when no row has it. */
static CgChart *figure_chart(const GArray *rows, const char *title, const char *label,
                             Figure figure, guint colour)
{
    const guint stride = stride_of(rows->len);
    g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) y = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = (rows->len - 1) % stride; i < rows->len; i += stride) {
        const double step = (double)row_at(rows, i)->step, value = figure(row_at(rows, i));
        if (!isfinite(value))
            continue;
        g_array_append_val(x, step);
        g_array_append_val(y, value);
    }
    if (x->len == 0)
        return NULL;
    CgChart *chart = new_chart(title, label, rows);
    cg_chart_set_log(chart, FALSE, wants_log((const double *)y->data, y->len));
    cg_chart_add(chart, &(CgSeries){.x = (const double *)x->data,
                                    .y = (const double *)y->data,
                                    .count = x->len,
                                    .colour = cg_plot_colour(colour)});
    return chart;
}

/* NULL when nobody looked. */
static CgChart *obedience_chart(const GArray *rows)
{
    g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) y = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < rows->len; i++)
        if (isfinite(row_at(rows, i)->obedience)) {
            const double step = (double)row_at(rows, i)->step;
            g_array_append_val(x, step);
            g_array_append_val(y, row_at(rows, i)->obedience);
        }
    if (x->len == 0)
        return NULL;
    CgChart *chart = new_chart("Mask obedience", "obedience", rows);
    cg_chart_set_y_range(chart, 0, 1);
    cg_chart_add(chart, &(CgSeries){.kind = CG_SERIES_MARKED,
                                    .x = (const double *)x->data,
                                    .y = (const double *)y->data,
                                    .count = x->len,
                                    .colour = cg_plot_colour(2)});
    return chart;
}

gboolean cg_journal_draw(const GArray *rows, const GArray *bands, const char *title,
                         const char *out, GError **error)
{
    static const char *const names[] = {"curve.svg", "curve.png"};
    CgChart *charts[5];
    int count = 0;
    charts[count++] = loss_chart(rows, title);
    if (bands->len > 1)
        charts[count++] = bands_chart(bands, rows);
    CgChart *obedience = obedience_chart(rows);
    if (obedience)
        charts[count++] = obedience;
    CgChart *const others[] = {
        figure_chart(rows, "Gradient norm, before clipping", "norm", gradient_norm, 3),
        figure_chart(rows, "Learning rate", "rate", learning_rate, 4)};
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        if (others[i])
            charts[count++] = others[i];
    gboolean ok = TRUE;
    for (int i = 0; i < 2 && ok; i++) {
        g_autofree char *path = g_build_filename(out, names[i], NULL);
        ok = cg_figure_save(charts, count, 1, WIDTH, count * ROW_HEIGHT, path, error);
    }
    for (int i = 0; i < count; i++)
        cg_chart_free(charts[i]);
    return ok;
}
