/* vips-private: the little that our files need of libvips besides its operations. */
#ifndef CG_IMAGE_VIPS_PRIVATE_H
#define CG_IMAGE_VIPS_PRIVATE_H

#include "image/format.h"

#include <vips/vips.h>

/* Releases a vips object at the end of its scope: CG_VIPS_AUTO VipsImage *image = NULL;
 * (g_autoptr for these types came with later releases than those we build with.) */
static inline void cg_vips_unref(void *variable)
{
    g_clear_object((GObject **)variable);
}
#define CG_VIPS_AUTO __attribute__((cleanup(cg_vips_unref)))

/* What libvips said was wrong, as a part of a line ("Premature end of input file"), and clears it.
 * Never NULL or empty. Free with g_free. */
char *cg_vips_take_error(void);

/* The file's header as a lazy image whose pixels come from top to bottom; SOURCE stays the
 * caller's. NULL with an error in libvips' own buffer. */
VipsImage *cg_vips_open(VipsSource *source, CgFormat format, VipsFailOn fail_on);
/* Fills ERROR with what libvips said about WHERE; FALSE. */
gboolean cg_vips_broken(const char *where, CgFormat format, GError **error);

#endif
