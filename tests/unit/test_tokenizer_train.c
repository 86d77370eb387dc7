/* A vocabulary made from captions: what it learns, that order changes nothing, bad input. The ids
 * themselves are compared with transformers by tests/oracle/check_tokenizer.py. */
#include "base/error.h"
#include "base/file.h"
#include "models/tokenizer.h"
#include "models/tokenizer_train.h"
#include "support/folder.h"

#include <string.h>

static const char *const captions[] = {
    "scratch hex nut", "good hex nut",       "crack wooden board", "good wooden board",
    "dent hex nut",    "Stain wooden board", "good hex nut",       "caf\xc3\xa9 \xf0\x9f\x94\xa9",
};
static const char *const turned[] = {
    "caf\xc3\xa9 \xf0\x9f\x94\xa9",
    "good hex nut",
    "Stain wooden board",
    "dent hex nut",
    "good wooden board",
    "crack wooden board",
    "good hex nut",
    "scratch hex nut",
};

static char *read_file(const char *folder, const char *name, size_t *size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = cg_file_read(path, 1 << 20, size, &error);
    g_assert_no_error(error);
    return text;
}

static void frequent_words_become_one_token(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const char *folder = dir->path;
    const int size = cg_tokenizer_train(captions, G_N_ELEMENTS(captions), 600, 77, folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(size, <=, 600);
    g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cg_tokenizer_size(tokenizer), ==, size);
    g_assert_cmpint(cg_tokenizer_length(tokenizer), ==, 77);
    g_assert_cmpint(cg_tokenizer_bos(tokenizer), ==, size - 2);
    g_assert_cmpint(cg_tokenizer_eos(tokenizer), ==, size - 1);
    g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, "good Hex nut", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ids->len, ==, 3);
    g_assert_cmpstr(cg_tokenizer_piece(tokenizer, g_array_index(ids, gint32, 1)), ==, "hex</w>");
}

static void any_text_can_be_encoded(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const char *folder = dir->path;
    cg_tokenizer_train(captions, 1, 514, 12, folder, &error);
    g_assert_no_error(error);
    g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cg_tokenizer_size(tokenizer), ==, 514);
    g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, "\xe7\xbc\xba\xe9\x99\xb7", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ids->len, ==, 6);
}

static void order_of_captions_changes_nothing(void)
{
    static const char *const names[] = {"vocab.json", "merges.txt"};
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *a = cg_test_folder_path(dir, "a"), *b = cg_test_folder_path(dir, "b");
    cg_tokenizer_train(captions, G_N_ELEMENTS(captions), 560, 77, a, &error);
    cg_tokenizer_train(turned, G_N_ELEMENTS(turned), 560, 77, b, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t size_a, size_b;
        g_autofree char *text_a = read_file(a, names[i], &size_a);
        g_autofree char *text_b = read_file(b, names[i], &size_b);
        g_assert_cmpmem(text_a, size_a, text_b, size_b);
    }
}

/* "ab" + "c" and "a" + "bc" spell one symbol. */
static void symbols_spelt_twice_are_one(void)
{
    static const char *const odd[] = {"abcx abcx abcx", "abcy abcy", "zab zab zab zab",
                                      "bcq bcq bcq"};
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const char *folder = dir->path;
    const int size = cg_tokenizer_train(odd, G_N_ELEMENTS(odd), 700, 77, folder, &error);
    g_assert_no_error(error);
    g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cg_tokenizer_size(tokenizer), ==, size);
    for (gint32 id = 0; id < size; id++)
        g_assert_nonnull(cg_tokenizer_piece(tokenizer, id));
}

static void bad_input_is_refused(void)
{
    static const char *const broken[] = {"good \xff nut"};
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    const char *folder = dir->path;
    g_assert_cmpint(cg_tokenizer_train(captions, 2, 513, 77, folder, &error), ==, 0);
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_cmpint(cg_tokenizer_train(broken, 1, 600, 77, folder, &error), ==, 0);
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tokenizer_train/frequent_words", frequent_words_become_one_token);
    g_test_add_func("/tokenizer_train/any_text", any_text_can_be_encoded);
    g_test_add_func("/tokenizer_train/order", order_of_captions_changes_nothing);
    g_test_add_func("/tokenizer_train/spelt_twice", symbols_spelt_twice_are_one);
    g_test_add_func("/tokenizer_train/bad_input", bad_input_is_refused);
    return g_test_run();
}
