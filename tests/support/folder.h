/* folder: a temporary folder of one test.
 *
 *     g_autoptr(CgTestFolder) dir = cg_test_folder_new();
 *     g_autofree char *path = cg_test_folder_path(dir, "mask.png");
 */
#ifndef CG_TESTS_SUPPORT_FOLDER_H
#define CG_TESTS_SUPPORT_FOLDER_H

#include <glib.h>

typedef struct {
    char *path;
} CgTestFolder;

CgTestFolder *cg_test_folder_new(void);
/* Removes the folder and all in it. */
void cg_test_folder_free(CgTestFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgTestFolder, cg_test_folder_free)

/* NAME inside the folder. Free with g_free. */
char *cg_test_folder_path(const CgTestFolder *folder, const char *name);
/* A file NAME of SIZE bytes; returns its path. */
char *cg_test_folder_file(const CgTestFolder *folder, const char *name, const void *data,
                          gsize size);
/* How many things are in the folder itself, hidden ones too. */
guint cg_test_folder_count(const CgTestFolder *folder);

/* The path of a file in tests/fixtures. Free with g_free. */
char *cg_test_fixture(const char *name);

#endif
