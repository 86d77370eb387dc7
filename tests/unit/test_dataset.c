/* Layouts of data sets: small trees of empty files, as every reader expects them. */
#include "base/error.h"
#include "datasets/dataset.h"
#include "support/folder.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_text(const CgTestFolder *dir, const char *name, const char *text)
{
    g_autofree char *path = cg_test_folder_path(dir, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Empty files; NAMES is one string with blanks in between. */
static void put(const CgTestFolder *dir, const char *names)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);
    for (char **name = list; *name; name++)
        put_text(dir, *name, "");
}

static CgDataset *open_as(const CgTestFolder *dir, CgLayout layout)
{
    GError *error = NULL;
    CgDataset *d = cg_dataset_open(dir->path, layout, &error);
    g_assert_no_error(error);
    g_assert_nonnull(d);
    return d;
}

/* The samples in words: "category split defect image mask", one a line. */
static char *describe(const CgDataset *d)
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

/* The problems in words: "kind path", one a line. */
static char *describe_problems(const CgDataset *d)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < d->problems->len; i++) {
        const CgProblem *p = g_ptr_array_index(d->problems, i);
        g_string_append_printf(text, "%s %s\n", cg_problem_kind_name(p->kind),
                               cg_dataset_relative(d, p->path));
    }
    return g_string_free(text, FALSE);
}

#define ASSERT_SAMPLES(d, expected)                                                                \
    do {                                                                                           \
        g_autofree char *found = describe(d);                                                      \
        g_assert_cmpstr(found, ==, expected);                                                      \
    } while (0)

#define ASSERT_PROBLEMS(d, expected)                                                               \
    do {                                                                                           \
        g_autofree char *found = describe_problems(d);                                             \
        g_assert_cmpstr(found, ==, expected);                                                      \
    } while (0)

static void mvtec_is_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "bottle/train/good/000.png bottle/test/good/000.png bottle/test/broken_large/000.png "
             "bottle/test/broken_large/001.png bottle/ground_truth/broken_large/000_mask.png "
             "bottle/ground_truth/broken_large/001_mask.png bottle/license.txt readme.txt "
             "metal_nut/train/good/000.png");
    g_autoptr(CgDataset) d = open_as(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_MVTEC);
    g_assert_cmpuint(d->categories->len, ==, 2);
    ASSERT_SAMPLES(d, "bottle train good bottle/train/good/000.png -\n"
                      "bottle test good bottle/test/good/000.png -\n"
                      "bottle test broken_large bottle/test/broken_large/000.png "
                      "bottle/ground_truth/broken_large/000_mask.png\n"
                      "bottle test broken_large bottle/test/broken_large/001.png "
                      "bottle/ground_truth/broken_large/001_mask.png\n"
                      "metal_nut train good metal_nut/train/good/000.png -\n");
    ASSERT_PROBLEMS(d, "");
}

static void one_category_is_a_data_set(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "nut/train/good/0.png nut/test/cut/0.jpg nut/ground_truth/cut/0.png");
    g_autofree char *path = g_strconcat(dir->path, "/nut//", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, &error);
    g_assert_no_error(error);
    ASSERT_SAMPLES(d, "nut train good train/good/0.png -\n"
                      "nut test cut test/cut/0.jpg ground_truth/cut/0.png\n");
}

static void oddities_of_a_tree_are_problems(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "nut/train/good/0.png nut/train/good/notes.doc nut/train/preview.png "
             "nut/test/cut/0.png nut/test/cut/1.png nut/test/cut/1.jpg nut/test/cut/deeper/2.png "
             "nut/ground_truth/cut/1_mask.png nut/ground_truth/cut/7_mask.png "
             "nut/ground_truth/cut/1.png nut/ground_truth/bent/0_mask.png nut/old/0.png nut/x.png");
    g_autoptr(CgDataset) d = open_as(dir, CG_LAYOUT_MVTEC);
    ASSERT_PROBLEMS(d, "unpaired-mask nut/ground_truth/bent\n"
                       "name nut/ground_truth/cut/1_mask.png\n"
                       "unpaired-mask nut/ground_truth/cut/7_mask.png\n"
                       "stray nut/old\n"
                       "missing-mask nut/test/cut/0.png\n"
                       "name nut/test/cut/1.png\n"
                       "stray nut/test/cut/deeper\n"
                       "stray nut/train/good/notes.doc\n"
                       "stray nut/train/preview.png\n"
                       "stray nut/x.png\n");
    g_assert_cmpuint(d->samples->len, ==, 4);
}

static void folder_with_good_and_defects_is_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "part/good/a.png part/scratch/b.png part/masks/scratch/b.png part/dent/c.png "
             "part/masks/c_mask.png part/dent/d.png part/dent/d_mask.png");
    g_autofree char *path = cg_test_folder_path(dir, "part");
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, &error);
    g_assert_no_error(error);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_FOLDER);
    ASSERT_SAMPLES(d, "part train good good/a.png -\n"
                      "part test dent dent/c.png masks/c_mask.png\n"
                      "part test dent dent/d.png dent/d_mask.png\n"
                      "part test scratch scratch/b.png masks/scratch/b.png\n");
    ASSERT_PROBLEMS(d, "");
}

static void images_right_in_a_folder_are_normal(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "part/a.png part/b.jpg part/notes.txt");
    g_autofree char *path = cg_test_folder_path(dir, "part");
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, NULL);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_FOLDER);
    ASSERT_SAMPLES(d, "part train good a.png -\npart train good b.jpg -\n");
    ASSERT_PROBLEMS(d, "stray notes.txt\n");
}

static void images_with_annotations_are_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "steel/images/train/1.jpg steel/annotations/train/1.png steel/images/test/2.jpg "
             "steel/annotations/test/2.png steel/annotations/test/3.png");
    g_autofree char *path = cg_test_folder_path(dir, "steel");
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, NULL);
    ASSERT_SAMPLES(d, "steel train defect images/train/1.jpg annotations/train/1.png\n"
                      "steel test defect images/test/2.jpg annotations/test/2.png\n");
    ASSERT_PROBLEMS(d, "unpaired-mask annotations/test/3.png\n");
    g_assert_cmpint(cg_dataset_sample(d, 0)->mask_rule, ==, CG_MASK_NONZERO);
}

static void textures_are_listed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put(dir, "images/banded/banded_0002.jpg images/waffled/waffled_0001.jpg "
             "images/waffled/.directory labels/train1.txt");
    g_autoptr(CgDataset) d = open_as(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_TEXTURES);
    ASSERT_SAMPLES(d, "banded train good images/banded/banded_0002.jpg -\n"
                      "waffled train good images/waffled/waffled_0001.jpg -\n");
    ASSERT_PROBLEMS(d, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dataset/mvtec_is_read", mvtec_is_read);
    g_test_add_func("/dataset/one_category_is_a_data_set", one_category_is_a_data_set);
    g_test_add_func("/dataset/oddities_of_a_tree_are_problems", oddities_of_a_tree_are_problems);
    g_test_add_func("/dataset/folder_with_good_and_defects_is_read",
                    folder_with_good_and_defects_is_read);
    g_test_add_func("/dataset/images_right_in_a_folder_are_normal",
                    images_right_in_a_folder_are_normal);
    g_test_add_func("/dataset/images_with_annotations_are_read", images_with_annotations_are_read);
    g_test_add_func("/dataset/textures_are_listed", textures_are_listed);
    return g_test_run();
}
