/* image-private: what the files of this folder share. */
#ifndef CG_IMAGE_IMAGE_PRIVATE_H
#define CG_IMAGE_IMAGE_PRIVATE_H

#include "image/map.h"

/* Refuses sizes that we do not read, before memory is taken: a side of 0 or above
 * CG_IMAGE_MAX_SIDE, more than CG_IMAGE_MAX_PIXELS in all (CG_ERROR_UNSUPPORTED), and BYTES, what
 * decoding will take, beyond the memory that is free now (CG_ERROR_MEMORY). */
gboolean cg_image_check_size(const char *where, gint64 width, gint64 height, guint64 bytes,
                             GError **error);

/* BMP, which libvips itself does not read: 1, 4, 8, 16, 24 and 32 bits, with palettes and bit
 * fields; not run-length coded. Source: Microsoft, "Bitmap Storage" (BITMAPINFOHEADER). WHERE names
 * the file in messages. A palette of greys only gives one channel, all else three; a fourth
 * channel is skipped. */
gboolean cg_bmp_probe(const guint8 *data, size_t size, const char *where, int *width, int *height,
                      int *channels, GError **error);
CgImage *cg_bmp_decode(const guint8 *data, size_t size, const char *where, GError **error);

/* cg_image_load and cg_image_load_mask from memory. */
CgImage *cg_image_parse(const guint8 *data, size_t size, const char *where, char **note,
                        GError **error);
CgImage *cg_image_parse_mask(const guint8 *data, size_t size, const char *where, GError **error);

/* A NumPy array file as a map; see cg_map_load. */
#define CG_NPY_MAGIC "\x93NUMPY"
CgMap *cg_npy_parse(const guint8 *data, size_t size, const char *where, GError **error);

#endif
