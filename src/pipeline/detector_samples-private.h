/* detector_samples-private: what opening and drawing share with the syntheses. */
#ifndef CG_PIPELINE_DETECTOR_SAMPLES_PRIVATE_H
#define CG_PIPELINE_DETECTOR_SAMPLES_PRIVATE_H

#include "base/rng.h"
#include "pipeline/detector_samples.h"
#include "pipeline/objects.h"

typedef struct {
    CgImage *normal, *image; /* RGB, size x size */
    CgImage *mask;           /* grey */
} CgGeneratedSample;

struct CgDetectorSamples {
    CgDetectorSamplesOptions options;
    char *category;
    GPtrArray *paths;         /* of the normal images, those held out last */
    guint count;              /* of them to train with */
    CgImage **normals;        /* [paths], RGB, size x size */
    GPtrArray *texture_paths; /* NULL: none */
    CgImage **textures;       /* [texture_paths]; NULL: not read yet, or not kept */
    CgObjects *objects;       /* NULL: the synthesis does not look at them */
    CgGeneratedSample *generated;
    guint generated_count;
    gint32 *replaced; /* [paths]: the generated image in its place, or -1; NULL: none are */
};

/* A sample under construction. */
typedef struct {
    CgDetectorSamples *from;
    CgRng rng;
    guint index;    /* of the normal image */
    double degrees; /* 0: not turned */
    CgImage *clean;
    CgImage *over;  /* what is seen where the mask is .. */
    double beta;    /* .. and how much of the clean image through it */
    gboolean whole; /* over replaces all of the picture */
    CgImage *mask;  /* NULL: empty */
} CgDetectorSample;

/* RGB, size x size. */
CgImage *cg_detector_load_rgb(const char *path, int size, GError **error);
/* A copy, turned; black outside. */
CgImage *cg_detector_turned(const CgImage *image, double degrees);

typedef struct {
    const char *name;
    /* Fills over, beta and mask of a sample that has its clean image. */
    gboolean (*make)(CgDetectorSample *sample, GError **error);
    gboolean takes_textures, takes_objects;
} CgDetectorSynthesis;
/* NULL when there is none of this name. */
const CgDetectorSynthesis *cg_detector_synthesis_find(const char *name);

#endif
