/* The section of figures: pictures as they are, and planes of points that show their pictures. */
#include "report/page-private.h"

#include "base/error.h"
#include "base/json.h"
#include "image/image.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIGURE_SIDE 1600 /* pixels that a picture keeps */
#define MAX_POINTS  20000
#define MAX_GROUPS  16
#define TILE        56 /* pixels of a thumbnail */
#define TILE_MANY   36 /* and where there are more than .. */
#define MANY        1500
#define COLUMNS     32
#define WIDTH       680.0
#define HEIGHT      560.0
#define EDGE        14.0

typedef struct {
    guint group;
    double x, y;
    const char *image; /* NULL: none */
} Point;

static gboolean add_picture(CgPage *page, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_FIGURE];
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return FALSE;
    /* Line drawings shrink badly as JPEG, photographs grow as PNG; sheets are mostly photographs.
     */
    g_string_append(out, "<figure class=\"picture\">");
    if (!cg_html_image(out, image, FIGURE_SIDE, FALSE, "wide", name, error))
        return FALSE;
    g_string_append(out, "<figcaption><code>");
    cg_html_text(out, path);
    g_string_append(out, "</code></figcaption></figure>\n");
    return TRUE;
}

gboolean cg_page_add_figure(CgPage *page, const char *path, GError **error)
{
    const gboolean is_folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *file =
        is_folder ? g_build_filename(path, "figure4.json", NULL) : g_strdup(path);
    if (!g_str_has_suffix(file, ".json"))
        return add_picture(page, file, error);
    g_autoptr(json_t) json = cg_json_load(file, error);
    if (!json)
        return FALSE;
    return g_strcmp0(cg_json_text(json, "format"), "cagen quality") == 0
               ? cg_page_add_quality(page, json, file, error)
               : cg_page_add_plane(page, json, file, error);
}

/* ---- a plane */

static GArray *read_points(const json_t *json, const char *path, GError **error)
{
    const json_t *list = json_object_get(json, "points");
    const gsize groups = json_array_size(json_object_get(json, "groups"));
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(Point));
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);
        const json_int_t group = json_integer_value(json_array_get(p, 0));
        const Point point = {.group = (guint)group,
                             .x = json_number_value(json_array_get(p, 1)),
                             .y = json_number_value(json_array_get(p, 2)),
                             .image = json_string_value(json_array_get(p, 3))};
        if (group >= 0 && group < (json_int_t)groups && isfinite(point.x) && isfinite(point.y))
            g_array_append_val(points, point);
    }
    if (points->len > 1 && points->len <= MAX_POINTS && groups <= MAX_GROUPS)
        return g_steal_pointer(&points);
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: 2 to %d points in at most %d groups are wanted, as cagen figure 4 writes them",
                path, MAX_POINTS, MAX_GROUPS);
    return NULL;
}

/* From the points' plane to the drawing's, one scale for both axes. */
static void place(GArray *points)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (guint i = 0; i < points->len; i++) {
        const Point *p = &g_array_index(points, Point, i);
        low[0] = fmin(low[0], p->x);
        high[0] = fmax(high[0], p->x);
        low[1] = fmin(low[1], p->y);
        high[1] = fmax(high[1], p->y);
    }
    const double span = fmax(
        fmax((high[0] - low[0]) / (WIDTH - 2 * EDGE), (high[1] - low[1]) / (HEIGHT - 2 * EDGE)),
        1e-12);
    for (guint i = 0; i < points->len; i++) {
        Point *p = &g_array_index(points, Point, i);
        p->x = WIDTH / 2 + (p->x - (low[0] + high[0]) / 2) / span;
        p->y = HEIGHT / 2 - (p->y - (low[1] + high[1]) / 2) / span;
    }
}

/* The mark of GROUP around (X, Y): circle, square, triangle, diamond, cross in turn. */
static void add_mark(GString *out, guint group, double x, double y, double r)
{
    switch (group % 5) {
    case 0:
        g_string_append_printf(out, "M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z",
                               x - r, y, r, r, 2 * r, r, r, -2 * r);
        break;
    case 1:
        g_string_append_printf(out, "M%.1f %.1fh%.1fv%.1fh%.1fz", x - 0.9 * r, y - 0.9 * r, 1.8 * r,
                               1.8 * r, -1.8 * r);
        break;
    case 2:
        g_string_append_printf(out, "M%.1f %.1fl%.1f %.1fh%.1fz", x, y - 1.2 * r, 1.1 * r, 2 * r,
                               -2.2 * r);
        break;
    case 3:
        g_string_append_printf(out, "M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz", x, y - 1.3 * r,
                               1.3 * r, 1.3 * r, -1.3 * r, 1.3 * r, -1.3 * r, -1.3 * r);
        break;
    default:
        g_string_append_printf(out, "M%.1f %.1fl%.1f %.1fm%.1f 0l%.1f %.1f", x - r, y - r, 2 * r,
                               2 * r, -2 * r, 2 * r, -2 * r);
    }
}

static const char *group_name(const json_t *json, guint group)
{
    const char *name = cg_json_text(json_array_get(json_object_get(json, "groups"), group), "name");
    return name ? name : "";
}

/* Good pictures are grey, real ones dark, others in colours: "good", "real", "c0", "c1", ... */
static void add_group_class(GString *out, const json_t *json, guint group)
{
    const json_t *groups = json_object_get(json, "groups");
    guint colour = 0;
    const char *role = cg_json_text(json_array_get(groups, group), "role");
    for (guint i = 0; i < group; i++)
        colour += g_strcmp0(cg_json_text(json_array_get(groups, i), "role"), "synthetic") == 0;
    if (g_strcmp0(role, "good") == 0 || g_strcmp0(role, "real") == 0)
        g_string_append(out, role);
    else
        g_string_append_printf(out, "c%u", colour % 8);
}

static void add_drawing(GString *out, const json_t *json, const GArray *points)
{
    const gsize groups = json_array_size(json_object_get(json, "groups"));
    const double r = points->len > MANY ? 2.2 : 3.6;
    g_string_append_printf(out,
                           "<svg viewBox=\"0 0 %.0f %.0f\" tabindex=\"0\" role=\"application\" "
                           "aria-label=\"Pictures as points; arrow keys go from one to the next\">",
                           WIDTH, HEIGHT);
    for (guint g = 0; g < groups; g++) {
        g_string_append(out, "<g class=\"points ");
        add_group_class(out, json, g);
        g_string_append(out, g % 5 == 4 ? " cross\">" : "\">");
        for (guint i = 0; i < points->len; i++) {
            const Point *p = &g_array_index(points, Point, i);
            if (p->group != g)
                continue;
            g_string_append_printf(out, "<path data-i=\"%u\" d=\"", i);
            add_mark(out, g, p->x, p->y, r);
            g_string_append(out, "\"/>");
        }
        g_string_append(out, "</g>\n");
    }
    g_string_append(out, "</svg>");
}

static void add_legend(GString *out, const json_t *json)
{
    const gsize groups = json_array_size(json_object_get(json, "groups"));
    g_string_append(out, "<div class=\"legend\" role=\"group\" aria-label=\"Groups shown\">");
    for (guint g = 0; g < groups; g++) {
        g_string_append(out,
                        "<button type=\"button\" aria-pressed=\"true\"><svg viewBox=\"0 0 16 "
                        "16\" width=\"16\" height=\"16\" aria-hidden=\"true\"><g class=\"points ");
        add_group_class(out, json, g);
        g_string_append(out, g % 5 == 4 ? " cross\"><path d=\"" : "\"><path d=\"");
        add_mark(out, g, 8, 8, 4.5);
        g_string_append(out, "\"/></g></svg>");
        cg_html_text(out, group_name(json, g));
        g_string_append(out, "</button>");
    }
    g_string_append(out, "</div>");
}

/* ---- thumbnails: one picture of tiles */

static void paste(CgImage *atlas, const CgImage *thumbnail, int x, int y)
{
    for (int v = 0; v < thumbnail->height; v++)
        memcpy(atlas->pixels + 3 * ((size_t)(y + v) * (size_t)atlas->width + (size_t)x),
               thumbnail->pixels + 3 * (size_t)v * (size_t)thumbnail->width,
               3 * (size_t)thumbnail->width);
}

/* What PATH shows, in a tile; pictures that are gone leave theirs empty. */
static void draw_tile(CgImage *atlas, const char *path, guint i, int tile)
{
    g_autoptr(CgImage) image = path ? cg_image_load(path, NULL, NULL) : NULL;
    if (!image)
        return;
    const int longest = MAX(image->width, image->height);
    g_autoptr(CgImage) small =
        cg_image_resize(image, MAX((int)((gint64)image->width * tile / longest), 1),
                        MAX((int)((gint64)image->height * tile / longest), 1));
    g_autoptr(CgImage) rgb = cg_image_to_rgb(small);
    paste(atlas, rgb, (int)(i % COLUMNS) * tile + (tile - rgb->width) / 2,
          (int)(i / COLUMNS) * tile + (tile - rgb->height) / 2);
}

static gboolean add_thumbnails(GString *out, const GArray *points, GError **error)
{
    const int tile = points->len > MANY ? TILE_MANY : TILE;
    gboolean any = FALSE;
    for (guint i = 0; i < points->len; i++)
        any = any || g_array_index(points, Point, i).image;
    if (!any)
        return TRUE;
    const int rows = (int)(points->len + COLUMNS - 1) / COLUMNS;
    g_autoptr(CgImage) atlas = cg_image_new(COLUMNS * tile, rows * tile, 3);
#pragma omp parallel for schedule(dynamic)
    for (guint i = 0; i < points->len; i++)
        draw_tile(atlas, g_array_index(points, Point, i).image, i, tile);
    g_string_append_printf(out,
                           "<img class=\"atlas\" hidden data-tile=\"%d\" data-columns=\"%d\" "
                           "width=\"%d\" height=\"%d\" alt=\"\" src=\"",
                           tile, COLUMNS, atlas->width, atlas->height);
    if (!cg_html_data(out, atlas, MAX(atlas->width, atlas->height), FALSE, error))
        return FALSE;
    g_string_append(out, "\">");
    return TRUE;
}

/* Names of the points, for the script: no "<" may end it early. */
static void add_names(GString *out, const json_t *json, const GArray *points)
{
    g_autoptr(json_t) names = json_array();
    for (guint i = 0; i < points->len; i++) {
        const Point *p = &g_array_index(points, Point, i);
        g_autofree char *text =
            p->image ? g_strdup_printf("%s: %s", group_name(json, p->group), p->image)
                     : g_strdup(group_name(json, p->group));
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        json_array_append_new(names, json_string(valid));
    }
    char *dumped = json_dumps(names, JSON_COMPACT | JSON_ENSURE_ASCII);
    g_string_append(out, "<script type=\"application/json\">");
    for (const char *p = dumped; *p; p++)
        if (*p == '<')
            g_string_append(out, "\\u003c");
        else
            g_string_append_c(out, *p);
    g_string_append(out, "</script>");
    free(dumped);
}

/* ---- its numbers */

void cg_page_estimate_cell(GString *out, const json_t *value)
{
    if (json_is_number(value)) {
        cg_html_number_cell(out, "%.3f", json_number_value(value));
        return;
    }
    const double v = cg_page_number(value, "value");
    const double low = cg_page_number(value, "low"), high = cg_page_number(value, "high");
    if (!isfinite(v))
        cg_html_number_cell(out, "-");
    else if (isfinite(low) && isfinite(high))
        g_string_append_printf(
            out, "<td class=\"n\">%.3f <span class=\"interval\">%.3f to %.3f</span></td>", v, low,
            high);
    else
        cg_html_number_cell(out, "%.3f", v);
}

static void add_numbers(GString *out, const json_t *json)
{
    static const char *const head[] = {"Group",       "#Pictures",        "#Fréchet",  "#Kernel",
                                       "#Told apart", "#Real neighbours", "#Centroid", NULL};
    static const char *const keys[] = {"frechet", "kernel", "two_sample_accuracy",
                                       "share_of_real_neighbours", "centroid_ratio"};
    const json_t *groups = json_object_get(json, "groups");
    cg_html_begin_table(out, "Distances from the real defects");
    cg_html_head(out, head);
    g_string_append(out, "<tbody>\n");
    for (gsize i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        g_string_append(out, "<tr><th scope=\"row\">");
        cg_html_text(out, cg_json_text(group, "name"));
        g_string_append(out, "</th>");
        cg_html_number_cell(out, "%" JSON_INTEGER_FORMAT,
                            json_integer_value(json_object_get(group, "count")));
        for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
            cg_page_estimate_cell(out, json_object_get(group, keys[k]));
        g_string_append(out, "</tr>\n");
    }
    cg_html_end_table(out);
    g_string_append(out,
                    "<p class=\"note\">Distances are from the real "
                    "defects, with intervals of 95 %; Fréchet distances grow as groups "
                    "shrink. Told apart: accuracy of the nearest neighbour, 0.5 is not at all. "
                    "Real neighbours: share of real defects among the nearest real pictures. "
                    "Centroid: distance of means, the good pictures' "
                    "being 1. Features: ");
    cg_html_text(out, cg_json_text(json, "features"));
    g_string_append_printf(out, ". Divergence of the plane %.3f, its trustworthiness %.3f.</p>\n",
                           cg_page_number(json, "divergence"),
                           cg_page_number(json, "trustworthiness"));
}

gboolean cg_page_add_plane(CgPage *page, const json_t *json, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_FIGURE];
    g_autoptr(GArray) points = read_points(json, path, error);
    if (!points)
        return FALSE;
    place(points);
    cg_page_heading(out, "Pictures as points (t-SNE)", path);
    g_string_append(out,
                    "<figure class=\"plane\"><figcaption>Near points are similar pictures; "
                    "axes, and distances between far groups, mean nothing. Point at one to see "
                    "it.</figcaption>");
    add_legend(out, json);
    add_drawing(out, json, points);
    g_string_append(out, "<div class=\"tip\" aria-live=\"polite\" hidden></div>");
    add_names(out, json, points);
    if (!add_thumbnails(out, points, error))
        return FALSE;
    g_string_append(out, "</figure>\n");
    add_numbers(out, json);
    return TRUE;
}
