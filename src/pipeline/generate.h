/* generate: a normal image, a mask and a prompt in, an anomalous image with an exact mask out
 * (stage 2 of the paper: eqs. 2 to 5).
 *
 *     window   the part of the image around the mask, scaled to what the model was trained for
 *     z_i      = E(normal window)                                  (eq. 2)
 *     z_g      = the sampled latent, led by prompt and mask        (eq. 3)
 *     z_f      = z_g * c_m + z_i * (1 - c_m)                       (eq. 4)
 *     image    = D(z_f)                                            (eq. 5)
 *     detail   (option) + what the autoencoder had lost of the picture
 *     paste    back into the image at its own resolution
 */
#ifndef CG_PIPELINE_GENERATE_H
#define CG_PIPELINE_GENERATE_H

#include "image/paste.h"
#include "pipeline/denoise.h"

typedef enum { CG_WINDOW_AUTO, CG_WINDOW_FULL } CgWindowMode;

typedef struct {
    CgDenoiseSettings denoise;
    guint64 seed;
    guint32 sample; /* number of the image under this seed */
    CgFuseMode fuse;
    CgMaskPolicy mask_policy;
    gboolean soft_mask;
    gboolean posterior_sample; /* z_i is a (seeded) sample, not the mode */
    /* Beyond the paper: D(z_f) is softer than a photograph. X - D(E(X)), times this, is added to
     * it, X the picture that was begun from (NORMAL, or BEGIN in its place) at its own resolution:
     * where nothing was changed the picture's own pixels come out with 1, also beside the mask. */
    double detail; /* 0..1 */
    CgPasteMode paste;
    int paste_band; /* pixels; for feather and poisson */
    CgWindowMode window;
    int size; /* longest side of the working picture; 0: the model's own */
    gboolean vae_tiling;
} CgGenerateSettings;

void cg_generate_settings_default(CgGenerateSettings *settings);

/* All borrowed. */
typedef struct {
    const CgImage *normal;
    const CgImage *mask;  /* 0 and 255; NORMAL's size */
    const CgImage *begin; /* what strength below 1 begins from in NORMAL's place, of its size: a
                           * defect put there by other means, say; NULL: NORMAL */
    const CgTensor *init; /* [1, h, w, c] in place of the seeded noise; NULL: seeded */
} CgGenerateInput;

/* Smallest side of a picture that we generate in. */
#define CG_GENERATE_MIN_SIDE 16
/* Largest side of a working picture. */
#define CG_GENERATE_MAX_SIDE 8192

typedef struct {
    CgImage *image;    /* the whole picture, pasted; size and channels of the normal image */
    CgRect window;     /* the part that was generated in */
    int width, height; /* of the working picture */
    CgTensor *normal;  /* [1, h, w, c] z_i */
    CgTensor *begin;   /* the same of the picture that was begun from; NULL: z_i */
    CgTensor *init;    /* [1, h, w, c] eps: x_T before the sampler's scaling */
    CgTensor *latent;  /* z_g */
    CgTensor *fused;   /* z_f */
    double seconds_encode, seconds_sample, seconds_decode;
} CgGenerateResult;

void cg_generate_result_clear(CgGenerateResult *result);

/* Runs in DENOISER's context; AFTER_STEP as in cg_denoise. */
gboolean cg_generate(CgDenoiser *denoiser, const CgModel *model, const CgGenerateSettings *settings,
                     const CgGenerateInput *input, CgStepFunction after_step, void *data,
                     CgGenerateResult *result, GError **error);

/* The window for an image of this mask and the size of its working picture. */
gboolean cg_generate_geometry(const CgModel *model, const CgGenerateSettings *settings,
                              const CgImage *mask, CgRect *window, int *width, int *height,
                              GError **error);

/* What one image of WIDTH x HEIGHT working pixels needs, found by a run that computes nothing. */
typedef struct {
    guint64 weight_bytes;     /* packed weights */
    guint64 activation_bytes; /* at most alive at once */
    double flops;             /* multiply and add counted as two */
    double step_flops;        /* of one sampling step */
} CgGeneratePlan;
void cg_generate_plan(const CgModel *model, const CgGenerateSettings *settings, int width,
                      int height, CgGeneratePlan *plan);

#endif
