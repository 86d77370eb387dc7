#include "image/plot-private.h"

#include <math.h>
#include <string.h>

#define TITLE_SIZE 13
#define LABEL_SIZE 11
#define TICK_SIZE  10
#define GAP        6 /* between parts */
#define EDGE       10
#define INK        CG_RGB(51, 51, 51)
#define GRID       CG_RGB(225, 225, 225)
#define FINE       CG_RGB(243, 243, 243)

static void set_colour(cairo_t *cr, guint32 rgb, double alpha)
{
    cairo_set_source_rgba(cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0,
                          (rgb & 255) / 255.0, alpha);
}

static void set_font(cairo_t *cr, double size, gboolean bold)
{
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

static double text_width(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

/* TEXT, or as much of its beginning as fits into WIDTH. Free with g_free. */
static char *fit_text(cairo_t *cr, const char *text, double width)
{
    glong kept = g_utf8_strlen(text, -1);
    g_autofree char *shown = g_strdup(text);
    while (kept > 0 && text_width(cr, shown) > width) {
        kept = MIN(kept - 1, (glong)(1 + (double)kept * width / text_width(cr, shown)));
        g_autofree char *head = g_utf8_substring(text, 0, kept);
        g_free(shown);
        shown = g_strconcat(head, "\xe2\x80\xa6", NULL);
    }
    return g_steal_pointer(&shown);
}

/* ALIGN: 0 begins at X, 0.5 is centred on it, 1 ends there. Y is the baseline. */
static void draw_text(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_move_to(cr, x - align * text_width(cr, text), y);
    cairo_show_text(cr, text);
}

static const CgSeries *series_at(const CgChart *chart, guint i)
{
    return &g_array_index(chart->series, CgSeries, i);
}

/* Takes VALUE into LOW..HIGH if AXIS can show it. */
static void include(const CgAxis *axis, double value, double *low, double *high)
{
    if (cg_axis_shows(axis, value)) {
        *low = MIN(*low, value);
        *high = MAX(*high, value);
    }
}

static void fit_axes(const CgChart *chart, CgAxis *x, CgAxis *y)
{
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    x->log = chart->x_log;
    y->log = chart->y_log;
    for (guint k = 0; k < chart->series->len; k++) {
        const CgSeries *s = series_at(chart, k);
        for (size_t i = 0; i < s->count; i++) {
            include(x, s->x[i], &x_low, &x_high);
            include(y, s->y[i], &y_low, &y_high);
            if (s->low) {
                include(y, s->low[i], &y_low, &y_high);
                include(y, s->high[i], &y_low, &y_high);
            }
        }
        if (s->kind == CG_SERIES_BARS)
            include(y, 0, &y_low, &y_high);
    }
    if (chart->categories) {
        x->low = -0.6;
        x->high = (double)g_strv_length(chart->categories) - 0.4;
    } else {
        cg_axis_fit(x, x_low, x_high, chart->x_range[0], chart->x_range[1]);
    }
    cg_axis_fit(y, y_low, y_high, chart->y_range[0], chart->y_range[1]);
}

/* Widens one axis until a unit has the same length on both. */
static void equalise(CgAxis *x, CgAxis *y)
{
    const double per_x = (x->high - x->low) / fabs(x->stop - x->start);
    const double per_y = (y->high - y->low) / fabs(y->stop - y->start);
    CgAxis *narrow = per_x < per_y ? x : y;
    const double room = MAX(per_x, per_y) * fabs(narrow->stop - narrow->start);
    const double middle = (narrow->low + narrow->high) / 2;
    narrow->low = middle - room / 2;
    narrow->high = middle + room / 2;
}

static int y_tick_count(double height)
{
    return CLAMP((int)(height / 38), 2, 8);
}

double cg_chart_left(cairo_t *cr, const CgChart *chart, double height)
{
    CgAxis x = {0}, y = {0};
    double widest = 0;
    fit_axes(chart, &x, &y);
    if (!chart->is_map) {
        g_autoptr(GArray) ticks = cg_axis_ticks(&y, y_tick_count(height));
        set_font(cr, TICK_SIZE, FALSE);
        for (guint i = 0; i < ticks->len; i++)
            widest = MAX(widest, text_width(cr, g_array_index(ticks, CgTick, i).label));
    }
    return EDGE + (chart->y_label ? LABEL_SIZE + GAP : 0) + widest + GAP;
}

static void marker_path(cairo_t *cr, CgMarker marker, double x, double y, double r)
{
    cairo_new_sub_path(cr);
    switch (marker) {
    case CG_MARKER_SQUARE:
        cairo_rectangle(cr, x - 0.87 * r, y - 0.87 * r, 1.74 * r, 1.74 * r);
        break;
    case CG_MARKER_TRIANGLE:
        cairo_move_to(cr, x, y - 1.2 * r);
        cairo_line_to(cr, x + 1.1 * r, y + 0.8 * r);
        cairo_line_to(cr, x - 1.1 * r, y + 0.8 * r);
        cairo_close_path(cr);
        break;
    case CG_MARKER_DIAMOND:
        cairo_move_to(cr, x, y - 1.25 * r);
        cairo_line_to(cr, x + 1.25 * r, y);
        cairo_line_to(cr, x, y + 1.25 * r);
        cairo_line_to(cr, x - 1.25 * r, y);
        cairo_close_path(cr);
        break;
    case CG_MARKER_CROSS:
        cairo_move_to(cr, x - r, y - r);
        cairo_line_to(cr, x + r, y + r);
        cairo_move_to(cr, x + r, y - r);
        cairo_line_to(cr, x - r, y + r);
        break;
    default:
        cairo_arc(cr, x, y, r, 0, 2 * G_PI);
    }
}

/* A fine edge in white keeps markers apart that lie on each other. */
static void draw_marker(cairo_t *cr, const CgSeries *s, double x, double y)
{
    const double r = s->kind == CG_SERIES_POINTS && s->size > 0 ? s->size / 2 : 2.6;
    marker_path(cr, s->marker, x, y, r);
    set_colour(cr, s->colour, s->opacity > 0 ? s->opacity : 1);
    if (s->marker == CG_MARKER_CROSS) {
        cairo_set_line_width(cr, 1.4);
        cairo_stroke(cr);
        return;
    }
    cairo_fill_preserve(cr);
    cairo_set_source_rgba(cr, 1, 1, 1, 0.6);
    cairo_set_line_width(cr, 0.5);
    cairo_stroke(cr);
}

static void draw_error_bar(cairo_t *cr, const CgAxis *y, double at, double low, double high)
{
    if (!cg_axis_shows(y, low) || !cg_axis_shows(y, high))
        return;
    const double top = cg_axis_place(y, high), bottom = cg_axis_place(y, low);
    cairo_move_to(cr, at, top);
    cairo_line_to(cr, at, bottom);
    cairo_move_to(cr, at - 3, top);
    cairo_line_to(cr, at + 3, top);
    cairo_move_to(cr, at - 3, bottom);
    cairo_line_to(cr, at + 3, bottom);
    cairo_set_line_width(cr, 1);
    cairo_stroke(cr);
}

/* The spread of values FROM..TO - 1, without gaps. */
static void draw_area(cairo_t *cr, const CgSeries *s, const CgAxis *x, const CgAxis *y, size_t from,
                      size_t to)
{
    for (size_t i = from; i < to; i++)
        cairo_line_to(cr, cg_axis_place(x, s->x[i]), cg_axis_place(y, s->high[i]));
    for (size_t i = to; i-- > from;)
        cairo_line_to(cr, cg_axis_place(x, s->x[i]), cg_axis_place(y, s->low[i]));
    cairo_close_path(cr);
    set_colour(cr, s->colour, 0.16);
    cairo_fill(cr);
}

static void draw_areas(cairo_t *cr, const CgSeries *s, const CgAxis *x, const CgAxis *y)
{
    size_t from = 0;
    for (size_t i = 0; i <= s->count; i++) {
        if (i < s->count && cg_axis_shows(x, s->x[i]) && cg_axis_shows(y, s->low[i]) &&
            cg_axis_shows(y, s->high[i]))
            continue;
        if (i > from + 1)
            draw_area(cr, s, x, y, from, i);
        from = i + 1;
    }
}

static void stroke_line(cairo_t *cr, const CgSeries *s)
{
    static const double dashes[] = {5, 3};
    set_colour(cr, s->colour, 1);
    cairo_set_line_width(cr, s->size > 0 && s->kind == CG_SERIES_LINE ? s->size : 1.6);
    cairo_set_dash(cr, dashes, s->dashed ? 2 : 0, 0);
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0);
}

static void draw_line(cairo_t *cr, const CgSeries *s, const CgAxis *x, const CgAxis *y)
{
    gboolean pen_down = FALSE;
    for (size_t i = 0; i < s->count; i++) {
        if (!cg_axis_shows(x, s->x[i]) || !cg_axis_shows(y, s->y[i])) {
            pen_down = FALSE;
            continue;
        }
        const double px = cg_axis_place(x, s->x[i]), py = cg_axis_place(y, s->y[i]);
        if (!pen_down)
            cairo_move_to(cr, px, py); /* with the round cap a lone value is a dot */
        cairo_line_to(cr, px, py);
        pen_down = TRUE;
    }
    stroke_line(cr, s);
}

static void draw_markers(cairo_t *cr, const CgSeries *s, const CgAxis *x, const CgAxis *y)
{
    for (size_t i = 0; i < s->count; i++)
        if (cg_axis_shows(x, s->x[i]) && cg_axis_shows(y, s->y[i]))
            draw_marker(cr, s, cg_axis_place(x, s->x[i]), cg_axis_place(y, s->y[i]));
}

/* WHICH of MANY bar series. */
static void draw_bars(cairo_t *cr, const CgSeries *s, const CgAxis *x, const CgAxis *y, guint which,
                      guint many)
{
    const double unit = fabs(cg_axis_place(x, 1) - cg_axis_place(x, 0));
    const double width = MIN(0.8 * unit / many, 60);
    const double zero = cg_axis_place(y, y->log ? y->low : CLAMP(0, y->low, y->high));
    for (size_t i = 0; i < s->count; i++) {
        if (!cg_axis_shows(x, s->x[i]) || !cg_axis_shows(y, s->y[i]))
            continue;
        const double at = cg_axis_place(x, s->x[i]) + (which - (many - 1) / 2.0) * width;
        const double top = cg_axis_place(y, s->y[i]);
        cairo_rectangle(cr, at - 0.46 * width, MIN(top, zero), 0.92 * width, fabs(zero - top));
        set_colour(cr, s->colour, 1);
        cairo_fill(cr);
        set_colour(cr, INK, 1);
        if (s->low)
            draw_error_bar(cr, y, at, s->low[i], s->high[i]);
    }
}

static void draw_series(cairo_t *cr, const CgChart *chart, const CgAxis *x, const CgAxis *y)
{
    guint bars = 0, bar = 0;
    for (guint k = 0; k < chart->series->len; k++)
        bars += series_at(chart, k)->kind == CG_SERIES_BARS;
    for (guint k = 0; k < chart->series->len; k++) {
        const CgSeries *s = series_at(chart, k);
        if (s->kind == CG_SERIES_BARS)
            draw_bars(cr, s, x, y, bar++, bars);
        if (s->kind == CG_SERIES_LINE && s->low)
            draw_areas(cr, s, x, y);
    }
    for (guint k = 0; k < chart->series->len; k++) {
        const CgSeries *s = series_at(chart, k);
        if (s->kind == CG_SERIES_MARKED && s->low) {
            set_colour(cr, s->colour, 1);
            for (size_t i = 0; i < s->count; i++)
                if (cg_axis_shows(x, s->x[i]))
                    draw_error_bar(cr, y, cg_axis_place(x, s->x[i]), s->low[i], s->high[i]);
        }
        if (s->kind == CG_SERIES_LINE || s->kind == CG_SERIES_MARKED)
            draw_line(cr, s, x, y);
        if (s->kind == CG_SERIES_POINTS || s->kind == CG_SERIES_MARKED)
            draw_markers(cr, s, x, y);
    }
}

/* The sign of S in the legend, 18 points wide, around the height Y. */
static void draw_sign(cairo_t *cr, const CgSeries *s, double x, double y)
{
    const gboolean has_area = s->kind == CG_SERIES_LINE && s->low;
    if (s->kind == CG_SERIES_BARS || has_area) {
        const double width = has_area ? 18 : 9;
        cairo_rectangle(cr, x + 9 - width / 2, y - 4.5, width, 9);
        set_colour(cr, s->colour, has_area ? 0.16 : 1);
        cairo_fill(cr);
    }
    if (s->kind == CG_SERIES_LINE || s->kind == CG_SERIES_MARKED) {
        cairo_move_to(cr, x, y);
        cairo_line_to(cr, x + 18, y);
        stroke_line(cr, s);
    }
    if (s->kind == CG_SERIES_POINTS || s->kind == CG_SERIES_MARKED) {
        CgSeries opaque = *s;
        opaque.opacity = 1;
        draw_marker(cr, &opaque, x + 9, y);
    }
}

/* Names in rows from (X, Y) on, WIDTH wide; returns the height. */
static double draw_legend(cairo_t *cr, const CgChart *chart, double x, double y, double width)
{
    const double row = LABEL_SIZE + 6;
    double at = 0, height = 0;
    set_font(cr, LABEL_SIZE, FALSE);
    for (guint k = 0; k < chart->series->len; k++) {
        const CgSeries *s = series_at(chart, k);
        if (!s->name)
            continue;
        g_autofree char *name = fit_text(cr, s->name, width - 24);
        const double needed = 24 + text_width(cr, name);
        if (at > 0 && at + needed > width) {
            at = 0;
            height += row;
        }
        draw_sign(cr, s, x + at, y + height + row / 2);
        set_colour(cr, INK, 1);
        draw_text(cr, name, x + at + 23, y + height + row / 2 + 0.36 * LABEL_SIZE, 0);
        at += needed + 16;
    }
    return at > 0 ? height + row : 0;
}

static void line(cairo_t *cr, double x0, double y0, double x1, double y1, guint32 colour)
{
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    set_colour(cr, colour, 1);
    cairo_set_line_width(cr, 0.8);
    cairo_stroke(cr);
}

static void draw_y_grid(cairo_t *cr, const CgAxis *y, CgBox plane)
{
    g_autoptr(GArray) ticks = cg_axis_ticks(y, y_tick_count(plane.height));
    set_font(cr, TICK_SIZE, FALSE);
    for (guint i = 0; i < ticks->len; i++) {
        const CgTick *t = &g_array_index(ticks, CgTick, i);
        const double at = cg_axis_place(y, t->value);
        line(cr, plane.x, at, plane.x + plane.width, at, *t->label ? GRID : FINE);
        set_colour(cr, INK, 1);
        draw_text(cr, t->label, plane.x - GAP, at + 0.36 * TICK_SIZE, 1);
    }
}

static void draw_x_grid(cairo_t *cr, const CgAxis *x, CgBox plane)
{
    g_autoptr(GArray) ticks = cg_axis_ticks(x, CLAMP((int)(plane.width / 70), 2, 10));
    set_font(cr, TICK_SIZE, FALSE);
    for (guint i = 0; i < ticks->len; i++) {
        const CgTick *t = &g_array_index(ticks, CgTick, i);
        const double at = cg_axis_place(x, t->value);
        line(cr, at, plane.y, at, plane.y + plane.height, *t->label ? GRID : FINE);
        set_colour(cr, INK, 1);
        draw_text(cr, t->label, at, plane.y + plane.height + GAP + 0.72 * TICK_SIZE, 0.5);
    }
}

static void draw_categories(cairo_t *cr, const CgChart *chart, const CgAxis *x, CgBox plane)
{
    const double width = fabs(cg_axis_place(x, 1) - cg_axis_place(x, 0)) - 4;
    set_font(cr, TICK_SIZE, FALSE);
    set_colour(cr, INK, 1);
    for (guint i = 0; chart->categories[i]; i++) {
        g_autofree char *name = fit_text(cr, chart->categories[i], width);
        draw_text(cr, name, cg_axis_place(x, i), plane.y + plane.height + GAP + 0.72 * TICK_SIZE,
                  0.5);
    }
}

static void draw_y_label(cairo_t *cr, const CgChart *chart, double x, CgBox plane)
{
    set_font(cr, LABEL_SIZE, FALSE);
    g_autofree char *label = fit_text(cr, chart->y_label, plane.height);
    cairo_save(cr);
    cairo_translate(cr, x + EDGE + 0.8 * LABEL_SIZE, plane.y + plane.height / 2);
    cairo_rotate(cr, -G_PI / 2);
    draw_text(cr, label, 0, 0, 0.5);
    cairo_restore(cr);
}

/* Title and legend; returns the height they take. */
static double draw_head(cairo_t *cr, const CgChart *chart, CgBox box, double left)
{
    double y = box.y + EDGE;
    if (chart->title) {
        set_font(cr, TITLE_SIZE, TRUE);
        set_colour(cr, INK, 1);
        g_autofree char *title = fit_text(cr, chart->title, box.width - 2 * EDGE);
        draw_text(cr, title, box.x + EDGE, y + 0.9 * TITLE_SIZE, 0);
        y += TITLE_SIZE + GAP;
    }
    y += draw_legend(cr, chart, box.x + left, y, box.width - left - EDGE);
    return y + GAP - box.y;
}

void cg_chart_draw(cairo_t *cr, const CgChart *chart, CgBox box, double left)
{
    CgAxis x = {0}, y = {0};
    const double head = draw_head(cr, chart, box, left);
    const double foot =
        (chart->is_map ? 0 : GAP + TICK_SIZE) + (chart->x_label ? LABEL_SIZE + GAP : 0) + EDGE;
    const CgBox plane = {box.x + left, box.y + head, MAX(box.width - left - 1.5 * EDGE, 1),
                         MAX(box.height - head - foot, 1)};
    fit_axes(chart, &x, &y);
    x.start = plane.x;
    x.stop = plane.x + plane.width;
    y.start = plane.y + plane.height;
    y.stop = plane.y;
    if (chart->is_map) {
        equalise(&x, &y);
    } else {
        draw_y_grid(cr, &y, plane);
        if (chart->categories)
            draw_categories(cr, chart, &x, plane);
        else
            draw_x_grid(cr, &x, plane);
    }
    cairo_save(cr);
    cairo_rectangle(cr, plane.x - 1, plane.y - 1, plane.width + 2, plane.height + 2);
    cairo_clip(cr);
    draw_series(cr, chart, &x, &y);
    cairo_restore(cr);
    if (chart->is_map) {
        cairo_rectangle(cr, plane.x, plane.y, plane.width, plane.height);
        set_colour(cr, GRID, 1);
        cairo_set_line_width(cr, 0.8);
        cairo_stroke(cr);
    } else {
        line(cr, plane.x, plane.y + plane.height, plane.x + plane.width, plane.y + plane.height,
             CG_RGB(120, 120, 120));
    }
    set_colour(cr, INK, 1);
    if (chart->y_label)
        draw_y_label(cr, chart, box.x, plane);
    if (chart->x_label) {
        set_font(cr, LABEL_SIZE, FALSE);
        g_autofree char *label = fit_text(cr, chart->x_label, plane.width);
        draw_text(cr, label, plane.x + plane.width / 2, box.y + box.height - EDGE, 0.5);
    }
}
