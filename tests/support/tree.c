#include "support/tree.h"

#include "base/error.h"

#include <glib/gstdio.h>
#include <string.h>

void cg_test_tree_text(const CgTestFolder *dir, const char *name, const char *text)
{
    g_autofree char *path = cg_test_folder_path(dir, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

void cg_test_tree_put(const CgTestFolder *dir, const char *names)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);
    for (char **name = list; *name; name++)
        cg_test_tree_text(dir, *name, "");
}

CgDataset *cg_test_tree_open(const CgTestFolder *dir, CgLayout layout)
{
    GError *error = NULL;
    CgDataset *d = cg_dataset_open(dir->path, layout, &error);
    g_assert_no_error(error);
    g_assert_nonnull(d);
    return d;
}

char *cg_test_tree_samples(const CgDataset *d)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        g_string_append_printf(
            text, "%s %s %s %s %s\n", s->category, cg_dataset_split_name(s->split), s->defect,
            cg_dataset_relative(d, s->image), s->mask ? cg_dataset_relative(d, s->mask) : "-");
    }
    return g_string_free(text, FALSE);
}

char *cg_test_tree_problems(const CgDataset *d)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < d->problems->len; i++) {
        const CgProblem *p = g_ptr_array_index(d->problems, i);
        g_string_append_printf(text, "%s %s\n", cg_problem_kind_name(p->kind),
                               cg_dataset_relative(d, p->path));
    }
    return g_string_free(text, FALSE);
}

void cg_test_tree_image(const CgTestFolder *dir, const char *name, int width, int height,
                        int channels, int value, int count)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) image = cg_image_new(width, height, channels);
    memset(image->pixels, value, (size_t)(count * channels));
    cg_test_tree_text(dir, name, "");
    g_autofree char *path = cg_test_folder_path(dir, name);
    cg_image_save_png(image, path, &error);
    g_assert_no_error(error);
}

void cg_test_tree_refuse(const CgTestFolder *dir, CgLayout layout, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(dir->path, layout, &error);
    g_assert_null(d);
    g_assert_error(error, CG_ERROR, code);
    g_assert_true(g_str_has_prefix(error->message, dir->path));
    if (!strstr(error->message, text))
        g_error("\"%s\" does not say \"%s\"", error->message, text);
}
