#include "image/plot.h"

#include "base/error.h"
#include "base/file.h"
#include "image/image.h"
#include "image/plot-private.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <string.h>

#define PNG_SCALE 2

guint32 cg_plot_colour(guint i)
{
    static const guint32 colours[] = {
        CG_RGB(0, 114, 178), CG_RGB(213, 94, 0),   CG_RGB(0, 158, 115), CG_RGB(204, 121, 167),
        CG_RGB(230, 159, 0), CG_RGB(86, 180, 233), CG_RGB(40, 40, 40),  CG_RGB(190, 175, 0),
    };
    return colours[i % G_N_ELEMENTS(colours)];
}

guint32 cg_plot_ramp(guint i, guint count)
{
    static const double stops[][3] = {{31, 43, 110}, {124, 58, 137}, {201, 84, 96}, {243, 165, 72}};
    const double at = count > 1 ? 3.0 * MIN(i, count - 1) / (count - 1) : 0;
    const int low = MIN((int)at, 2);
    guint8 rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = (guint8)lrint(stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (at - low));
    return CG_RGB(rgb[0], rgb[1], rgb[2]);
}

/* Cairo refuses to go on after text that is not UTF-8. */
static char *copy_text(const char *text)
{
    return text ? g_utf8_make_valid(text, -1) : NULL;
}

static void clear_series(void *data)
{
    CgSeries *s = data;
    g_free((char *)(guintptr)s->name);
    const double *const arrays[] = {s->x, s->y, s->low, s->high};
    for (gsize i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_free((double *)(guintptr)arrays[i]);
}

CgChart *cg_chart_new(const char *title, const char *x_label, const char *y_label)
{
    CgChart *chart = g_new0(CgChart, 1);
    chart->title = copy_text(title);
    chart->x_label = copy_text(x_label);
    chart->y_label = copy_text(y_label);
    chart->series = g_array_new(FALSE, FALSE, sizeof(CgSeries));
    g_array_set_clear_func(chart->series, clear_series);
    chart->x_range[0] = chart->x_range[1] = chart->y_range[0] = chart->y_range[1] = NAN;
    return chart;
}

void cg_chart_free(CgChart *chart)
{
    if (!chart)
        return;
    g_free(chart->title);
    g_free(chart->x_label);
    g_free(chart->y_label);
    g_array_unref(chart->series);
    g_strfreev(chart->categories);
    g_free(chart);
}

void cg_chart_set_log(CgChart *chart, gboolean x, gboolean y)
{
    chart->x_log = x;
    chart->y_log = y;
}

void cg_chart_set_x_range(CgChart *chart, double low, double high)
{
    chart->x_range[0] = low;
    chart->x_range[1] = high;
}

void cg_chart_set_y_range(CgChart *chart, double low, double high)
{
    chart->y_range[0] = low;
    chart->y_range[1] = high;
}

void cg_chart_set_categories(CgChart *chart, const char *const *names, guint count)
{
    g_strfreev(chart->categories);
    chart->categories = g_new0(char *, count + 1);
    for (guint i = 0; i < count; i++)
        chart->categories[i] = copy_text(names[i]);
}

void cg_chart_set_map(CgChart *chart)
{
    chart->is_map = TRUE;
}

static double *copy_numbers(const double *numbers, size_t count)
{
    return numbers ? g_memdup2(numbers, count * sizeof *numbers) : NULL;
}

void cg_chart_add(CgChart *chart, const CgSeries *series)
{
    g_assert((series->low == NULL) == (series->high == NULL));
    CgSeries s = *series;
    s.name = copy_text(s.name);
    s.x = copy_numbers(s.x, s.count);
    s.y = copy_numbers(s.y, s.count);
    s.low = copy_numbers(s.low, s.count);
    s.high = copy_numbers(s.high, s.count);
    if (s.colour == 0)
        s.colour = cg_plot_colour(chart->series->len);
    g_array_append_val(chart->series, s);
}

static void draw_figure(cairo_t *cr, CgChart *const *charts, int count, int columns, int width,
                        int height)
{
    const int rows = (count + columns - 1) / columns;
    const double cell_width = (double)width / columns, cell_height = (double)height / rows;
    /* Sizes of letters must not depend on the resolution, or PNG and SVG would differ. */
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cr, font);
    cairo_font_options_destroy(font);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);

    double left = 0;
    for (int i = 0; i < count; i++)
        left = MAX(left, cg_chart_left(cr, charts[i], cell_height));
    for (int i = 0; i < count; i++) {
        const CgBox box = {i % columns * cell_width, i / columns * cell_height, cell_width,
                           cell_height};
        cg_chart_draw(cr, charts[i], box, left);
    }
}

static gboolean cairo_failed(cairo_status_t status, const char *path, GError **error)
{
    if (status == CAIRO_STATUS_SUCCESS)
        return FALSE;
    g_set_error(error, CG_ERROR, status == CAIRO_STATUS_NO_MEMORY ? CG_ERROR_MEMORY : CG_ERROR_IO,
                "%s: cannot draw the figure: %s", path, cairo_status_to_string(status));
    return TRUE;
}

/* SURFACE's pixels without their opaque alpha. */
static CgImage *surface_image(cairo_surface_t *surface)
{
    cairo_surface_flush(surface);
    const int width = cairo_image_surface_get_width(surface);
    const int height = cairo_image_surface_get_height(surface);
    const int stride = cairo_image_surface_get_stride(surface);
    const guint8 *data = cairo_image_surface_get_data(surface);
    CgImage *image = cg_image_new(width, height, 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            guint32 rgb;
            memcpy(&rgb, data + (size_t)y * (size_t)stride + 4 * (size_t)x, 4);
            guint8 *p = image->pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
            p[0] = (guint8)(rgb >> 16);
            p[1] = (guint8)(rgb >> 8);
            p[2] = (guint8)rgb;
        }
    return image;
}

static cairo_status_t append(void *bytes, const unsigned char *data, unsigned int length)
{
    g_byte_array_append(bytes, data, length);
    return CAIRO_STATUS_SUCCESS;
}

/* id="surface195" becomes id="surface1": cairo counts through the whole process, and the same
 * figure shall be the same bytes. */
static gboolean renumber_id(const GMatchInfo *match, GString *out, void *numbers)
{
    g_autofree char *name = g_match_info_fetch(match, 1);
    g_autofree char *old = g_match_info_fetch(match, 2);
    gpointer number = g_hash_table_lookup(numbers, old);
    if (!number) {
        number = GUINT_TO_POINTER(g_hash_table_size(numbers) + 1);
        g_hash_table_insert(numbers, g_strdup(old), number);
    }
    g_string_append_printf(out, "%s%u", name, GPOINTER_TO_UINT(number));
    return FALSE;
}

static void renumber_ids(GByteArray *svg)
{
    g_autoptr(GHashTable) numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GRegex) id = g_regex_new("(id=\"[a-z-]+|#[a-z-]+)(\\d+)(?=[\")])", 0, 0, NULL);
    g_autofree char *text = g_regex_replace_eval(id, (const char *)svg->data, svg->len, 0, 0,
                                                 renumber_id, numbers, NULL);
    if (text) {
        g_byte_array_set_size(svg, 0);
        g_byte_array_append(svg, (const guint8 *)text, (guint)strlen(text));
    }
}

typedef enum { FORMAT_PNG, FORMAT_SVG, FORMAT_PDF } Format;

static cairo_surface_t *create_surface(Format format, int width, int height, GByteArray *bytes)
{
    cairo_surface_t *surface;
    switch (format) {
    case FORMAT_PNG:
        surface =
            cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * PNG_SCALE, height * PNG_SCALE);
        cairo_surface_set_device_scale(surface, PNG_SCALE, PNG_SCALE);
        return surface;
    case FORMAT_SVG:
        return cairo_svg_surface_create_for_stream(append, bytes, width, height);
    default:
        surface = cairo_pdf_surface_create_for_stream(append, bytes, width, height);
        /* The same figure, the same bytes: not today's date. */
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE,
                                       "2000-01-01T00:00:00Z");
        return surface;
    }
}

static gboolean choose_format(const char *path, Format *format, GError **error)
{
    static const char *const endings[] = {".png", ".svg", ".pdf"};
    for (int i = 0; i < 3; i++)
        if (g_str_has_suffix(path, endings[i])) {
            *format = (Format)i;
            return TRUE;
        }
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%s: a figure is a .png, .svg or .pdf file; name it so", path);
    return FALSE;
}

gboolean cg_figure_save(CgChart *const *charts, int count, int columns, int width, int height,
                        const char *path, GError **error)
{
    g_assert(count > 0 && columns > 0 && width > 0 && height > 0);
    Format format;
    if (!choose_format(path, &format, error))
        return FALSE;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cairo_surface_t *surface = create_surface(format, width, height, bytes);
    cairo_t *cr = cairo_create(surface);
    draw_figure(cr, charts, count, columns, width, height);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    g_autoptr(CgImage) image =
        format == FORMAT_PNG && status == CAIRO_STATUS_SUCCESS ? surface_image(surface) : NULL;
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (cairo_failed(status, path, error))
        return FALSE;
    if (format == FORMAT_SVG)
        renumber_ids(bytes);
    return image ? cg_image_save_png(image, path, error)
                 : cg_file_write(path, bytes->data, bytes->len, error);
}
