/* folder: a temporary folder for targets whose readers want files. */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include "base/error.h"

#include <glib/gstdio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void require(gboolean condition)
{
    if (!condition)
        abort();
}

/* Removes what lies at PATH, folders with all that is in them. */
static inline void fuzz_remove(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        fuzz_remove(inner);
    }
    g_remove(path);
}

/* Made at the first call, removed at the end; the path stays. */
static char *fuzz_folder_path;

static inline void fuzz_forget(void)
{
    fuzz_remove(fuzz_folder_path);
    g_free(fuzz_folder_path);
}

static inline const char *fuzz_folder(void)
{
    if (!fuzz_folder_path) {
        require((fuzz_folder_path = g_dir_make_tmp("cagen-fuzz-XXXXXX", NULL)) != NULL);
        atexit(fuzz_forget);
    }
    return fuzz_folder_path;
}

/* PATH below the folder. Free with g_free. */
static inline char *fuzz_path(const char *path)
{
    return g_build_filename(fuzz_folder(), path, NULL);
}

/* SIZE bytes as the file PATH below the folder, whose own folders are made. */
static inline void fuzz_write(const char *path, const void *bytes, size_t size)
{
    g_autofree char *full = fuzz_path(path);
    g_autofree char *parent = g_path_get_dirname(full);
    require(g_mkdir_with_parents(parent, 0777) == 0);
    FILE *file = fopen(full, "wb");
    require(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* A reader's answer: fine without an error, or not and one of ours. */
static inline gboolean fuzz_answered(gboolean ok, GError *error)
{
    require(ok ? error == NULL : error && error->domain == CG_ERROR && *error->message);
    return ok;
}

#endif
