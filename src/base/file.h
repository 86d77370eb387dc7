/* file: mapped reading and atomic writing.
 *
 * A file that we write appears under its name only when it is complete: the bytes go to a
 * temporary name in the same folder, are flushed to the disk and renamed. A crash, a full disk or
 * Ctrl-C leaves the old file (or none), never half of one.
 */
#ifndef CG_BASE_FILE_H
#define CG_BASE_FILE_H

#include <glib.h>
#include <stdio.h>

/* A regular file mapped read-only. Reference counted: tensors that view it keep it alive. */
typedef struct {
    char *path;
    const guint8 *data; /* NULL when size is 0 */
    size_t size;
    gint ref_count;
} CgMappedFile;

/* Maps PATH. CG_ERROR_IO / CG_ERROR_MISSING when it is not there, not a regular file or unreadable.
 */
CgMappedFile *cg_mapped_file_open(const char *path, GError **error);
CgMappedFile *cg_mapped_file_ref(CgMappedFile *file);
void cg_mapped_file_unref(CgMappedFile *file);
/* Tells the kernel that the bytes DATA..DATA+SIZE of the map are not needed again soon (after
 * weights were packed), so that they stop counting as our memory. Partial pages stay. */
void cg_mapped_file_release(CgMappedFile *file, const void *data, size_t size);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMappedFile, cg_mapped_file_unref)

/* The whole of a small text file (configuration, prompts), NUL-terminated; at most MAX_SIZE bytes,
 * else CG_ERROR_FORMAT. *SIZE (nullable) gets the length without the NUL. Free with g_free. */
char *cg_file_read(const char *path, size_t max_size, size_t *size, GError **error);

/* An output file under construction. */
typedef struct CgAtomicFile CgAtomicFile;
CgAtomicFile *cg_atomic_file_open(const char *path, GError **error);
/* Appends SIZE bytes. */
gboolean cg_atomic_file_write(CgAtomicFile *file, const void *data, size_t size, GError **error);
/* Flushes, syncs, renames over the final name and frees FILE, also on failure (then nothing is
 * left behind). */
gboolean cg_atomic_file_commit(CgAtomicFile *file, GError **error);
/* Removes what was written and frees. NULL is fine. */
void cg_atomic_file_abort(CgAtomicFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgAtomicFile, cg_atomic_file_abort)

/* Removes from FOLDER the unfinished files of a process that was killed. Only where nobody else can
 * be writing. */
void cg_atomic_file_clean(const char *folder);

/* Open, write, commit in one. */
gboolean cg_file_write(const char *path, const void *data, size_t size, GError **error);
/* Whether a file can be written at PATH (NULL: nothing is asked), of which nothing stays: for
 * asking before long work. */
gboolean cg_file_can_write(const char *path, GError **error);
/* PATH itself where it is absolute, else below FOLDER. NULL of NULL. Free with g_free. */
char *cg_file_below(const char *folder, const char *path);

/* Creates the folder PATH and its parents; fine if it exists. */
gboolean cg_file_make_directory(const char *path, GError **error);

/* SHA-256 of a file's bytes as 64 lower-case hex digits. Free with g_free. */
char *cg_file_sha256(const char *path, GError **error);

#endif
