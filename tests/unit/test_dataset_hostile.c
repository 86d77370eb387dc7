/* Trees that are broken, malicious or very large. */
#include "base/error.h"
#include "base/system.h"
#include "support/tree.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *put_sound(const CgTestFolder *dir)
{
    cg_test_tree_put(dir, "nut/train/good/0.png nut/test/cut/0.png "
                          "nut/ground_truth/cut/0_mask.png");
    return cg_test_folder_path(dir, "nut");
}

static void links_in_circles_are_not_followed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *nut = put_sound(dir);
    g_autofree char *up = g_build_filename(nut, "test", "up", NULL);
    g_autofree char *self = g_build_filename(nut, "train", "good", "self", NULL);
    g_assert_cmpint(symlink("..", up), ==, 0);
    g_assert_cmpint(symlink(".", self), ==, 0);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpuint(d->samples->len, ==, 2);
    CG_ASSERT_PROBLEMS(d, "stray nut/test/up\n"
                          "stray nut/train/good/self\n"
                          "stray nut/train/good/self\n");
}

static void links_to_data_are_followed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) elsewhere = cg_test_folder_new();
    g_autofree char *nut = put_sound(dir);
    cg_test_tree_put(elsewhere, "7.png");
    g_autofree char *link = g_build_filename(nut, "test", "good", NULL);
    g_assert_cmpint(symlink(elsewhere->path, link), ==, 0);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpuint(d->samples->len, ==, 3);
    CG_ASSERT_PROBLEMS(d, "");
}

static void pipes_and_dead_links_are_problems(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *nut = put_sound(dir);
    g_autofree char *pipe = g_build_filename(nut, "train", "good", "1.png", NULL);
    g_autofree char *dead = g_build_filename(nut, "train", "good", "2.png", NULL);
    g_assert_cmpint(mkfifo(pipe, 0666), ==, 0);
    g_assert_cmpint(symlink("nowhere", dead), ==, 0);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    CG_ASSERT_PROBLEMS(d, "unreadable nut/train/good/1.png\n"
                          "unreadable nut/train/good/2.png\n");
}

static void closed_folder_is_a_problem(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *nut = put_sound(dir);
    if (geteuid() == 0) {
        g_test_skip("root may read every folder");
        return;
    }
    cg_test_tree_put(dir, "nut/test/bent/0.png");
    g_autofree char *bent = g_build_filename(nut, "test", "bent", NULL);
    g_assert_cmpint(g_chmod(bent, 0), ==, 0);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(g_chmod(bent, 0700), ==, 0);
    CG_ASSERT_PROBLEMS(d, "unreadable nut/test/bent\n");
}

static void names_need_not_be_utf8(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "nu\xdf/train/good/\xff.png nu\xdf/test/ri\xdf/a\nb.png "
                          "nu\xdf/ground_truth/ri\xdf/a\nb_mask.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    CG_ASSERT_SAMPLES(d, "nu\xdf train good nu\xdf/train/good/\xff.png -\n"
                         "nu\xdf test ri\xdf nu\xdf/test/ri\xdf/a\nb.png "
                         "nu\xdf/ground_truth/ri\xdf/a\nb_mask.png\n");
}

static void very_deep_trees_are_cut(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GString) path = g_string_new("textures");
    for (int i = 0; i < 100; i++)
        g_string_append(path, "/deeper");
    g_string_append(path, "/0.png");
    cg_test_tree_put(dir, path->str);
    cg_test_tree_put(dir, "textures/banded/1.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_TEXTURES);
    g_assert_cmpuint(d->samples->len, ==, 1);
    g_assert_cmpuint(d->problems->len, ==, 1);
}

static void what_is_no_data_set_is_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, "no images found");
    cg_test_tree_put(dir, "notes.txt");
    cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, "no images found");
    cg_test_tree_put(dir, "a.png");
    cg_test_tree_refuse(dir, CG_LAYOUT_MVTEC, CG_ERROR_FORMAT, "where the layout \"mvtec\"");
    cg_test_tree_refuse(dir, CG_LAYOUT_REALIAD, CG_ERROR_MISSING, "realiad_jsons");
    for (int layout = 1; layout < CG_LAYOUT_COUNT; layout++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *file = cg_test_folder_path(dir, "a.png");
        g_autofree char *absent = cg_test_folder_path(dir, "absent");
        g_assert_null(cg_dataset_open(file, (CgLayout)layout, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_IO);
        g_clear_error(&error);
        g_assert_null(cg_dataset_open(absent, (CgLayout)layout, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
    }
}

/* Names alone are kept: about two paths for an image. */
static void hundred_thousand_images_need_little_memory(void)
{
    enum { COUNT = 100000, FOLDERS = 50 };
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (int f = 0; f < FOLDERS; f++) {
        g_autofree char *folder = g_strdup_printf("%s/c%02d/train/good", dir->path, f);
        g_assert_cmpint(g_mkdir_with_parents(folder, 0777), ==, 0);
        int fd = open(folder, O_RDONLY | O_DIRECTORY);
        g_assert_cmpint(fd, >=, 0);
        for (int i = 0; i < COUNT / FOLDERS; i++) {
            char name[16];
            g_snprintf(name, sizeof name, "%04d.png", i);
            int file = openat(fd, name, O_CREAT | O_WRONLY, 0666);
            g_assert_cmpint(file, >=, 0);
            close(file);
        }
        close(fd);
    }
    const guint64 before = cg_memory_peak();
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpuint(d->samples->len, ==, COUNT);
    g_assert_cmpuint(d->categories->len, ==, FOLDERS);
    g_assert_cmpuint(cg_memory_peak() - before, <, 64 << 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dataset_hostile/hundred_thousand_images_need_little_memory",
                    hundred_thousand_images_need_little_memory);
    g_test_add_func("/dataset_hostile/links_in_circles_are_not_followed",
                    links_in_circles_are_not_followed);
    g_test_add_func("/dataset_hostile/links_to_data_are_followed", links_to_data_are_followed);
    g_test_add_func("/dataset_hostile/pipes_and_dead_links_are_problems",
                    pipes_and_dead_links_are_problems);
    g_test_add_func("/dataset_hostile/closed_folder_is_a_problem", closed_folder_is_a_problem);
    g_test_add_func("/dataset_hostile/names_need_not_be_utf8", names_need_not_be_utf8);
    g_test_add_func("/dataset_hostile/very_deep_trees_are_cut", very_deep_trees_are_cut);
    g_test_add_func("/dataset_hostile/what_is_no_data_set_is_refused",
                    what_is_no_data_set_is_refused);
    return g_test_run();
}
