/* sample_sheet: how far a training is, as one picture.
 *
 * A row for each of the same few inputs (fixed seeds): the normal image with the mask's outline,
 * the mask, what was generated, what was put back, and where that differs from the normal image
 * (amplified). Sheets of different steps lie on each other pixel by pixel.
 */
#ifndef CG_PIPELINE_SAMPLE_SHEET_H
#define CG_PIPELINE_SAMPLE_SHEET_H

#include "image/image.h"

typedef struct {
    const CgImage *normal, *mask, *generated, *fused; /* NULL: an empty place */
    const char *label;                                /* prompt, figures; NULL for none */
} CgSheetRow;

/* Draws COUNT (at least 1) rows, pictures SIDE pixels wide at most, and writes PATH atomically as
 * PNG. Sizes within a row may differ; the difference is drawn where normal and fused have one size.
 */
gboolean cg_sample_sheet_save(const CgSheetRow *rows, int count, int side, const char *path,
                              GError **error);

/* OUT/samples/step-00001200.png, its folder created. Free with g_free. */
char *cg_sample_sheet_path(const char *out, guint64 step, GError **error);

#endif
