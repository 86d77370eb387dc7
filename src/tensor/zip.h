/* zip: what a zip archive in memory holds, for archives whose files are stored as they are.
 *
 * PyTorch's are. Compressed or encrypted entries are CG_ERROR_UNSUPPORTED, so nothing can be larger
 * than the archive; entries that lie outside of it or over each other are CG_ERROR_FORMAT. ZIP64 is
 * understood, archives in several parts are not. Source: PKWARE, APPNOTE.TXT 6.3.
 */
#ifndef CG_TENSOR_ZIP_H
#define CG_TENSOR_ZIP_H

#include <glib.h>

typedef struct {
    char *name;
    const guint8 *data; /* into the archive */
    gsize size;
} CgZipEntry;

/* Array of CgZipEntry in the directory's order; free with g_array_unref. DATA must outlive it. */
GArray *cg_zip_list(const guint8 *data, gsize size, const char *where, GError **error);

#endif
