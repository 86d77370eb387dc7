/* foreground: where the object is, without a neural network.
 *
 *     CgForegroundPolicy policy = CG_FOREGROUND_AUTO;
 *     g_autoptr(CgImage) mask = cg_foreground(image, &policy, NULL);
 *
 * Pictures of inspected parts are taken before a plain ground. The image's corners seed a model of
 * the ground's colour, a plane over the image because light falls off; what differs from it
 * by more than Otsu's threshold is the object, once grown, closed and cleaned. Pictures without
 * such a ground (textures, or objects larger than the picture) are all object.
 */
#ifndef CG_SYNTHESIS_FOREGROUND_H
#define CG_SYNTHESIS_FOREGROUND_H

#include "image/image.h"

typedef enum {
    CG_FOREGROUND_AUTO,    /* object or texture, as the image looks */
    CG_FOREGROUND_OBJECT,  /* an object before a ground */
    CG_FOREGROUND_TEXTURE, /* the whole image */
} CgForegroundPolicy;
/* "auto", "object", "texture" */
const char *cg_foreground_policy_name(CgForegroundPolicy policy);
gboolean cg_foreground_policy_parse(const char *text, CgForegroundPolicy *policy);

/* What the decision rests on; for people who want to know why. */
typedef struct {
    double contrast; /* between object and ground, in grey levels */
    double spread;   /* of the ground: seven tenths of the corners' pixels are nearer */
    double area;     /* the object's share of the image */
    double framed;   /* the object's share of the image's border */
    double litter;   /* share of the rest of the image that does not look like the ground */
} CgForegroundFacts;

/* The object's mask: 0 or 255, one channel, the size of IMAGE. *POLICY AUTO becomes what was
 * decided; FACTS is nullable. With OBJECT and nothing found, the whole image. */
CgImage *cg_foreground(const CgImage *image, CgForegroundPolicy *policy, CgForegroundFacts *facts);

/* OBJECT when more than half of the images look so. One category wants one policy: decide it once,
 * on some of its normal images. */
CgForegroundPolicy cg_foreground_decide(const CgImage *const *images, int count);

#endif
