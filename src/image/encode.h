/* encode: pictures as bytes in memory, for files that hold more than a picture. */
#ifndef CG_IMAGE_ENCODE_H
#define CG_IMAGE_ENCODE_H

#include "image/image.h"

/* QUALITY 1..100. The same pixels give the same bytes on one machine. NULL with CG_ERROR_ENGINE. */
GByteArray *cg_image_encode_jpeg(const CgImage *image, int quality, GError **error);
GByteArray *cg_image_encode_png(const CgImage *image, GError **error);

#endif
