#include "report/page-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "pipeline/manifest.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

#define LICENCE_MAX 6000

static const struct {
    const char *id, *title, *lead;
} sections[CG_PAGE_PART_COUNT] = {
    [CG_PAGE_DATA] = {"data", "Data", "What was there to begin with."},
    [CG_PAGE_GENERATED] =
        {"results", "Generated defects",
         "Drag the line in a picture, or focus it and use the arrow keys: left of "
         "it is the normal image, right of it the result."},
    [CG_PAGE_TRAINING] = {"training", "Training", "How the losses fell."},
    [CG_PAGE_EVALUATION] = {"detection", "Detection",
                            "How well detectors find the defects. Per cent, with intervals of 95 % "
                            "where they were computed."},
    [CG_PAGE_FIGURE] = {"figures", "Figures", NULL},
};

typedef struct {
    const char *what;
    guint64 count;
} Fact;

CgPage *cg_page_new(const char *title)
{
    CgPage *page = g_new0(CgPage, 1);
    page->title = g_utf8_make_valid(title, -1);
    page->samples = 24;
    page->side = 320;
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++)
        page->parts[i] = g_string_new(NULL);
    page->provenance = g_string_new(NULL);
    page->facts = g_array_new(FALSE, FALSE, sizeof(Fact));
    return page;
}

void cg_page_free(CgPage *page)
{
    if (!page)
        return;
    g_free(page->title);
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++)
        g_string_free(page->parts[i], TRUE);
    g_string_free(page->provenance, TRUE);
    g_array_unref(page->facts);
    g_free(page);
}

void cg_page_set_samples(CgPage *page, guint samples, int side)
{
    page->samples = samples;
    page->side = side;
}

void cg_page_count(CgPage *page, guint64 count, const char *what)
{
    for (guint i = 0; i < page->facts->len; i++) {
        Fact *fact = &g_array_index(page->facts, Fact, i);
        if (g_str_equal(fact->what, what)) {
            fact->count += count;
            return;
        }
    }
    const Fact fact = {what, count};
    g_array_append_val(page->facts, fact);
}

void cg_page_heading(GString *out, const char *text, const char *path)
{
    g_string_append(out, "<h3>");
    cg_html_text(out, text);
    if (path) {
        g_string_append(out, " <code>");
        cg_html_text(out, path);
        g_string_append(out, "</code>");
    }
    g_string_append(out, "</h3>\n");
}

double cg_page_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_licence(CgPage *page, const char *path)
{
    g_autofree char *text = cg_file_read(path, (1u << 20), NULL, NULL);
    if (!text)
        return;
    const gboolean cut = strlen(text) > LICENCE_MAX;
    if (cut)
        text[LICENCE_MAX] = '\0';
    g_string_append(page->provenance, "<details class=\"licence\"><summary>");
    cg_html_text(page->provenance, path);
    g_string_append(page->provenance, "</summary><pre>");
    cg_html_text(page->provenance, text);
    g_string_append(page->provenance, cut ? "\n[...]</pre></details>\n" : "</pre></details>\n");
}

void cg_page_add_licences(CgPage *page, const char *folder)
{
    static const char *const names[] = {"LICENSE",     "LICENSE.txt", "LICENSE.md", "LICENCE",
                                        "license.txt", "README.txt",  "NOTICE"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            add_licence(page, path);
    }
}

gboolean cg_page_add_part(CgPage *page, CgPagePart part, const char *path, GError **error)
{
    switch (part) {
    case CG_PAGE_DATA:
        return cg_page_add_data(page, path, error);
    case CG_PAGE_GENERATED:
        return cg_page_add_generated(page, path, error);
    case CG_PAGE_TRAINING:
        return cg_page_add_training(page, path, error);
    case CG_PAGE_EVALUATION:
        return cg_page_add_evaluation(page, path, error);
    default:
        return cg_page_add_figure(page, path, error);
    }
}

static gboolean has_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* Parts by the file that shows them; a folder may hold several. */
static gboolean add_folder(CgPage *page, const char *path, GError **error)
{
    static const struct {
        const char *file;
        CgPagePart part;
    } signs[] = {
        {"prompts.json", CG_PAGE_DATA},      {"manifest.jsonl", CG_PAGE_GENERATED},
        {"journal.jsonl", CG_PAGE_TRAINING}, {"table.json", CG_PAGE_EVALUATION},
        {"figure4.json", CG_PAGE_FIGURE},
    };
    gboolean found = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(signs); i++) {
        if (!has_file(path, signs[i].file) ||
            (signs[i].part == CG_PAGE_GENERATED && !cg_manifest_is_of_results(path)))
            continue;
        found = TRUE;
        if (!cg_page_add_part(page, signs[i].part, path, error))
            return FALSE;
    }
    return found || cg_page_add_data(page, path, error);
}

gboolean cg_page_add(CgPage *page, const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return add_folder(page, path, error);
    if (!g_str_has_suffix(path, ".json"))
        return cg_page_add_figure(page, path, error);
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json)
        return FALSE;
    const char *format = cg_json_text(json, "format");
    const gboolean is_figure =
        g_strcmp0(format, "cagen likeness") == 0 || g_strcmp0(format, "cagen quality") == 0;
    return cg_page_add_part(page, is_figure ? CG_PAGE_FIGURE : CG_PAGE_EVALUATION, path, error);
}

/* ---- the whole */

static void add_facts(GString *out, const CgPage *page)
{
    if (page->facts->len == 0)
        return;
    g_string_append(out, "<dl class=\"facts\">\n");
    for (guint i = 0; i < page->facts->len; i++) {
        const Fact *fact = &g_array_index(page->facts, Fact, i);
        g_autofree char *count = cg_html_count(fact->count);
        g_string_append_printf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", fact->what, count);
    }
    g_string_append(out, "</dl>\n");
}

static void add_contents(GString *out, const CgPage *page)
{
    g_string_append(out, "<nav aria-label=\"Contents\"><ol>\n");
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++)
        if (page->parts[i]->len)
            g_string_append_printf(out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id,
                                   sections[i].title);
    if (page->provenance->len)
        g_string_append(out, "<li><a href=\"#provenance\">Provenance</a></li>\n");
    g_string_append(out, "</ol></nav>\n");
}

static void add_sections(GString *out, const CgPage *page)
{
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++) {
        if (!page->parts[i]->len)
            continue;
        g_string_append_printf(out,
                               "<section id=\"%s\" aria-labelledby=\"h-%s\">\n<h2 id=\"h-%s\">",
                               sections[i].id, sections[i].id, sections[i].id);
        g_string_append_printf(out, "%s</h2>\n", sections[i].title);
        if (sections[i].lead)
            g_string_append_printf(out, "<p class=\"lead\">%s</p>\n", sections[i].lead);
        g_string_append_len(out, page->parts[i]->str, (gssize)page->parts[i]->len);
        g_string_append(out, "</section>\n");
    }
    if (page->provenance->len) {
        g_string_append(out, "<section id=\"provenance\" aria-labelledby=\"h-provenance\">\n"
                             "<h2 id=\"h-provenance\">Provenance</h2>\n<p class=\"lead\">What the "
                             "pictures were made with, and under which conditions.</p>\n");
        g_string_append_len(out, page->provenance->str, (gssize)page->provenance->len);
        g_string_append(out, "</section>\n");
    }
}

static void add_head(GString *out, const CgPage *page)
{
    g_string_append(out,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                    "<link rel=\"icon\" href=\"data:,\">\n<title>");
    cg_html_text(out, page->title);
    g_string_append_printf(out, "</title>\n<style>\n%s</style>\n</head>\n", cg_page_style);
}

gboolean cg_page_write(const CgPage *page, const char *path, GError **error)
{
    GString *out = g_string_new(NULL);
    add_head(out, page);
    g_string_append(out, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n"
                         "<header>\n<p class=\"kicker\">cagen " CAGEN_VERSION
                         " &middot; report</p>\n<h1>");
    cg_html_text(out, page->title);
    g_string_append(out, "</h1>\n");
    add_facts(out, page);
    g_string_append(out, "</header>\n");
    add_contents(out, page);
    g_string_append(out, "<main id=\"main\">\n");
    add_sections(out, page);
    g_string_append_printf(out,
                           "</main>\n<footer><p>Made by cagen %s. This file needs no network "
                           "and no other file.</p></footer>\n<script>\n%s</script>\n</body>\n"
                           "</html>\n",
                           CAGEN_VERSION, cg_page_script);
    const gboolean ok = cg_file_write(path, out->str, out->len, error);
    g_string_free(out, TRUE);
    return ok;
}
