/* All results of a manifest as a table, what was put aside first, with the reasons. */
#include "report/page-private.h"

#include "base/system.h"
#include "report/html.h"

#include <math.h>

#define MAX_LISTED 2000

/* Largest change outside the mask of each of COUNT rows; -1: not known. What was put
 * aside may be gone, what was kept may not. */
static int *measure_outside(const char *folder, const json_t *const *rows, guint count,
                            GError **error)
{
    g_autofree int *outside = g_new(int, count + 1);
    g_autofree GError **errors = g_new0(GError *, count + 1);
    gboolean ok = TRUE;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        g_auto(CgPageResult) r = {0};
        const gboolean dropped = cg_page_row_is_dropped(rows[i]);
        outside[i] = cg_page_result_load(folder, rows[i], &r, dropped ? NULL : &errors[i])
                         ? cg_page_result_outside(&r)
                         : -1;
    }
    for (guint i = 0; i < count; i++) {
        if (ok && errors[i]) {
            ok = FALSE;
            g_propagate_error(error, g_steal_pointer(&errors[i]));
        }
        g_clear_error(&errors[i]);
    }
    return ok ? g_steal_pointer(&outside) : NULL;
}

static void add_score(GString *out, double value, const char *format)
{
    char text[32];
    if (isfinite(value))
        cg_html_number_cell(out, "%s", g_ascii_formatd(text, sizeof text, format, value));
    else
        cg_html_number_cell(out, "-");
}

static void add_row(GString *out, const json_t *row, int outside)
{
    const json_t *scores = json_object_get(row, "scores");
    const char *reason = cg_json_text(row, "reason");
    g_string_append(out, "<tr><th scope=\"row\"><code>");
    cg_html_text(out, cg_json_text(row, "image"));
    g_string_append(out, "</code></th>");
    cg_html_cell(out, cg_page_row_how(row));
    add_score(out, cg_page_number(scores, "obedience"), "%.2f");
    add_score(out, cg_page_number(scores, "change"), "%.1f");
    add_score(out, outside >= 0 ? outside : NAN, "%.0f");
    if (!cg_page_row_is_dropped(row))
        cg_html_cell(out, "kept");
    else
        cg_html_cell(out, reason ? reason : "no reason given");
    g_string_append(out, "</tr>\n");
}

gboolean cg_page_add_result_list(GString *out, const char *folder, const GPtrArray *kept,
                                 const GPtrArray *dropped, GError **error)
{
    static const char *const head[] = {
        "Image", "Made by", "#Obedience", "#Change within", "#Largest outside", "Put aside", NULL};
    const guint total = kept->len + dropped->len, count = MIN(total, MAX_LISTED);
    g_autofree const json_t **rows = g_new(const json_t *, count + 1);
    for (guint i = 0; i < count; i++)
        rows[i] = i < dropped->len ? g_ptr_array_index(dropped, i)
                                   : g_ptr_array_index(kept, i - dropped->len);
    g_autofree int *outside = measure_outside(folder, rows, count, error);
    if (!outside)
        return FALSE;
    g_string_append_printf(out, "<details class=\"list\"><summary>Every image: ");
    if (dropped->len)
        g_string_append_printf(out, "scores, and why %u of %u were put aside</summary>\n",
                               dropped->len, total);
    else
        g_string_append(out, "scores; none was put aside</summary>\n");
    cg_html_begin_table(out, "Every image");
    cg_html_head(out, head);
    g_string_append(out, "<tbody>\n");
    for (guint i = 0; i < count; i++)
        add_row(out, rows[i], outside[i]);
    cg_html_end_table(out);
    if (count < total)
        g_string_append_printf(out, "<p>and %u more</p>\n", total - count);
    g_string_append(out,
                    "<p class=\"note\">Changes in levels of 255, from the normal image: within "
                    "the mask their root mean square, outside it the largest.</p></details>\n");
    return TRUE;
}
