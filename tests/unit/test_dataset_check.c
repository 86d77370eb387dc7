/* cg_dataset_check: every kind of problem, one planted at a time. */
#include "base/log.h"
#include "datasets/check.h"
#include "support/tree.h"

/* A small data set in which everything is right; each image is another one. */
static CgTestFolder *sound_tree(void)
{
    CgTestFolder *dir = cg_test_folder_new();
    cg_test_tree_image(dir, "nut/train/good/0.png", 8, 6, 3, 10, 5);
    cg_test_tree_image(dir, "nut/train/good/1.png", 8, 6, 3, 20, 5);
    cg_test_tree_image(dir, "nut/test/good/0.png", 8, 6, 3, 30, 5);
    cg_test_tree_image(dir, "nut/test/cut/0.png", 8, 6, 3, 40, 5);
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 8, 6, 1, 255, 5);
    return dir;
}

static void assert_check(const CgTestFolder *dir, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_true(cg_dataset_check(d, &error));
    g_assert_no_error(error);
    CG_ASSERT_PROBLEMS(d, expected);
}

static void sound_data_has_no_problems(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    assert_check(dir, "");
}

static void mask_of_another_size_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 6, 8, 1, 255, 5);
    assert_check(dir, "size nut/ground_truth/cut/0_mask.png\n");
}

static void soft_mask_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 8, 6, 1, 200, 5);
    assert_check(dir, "mask-values nut/ground_truth/cut/0_mask.png\n");
}

static void mask_of_class_numbers_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 8, 6, 1, 1, 5);
    assert_check(dir, "mask-values nut/ground_truth/cut/0_mask.png\n");
}

static void empty_mask_of_a_defect_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 8, 6, 1, 0, 0);
    assert_check(dir, "mask-content nut/ground_truth/cut/0_mask.png\n");
}

static void marked_normal_image_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/good/0_mask.png", 8, 6, 1, 255, 1);
    assert_check(dir, "mask-content nut/ground_truth/good/0_mask.png\n");
}

static void colour_mask_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/ground_truth/cut/0_mask.png", 8, 6, 3, 255, 5);
    assert_check(dir, "channels nut/ground_truth/cut/0_mask.png\n");
}

static void grey_among_colour_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/train/good/1.png", 8, 6, 1, 20, 5);
    assert_check(dir, "channels nut/train/good/1.png\n");
}

static void files_that_do_not_decode_are_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_text(dir, "nut/train/good/1.png", "\x89PNG\r\n\x1a\n and no more");
    cg_test_tree_text(dir, "nut/ground_truth/cut/0_mask.png", "");
    assert_check(dir, "unreadable nut/ground_truth/cut/0_mask.png\n"
                      "unreadable nut/train/good/1.png\n");
}

static void same_file_in_training_and_test_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/test/good/0.png", 8, 6, 3, 10, 5);
    assert_check(dir, "duplicate nut/test/good/0.png\n");
}

static void same_file_twice_in_training_is_no_problem(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/train/good/1.png", 8, 6, 3, 10, 5);
    assert_check(dir, "");
}

static void same_file_under_two_labels_is_found(void)
{
    g_autoptr(CgTestFolder) dir = sound_tree();
    cg_test_tree_image(dir, "nut/test/cut/0.png", 8, 6, 3, 30, 5);
    assert_check(dir, "duplicate nut/test/cut/0.png\n");
}

/* What the documentation of the sample data says: everything is right but for four masks. */
static void real_data_is_as_documented(void)
{
    static const struct {
        const char *folder, *problems;
        CgLayout layout;
        guint samples;
    } cases[] = {
        {"hazelnut-toy", "", CG_LAYOUT_MVTEC, 51},
        {"kolektor-sdd-subset", "", CG_LAYOUT_KSDD, 32},
        {"dtd-subset", "", CG_LAYOUT_TEXTURES, 50},
        {"neu-seg-subset", "", CG_LAYOUT_FOLDER, 120},
        {"magnetic-tile",
         "mask-content MT_Uneven/Imgs/exp3_num_45042.png\n"
         "mask-content MT_Uneven/Imgs/exp4_num_124690.png\n"
         "mask-content MT_Uneven/Imgs/exp4_num_352527.png\n"
         "mask-content MT_Uneven/Imgs/exp4_num_45057.png\n",
         CG_LAYOUT_TILE, 542},
    };
    const char *top = g_getenv("CAGEN_TEST_DATA");
    g_autofree char *data = g_strdup(top ? top : "../shared/data");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_build_filename(data, cases[i].folder, NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_autofree char *reason =
                g_strdup_printf("%s is not there; CAGEN_TEST_DATA names the test data", path);
            g_test_skip(reason);
            return;
        }
        g_autoptr(CgDataset) d = cg_dataset_open(path, CG_LAYOUT_AUTO, &error);
        g_assert_no_error(error);
        g_assert_cmpint(d->layout, ==, cases[i].layout);
        g_assert_cmpuint(d->samples->len, ==, cases[i].samples);
        g_assert_true(cg_dataset_check(d, &error));
        CG_ASSERT_PROBLEMS(d, cases[i].problems);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    cg_log_set_level(CG_LOG_QUIET);
    g_test_add_func("/dataset_check/sound_data_has_no_problems", sound_data_has_no_problems);
    g_test_add_func("/dataset_check/mask_of_another_size_is_found", mask_of_another_size_is_found);
    g_test_add_func("/dataset_check/soft_mask_is_found", soft_mask_is_found);
    g_test_add_func("/dataset_check/mask_of_class_numbers_is_found",
                    mask_of_class_numbers_is_found);
    g_test_add_func("/dataset_check/empty_mask_of_a_defect_is_found",
                    empty_mask_of_a_defect_is_found);
    g_test_add_func("/dataset_check/marked_normal_image_is_found", marked_normal_image_is_found);
    g_test_add_func("/dataset_check/colour_mask_is_found", colour_mask_is_found);
    g_test_add_func("/dataset_check/grey_among_colour_is_found", grey_among_colour_is_found);
    g_test_add_func("/dataset_check/files_that_do_not_decode_are_found",
                    files_that_do_not_decode_are_found);
    g_test_add_func("/dataset_check/same_file_in_training_and_test_is_found",
                    same_file_in_training_and_test_is_found);
    g_test_add_func("/dataset_check/same_file_twice_in_training_is_no_problem",
                    same_file_twice_in_training_is_no_problem);
    g_test_add_func("/dataset_check/same_file_under_two_labels_is_found",
                    same_file_under_two_labels_is_found);
    g_test_add_func("/dataset_check/real_data_is_as_documented", real_data_is_as_documented);
    return g_test_run();
}
