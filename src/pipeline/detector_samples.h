/* detector_samples: what a detector is trained with, drawn as DRAEM draws it.
 *
 * Sample NUMBER is a function of (seed, NUMBER). Source: DRAEM, data_loader.py:
 *
 * - a normal image is drawn, with replacement, and resized as OpenCV does (INTER_LINEAR);
 * - three of ten are turned by -90..90 degrees, black outside;
 * - half of the samples stay normal: picture and target are the same, the mask is empty;
 * - the others get an anomaly. As "draem" makes it: a texture, changed by three of ten augmenters,
 *   where Perlin noise is above 0.5, with an opacity of 0.2..1; one draw in twenty covers nothing.
 *
 * Other syntheses take the place of the last step, the rest stays: "cutpaste", "scar",
 * "cutpaste-union", "nsa", "memseg" (see src/synthesis/), or "none": all samples stay normal.
 *
 * Without textures "draem" takes another normal image of the category with its 8 x 8 cells in
 * disorder, changed by the same augmenters: enough to learn from, but not what the paper did.
 */
#ifndef CG_PIPELINE_DETECTOR_SAMPLES_H
#define CG_PIPELINE_DETECTOR_SAMPLES_H

#include "datasets/dataset.h"

/* What "30 % of the training set are replaced by generated images" means. A generated sample has
 * its anomaly always, is turned like the others (picture, target and mask alike), and its target is
 * the normal image that it was made from. */
typedef enum {
    CG_REPLACE_SET,       /* round(ratio * n) of the n normal images, drawn once, are replaced: who
                           * draws one of them gets a generated image instead */
    CG_REPLACE_DRAW,      /* each draw is a generated image with probability ratio */
    CG_REPLACE_ANOMALOUS, /* of the anomalous half alone, this share is generated */
} CgReplace;
gboolean cg_replace_parse(const char *text, CgReplace *replace); /* "set", "draw", "anomalous" */
const char *cg_replace_name(CgReplace replace);

typedef struct {
    const char *data, *layout; /* the data set; layout NULL: as it looks */
    const char *category;      /* NULL: the only one */
    const char *textures;      /* folder of pictures; NULL: none */
    const char *synthesis;     /* one of cg_detector_synthesis_name */
    const char *synthetic;     /* folder of generated images; NULL: none */
    CgReplace replace;
    double ratio; /* 0.3 */
    /* Share of the normal images that is held out, for a threshold (validate_detector.h); at least
     * one image when it is above 0, and one is left to train with. Generated images that were made
     * from a held-out one are not trained with either. */
    double hold_out;
    int size; /* pixels of a side */
    guint64 seed;
} CgDetectorSamplesOptions;

/* The syntheses; NULL at the end. */
const char *cg_detector_synthesis_name(guint index);
/* Whether NAME, one of them, takes textures. */
gboolean cg_detector_synthesis_takes_textures(const char *name);

typedef struct CgDetectorSamples CgDetectorSamples;

/* Opens the category's normal training images (and the generated ones) and keeps them in memory at
 * the size asked for. Strings of O must outlive the result. */
CgDetectorSamples *cg_detector_samples_open(const CgDetectorSamplesOptions *o, GError **error);
void cg_detector_samples_free(CgDetectorSamples *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDetectorSamples, cg_detector_samples_free)

/* Normal images to train with, those held out, and generated ones. */
guint cg_detector_samples_count(const CgDetectorSamples *s);
guint cg_detector_samples_held_out(const CgDetectorSamples *s);
guint cg_detector_samples_generated(const CgDetectorSamples *s);
const char *cg_detector_samples_category(const CgDetectorSamples *s);

/* The N samples NUMBERS: *CLEAN and *PICTURE [n, size, size, 3] f32 in [0, 1], blue first, and
 * *MASK [n, size, size, 1] of 0 and 1. */
gboolean cg_detector_samples_batch(CgDetectorSamples *s, const guint64 *numbers, int n,
                                   CgTensor **clean, CgTensor **picture, CgTensor **mask,
                                   GError **error);

/* Picture NUMBER of those that training never sees, RGB: a held-out normal image, not turned, as it
 * is or with an anomaly of the synthesis, drawn anew while it covers nothing; *IMAGE stays NULL
 * when that never ends. There must be held-out images. */
gboolean cg_detector_samples_validation(CgDetectorSamples *s, guint number, gboolean anomalous,
                                        CgImage **image, GError **error);

#endif
