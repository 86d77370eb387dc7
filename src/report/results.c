/* The section on generated and synthesised defects, from a folder's manifest. */
#include "report/page-private.h"

#include "base/error.h"
#include "metrics/mean.h"
#include "pipeline/manifest.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES 6 /* of a setting, listed */

/* Red where MASK is set: laid over a picture by the style. */
static CgImage *tint(const CgImage *mask)
{
    CgImage *out = cg_image_new(mask->width, mask->height, 3);
    for (size_t i = 0; i < (size_t)mask->width * (size_t)mask->height; i++)
        out->pixels[3 * i] = mask->pixels[i];
    return out;
}

/* ---- a card */

static void add_scores(GString *out, const json_t *row)
{
    const json_t *scores = json_object_get(row, "scores");
    const double change = cg_page_number(scores, "change");
    const double obedience = cg_page_number(scores, "obedience");
    if (isfinite(obedience))
        g_string_append_printf(out, "<li>obedience <b>%.2f</b></li>", obedience);
    if (isfinite(change))
        g_string_append_printf(out, "<li>change within <b>%.1f</b></li>", change);
}

static void add_caption(GString *out, const json_t *row, const CgPageResult *r)
{
    const int outside = cg_page_result_outside(r);
    g_string_append(out, "<figcaption><strong>");
    cg_html_text(out, cg_page_row_how(row));
    g_string_append(out, "</strong><code>");
    cg_html_text(out, cg_json_text(row, "image"));
    g_string_append(out, "</code><ul class=\"scores\">");
    add_scores(out, row);
    if (outside > 0)
        g_string_append_printf(out, "<li>outside the mask at most <b>%d</b> of 255</li>", outside);
    else
        g_string_append(out, outside == 0 ? "<li>outside the mask <b>unchanged</b></li>"
                                          : "<li>the normal image is not there</li>");
    g_string_append(out, "</ul></figcaption>");
}

static gboolean add_pictures(GString *out, const CgPage *page, const json_t *row,
                             const CgPageResult *r, GError **error)
{
    const char *name = cg_json_text(row, "image");
    g_autoptr(CgImage) red = tint(r->mask);
    g_autofree char *made_alt = g_strdup_printf("result: %s, %s", cg_page_row_how(row), name);
    g_string_append(out, r->normal ? "<div class=\"compare\">" : "<div class=\"compare alone\">");
    if (r->normal &&
        !cg_html_image(out, r->normal, page->side, FALSE, "before", "normal image", error))
        return FALSE;
    if (!cg_html_image(out, r->made, page->side, FALSE, "after", made_alt, error) ||
        !cg_html_image(out, red, page->side, TRUE, "tint", "mask", error))
        return FALSE;
    if (r->normal) {
        g_string_append(out,
                        "<span class=\"line\" aria-hidden=\"true\"></span><input type=\"range\" "
                        "min=\"0\" max=\"100\" value=\"50\" aria-label=\"normal image left, "
                        "result right: ");
        cg_html_text(out, name);
        g_string_append(out, "\">");
    }
    g_string_append(out, "</div>");
    return TRUE;
}

static gboolean add_card(GString *out, const CgPage *page, const char *folder, const json_t *row,
                         GError **error)
{
    g_auto(CgPageResult) r = {0};
    if (!cg_page_result_load(folder, row, &r, error))
        return FALSE;
    g_string_append(out, "<figure class=\"result\">");
    if (!add_pictures(out, page, row, &r, error))
        return FALSE;
    add_caption(out, row, &r);
    g_string_append(out, "</figure>\n");
    return TRUE;
}

static gboolean add_cards(GString *out, CgPage *page, const char *folder, const GPtrArray *rows,
                          GError **error)
{
    const guint shown = MIN(page->samples, rows->len);
    if (shown < rows->len)
        g_string_append_printf(out, "<p>%u of them, taken evenly.</p>\n", shown);
    g_string_append_printf(out,
                           "<input type=\"checkbox\" class=\"masks\" id=\"masks-%u\"><label "
                           "for=\"masks-%u\">Show masks in red</label>\n<div class=\"results\">\n",
                           page->planes, page->planes);
    page->planes++;
    for (guint i = 0; i < shown; i++)
        if (!add_card(out, page, folder, g_ptr_array_index(rows, (guint64)i * rows->len / shown),
                      error))
            return FALSE;
    g_string_append(out, "</div>\n");
    return TRUE;
}

/* ---- counts and scores */

typedef struct {
    char *name;
    guint kept, dropped;
    GArray *obedience, *change; /* double */
} Kind;

static void kind_free(gpointer data)
{
    Kind *k = data;
    g_free(k->name);
    g_array_unref(k->obedience);
    g_array_unref(k->change);
    g_free(k);
}

static Kind *find_kind(GPtrArray *kinds, const json_t *row)
{
    const char *category = cg_json_text(row, "category"), *defect = cg_json_text(row, "defect");
    g_autofree char *name =
        g_strdup_printf("%s, %s", category ? category : "-", defect ? defect : "-");
    for (guint i = 0; i < kinds->len; i++) {
        Kind *k = g_ptr_array_index(kinds, i);
        if (g_str_equal(k->name, name))
            return k;
    }
    Kind *k = g_new0(Kind, 1);
    k->name = g_steal_pointer(&name);
    k->obedience = g_array_new(FALSE, FALSE, sizeof(double));
    k->change = g_array_new(FALSE, FALSE, sizeof(double));
    g_ptr_array_add(kinds, k);
    return k;
}

static void add_mean(GString *out, const GArray *values, const char *format)
{
    if (values->len == 0) {
        cg_html_number_cell(out, "-");
        return;
    }
    const CgMeanInterval m =
        cg_mean_interval((const double *)(const void *)values->data, values->len, 0);
    char mean[32], low[32], high[32];
    g_ascii_formatd(mean, sizeof mean, format, m.mean);
    g_ascii_formatd(low, sizeof low, format, m.low);
    g_ascii_formatd(high, sizeof high, format, m.high);
    cg_html_number_cell(out, "%s (%s to %s)", mean, low, high);
}

static gboolean any_obedience(const GPtrArray *kinds)
{
    for (guint i = 0; i < kinds->len; i++)
        if (((const Kind *)g_ptr_array_index(kinds, i))->obedience->len)
            return TRUE;
    return FALSE;
}

static void add_kinds(GString *out, const GPtrArray *kinds)
{
    const gboolean obedience = any_obedience(kinds);
    const char *const head[] = {"Category, defect",
                                "#Kept",
                                "#Put aside",
                                "#Change within the mask",
                                obedience ? "#Obedience" : NULL,
                                NULL};
    cg_html_begin_table(out, "Results of each kind");
    cg_html_head(out, head);
    g_string_append(out, "<tbody>\n");
    for (guint i = 0; i < kinds->len; i++) {
        const Kind *k = g_ptr_array_index(kinds, i);
        g_string_append(out, "<tr><th scope=\"row\">");
        cg_html_text(out, k->name);
        g_string_append(out, "</th>");
        cg_html_number_cell(out, "%u", k->kept);
        cg_html_number_cell(out, "%u", k->dropped);
        add_mean(out, k->change, "%.1f");
        if (obedience)
            add_mean(out, k->obedience, "%.2f");
        g_string_append(out, "</tr>\n");
    }
    cg_html_end_table(out);
}

/* ---- provenance */

/* A value of the manifest for people. Free with g_free. */
static char *value_text(const json_t *value)
{
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    char *text = g_strdup(dumped);
    free(dumped);
    return text;
}

/* Which values KEY has among ROWS (in their "job" with IN_JOB), and how often. */
static void add_values(GString *out, const GPtrArray *rows, const char *key, gboolean in_job)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    guint counts[MAX_VALUES] = {0}, others = 0;
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        const json_t *value = json_object_get(in_job ? json_object_get(row, "job") : row, key);
        if (!value || json_is_null(value))
            continue;
        g_autofree char *text = value_text(value);
        guint k;
        if (g_ptr_array_find_with_equal_func(values, text, g_str_equal, &k)) {
            counts[k]++;
        } else if (values->len < MAX_VALUES) {
            counts[values->len] = 1;
            g_ptr_array_add(values, g_steal_pointer(&text));
        } else {
            others++;
        }
    }
    if (values->len == 0)
        return;
    g_string_append_printf(out, "<div><dt>%s</dt><dd>", key);
    for (guint k = 0; k < values->len; k++) {
        g_string_append(out, k ? "; " : "");
        cg_html_text(out, g_ptr_array_index(values, k));
        if (values->len > 1)
            g_string_append_printf(out, " (%u)", counts[k]);
    }
    if (others)
        g_string_append_printf(out, "; others (%u)", others);
    g_string_append(out, "</dd></div>\n");
}

static void add_provenance(CgPage *page, const char *path, const GPtrArray *rows)
{
    static const struct {
        const char *key;
        gboolean in_job;
    } keys[] = {
        {"version", FALSE},
        {"method", FALSE},
        {"model", FALSE},
        {"model_fingerprint", FALSE},
        {"controlnet", FALSE},
        {"controlnet_fingerprint", FALSE},
        {"vae_fingerprint", FALSE},
        {"text_encoder_fingerprint", FALSE},
        {"sampler", TRUE},
        {"steps", TRUE},
        {"guidance", TRUE},
        {"control_scale", TRUE},
        {"fuse", TRUE},
        {"paste", TRUE},
        {"tighten", TRUE},
        {"seed", TRUE},
        {"seed", FALSE},
        {"dtype", FALSE},
        {"engine", FALSE},
    };
    GString *out = page->provenance;
    cg_page_heading(out, "Manifest of", path);
    g_string_append_printf(out,
                           "<p>%u %s. Each says what its image was made from, by which model "
                           "and settings; the same command makes it again.</p>\n<dl "
                           "class=\"values\">\n",
                           rows->len, rows->len == 1 ? "row" : "rows");
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        add_values(out, rows, keys[i].key, keys[i].in_job);
    g_string_append(out, "</dl>\n");
    cg_page_add_licences(page, path);
}

/* By defect, so that what is taken evenly is of all of them. */
static int compare_rows(gconstpointer a, gconstpointer b)
{
    return strcmp(cg_json_text(*(json_t *const *)a, "image"),
                  cg_json_text(*(json_t *const *)b, "image"));
}

gboolean cg_page_add_generated(CgPage *page, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_GENERATED];
    g_autoptr(GPtrArray) rows = cg_manifest_read(path, error);
    if (!rows)
        return FALSE;
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    g_autoptr(GPtrArray) dropped = g_ptr_array_new();
    g_autoptr(GPtrArray) kinds = g_ptr_array_new_with_free_func(kind_free);
    for (guint i = 0; i < rows->len; i++) {
        json_t *row = g_ptr_array_index(rows, i);
        if (!cg_page_row_is_result(row))
            continue;
        Kind *kind = find_kind(kinds, row);
        const json_t *scores = json_object_get(row, "scores");
        const double obedience = cg_page_number(scores, "obedience");
        const double change = cg_page_number(scores, "change");
        if (isfinite(obedience))
            g_array_append_val(kind->obedience, obedience);
        if (isfinite(change))
            g_array_append_val(kind->change, change);
        *(cg_page_row_is_dropped(row) ? &kind->dropped : &kind->kept) += 1;
        g_ptr_array_add(cg_page_row_is_dropped(row) ? dropped : kept, row);
    }
    g_ptr_array_sort(kept, compare_rows);
    g_ptr_array_sort(dropped, compare_rows);
    if (kept->len + dropped->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: none of the %u rows of its manifest has an image and a mask", path,
                    rows->len);
        return FALSE;
    }
    cg_page_heading(out, "Results", path);
    add_kinds(out, kinds);
    cg_page_count(page, kept->len, "generated defects");
    add_provenance(page, path, rows);
    return (kept->len == 0 || add_cards(out, page, path, kept, error)) &&
           cg_page_add_result_list(out, path, kept, dropped, error);
}
