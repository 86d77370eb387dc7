/* plot-private: what a chart is made of. */
#ifndef CG_IMAGE_PLOT_PRIVATE_H
#define CG_IMAGE_PLOT_PRIVATE_H

#include "image/plot.h"

#include <cairo.h>

typedef struct {
    double value;
    char label[32]; /* empty: a fine line only */
} CgTick;

typedef struct {
    gboolean log;
    double low, high;   /* values at the ends, low < high */
    double start, stop; /* and where they are, in points */
} CgAxis;

/* Larger values are taken for infinite, and smaller ones for 0: differences and ratios of two,
 * with room around, stay finite. */
#define CG_PLOT_HUGE 1e140
#define CG_PLOT_TINY 1e-140

gboolean cg_axis_shows(const CgAxis *axis, double value); /* finite, and above 0 if it has to be */
double cg_axis_place(const CgAxis *axis, double value);
/* Sets the ends from LOW..HIGH of the data (LOW > HIGH: there is none) with some room: ends that
 * are fixed (not NaN) keep their value. */
void cg_axis_fit(CgAxis *axis, double low, double high, double fixed_low, double fixed_high);
/* CgTick at round values inside the ends, with about MOST labels. */
GArray *cg_axis_ticks(const CgAxis *axis, int most);

struct CgChart {
    char *title, *x_label, *y_label;
    GArray *series; /* CgSeries that owns its arrays */
    char **categories;
    gboolean x_log, y_log, is_map;
    double x_range[2], y_range[2];
};

typedef struct {
    double x, y, width, height;
} CgBox;

/* Points that the numbers of the y axis and its label take. */
double cg_chart_left(cairo_t *cr, const CgChart *chart, double height);
/* Draws CHART into BOX, the plane beginning LEFT points from its left. */
void cg_chart_draw(cairo_t *cr, const CgChart *chart, CgBox box, double left);

#endif
