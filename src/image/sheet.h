/* sheet: contact sheets, to look at many pictures at once.
 *
 *     CgSheetCell cells[] = {{normal, "normal"}, {mask, "mask"}, {made, "generated\nseed 7"}};
 *     g_autoptr(CgImage) sheet = cg_contact_sheet(cells, 3, 3, 256, &error);
 */
#ifndef CG_IMAGE_SHEET_H
#define CG_IMAGE_SHEET_H

#include "image/image.h"

typedef struct {
    const CgImage *image; /* NULL leaves the place empty */
    const char *caption;  /* UTF-8, "\n" begins a new line; NULL for none */
} CgSheetCell;

/* COUNT (at least 1) cells in rows of COLUMNS, an RGB picture on light grey. Each image is fitted
 * into SIDE x SIDE pixels with its proportions kept (shrunk by Lanczos-3; pixels of small pictures
 * stay visible as squares from twice their size on), its caption under it, cut where it is too
 * long. Without a text renderer or fonts the captions are left out. CG_ERROR_UNSUPPORTED when the
 * sheet would be larger than what cg_image_load reads. */
CgImage *cg_contact_sheet(const CgSheetCell *cells, int count, int columns, int side,
                          GError **error);

/* |A - B| * GAIN, cut at 255; the same sizes. Grey when both are. */
CgImage *cg_image_difference(const CgImage *a, const CgImage *b, int gain);

/* IMAGE as RGB with a red line of WIDTH pixels around what is set in MASK (grey, of the same size);
 * the pixels under the mask stay as they are. */
CgImage *cg_image_outline(const CgImage *image, const CgImage *mask, int width);

#endif
