/* Finding a tokenizer's files. */
#include "models/tokenizer-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>

static GBytes *read_bytes(const char *path, GError **error)
{
    size_t size;
    char *text = cg_file_read(path, CG_JSON_MAX_FILE, &size, error);
    return text ? g_bytes_new_take(text, size) : NULL;
}

/* NAME in FOLDER into *OUT; without the file *OUT stays NULL unless it is NEEDED. */
static gboolean read_file(const char *folder, const char *name, gboolean needed, GBytes **out,
                          GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (!needed && !g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    *out = read_bytes(path, error);
    return *out != NULL;
}

static void files_clear(CgTokenizerFiles *files)
{
    GBytes *all[] = {files->vocabulary, files->merges,      files->json, files->openai,
                     files->config,     files->special_map, files->added};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        g_clear_pointer(&all[i], g_bytes_unref);
}
typedef CgTokenizerFiles Files;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Files, files_clear)

static gboolean has_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean has_tokenizer(const char *folder)
{
    return has_file(folder, "vocab.json") || has_file(folder, "tokenizer.json");
}

/* The small files beside a vocabulary. */
static gboolean read_companions(const char *folder, Files *files, GError **error)
{
    return read_file(folder, "tokenizer_config.json", FALSE, &files->config, error) &&
           read_file(folder, "special_tokens_map.json", FALSE, &files->special_map, error) &&
           read_file(folder, "added_tokens.json", FALSE, &files->added, error);
}

static CgTokenizer *open_folder(const char *path, GError **error)
{
    g_autofree char *below = g_build_filename(path, "tokenizer", NULL);
    const char *folder = has_tokenizer(path) ? path : below;
    g_auto(Files) files = {.folder = folder, .name = "tokenizer.json"};
    gboolean ok;

    if (!has_tokenizer(folder)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no tokenizer here or in the folder tokenizer below it: vocab.json and "
                    "merges.txt, or tokenizer.json, are needed",
                    path);
        return NULL;
    }
    if (has_file(folder, "vocab.json"))
        ok = read_file(folder, "vocab.json", TRUE, &files.vocabulary, error) &&
             read_file(folder, "merges.txt", TRUE, &files.merges, error);
    else
        ok = read_file(folder, "tokenizer.json", TRUE, &files.json, error);
    if (!ok || !read_companions(folder, &files, error))
        return NULL;
    return cg_tokenizer_parse(&files, error);
}

/* A file on its own: tokenizer.json when it begins as JSON does, else a list of merges. */
static CgTokenizer *open_file(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
    g_auto(Files) files = {.folder = folder, .name = name};
    g_autoptr(GBytes) bytes = read_bytes(path, error);
    if (!bytes)
        return NULL;

    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    if (size == 0 || *text != '{') {
        files.openai = g_steal_pointer(&bytes);
        return cg_tokenizer_parse(&files, error);
    }
    files.json = g_steal_pointer(&bytes);
    return read_companions(folder, &files, error) ? cg_tokenizer_parse(&files, error) : NULL;
}

CgTokenizer *cg_tokenizer_open(const char *path, GError **error)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR) ? open_folder(path, error)
                                                 : open_file(path, error);
}
