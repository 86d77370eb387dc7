/* The table of cagen quality. */
#include "report/page-private.h"

#include "base/error.h"
#include "report/html.h"

#include <string.h>

#define MAX_ROWS 500

static const struct {
    const char *key, *title;
} measures[] = {
    {"frechet", "#Fréchet"},
    {"kernel", "#Kernel"},
    {"inception_score", "#Inception score"},
    {"ic_lpips", "#IC-LPIPS"},
};

static gboolean any_has(const json_t *rows, const char *key)
{
    for (gsize i = 0; i < json_array_size(rows); i++)
        if (json_object_get(json_array_get(rows, i), key))
            return TRUE;
    return FALSE;
}

static void add_rows(GString *out, const json_t *rows, const gboolean *shown)
{
    for (gsize i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        g_string_append(out, "<tr><th scope=\"row\">");
        cg_html_text(out, cg_json_text(row, "group"));
        g_string_append(out, "</th>");
        cg_html_cell(out, cg_json_text(row, "view"));
        cg_html_number_cell(out, "%" JSON_INTEGER_FORMAT,
                            json_integer_value(json_object_get(row, "count")));
        for (gsize m = 0; m < G_N_ELEMENTS(measures); m++)
            if (shown[m])
                cg_page_estimate_cell(out, json_object_get(row, measures[m].key));
        g_string_append(out, "</tr>\n");
    }
}

static void add_table(GString *out, const json_t *rows)
{
    const char *head[3 + G_N_ELEMENTS(measures) + 1] = {"Group", "View", "#Pictures"};
    gboolean shown[G_N_ELEMENTS(measures)];
    guint count = 3;
    for (gsize m = 0; m < G_N_ELEMENTS(measures); m++) {
        shown[m] = any_has(rows, measures[m].key);
        if (shown[m])
            head[count++] = measures[m].title;
    }
    cg_html_begin_table(out, "Quality of synthetic pictures");
    cg_html_head(out, head);
    g_string_append(out, "<tbody>\n");
    add_rows(out, rows, shown);
    cg_html_end_table(out);
}

static void add_notes(GString *out, const json_t *json)
{
    const json_t *lpips = json_object_get(json, "lpips"),
                 *classes = json_object_get(json, "classes");
    g_string_append(out, "<p class=\"note\">Fréchet and kernel distance are from the real defects: "
                         "smaller is nearer. Intervals are of 95 %. Fréchet distances grow as "
                         "groups shrink: compare groups of one size. Window: the square around "
                         "the mask; masked: of it, what is in the mask. Features: ");
    cg_html_text(out, cg_json_text(json, "features"));
    g_string_append(out, ".");
    if (json_is_integer(classes))
        g_string_append_printf(out,
                               " Inception score: by %" JSON_INTEGER_FORMAT
                               " classes of this network, not comparable with published ones, "
                               "which are of Inception-v3.",
                               json_integer_value(classes));
    if (lpips) {
        g_string_append(out, " IC-LPIPS: ");
        cg_html_text(out, cg_json_text(lpips, "network"));
        g_string_append_printf(out,
                               " at %" JSON_INTEGER_FORMAT
                               " pixels, around %zu pictures; larger is more diverse.",
                               json_integer_value(json_object_get(lpips, "side")),
                               json_array_size(json_object_get(json, "shots")));
    }
    g_string_append(out, "</p>\n");
}

gboolean cg_page_add_quality(CgPage *page, const json_t *json, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_FIGURE];
    const json_t *rows = json_object_get(json, "rows");
    if (json_array_size(rows) < 1 || json_array_size(rows) > MAX_ROWS) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: 1 to %d rows are wanted, as cagen quality writes them", path, MAX_ROWS);
        return FALSE;
    }
    cg_page_heading(out, "Quality of synthetic pictures", path);
    add_table(out, rows);
    add_notes(out, json);
    return TRUE;
}
