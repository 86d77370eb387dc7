/* rle: masks as run lengths, the way COCO keeps them.
 *
 * Runs go down the columns, column after column, and take turns: not set, set, not set... The first
 * may be 0 long. Source: maskApi.c of pycocotools (rleEncode, rleToString, rleFrString).
 */
#ifndef CG_IMAGE_RLE_H
#define CG_IMAGE_RLE_H

#include "image/image.h"

/* The runs (guint32) of MASK (grey; every value but 0 counts). Free with g_array_unref. */
GArray *cg_rle_encode(const CgImage *mask);
/* The mask, 0 and 255. CG_ERROR_SHAPE when the runs do not add up to WIDTH * HEIGHT. */
CgImage *cg_rle_decode(const GArray *runs, int width, int height, GError **error);

/* The compressed form: differences to the run before the last in groups of 5 bits, as printable
 * characters. Free with g_free. */
char *cg_rle_to_string(const GArray *runs);
/* Back; CG_ERROR_FORMAT for text that is none. */
GArray *cg_rle_from_string(const char *text, GError **error);

#endif
