/* line_chart: curves as inline SVG whose colours follow the page's light and dark. */
#ifndef CG_REPORT_LINE_CHART_H
#define CG_REPORT_LINE_CHART_H

#include <glib.h>

typedef struct {
    const char *name;
    const double *x, *y; /* [count], borrowed; points that are not finite are left out */
    size_t count;
    gboolean faint; /* behind others, without a name in the legend */
} CgLine;

typedef struct {
    const char *title, *x_label, *y_label;
    gboolean y_log;
    gboolean unit; /* both axes from 0 to 1, and as long as each other */
    const CgLine *lines;
    guint count;
} CgLineChart;

#define CG_LINE_COLOURS 8
/* Points of a line that are kept at most. */
#define CG_LINE_POINTS 600

/* A <figure> with title, chart and legend. */
void cg_line_chart_add(GString *out, const CgLineChart *chart);

#endif
