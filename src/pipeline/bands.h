/* bands: the loss by timestep.
 *
 * The loss of a diffusion model is large at early timesteps and small at late ones, and one batch
 * has few of either: the mean over all hides which of them still learns. Here timesteps are cut
 * into bands of equal width, each with the mean over the samples of the last so many updates.
 */
#ifndef CG_PIPELINE_BANDS_H
#define CG_PIPELINE_BANDS_H

#include <glib.h>

typedef struct {
    double loss;  /* of one sample */
    double place; /* timestep / number of timesteps, in [0, 1); negative: has none */
} CgBandSample;

typedef struct CgBands CgBands;

/* COUNT bands; band i has the places from i / COUNT to (i + 1) / COUNT. Samples count for WINDOW
 * updates. */
CgBands *cg_bands_new(int count, int window);
void cg_bands_free(CgBands *bands);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgBands, cg_bands_free)

/* The samples of one update. Those without a place or with a loss that is not finite are left out.
 */
void cg_bands_add(CgBands *bands, const CgBandSample *samples, int count);
/* MEANS [count] (NaN where there is no sample) and COUNTS [count]. */
void cg_bands_means(const CgBands *bands, double *means, guint *counts);

#endif
