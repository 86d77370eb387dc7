#include "support/folder.h"

#include <glib/gstdio.h>

CgTestFolder *cg_test_folder_new(void)
{
    g_autoptr(GError) error = NULL;
    CgTestFolder *folder = g_new0(CgTestFolder, 1);
    folder->path = g_dir_make_tmp("cagen-test-XXXXXX", &error);
    g_assert_no_error(error);
    return folder;
}

static void remove_tree(const char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir))) {
            g_autofree char *child = g_build_filename(path, name, NULL);
            remove_tree(child);
        }
    }
    g_remove(path);
}

void cg_test_folder_free(CgTestFolder *folder)
{
    remove_tree(folder->path);
    g_free(folder->path);
    g_free(folder);
}

char *cg_test_folder_path(const CgTestFolder *folder, const char *name)
{
    return g_build_filename(folder->path, name, NULL);
}

char *cg_test_folder_file(const CgTestFolder *folder, const char *name, const void *data,
                          gsize size)
{
    g_autoptr(GError) error = NULL;
    char *path = cg_test_folder_path(folder, name);
    g_file_set_contents(path, size ? data : "", (gssize)size, &error);
    g_assert_no_error(error);
    return path;
}

guint cg_test_folder_count(const CgTestFolder *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder->path, 0, NULL);
    guint count = 0;
    while (g_dir_read_name(dir))
        count++;
    return count;
}

char *cg_test_fixture(const char *name)
{
    const char *top = g_getenv("CAGEN_FIXTURES");
    return g_build_filename(top ? top : "tests/fixtures", name, NULL);
}
