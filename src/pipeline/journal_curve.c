#include "pipeline/journal-private.h"

#include "image/plot.h"

#include <math.h>
#include <string.h>

#define WIDTH       760
#define ROW_HEIGHT  300
#define MAX_COLUMNS 600 /* points of a curve: more than can be seen make large files */

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

static CgChart *loss_chart(const GArray *rows, const char *title)
{
    const guint columns = MIN(rows->len, MAX_COLUMNS);
    g_autofree double *x = g_new(double, 4 * columns + 1);
    double *smoothed = x + columns, *low = smoothed + columns, *high = low + columns;
    for (guint c = 0; c < columns; c++) {
        const guint from = (guint)((guint64)c * rows->len / columns);
        const guint to = (guint)((guint64)(c + 1) * rows->len / columns);
        x[c] = (double)row_at(rows, to - 1)->step;
        summarise(rows, from, to, smoothed + c, low + c, high + c);
    }
    CgChart *chart = cg_chart_new(title, "update", "loss");
    cg_chart_set_log(chart, FALSE, wants_log(smoothed, columns));
    /* One row a point: the single losses themselves, and no range. */
    if (columns == rows->len)
        cg_chart_add(chart, &(CgSeries){.name = "update",
                                        .x = x,
                                        .y = low,
                                        .count = columns,
                                        .colour = CG_RGB(190, 215, 235),
                                        .size = 1});
    cg_chart_add(chart, &(CgSeries){.name = "smoothed",
                                    .x = x,
                                    .y = smoothed,
                                    .low = columns == rows->len ? NULL : low,
                                    .high = columns == rows->len ? NULL : high,
                                    .count = columns,
                                    .colour = cg_plot_colour(0)});
    return chart;
}

/* Every so manieth of POINTS, so that at most MAX_COLUMNS remain, and always the last. */
static guint stride_of(guint count)
{
    return (count + MAX_COLUMNS - 1) / MAX_COLUMNS;
}

static CgChart *bands_chart(const GArray *points)
{
    const guint stride = stride_of(points->len), count = points->len / stride;
    g_autofree double *x = g_new(double, 2 * count + 1);
    double *y = x + count, *all = NULL;
    g_autofree double *every = all = g_new(double, CG_JOURNAL_BANDS *count + 1);
    CgChart *chart = cg_chart_new("Loss by timestep", "update", "loss");
    for (int band = 0; band < CG_JOURNAL_BANDS; band++) {
        for (guint i = 0; i < count; i++) {
            const guint at = points->len - 1 - (count - 1 - i) * stride;
            const CgBandPoint *p = &g_array_index(points, CgBandPoint, at);
            x[i] = (double)p->step;
            y[i] = every[(guint)band * count + i] = p->means[band];
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
    CgChart *chart = cg_chart_new("Mask obedience", "update", "obedience");
    cg_chart_set_y_range(chart, 0, 1);
    cg_chart_set_x_range(chart, (double)row_at(rows, 0)->step,
                         (double)row_at(rows, rows->len - 1)->step);
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
    CgChart *charts[3];
    int count = 0;
    charts[count++] = loss_chart(rows, title);
    if (bands->len > 1)
        charts[count++] = bands_chart(bands);
    CgChart *obedience = obedience_chart(rows);
    if (obedience)
        charts[count++] = obedience;
    gboolean ok = TRUE;
    for (int i = 0; i < 2 && ok; i++) {
        g_autofree char *path = g_build_filename(out, names[i], NULL);
        ok = cg_figure_save(charts, count, 1, WIDTH, count * ROW_HEIGHT, path, error);
    }
    for (int i = 0; i < count; i++)
        cg_chart_free(charts[i]);
    return ok;
}
