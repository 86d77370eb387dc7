/* format: which kind of file this is, from its first bytes; names of files are not trusted. */
#ifndef CG_IMAGE_FORMAT_H
#define CG_IMAGE_FORMAT_H

#include <glib.h>

typedef enum {
    CG_FORMAT_PNG,
    CG_FORMAT_JPEG,
    CG_FORMAT_TIFF,
    CG_FORMAT_BMP,
    CG_FORMAT_WEBP,
    CG_FORMAT_GIF,
    CG_FORMAT_PPM,
} CgFormat;

/* "PNG", "JPEG", ... */
const char *cg_format_name(CgFormat format);

/* The format of DATA. CG_ERROR_FORMAT for what is no picture, CG_ERROR_UNSUPPORTED for kinds that
 * we know by name and do not read (SVG, PDF, HEIF, JPEG XL, camera raw in other containers, ...);
 * the message begins with WHERE and says what to do. */
gboolean cg_format_sniff(const guint8 *data, gsize size, const char *where, CgFormat *format,
                         GError **error);

/* Walks the chunks of a PNG: every critical chunk has its checksum, and the last is IEND. Decoders
 * stop reading at the last pixel and would miss damage behind it. Source: PNG 1.2, section 3. */
gboolean cg_format_check_png(const guint8 *data, gsize size, const char *where, GError **error);

#endif
