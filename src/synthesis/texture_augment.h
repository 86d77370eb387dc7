/* texture_augment: the ten ways in which DRAEM changes a texture before it becomes an anomaly.
 *
 * What imgaug 0.4 does with OpenCV 4 and Pillow, on 8-bit RGB. (DRAEM hands imgaug BGR, which then
 * takes red for blue in the colour spaces; here red is red.)
 */
#ifndef CG_SYNTHESIS_TEXTURE_AUGMENT_H
#define CG_SYNTHESIS_TEXTURE_AUGMENT_H

#include "synthesis/colour.h"
#include "synthesis/synthesis.h"

typedef enum {
    CG_TEXTURE_GAMMA,          /* value[c]: exponent of channel c, 0.5..2 */
    CG_TEXTURE_BRIGHTNESS,     /* in SPACE: value[0] factor 0.8..1.2, value[1] added -30..30 */
    CG_TEXTURE_SHARPNESS,      /* value[0]: 0 (smooth) .. 2 (sharp), 1 nothing */
    CG_TEXTURE_HUE_SATURATION, /* value[0], value[1]: added to hue (of 255) and saturation, -50..50
                                */
    CG_TEXTURE_SOLARIZE,       /* value[0]: from here on inverted, 32..128; 256: nothing */
    CG_TEXTURE_POSTERIZE,      /* value[0]: bits that stay, 1..8 */
    CG_TEXTURE_INVERT,
    CG_TEXTURE_AUTOCONTRAST, /* value[0]: per cent cut off at either end, 0..20 */
    CG_TEXTURE_EQUALIZE,
    CG_TEXTURE_ROTATE, /* value[0]: degrees, -45..45 */
    CG_TEXTURE_AUGMENTS,
} CgTextureAugmentKind;

typedef struct {
    CgTextureAugmentKind kind;
    double value[3];
    CgColourSpace space; /* brightness: where */
    gboolean add_first;  /* brightness: the sum before the product */
} CgTextureAugment;

const char *cg_texture_augment_name(CgTextureAugmentKind kind);
CgTextureAugment cg_texture_augment_draw(CgTextureAugmentKind kind, CgRng *rng);
/* RGB, in place. */
void cg_texture_augment_apply(const CgTextureAugment *augment, CgImage *image);
json_t *cg_texture_augment_to_json(const CgTextureAugment *augment);

#endif
