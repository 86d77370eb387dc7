/* Pictures with texts: the three kinds of folders, what is refused; pictures kept in memory. */
#include "base/error.h"
#include "datasets/captions.h"
#include "datasets/picture_cache.h"
#include "support/tree.h"

#include <string.h>

/* "name: text" of each caption, one a line. */
static char *listing(const CgTestFolder *dir, const CgCaptionRules *rules)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) captions = cg_captions_open(dir->path, rules, &error);
    g_assert_no_error(error);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < captions->len; i++) {
        const CgCaption *c = g_ptr_array_index(captions, i);
        g_assert_true(g_str_has_prefix(c->image, dir->path));
        g_autofree char *texts = g_strjoinv(" | ", c->texts);
        g_string_append_printf(text, "%s: %s\n", c->image + strlen(dir->path) + 1, texts);
    }
    return g_string_free(text, FALSE);
}

static void refuse(const CgTestFolder *dir, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    const CgCaptionRules rules = {0};
    g_assert_null(cg_captions_open(dir->path, &rules, &error));
    g_assert_error(error, CG_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
}

static void rows_of_metadata(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const CgCaptionRules rules = {0};
    cg_test_tree_put(dir, "b.png sub/a.png c.png");
    cg_test_tree_text(dir, "metadata.jsonl",
                      "{\"file_name\": \"sub/a.png\", \"text\": \" rusty  nut\\n\"}\n\n"
                      "{\"file_name\": \"b.png\", \"text\": \"good nut\", \"more\": 3}");
    g_autofree char *found = listing(dir, &rules);
    g_assert_cmpstr(found, ==, "b.png: good nut\nsub/a.png: rusty nut\n");
}

static void texts_beside_pictures(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const CgCaptionRules rules = {0};
    cg_test_tree_put(dir, "b.png a.JPG notes.md");
    cg_test_tree_text(dir, "a.txt", "crack wood\n");
    cg_test_tree_text(dir, "b.txt", "good wood");
    g_autofree char *found = listing(dir, &rules);
    g_assert_cmpstr(found, ==, "a.JPG: crack wood\nb.png: good wood\n");
}

static void data_sets_speak_by_their_folders(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const CgCaptionRules all = {0}, train = {.train_only = TRUE};
    cg_test_tree_put(dir, "hex_nut/train/good/0.png hex_nut/test/good/1.png "
                          "hex_nut/test/bent_edge/2.png hex_nut/ground_truth/bent_edge/2_mask.png");
    g_autofree char *found = listing(dir, &all);
    g_assert_cmpstr(found, ==,
                    "hex_nut/test/bent_edge/2.png: bent edge hex nut\n"
                    "hex_nut/test/good/1.png: good hex nut\n"
                    "hex_nut/train/good/0.png: good hex nut\n");
    g_autofree char *good = listing(dir, &train);
    g_assert_cmpstr(good, ==, "hex_nut/train/good/0.png: good hex nut\n");
}

static void all_phrasings_are_there(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) other = cg_test_folder_new();
    g_autofree char *aliases = g_build_filename(other->path, "aliases.json", NULL);
    const CgCaptionRules rules = {.aliases = aliases};
    cg_test_tree_put(dir, "hex_nut/train/good/0.png");
    cg_test_tree_text(other, "aliases.json",
                      "{\"phrasings\": [\"{defect} {category}\", \"a {category}, {defect}\"]}");
    g_autofree char *found = listing(dir, &rules);
    g_assert_cmpstr(found, ==, "hex_nut/train/good/0.png: good hex nut | a hex nut, good\n");
}

static void what_is_wrong_is_said(void)
{
    static const struct {
        const char *text;
        int code;
        const char *message;
    } rows[] = {
        {"{\"file_name\": \"../b.png\", \"text\": \"x\"}", CG_ERROR_FORMAT, "line 1"},
        {"{\"file_name\": \"b.png\", \"text\": \"x\"}\n{\"text\": \"x\"}", CG_ERROR_FORMAT,
         "line 2"},
        {"{\"file_name\": \"b.png\", \"text\": \" \"}", CG_ERROR_FORMAT, "empty"},
        {"{\"file_name\": \"b.png\", \"text\": 5}", CG_ERROR_FORMAT, "text"},
        {"{\"file_name\": \"z.png\", \"text\": \"x\"}", CG_ERROR_MISSING, "z.png"},
        {"nonsense", CG_ERROR_FORMAT, "line 1"},
        {"\n", CG_ERROR_MISSING, "no pictures"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        cg_test_tree_put(dir, "b.png");
        cg_test_tree_text(dir, "metadata.jsonl", rows[i].text);
        refuse(dir, rows[i].code, rows[i].message);
    }
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "a.png b.png");
    cg_test_tree_text(dir, "a.txt", "x");
    refuse(dir, CG_ERROR_MISSING, "b.txt");
}

static void pictures_are_cut_square_and_flipped(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *a = cg_test_folder_path(dir, "a.png"), *b = cg_test_folder_path(dir, "b.png");
    g_autoptr(CgImage) wide = cg_image_new(12, 4, 3), grey = cg_image_new(4, 4, 1);
    for (int i = 0; i < 12 * 4 * 3; i++)
        wide->pixels[i] = (guint8)(20 * (i / 3 % 12));
    memset(grey->pixels, 255, 16);
    g_assert_true(cg_image_save_png(wide, a, &error));
    g_assert_true(cg_image_save_png(grey, b, &error));
    const char *const paths[] = {a, b};
    g_autoptr(CgPictureCache) cache = cg_picture_cache_new(paths, 2, 4, 96, &error);
    g_assert_no_error(error);
    float x[48], flipped[48];
    cg_picture_cache_get(cache, 0, FALSE, x);
    cg_picture_cache_get(cache, 0, TRUE, flipped);
    g_assert_cmpfloat_with_epsilon(x[0], 80 / 127.5 - 1, 1e-6); /* columns 4 to 7 */
    g_assert_cmpfloat_with_epsilon(x[9], 140 / 127.5 - 1, 1e-6);
    g_assert_cmpfloat(flipped[0], ==, x[9]);
    cg_picture_cache_get(cache, 1, FALSE, x);
    g_assert_cmpfloat(x[47], ==, 1);
}

static void memory_is_limited_before_reading(void)
{
    g_autoptr(GError) error = NULL;
    const char *const paths[] = {"nowhere.png", "nowhere.png"};
    g_assert_null(cg_picture_cache_new(paths, 2, 64, 20000, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MEMORY);
    g_clear_error(&error);
    g_assert_null(cg_picture_cache_new(paths, 2, 64, 30000, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/captions/metadata", rows_of_metadata);
    g_test_add_func("/captions/texts", texts_beside_pictures);
    g_test_add_func("/captions/phrasings", all_phrasings_are_there);
    g_test_add_func("/captions/dataset", data_sets_speak_by_their_folders);
    g_test_add_func("/captions/refused", what_is_wrong_is_said);
    g_test_add_func("/pictures/square", pictures_are_cut_square_and_flipped);
    g_test_add_func("/pictures/memory", memory_is_limited_before_reading);
    return g_test_run();
}
