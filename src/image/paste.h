/* paste: putting generated pixels back into the picture they were made for. */
#ifndef CG_IMAGE_PASTE_H
#define CG_IMAGE_PASTE_H

#include "image/image.h"

typedef struct {
    int x, y, width, height;
} CgRect;

typedef enum {
    CG_PASTE_EXACT,   /* inside the mask generated, outside bit-identical to the source */
    CG_PASTE_FEATHER, /* a linear cross-fade in a band around the mask's edge */
    CG_PASTE_POISSON, /* gradient-domain blend: seamless inside the mask, outside untouched */
    CG_PASTE_OFF,     /* the generated window as it is */
} CgPasteMode;

const char *cg_paste_mode_name(CgPasteMode mode);
gboolean cg_paste_mode_parse(const char *text, CgPasteMode *mode);

/* SOURCE with GENERATED (the size of WINDOW) put at WINDOW. MASK is grey, of SOURCE's size; only
 * what of it lies in WINDOW counts. Nothing outside of WINDOW changes.
 *
 * exact: pixels where MASK is 0 are SOURCE's own, bit for bit; BAND is not used.
 * feather: outside the mask, pixels at distance d < BAND (pixels between centres, Euclidean, exact)
 *   from it are mixed, weight 1 - d / BAND for generated; further out they are SOURCE's own, bit
 *   for bit.
 * poisson: at distances up to BAND from the mask the result has GENERATED's gradients and SOURCE's
 *   values on the boundary (Perez et al. 2003); further out SOURCE's own, bit for bit. Where the
 *   region meets the picture's edge nothing is prescribed there (Neumann). If it is the whole
 *   picture, nothing fixes the brightness at all: then each channel of GENERATED is shifted to
 *   SOURCE's mean. Precision: see membrane.h.
 * off: the whole window is GENERATED.
 *
 * The result has SOURCE's size and channels (generated pixels become grey for a grey source). It
 * does not depend on the number of threads. */
CgImage *cg_paste(const CgImage *source, const CgImage *generated, const CgImage *mask,
                  CgRect window, CgPasteMode mode, int band);

/* The window around MASK's non-zero pixels to generate in, for a model that works at MODEL_SIZE x
 * MODEL_SIZE pixels; it lies inside the picture and holds all of the mask. Its side is the longer
 * side of the mask plus a quarter of that as context at either end, at least MODEL_SIZE. Where the
 * picture is narrower than that, the window is the largest square that fits, unless no square holds
 * the mask: then it is as wide as the picture and longer than wide. An empty mask gives the centre.
 */
CgRect cg_window_around_mask(const CgImage *mask, int model_size);

/* Smallest rectangle around the non-zero pixels; FALSE when there are none. */
gboolean cg_mask_bounds(const CgImage *mask, CgRect *bounds);
/* Share of non-zero pixels, 0..1. */
double cg_mask_area(const CgImage *mask);

#endif
