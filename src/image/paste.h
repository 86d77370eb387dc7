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

/* SOURCE with GENERATED (the size of WINDOW, RGB) put at WINDOW. MASK has SOURCE's size.
 *
 * exact: pixels where MASK is 0 are SOURCE's own, bit for bit.
 * feather: outside the mask, pixels at distance d < BAND (pixels, Euclidean) from it are mixed,
 *   weight 1 - d / BAND for generated; further out they are SOURCE's own, bit for bit.
 * poisson: inside the mask grown by BAND pixels the result has GENERATED's gradients and SOURCE's
 *   values on the boundary (Perez et al. 2003); outside of it SOURCE's own, bit for bit.
 * off: the whole window is GENERATED.
 *
 * The result has SOURCE's size and channels (generated pixels become grey for a grey source). */
CgImage *cg_paste(const CgImage *source, const CgImage *generated, const CgImage *mask,
                  CgRect window, CgPasteMode mode, int band);

/* The square (or SIDE-limited) window around MASK's non-zero pixels to generate in, for a source
 * of WIDTH x HEIGHT and a model that works at MODEL_SIZE x MODEL_SIZE pixels: at least MODEL_SIZE
 * a side where the source allows, with a context margin of a quarter of the mask's extent on each
 * side, grown to a square, moved inside the source. Both sides at least 1. An empty mask gives the
 * centre. */
CgRect cg_window_around_mask(const CgImage *mask, int model_size);

/* Smallest rectangle around the non-zero pixels; FALSE when there are none. */
gboolean cg_mask_bounds(const CgImage *mask, CgRect *bounds);
/* Share of non-zero pixels, 0..1. */
double cg_mask_area(const CgImage *mask);

#endif
