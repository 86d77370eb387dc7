/* Few-shot splits and prompts. */
#include "base/error.h"
#include "datasets/split.h"
#include "support/tree.h"

#include <glib/gstdio.h>
#include <string.h>

/* Ten images with masks of each of two defect types; every file has its own content. */
static CgTestFolder *tree(void)
{
    CgTestFolder *dir = cg_test_folder_new();
    static const char *const types[] = {"cut", "bent_wire"};
    for (int i = 0; i < 10; i++)
        for (size_t k = 0; k < G_N_ELEMENTS(types); k++) {
            g_autofree char *image = g_strdup_printf("metal_nut/test/%s/%d.png", types[k], i);
            g_autofree char *mask =
                g_strdup_printf("metal_nut/ground_truth/%s/%d_mask.png", types[k], i);
            g_autofree char *text = g_strdup_printf("%s %d", types[k], i);
            cg_test_tree_text(dir, image, text);
            cg_test_tree_put(dir, mask);
        }
    cg_test_tree_text(dir, "metal_nut/train/good/0.png", "good 0");
    cg_test_tree_text(dir, "metal_nut/test/good/1.png", "good 1");
    return dir;
}

static CgSplit *draw(const CgDataset *d, guint shots, guint64 seed)
{
    GError *error = NULL;
    CgSplit *split = cg_split_draw(d, shots, seed, &error);
    g_assert_no_error(error);
    return split;
}

static char *names(const CgSplit *split)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < split->images->len; i++)
        g_string_append_printf(text, "%s ", ((CgShot *)g_ptr_array_index(split->images, i))->image);
    return g_string_free(text, FALSE);
}

static void every_type_gets_its_shots(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = draw(d, 3, 0);
    guint cuts = 0;
    g_assert_cmpuint(split->images->len, ==, 6);
    for (guint i = 0; i < 6; i++)
        cuts += g_str_equal(((CgShot *)g_ptr_array_index(split->images, i))->defect, "cut");
    g_assert_cmpuint(cuts, ==, 3);
    g_autoptr(CgSplit) all = draw(d, 100, 0);
    g_assert_cmpuint(all->images->len, ==, 20);
}

static void seed_decides_the_draw(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) a = draw(d, 3, 7);
    g_autoptr(CgSplit) b = draw(d, 3, 7);
    g_autoptr(CgSplit) c = draw(d, 3, 8);
    g_autofree char *x = names(a), *y = names(b), *z = names(c);
    g_assert_cmpstr(x, ==, y);
    g_assert_cmpstr(x, !=, z);
}

static void other_types_do_not_change_the_draw(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) before = draw(d, 3, 0);
    cg_test_tree_put(dir, "bottle/test/crack/0.png bottle/ground_truth/crack/0_mask.png");
    g_autoptr(CgDataset) more = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) after = draw(more, 3, 0);
    g_autofree char *x = names(before), *y = names(after);
    g_assert_cmpuint(after->images->len, ==, 7);
    g_assert_true(g_str_has_suffix(y, x));
}

/* Every image of a type is drawn as often as another: chi squared of 10 images, 400 seeds. */
static void all_images_are_drawn_alike(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    int counts[10] = {0};
    for (guint64 seed = 0; seed < 400; seed++) {
        g_autoptr(CgSplit) split = draw(d, 1, seed);
        for (guint i = 0; i < split->images->len; i++) {
            const CgShot *shot = g_ptr_array_index(split->images, i);
            if (g_str_equal(shot->defect, "cut"))
                counts[strrchr(shot->image, '/')[1] - '0']++;
        }
    }
    double chi = 0;
    for (int i = 0; i < 10; i++)
        chi += (counts[i] - 40.0) * (counts[i] - 40.0) / 40;
    g_assert_cmpfloat(chi, <, 27.9); /* 9 degrees of freedom, p = 0.001 */
}

static void split_file_reads_back(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(dir, "shots.json");
    g_autoptr(CgPrompts) prompts = cg_prompts_load(NULL, &error);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = draw(d, 2, 5);
    g_assert_true(cg_split_save(split, path, prompts, &error));
    g_autoptr(CgSplit) back = cg_split_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(back->shots, ==, 2);
    g_assert_cmpuint(back->seed, ==, 5);
    g_assert_cmpuint(back->images->len, ==, split->images->len);
    for (guint i = 0; i < back->images->len; i++) {
        const CgShot *x = g_ptr_array_index(split->images, i);
        const CgShot *y = g_ptr_array_index(back->images, i);
        g_assert_cmpstr(x->category, ==, y->category);
        g_assert_cmpstr(x->defect, ==, y->defect);
        g_assert_cmpstr(x->image, ==, y->image);
        g_assert_cmpstr(x->sha256, ==, y->sha256);
        g_assert_cmpuint(x->bytes, ==, y->bytes);
    }
}

static void shots_are_separated_from_the_rest(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) rest = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgDataset) shots = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = draw(rest, 3, 0);
    g_assert_false(cg_split_refuse(split, rest, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_true(cg_split_separate(split, rest, FALSE, &error));
    g_assert_true(cg_split_separate(split, shots, TRUE, &error));
    g_assert_cmpuint(rest->samples->len, ==, 16);
    g_assert_cmpuint(shots->samples->len, ==, 6);
    for (guint i = 0; i < 6; i++)
        g_assert_true(cg_split_has(split, shots, cg_dataset_sample(shots, i)));
    for (guint i = 0; i < 16; i++)
        g_assert_false(cg_split_has(split, rest, cg_dataset_sample(rest, i)));
    g_assert_true(cg_split_refuse(split, rest, &error));
}

static void copy_of_a_shot_is_refused(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = draw(d, 1, 0);
    const CgShot *shot = g_ptr_array_index(split->images, 0);
    g_autofree char *path = cg_test_folder_path(dir, shot->image);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autoptr(CgTestFolder) other = cg_test_folder_new();
    cg_test_tree_text(other, "nut/train/good/0.png", text);
    cg_test_tree_text(other, "nut/test/good/0.png", "cut x");
    g_autoptr(CgDataset) fine = cg_test_tree_open(other, CG_LAYOUT_AUTO);
    g_assert_true(cg_split_refuse(split, fine, &error));
    cg_test_tree_text(other, "nut/test/dent/renamed.png", text);
    g_autoptr(CgDataset) copied = cg_test_tree_open(other, CG_LAYOUT_AUTO);
    g_assert_false(cg_split_refuse(split, copied, &error));
    g_assert_nonnull(strstr(error->message, "renamed.png"));
}

static void split_of_other_data_is_refused(void)
{
    g_autoptr(CgTestFolder) dir = tree();
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = draw(d, 1, 0);
    const CgShot *shot = g_ptr_array_index(split->images, 0);
    g_autofree char *path = cg_test_folder_path(dir, shot->image);
    cg_test_tree_text(dir, shot->image, "another picture");
    g_assert_false(cg_split_separate(split, d, FALSE, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
    g_assert_cmpuint(d->samples->len, ==, 22);
    g_clear_error(&error);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_autoptr(CgDataset) less = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_false(cg_split_separate(split, less, FALSE, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
    g_assert_cmpuint(less->samples->len, ==, 21);
}

static void broken_split_files_are_refused(void)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"format\":\"cagen few-shot split\",\"version\":2,\"types\":[]}",
        "{\"format\":\"cagen few-shot split\",\"version\":1,\"types\":[3]}",
        "{\"format\":\"cagen few-shot split\",\"version\":1,\"shots\":-1,\"types\":[]}",
        "{\"format\":\"cagen few-shot split\",\"version\":1,\"types\":[{\"category\":\"a\","
        "\"defect\":\"b\",\"images\":[{\"image\":\"c\",\"sha256\":\"12\"}]}]}",
        "{\"format\":\"cagen few-shot split\",\"version\":1,\"types\":[{\"category\":\"a\","
        "\"defect\":\"b\",\"images\":{}}]}",
    };
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        cg_test_tree_text(dir, "shots.json", texts[i]);
        g_autofree char *path = cg_test_folder_path(dir, "shots.json");
        g_autoptr(CgSplit) split = cg_split_load(path, &error);
        g_assert_null(split);
        g_assert_nonnull(error);
        g_assert_true(g_str_has_prefix(error->message, path));
    }
}

static void nothing_to_draw_is_an_error(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) error = NULL;
    cg_test_tree_put(dir, "nut/train/good/0.png nut/test/cut/0.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_autoptr(CgSplit) split = cg_split_draw(d, 3, 0, &error);
    g_assert_null(split);
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
    g_clear_error(&error);
    g_autoptr(CgSplit) none = cg_split_draw(d, 0, 0, &error);
    g_assert_null(none);
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
}

static void folder_names_become_prompts(void)
{
    g_autoptr(CgPrompts) prompts = cg_prompts_load(NULL, NULL);
    g_auto(GStrv) nut = cg_prompts_make(prompts, "metal_nut", "bent");
    g_auto(GStrv) cable = cg_prompts_make(prompts, "cable", "cut_inner_insulation");
    g_auto(GStrv) odd = cg_prompts_make(prompts, "caf\xe9", "a\nb");
    g_assert_cmpstr(nut[0], ==, "bent metal nut");
    g_assert_null(nut[1]);
    g_assert_cmpstr(cable[0], ==, "cut inner insulation cable");
    g_assert_cmpstr(odd[0], ==, "a b caf\xef\xbf\xbd");
}

static void aliases_change_prompts(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) error = NULL;
    cg_test_tree_text(dir, "aliases.json",
                      "{\"categories\":{\"metal_nut\":\"hex nut\"},"
                      "\"defects\":{\"bent\":[\"bent\",\"crooked\"],\"metal_nut/flip\":\"turned\"},"
                      "\"phrasings\":[\"{defect} {category}\",\"a {category}, {defect}\"]}");
    g_autofree char *path = cg_test_folder_path(dir, "aliases.json");
    g_autoptr(CgPrompts) prompts = cg_prompts_load(path, &error);
    g_assert_no_error(error);
    g_auto(GStrv) bent = cg_prompts_make(prompts, "metal_nut", "bent");
    g_auto(GStrv) flip = cg_prompts_make(prompts, "metal_nut", "flip");
    g_auto(GStrv) other = cg_prompts_make(prompts, "screw", "flip");
    g_autofree char *all = g_strjoinv("|", bent);
    g_assert_cmpstr(all, ==, "bent hex nut|crooked hex nut|a hex nut, bent|a hex nut, crooked");
    g_assert_cmpstr(flip[0], ==, "turned hex nut");
    g_assert_cmpstr(other[0], ==, "flip screw");
}

static void broken_aliases_are_refused(void)
{
    static const char *const texts[] = {
        "[]",
        "{\"defect\":{}}",
        "{\"defects\":[]}",
        "{\"defects\":{\"cut\":3}}",
        "{\"defects\":{\"cut\":[]}}",
        "{\"categories\":{\"nut\":[\"a\",\"b\"]}}",
        "{\"phrasings\":\"{defect}\"}",
        "{\"phrasings\":[\"a {category}\"]}",
    };
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        cg_test_tree_text(dir, "aliases.json", texts[i]);
        g_autofree char *path = cg_test_folder_path(dir, "aliases.json");
        g_autoptr(CgPrompts) prompts = cg_prompts_load(path, &error);
        g_assert_null(prompts);
        g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dataset_split/every_type_gets_its_shots", every_type_gets_its_shots);
    g_test_add_func("/dataset_split/seed_decides_the_draw", seed_decides_the_draw);
    g_test_add_func("/dataset_split/other_types_do_not_change_the_draw",
                    other_types_do_not_change_the_draw);
    g_test_add_func("/dataset_split/all_images_are_drawn_alike", all_images_are_drawn_alike);
    g_test_add_func("/dataset_split/split_file_reads_back", split_file_reads_back);
    g_test_add_func("/dataset_split/shots_are_separated_from_the_rest",
                    shots_are_separated_from_the_rest);
    g_test_add_func("/dataset_split/copy_of_a_shot_is_refused", copy_of_a_shot_is_refused);
    g_test_add_func("/dataset_split/split_of_other_data_is_refused",
                    split_of_other_data_is_refused);
    g_test_add_func("/dataset_split/broken_split_files_are_refused",
                    broken_split_files_are_refused);
    g_test_add_func("/dataset_split/nothing_to_draw_is_an_error", nothing_to_draw_is_an_error);
    g_test_add_func("/prompts/folder_names_become_prompts", folder_names_become_prompts);
    g_test_add_func("/prompts/aliases_change_prompts", aliases_change_prompts);
    g_test_add_func("/prompts/broken_aliases_are_refused", broken_aliases_are_refused);
    return g_test_run();
}
