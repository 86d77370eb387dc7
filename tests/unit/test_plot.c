/* Charts: round numbers on the axes, the same drawing in three formats, and nothing that data can
 * do to them. CAGEN_KEEP_PLOTS=FOLDER keeps the pictures, to look at. */
#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "image/image.h"
#include "image/plot-private.h"
#include "image/plot.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

/* "0 50 100": the labels of an axis from LOW to HIGH. */
static char *labels(gboolean is_log, double low, double high, int most)
{
    const CgAxis axis = {is_log, low, high, 0, 1};
    g_autoptr(GArray) ticks = cg_axis_ticks(&axis, most);
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < ticks->len; i++) {
        const CgTick *t = &g_array_index(ticks, CgTick, i);
        g_assert_true(t->value >= low - 1e-6 * (high - low) && t->value <= high * (1 + 1e-6));
        if (*t->label)
            g_string_append_printf(s, "%s%s", s->len ? " " : "", t->label);
    }
    return g_string_free(s, FALSE);
}

static void ticks_are_round_numbers(void)
{
    static const struct {
        gboolean is_log;
        double low, high;
        int most;
        const char *want;
    } cases[] = {
        {FALSE, 0, 100, 5, "0 20 40 60 80 100"},
        {FALSE, -3, 97, 6, "0 20 40 60 80"},
        {FALSE, -0.52, 0.55, 5, "-0.4 -0.2 0 0.2 0.4"},
        {FALSE, 0.0101, 0.0199, 5, "0.012 0.014 0.016 0.018"},
        {FALSE, 0, 120000, 4, "0 50k 100k"},
        {FALSE, 0, 2.2e6, 5, "0 500k 1000k 1500k 2000k"},
        {FALSE, 0, 4.1e7, 5, "0 10M 20M 30M 40M"},
        {FALSE, 0, 3e-6, 3, "0 1e-6 2e-6 3e-6"},
        {TRUE, 0.9e-4, 1.1, 6, "0.0001 0.001 0.01 0.1 1"},
        {TRUE, 1e-7, 1e-5, 6, "1e-7 2e-7 5e-7 1e-6 2e-6 5e-6 1e-5"},
        {TRUE, 0.04, 0.3, 6, "0.05 0.1 0.2"},
        {TRUE, 1e-30, 1e30, 6, "1e-30 1e-20 1e-10 1 1e10 1e20 1e30"},
        {TRUE, 0.31, 0.39, 5, "0.32 0.34 0.36 0.38"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = labels(cases[i].is_log, cases[i].low, cases[i].high, cases[i].most);
        g_assert_cmpstr(got, ==, cases[i].want);
    }
}

static void ends_leave_room_around_the_data(void)
{
    CgAxis axis = {0};
    cg_axis_fit(&axis, 0, 10, NAN, NAN);
    g_assert_true(axis.low < 0 && axis.low > -1 && axis.high > 10 && axis.high < 11);
    cg_axis_fit(&axis, 0, 10, 0, 1);
    g_assert_true(axis.low == 0 && axis.high == 1);
    static const struct {
        gboolean is_log;
        double low, high, fixed_low, fixed_high;
    } odd[] = {
        {FALSE, 5, 5, NAN, NAN},
        {FALSE, 0, 0, NAN, NAN},
        {FALSE, INFINITY, -INFINITY, NAN, NAN},
        {TRUE, INFINITY, -INFINITY, NAN, NAN},
        {TRUE, 3, 3, NAN, NAN},
        {FALSE, -1e140, 1e140, NAN, NAN},
        {TRUE, 1e-140, 1e140, NAN, NAN},
        {FALSE, 0, 1, 5, NAN},
        {FALSE, 0, 1, NAN, -5},
        {FALSE, 1e9, 1e9 + 1e-9, NAN, NAN},
        {TRUE, 1, 2, 0, -3}, /* not on a logarithmic axis: from the data */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(odd); i++) {
        axis = (CgAxis){.log = odd[i].is_log};
        cg_axis_fit(&axis, odd[i].low, odd[i].high, odd[i].fixed_low, odd[i].fixed_high);
        g_assert_true(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high);
        g_autoptr(GArray) ticks = cg_axis_ticks(&axis, 6);
        g_assert_cmpuint(ticks->len, >, 0);
        g_assert_cmpuint(ticks->len, <, 101);
    }
}

/* Loss of a training, as it may look. */
static CgChart *loss_chart(void)
{
    enum { N = 400 };
    double x[N], y[N], low[N], high[N], other[N];
    CgRng rng = cg_rng(3, 1);
    for (int i = 0; i < N; i++) {
        x[i] = 25 * i;
        y[i] = 0.02 + 0.3 * exp(-i / 40.0) + 0.002 * cg_rng_normal(&rng);
        low[i] = 0.6 * y[i];
        high[i] = 1.7 * y[i];
        other[i] = i < 100 || i > 130 ? 1.4 * y[i] + 0.01 : NAN;
    }
    CgChart *chart = cg_chart_new("ControlNet, 12 defects of 3 images", "update", "loss");
    cg_chart_set_log(chart, FALSE, TRUE);
    cg_chart_add(
        chart,
        &(CgSeries){.name = "smoothed", .x = x, .y = y, .low = low, .high = high, .count = N});
    cg_chart_add(chart,
                 &(CgSeries){.name = "held out", .x = x, .y = other, .count = N, .dashed = TRUE});
    return chart;
}

static CgChart *ratio_chart(void)
{
    static const double x[] = {0, 0.25, 0.5, 1, 2}, y[] = {0.81, 0.88, 0.93, 0.95, 0.94};
    static const double low[] = {0.77, 0.85, 0.91, 0.93, 0.92};
    static const double high[] = {0.85, 0.91, 0.95, 0.97, 0.96};
    static const double cut[] = {0.81, 0.83, 0.85, 0.84, 0.83};
    CgChart *chart = cg_chart_new("Synthetic to real", "ratio", "AUROC");
    cg_chart_add(chart, &(CgSeries){.kind = CG_SERIES_MARKED,
                                    .name = "CAGen",
                                    .x = x,
                                    .y = y,
                                    .low = low,
                                    .high = high,
                                    .count = 5});
    cg_chart_add(chart, &(CgSeries){.kind = CG_SERIES_MARKED,
                                    .name = "CutPaste",
                                    .x = x,
                                    .y = cut,
                                    .count = 5,
                                    .marker = CG_MARKER_SQUARE});
    return chart;
}

static CgChart *map_chart(void)
{
    enum { N = 150 };
    static const char *const names[] = {"normal", "real defects", "CutPaste", "DRAEM", "CAGen"};
    CgChart *chart = cg_chart_new("t-SNE of ResNet-18 features", NULL, NULL);
    cg_chart_set_map(chart);
    for (guint k = 0; k < 5; k++) {
        double x[N], y[N];
        CgRng rng = cg_rng(5, k);
        for (int i = 0; i < N; i++) {
            x[i] = 3 * cos(k * 1.3) + cg_rng_normal(&rng);
            y[i] = 3 * sin(k * 1.3) + cg_rng_normal(&rng);
        }
        cg_chart_add(chart, &(CgSeries){.kind = CG_SERIES_POINTS,
                                        .name = names[k],
                                        .x = x,
                                        .y = y,
                                        .count = N,
                                        .marker = (CgMarker)k,
                                        .opacity = 0.8});
    }
    return chart;
}

static CgChart *bar_chart(void)
{
    static const char *const names[] = {"bottle", "hazelnut", "metal nut",
                                        "a rather long category"};
    static const double x[] = {0, 1, 2, 3}, a[] = {0.9, 0.8, 0.7, 0.95},
                        b[] = {0.5, 0.6, 0.75, 0.9};
    static const double low[] = {0.88, 0.75, 0.6, 0.94}, high[] = {0.92, 0.85, 0.8, 0.96};
    CgChart *chart = cg_chart_new("AUROC by category", NULL, "AUROC");
    cg_chart_set_categories(chart, names, 4);
    cg_chart_set_y_range(chart, 0, 1);
    cg_chart_add(chart, &(CgSeries){.kind = CG_SERIES_BARS,
                                    .name = "with",
                                    .x = x,
                                    .y = a,
                                    .low = low,
                                    .high = high,
                                    .count = 4});
    cg_chart_add(
        chart, &(CgSeries){.kind = CG_SERIES_BARS, .name = "without", .x = x, .y = b, .count = 4});
    return chart;
}

static void free_charts(CgChart **charts)
{
    for (int i = 0; charts[i]; i++)
        cg_chart_free(charts[i]);
}

/* The bytes of a figure of all kinds of chart in the format that NAME ends in. */
static char *figure(const CgTestFolder *dir, const char *name, size_t *size)
{
    CgChart *charts[] = {loss_chart(), ratio_chart(), map_chart(), bar_chart(), NULL};
    g_autoptr(GError) error = NULL;
    const char *keep = g_getenv("CAGEN_KEEP_PLOTS");
    g_autofree char *path =
        keep ? g_build_filename(keep, name, NULL) : cg_test_folder_path(dir, name);
    cg_figure_save(charts, 4, 2, 900, 640, path, &error);
    g_assert_no_error(error);
    free_charts(charts);
    char *bytes = cg_file_read(path, 1 << 26, size, &error);
    g_assert_no_error(error);
    return bytes;
}

static void same_figure_gives_same_bytes(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const char *const names[] = {"a.png", "a.svg", "a.pdf"};
    static const char *const magic[] = {"\x89PNG", "<?xml", "%PDF"};
    for (int i = 0; i < 3; i++) {
        size_t size, size_again;
        g_autofree char *once = figure(dir, names[i], &size);
        g_autofree char *again = figure(dir, names[i], &size_again);
        g_assert_true(g_str_has_prefix(once, magic[i]));
        g_assert_cmpmem(once, size, again, size_again);
    }
}

/* Pixels of IMAGE with the colour RGB, nearly, in the part of it from X0, Y0 to X1, Y1 (shares). */
static int count_colour(const CgImage *image, guint32 rgb, double x0, double y0, double x1,
                        double y1)
{
    int count = 0;
    for (int y = (int)(y0 * image->height); y < (int)(y1 * image->height); y++)
        for (int x = (int)(x0 * image->width); x < (int)(x1 * image->width); x++) {
            const guint8 *p = image->pixels + 3 * (y * image->width + x);
            count += abs(p[0] - (int)(rgb >> 16 & 255)) + abs(p[1] - (int)(rgb >> 8 & 255)) +
                         abs(p[2] - (int)(rgb & 255)) <
                     12;
        }
    return count;
}

static CgImage *drawn(CgChart *chart)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(dir, "x.png");
    cg_figure_save(&chart, 1, 1, 300, 200, path, &error);
    g_assert_no_error(error);
    CgImage *image = cg_image_load(path, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(image->width == 600 && image->height == 400);
    return image;
}

static void lines_run_where_the_numbers_say(void)
{
    static const double x[] = {0, 1}, rising[] = {0, 1};
    g_autoptr(CgChart) chart = cg_chart_new(NULL, NULL, NULL);
    cg_chart_add(chart, &(CgSeries){.x = x, .y = rising, .count = 2, .colour = CG_RGB(255, 0, 0)});
    g_autoptr(CgImage) image = drawn(chart);
    const guint32 red = CG_RGB(255, 0, 0);
    g_assert_cmpint(count_colour(image, red, 0, 0.5, 0.4, 1), >, 50);
    g_assert_cmpint(count_colour(image, red, 0.6, 0, 1, 0.5), >, 50);
    g_assert_cmpint(count_colour(image, red, 0, 0, 0.4, 0.4), ==, 0);
    g_assert_cmpint(count_colour(image, red, 0.65, 0.6, 1, 1), ==, 0);
}

static void gaps_stay_open(void)
{
    static const double x[] = {0, 1, 2, 3, 4}, y[] = {1, 1, NAN, 1, 1};
    static const double all[] = {1, 1, 1, 1, 1};
    const guint32 red = CG_RGB(255, 0, 0);
    int pixels[2];
    for (int i = 0; i < 2; i++) {
        g_autoptr(CgChart) chart = cg_chart_new(NULL, NULL, NULL);
        cg_chart_add(chart, &(CgSeries){.x = x, .y = i ? all : y, .count = 5, .colour = red});
        g_autoptr(CgImage) image = drawn(chart);
        pixels[i] = count_colour(image, red, 0, 0, 1, 1);
    }
    g_assert_cmpint(pixels[0], >, pixels[1] / 3);
    g_assert_cmpint(pixels[0], <, pixels[1] * 2 / 3);
}

static void no_data_can_break_a_chart(void)
{
    static const double wild[] = {NAN,    INFINITY, -INFINITY, 1e308, -1e308,
                                  1e-308, 0,        -0.0,      1e200, 5};
    g_autofree char *endless = g_strnfill(500, 'W');
    const char *const strange[] = {"\xff\xfe", "", endless};
    for (int kind = CG_SERIES_LINE; kind <= CG_SERIES_BARS; kind++)
        for (int logs = 0; logs < 4; logs++) {
            g_autoptr(CgChart) chart = cg_chart_new(strange[0], strange[1], strange[2]);
            cg_chart_set_log(chart, logs & 1, logs & 2);
            for (int k = 0; k < 3; k++)
                cg_chart_add(chart, &(CgSeries){.kind = (CgSeriesKind)kind,
                                                .name = strange[k],
                                                .x = wild,
                                                .y = wild + k,
                                                .low = wild + 2 - k,
                                                .high = wild + k,
                                                .count = 10 - 2});
            cg_chart_add(chart, &(CgSeries){.kind = (CgSeriesKind)kind, .name = "none"});
            g_autoptr(CgImage) image = drawn(chart);
            g_assert_cmpint(count_colour(image, CG_RGB(255, 255, 255), 0, 0, 1, 1), >, 1000);
        }
}

static void other_endings_are_refused(void)
{
    g_autoptr(CgChart) chart = cg_chart_new(NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(cg_figure_save(&chart, 1, 1, 100, 100, "curve.gif", &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_false(cg_figure_save(&chart, 1, 1, 100, 100, "no/such/folder/c.svg", &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/plot/" #name, name)
    TEST(ticks_are_round_numbers);
    TEST(ends_leave_room_around_the_data);
    TEST(same_figure_gives_same_bytes);
    TEST(lines_run_where_the_numbers_say);
    TEST(gaps_stay_open);
    TEST(no_data_can_break_a_chart);
    TEST(other_endings_are_refused);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
