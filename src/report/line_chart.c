#include "report/line_chart.h"

#include "report/html.h"

#include <math.h>

typedef struct {
    double width, height, left, right, top, bottom; /* of the plane, in user units */
    double x0, x1, y0, y1;                          /* its ends; y as logarithm if it is one */
    gboolean y_log;
} Frame;

static double scaled_y(const Frame *f, double y)
{
    return f->y_log ? log10(y) : y;
}

static gboolean is_shown(const Frame *f, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!f->y_log || y > 0);
}

static double place_x(const Frame *f, double x)
{
    return f->left + (x - f->x0) / (f->x1 - f->x0) * (f->right - f->left);
}

static double place_y(const Frame *f, double y)
{
    return f->bottom - (scaled_y(f, y) - f->y0) / (f->y1 - f->y0) * (f->bottom - f->top);
}

static void fit(Frame *f, const CgLineChart *chart)
{
    f->x0 = f->y0 = INFINITY;
    f->x1 = f->y1 = -INFINITY;
    for (guint k = 0; k < chart->count; k++)
        for (size_t i = 0; i < chart->lines[k].count; i++) {
            const double x = chart->lines[k].x[i], y = chart->lines[k].y[i];
            if (!is_shown(f, x, y))
                continue;
            f->x0 = fmin(f->x0, x);
            f->x1 = fmax(f->x1, x);
            f->y0 = fmin(f->y0, scaled_y(f, y));
            f->y1 = fmax(f->y1, scaled_y(f, y));
        }
    if (chart->unit || !(f->x0 <= f->x1)) {
        f->x0 = f->y0 = 0;
        f->x1 = f->y1 = 1;
    }
    if (f->x1 - f->x0 <= 0)
        f->x1 = f->x0 + 1;
    const double room = chart->unit ? 0 : fmax(0.05 * (f->y1 - f->y0), 1e-9 * fabs(f->y1));
    f->y0 -= room;
    f->y1 += room > 0 || chart->unit ? room : 1;
    if (f->y1 - f->y0 <= 0)
        f->y1 = f->y0 + 1;
}

/* 1, 2 or 5 times a power of ten, about a COUNT-th of SPAN. */
static double round_step(double span, int count)
{
    const double raw = span / count, power = pow(10, floor(log10(raw)));
    const double lead = raw / power;
    return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void add_tick_text(GString *out, double value)
{
    if (value != 0 && fabs(value) >= 10000)
        g_string_append_printf(out, "%gk", value / 1000);
    else
        g_string_append_printf(out, "%.4g", fabs(value) < 1e-12 ? 0 : value);
}

static void add_y_tick(GString *out, const Frame *f, double at, double value)
{
    const double y = f->bottom - (at - f->y0) / (f->y1 - f->y0) * (f->bottom - f->top);
    g_string_append_printf(out,
                           "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text class=\"tick\" "
                           "x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                           f->left, y, f->right, f->left - 6, y + 4);
    add_tick_text(out, value);
    g_string_append(out, "</text>");
}

static void add_y_axis(GString *out, const Frame *f)
{
    if (f->y_log && f->y1 - f->y0 > 0.7) {
        static const double leads[] = {1, 2, 5};
        const int wide = f->y1 - f->y0 > 3;
        for (int power = (int)floor(f->y0); power <= (int)ceil(f->y1); power++)
            for (int i = 0; i < (wide ? 1 : 3); i++) {
                const double value = leads[i] * pow(10, power);
                if (log10(value) >= f->y0 && log10(value) <= f->y1)
                    add_y_tick(out, f, log10(value), value);
            }
        return;
    }
    const double low = f->y_log ? pow(10, f->y0) : f->y0, high = f->y_log ? pow(10, f->y1) : f->y1;
    const double step = round_step(high - low, 5);
    for (double v = ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step)
        if (!f->y_log || v > 0)
            add_y_tick(out, f, scaled_y(f, v), v);
}

static void add_x_axis(GString *out, const Frame *f)
{
    const double step = round_step(f->x1 - f->x0, f->right - f->left > 400 ? 7 : 5);
    for (double v = ceil(f->x0 / step - 1e-9) * step; v <= f->x1 + 1e-9 * step; v += step) {
        g_string_append_printf(out,
                               "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                               place_x(f, v), f->bottom + 16);
        add_tick_text(out, v);
        g_string_append(out, "</text>");
    }
    g_string_append_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>", f->left,
                           f->top, f->bottom, f->right);
}

static void add_line(GString *out, const Frame *f, const CgLine *line, guint colour)
{
    const size_t every = MAX((line->count + CG_LINE_POINTS - 1) / CG_LINE_POINTS, 1);
    gboolean down = FALSE;
    g_string_append_printf(out, "<path class=\"line c%u%s\" d=\"", colour % CG_LINE_COLOURS,
                           line->faint ? " faint" : "");
    for (size_t i = 0; i < line->count; i++) {
        if (i % every != 0 && i + 1 != line->count)
            continue;
        if (!is_shown(f, line->x[i], line->y[i])) {
            down = FALSE;
            continue;
        }
        g_string_append_printf(out, "%c%.1f %.1f", down ? 'L' : 'M', place_x(f, line->x[i]),
                               place_y(f, line->y[i]));
        down = TRUE;
    }
    g_string_append(out, "\"/>");
}

static void add_labels(GString *out, const Frame *f, const CgLineChart *chart)
{
    if (chart->x_label) {
        g_string_append_printf(
            out, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
            (f->left + f->right) / 2, f->height - 4);
        cg_html_text(out, chart->x_label);
        g_string_append(out, "</text>");
    }
    if (chart->y_label) {
        g_string_append_printf(out,
                               "<text class=\"label\" transform=\"translate(12 %.1f) rotate(-90)\" "
                               "text-anchor=\"middle\">",
                               (f->top + f->bottom) / 2);
        cg_html_text(out, chart->y_label);
        g_string_append(out, "</text>");
    }
}

static void add_legend(GString *out, const CgLineChart *chart)
{
    g_string_append(out, "<ul class=\"legend\">");
    for (guint k = 0, colour = 0; k < chart->count; k++) {
        if (chart->lines[k].faint)
            continue;
        g_string_append_printf(out, "<li><i class=\"key c%u\"></i>", colour++ % CG_LINE_COLOURS);
        cg_html_text(out, chart->lines[k].name);
        g_string_append(out, "</li>");
    }
    g_string_append(out, "</ul>");
}

/* A faint line has the colour of the next one that is not. */
static void add_lines(GString *out, const Frame *f, const CgLineChart *chart)
{
    for (guint k = 0, colour = 0; k < chart->count; k++) {
        add_line(out, f, &chart->lines[k], colour);
        colour += !chart->lines[k].faint;
    }
}

void cg_line_chart_add(GString *out, const CgLineChart *chart)
{
    Frame f = {.width = chart->unit ? 380 : 680, .height = chart->unit ? 380 : 320};
    f.left = 58;
    f.right = f.width - 12;
    f.top = 10;
    f.bottom = f.height - 42;
    f.y_log = chart->y_log;
    fit(&f, chart);
    g_string_append(out, chart->unit ? "<figure class=\"chart square\"><figcaption>"
                                     : "<figure class=\"chart\"><figcaption>");
    cg_html_text(out, chart->title);
    g_string_append_printf(out,
                           "</figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
                           f.width, f.height);
    cg_html_text(out, chart->title);
    g_string_append(out, "\">");
    add_y_axis(out, &f);
    add_x_axis(out, &f);
    add_lines(out, &f, chart);
    add_labels(out, &f, chart);
    g_string_append(out, "</svg>");
    add_legend(out, chart);
    g_string_append(out, "</figure>\n");
}
