/* hash: by what a hub names a file's contents.
 *
 * Large files by SHA-256 (64 digits), others as git does: SHA-1 (40) of "blob SIZE\0" and the
 * contents.
 */
#ifndef CG_HUB_HASH_H
#define CG_HUB_HASH_H

#include <glib.h>

/* For contents of SIZE bytes that shall be called NAME; g_checksum_free. */
GChecksum *cg_hub_hash_new(const char *name, guint64 size);
/* COUNT bytes of the file FD from its start, which is where it is left. */
gboolean cg_hub_hash_read(GChecksum *sum, int fd, guint64 count, const char *path, GError **error);
/* TRUE when the file PATH is what NAME says; else CG_ERROR_FORMAT, or another when it is
 * unreadable. */
gboolean cg_hub_hash_check(const char *path, const char *name, GError **error);

#endif
