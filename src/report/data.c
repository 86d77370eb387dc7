/* The section on data sets. */
#include "report/page-private.h"

#include "datasets/dataset.h"
#include "report/html.h"

#include <string.h>

#define EXAMPLE_SIDE   120
#define MAX_EXAMPLES   8  /* of a category */
#define MAX_CATEGORIES 40 /* with examples */

typedef struct {
    guint train_good, test_good, defective, masks;
    GPtrArray *types;    /* const char *, of the data set */
    GArray *counts;      /* guint */
    GPtrArray *examples; /* const CgSample *: a good one, then one of each type */
} Category;

static void category_clear(Category *c)
{
    g_ptr_array_unref(c->types);
    g_array_unref(c->counts);
    g_ptr_array_unref(c->examples);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Category, category_clear)

static void count_defect(Category *c, const CgSample *s)
{
    c->defective++;
    c->masks += s->mask != NULL;
    for (guint i = 0; i < c->types->len; i++)
        if (g_ptr_array_index(c->types, i) == (gpointer)(guintptr)s->defect) {
            g_array_index(c->counts, guint, i)++;
            return;
        }
    const guint one = 1;
    g_ptr_array_add(c->types, (gpointer)(guintptr)s->defect);
    g_array_append_val(c->counts, one);
    g_ptr_array_add(c->examples, (gpointer)(guintptr)s);
}

static void count(Category *c, const CgDataset *d, const char *name)
{
    gboolean has_good = FALSE;
    c->types = g_ptr_array_new();
    c->counts = g_array_new(FALSE, FALSE, sizeof(guint));
    c->examples = g_ptr_array_new();
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (s->category != name)
            continue;
        if (!cg_sample_is_good(s)) {
            count_defect(c, s);
            continue;
        }
        if (!has_good)
            g_ptr_array_insert(c->examples, 0, (gpointer)(guintptr)s);
        has_good = TRUE;
        if (s->split == CG_DATASET_TEST)
            c->test_good++;
        else
            c->train_good++;
    }
}

static void add_row(GString *out, const char *name, const Category *c)
{
    g_string_append(out, "<tr><th scope=\"row\">");
    cg_html_text(out, name);
    g_string_append(out, "</th>");
    cg_html_number_cell(out, "%u", c->train_good);
    cg_html_number_cell(out, "%u", c->test_good);
    cg_html_number_cell(out, "%u", c->defective);
    cg_html_number_cell(out, "%u", c->masks);
    g_string_append(out, "<td>");
    for (guint i = 0; i < c->types->len; i++)
        cg_html_format(out, "%s%s %u", i ? ", " : "", (const char *)g_ptr_array_index(c->types, i),
                       g_array_index(c->counts, guint, i));
    g_string_append(out, "</td></tr>\n");
}

static gboolean add_example(GString *out, const CgSample *s, GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(s->image, NULL, error);
    if (!image)
        return FALSE;
    g_autofree char *alt = g_strdup_printf("%s, %s", s->category, s->defect);
    g_string_append(out, "<figure>");
    if (!cg_html_image(out, image, EXAMPLE_SIDE, FALSE, "thumb", alt, error))
        return FALSE;
    g_string_append(out, "<figcaption>");
    cg_html_text(out, s->defect);
    g_string_append(out, "</figcaption></figure>");
    return TRUE;
}

static gboolean add_examples(GString *out, const char *name, const Category *c, GError **error)
{
    g_string_append(out, "<div class=\"strip\"><h4>");
    cg_html_text(out, name);
    g_string_append(out, "</h4><div class=\"thumbs\">\n");
    for (guint i = 0; i < MIN(c->examples->len, MAX_EXAMPLES); i++)
        if (!add_example(out, g_ptr_array_index(c->examples, i), error))
            return FALSE;
    g_string_append(out, "</div></div>\n");
    return TRUE;
}

static void add_facts(CgPage *page, const CgDataset *d)
{
    guint good = 0;
    for (guint i = 0; i < d->samples->len; i++)
        good += cg_sample_is_good(cg_dataset_sample(d, i)) != 0;
    cg_page_count(page, good, "good images");
    cg_page_count(page, d->samples->len - good, "real defects");
}

gboolean cg_page_add_data(CgPage *page, const char *path, GError **error)
{
    static const char *const head[] = {
        "Category", "#Good, to train", "#Good, to test", "#Defective", "#with mask", "Types", NULL};
    GString *out = page->parts[CG_PAGE_DATA];
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, error);
    if (!d)
        return FALSE;
    cg_page_heading(out, "Data set", path);
    g_string_append_printf(out, "<p>Layout: %s.", cg_layout_name(d->layout));
    if (d->drawn)
        g_string_append(out,
                        " No official split: four fifths of the good images are for training.");
    if (d->problems->len)
        g_string_append_printf(out,
                               " %u problems of names and pairs; <code>cagen dataset "
                               "check</code> lists them.",
                               d->problems->len);
    g_string_append(out, "</p>\n");
    cg_html_begin_table(out, "Images of each category");
    cg_html_head(out, head);
    g_string_append(out, "<tbody>\n");
    GString *examples = g_string_new(NULL);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < d->categories->len; i++) {
        const char *name = g_ptr_array_index(d->categories, i);
        g_auto(Category) c = {0};
        count(&c, d, name);
        add_row(out, name, &c);
        ok = i >= MAX_CATEGORIES || add_examples(examples, name, &c, error);
    }
    cg_html_end_table(out);
    g_string_append_len(out, examples->str, (gssize)examples->len);
    g_string_free(examples, TRUE);
    add_facts(page, d);
    cg_page_add_licences(page, path);
    return ok;
}
