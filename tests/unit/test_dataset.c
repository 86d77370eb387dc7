/* Layouts of data sets: small trees of empty files, as every reader expects them. */
#include "support/tree.h"

static void mvtec_is_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(
        dir, "bottle/train/good/000.png bottle/test/good/000.png bottle/test/broken_large/000.png "
             "bottle/test/broken_large/001.png bottle/ground_truth/broken_large/000_mask.png "
             "bottle/ground_truth/broken_large/001_mask.png bottle/license.txt readme.txt "
             "metal_nut/train/good/000.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_MVTEC);
    g_assert_cmpuint(d->categories->len, ==, 2);
    CG_ASSERT_SAMPLES(d, "bottle train good bottle/train/good/000.png -\n"
                         "bottle test good bottle/test/good/000.png -\n"
                         "bottle test broken_large bottle/test/broken_large/000.png "
                         "bottle/ground_truth/broken_large/000_mask.png\n"
                         "bottle test broken_large bottle/test/broken_large/001.png "
                         "bottle/ground_truth/broken_large/001_mask.png\n"
                         "metal_nut train good metal_nut/train/good/000.png -\n");
    CG_ASSERT_PROBLEMS(d, "");
}

static void one_category_is_a_data_set(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "nut/train/good/0.png nut/test/cut/0.jpg nut/ground_truth/cut/0.png");
    g_autofree char *path = g_strconcat(dir->path, "/nut//", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, &error);
    g_assert_no_error(error);
    CG_ASSERT_SAMPLES(d, "nut train good train/good/0.png -\n"
                         "nut test cut test/cut/0.jpg ground_truth/cut/0.png\n");
}

static void oddities_of_a_tree_are_problems(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(
        dir, "nut/train/good/0.png nut/train/good/notes.doc nut/train/preview.png "
             "nut/test/cut/0.png nut/test/cut/1.png nut/test/cut/1.jpg nut/test/cut/deeper/2.png "
             "nut/ground_truth/cut/1_mask.png nut/ground_truth/cut/7_mask.png "
             "nut/ground_truth/cut/1.png nut/ground_truth/bent/0_mask.png nut/old/0.png nut/x.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_MVTEC);
    CG_ASSERT_PROBLEMS(d, "unpaired-mask nut/ground_truth/bent\n"
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
    cg_test_tree_put(dir,
                     "part/good/a.png part/scratch/b.png part/masks/scratch/b.png part/dent/c.png "
                     "part/masks/c_mask.png part/dent/d.png part/dent/d_mask.png");
    g_autofree char *path = cg_test_folder_path(dir, "part");
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, &error);
    g_assert_no_error(error);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_FOLDER);
    CG_ASSERT_SAMPLES(d, "part train good good/a.png -\n"
                         "part test dent dent/c.png masks/c_mask.png\n"
                         "part test dent dent/d.png dent/d_mask.png\n"
                         "part test scratch scratch/b.png masks/scratch/b.png\n");
    CG_ASSERT_PROBLEMS(d, "");
}

static void images_right_in_a_folder_are_normal(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "part/a.png part/b.jpg part/notes.txt");
    g_autofree char *path = cg_test_folder_path(dir, "part");
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, NULL);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_FOLDER);
    CG_ASSERT_SAMPLES(d, "part train good a.png -\npart train good b.jpg -\n");
    CG_ASSERT_PROBLEMS(d, "stray notes.txt\n");
}

static void images_with_annotations_are_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(
        dir, "steel/images/train/1.jpg steel/annotations/train/1.png steel/images/test/2.jpg "
             "steel/annotations/test/2.png steel/annotations/test/3.png");
    g_autofree char *path = cg_test_folder_path(dir, "steel");
    g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, NULL);
    CG_ASSERT_SAMPLES(d, "steel train defect images/train/1.jpg annotations/train/1.png\n"
                         "steel test defect images/test/2.jpg annotations/test/2.png\n");
    CG_ASSERT_PROBLEMS(d, "unpaired-mask annotations/test/3.png\n");
    g_assert_cmpint(cg_dataset_sample(d, 0)->mask_rule, ==, CG_MASK_NONZERO);
}

static void textures_are_listed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "images/banded/banded_0002.jpg images/waffled/waffled_0001.jpg "
                          "images/waffled/.directory labels/train1.txt");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_TEXTURES);
    CG_ASSERT_SAMPLES(d, "banded train good images/banded/banded_0002.jpg -\n"
                         "waffled train good images/waffled/waffled_0001.jpg -\n");
    CG_ASSERT_PROBLEMS(d, "");
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
