/* plot: charts as PNG, SVG and PDF.
 *
 *     g_autoptr(CgChart) chart = cg_chart_new("Loss", "step", "loss");
 *     cg_chart_set_log(chart, FALSE, TRUE);
 *     cg_chart_add(chart, &(CgSeries){.name = "smoothed", .x = steps, .y = loss, .count = n});
 *     cg_figure_save(&chart, 1, 1, 720, 400, "curve.svg", &error);
 *
 * One drawing code for the three formats. The same figure gives the same bytes on one machine; on
 * another its fonts may differ. Text is drawn with the system's sans-serif font, or with cairo's
 * own strokes where there are no fonts; in SVG and PDF it is outlines, which look the same
 * everywhere.
 */
#ifndef CG_IMAGE_PLOT_H
#define CG_IMAGE_PLOT_H

#include <glib.h>

typedef enum {
    CG_SERIES_LINE,   /* joined; gaps where a value is not finite; the spread is a tinted area */
    CG_SERIES_MARKED, /* joined, a marker at each value; the spread is error bars */
    CG_SERIES_POINTS, /* markers alone */
    CG_SERIES_BARS,   /* from 0, side by side with other bar series; the spread is error bars */
} CgSeriesKind;

typedef enum {
    CG_MARKER_CIRCLE,
    CG_MARKER_SQUARE,
    CG_MARKER_TRIANGLE,
    CG_MARKER_DIAMOND,
    CG_MARKER_CROSS,
    CG_MARKER_COUNT,
} CgMarker;

typedef struct {
    CgSeriesKind kind;
    const char *name;         /* UTF-8, for the legend; NULL: not in it */
    const double *x, *y;      /* [count]; copied. NaN and infinity are left out */
    const double *low, *high; /* [count], the spread; NULL for none */
    size_t count;
    guint32 colour; /* CG_RGB; 0: the next of the palette */
    CgMarker marker;
    double size;     /* of a marker or of a line's width, in points of 1/72 inch; 0: a good one */
    double opacity;  /* of markers, in (0, 1]; 0: opaque */
    gboolean dashed; /* line */
} CgSeries;

#define CG_RGB(r, g, b) (0xff000000u | (guint32)(r) << 16 | (guint32)(g) << 8 | (guint32)(b))

/* Colour I of those that colour-blind people tell apart (Okabe and Ito 2008); after eight they
 * begin again. And I of COUNT in an order, dark blue to light orange. */
guint32 cg_plot_colour(guint i);
guint32 cg_plot_ramp(guint i, guint count);

typedef struct CgChart CgChart;

/* Text is UTF-8, NULL for none. */
CgChart *cg_chart_new(const char *title, const char *x_label, const char *y_label);
void cg_chart_free(CgChart *chart);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgChart, cg_chart_free)

/* Logarithmic axes; values that are not above 0 are left out. */
void cg_chart_set_log(CgChart *chart, gboolean x, gboolean y);
/* Ends of the axes; NaN: from the data. */
void cg_chart_set_x_range(CgChart *chart, double low, double high);
void cg_chart_set_y_range(CgChart *chart, double low, double high);
/* Names at x = 0, 1, ... COUNT - 1 instead of numbers. */
void cg_chart_set_categories(CgChart *chart, const char *const *names, guint count);
/* One scale for both axes and no numbers: embeddings, whose axes mean nothing. */
void cg_chart_set_map(CgChart *chart);
void cg_chart_add(CgChart *chart, const CgSeries *series);

/* COUNT charts in rows of COLUMNS, WIDTH x HEIGHT points in all (PNG: two pixels each), written
 * atomically. PATH ends in .png, .svg or .pdf (CG_ERROR_USAGE otherwise). Charts below each other
 * have their axes at one place. */
gboolean cg_figure_save(CgChart *const *charts, int count, int columns, int width, int height,
                        const char *path, GError **error);

#endif
