/* synthesis: what the methods that make anomalies without a network have in common.
 *
 * Each takes a normal picture and a random stream and gives a picture with an anomaly and its exact
 * mask: where the mask is 0 the picture is the normal one, bit for bit. All draws come from the
 * stream, in a fixed order, so that a result depends on (seed, sample number) alone.
 */
#ifndef CG_SYNTHESIS_SYNTHESIS_H
#define CG_SYNTHESIS_SYNTHESIS_H

#include "base/json.h"
#include "base/rng.h"
#include "image/image.h"

/* Pictures are at least this long on either side. */
#define CG_SYNTHESIS_MIN_SIDE 16

typedef struct {
    CgImage *image;     /* the normal picture's size and channels */
    CgImage *mask;      /* grey, 0 or 255, never empty */
    json_t *parameters; /* object: what was drawn */
} CgSynthesis;

static inline void cg_synthesis_clear(CgSynthesis *s)
{
    cg_image_free(s->image);
    cg_image_free(s->mask);
    json_decref(s->parameters);
    *s = (CgSynthesis){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgSynthesis, cg_synthesis_clear)

#endif
