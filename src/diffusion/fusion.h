/* fusion: the generated defect inside the mask, the normal image outside of it, in latent space.
 *
 *     z_f = z_g * m + z_i * (1 - m)                                    (CAGen, eq. 4)
 *
 * z_g is the sampler's final latent, z_i the normal image's, both in scaled units (VAE latent x
 * 0.18215), m the mask on the latent grid, 8 times smaller than the image.
 *
 * final: eq. 4 once, after sampling; what the paper does. Sampling knows nothing of the image, and
 *   the decoder has to smooth the seam.
 * step: the state is mixed after every step (blended latent diffusion, Avrahami et al. 2023): once
 *   step i has taken it to the level of call i + 1,
 *       x = m * x + (1 - m) * (signal * z_i + noise * eps)
 *   with that level's signal and noise (cg_sampler_level), that is z_i with noise added at the next
 *   timestep; after the last step signal 1, noise 0: eq. 4. What is generated inside the mask then
 *   grows together with the image around it. eps is one draw for the whole run: the one that x_T
 *   was made of (diffusers' inpainting does the same), so the outside follows one straight line
 *   from x_T to z_i, and a run needs no random numbers that "final" does not need.
 */
#ifndef CG_DIFFUSION_FUSION_H
#define CG_DIFFUSION_FUSION_H

#include "diffusion/sampler.h"
#include "tensor/tensor.h"

typedef enum { CG_FUSE_FINAL, CG_FUSE_STEP, CG_FUSE_OFF } CgFuseMode;
/* "final", "step", "off" */
const char *cg_fuse_mode_name(CgFuseMode mode);
gboolean cg_fuse_mode_parse(const char *text, CgFuseMode *mode);

/* How the mask is made smaller. The paper does not say. A latent cell is the image's rectangle from
 * floor(i * H / h) to ceil((i + 1) * H / h), 8 x 8 pixels when sizes divide; its value is
 * max: the brightest pixel: keeps every masked pixel covered, a three-pixel scratch included;
 *   up to 7 pixels more on each side. The default.
 * area: the mean: the mask's true size on average, but what is thin vanishes when cut hard.
 * nearest: the pixel in the top left corner, as diffusers' inpainting does; thin parts are kept or
 *   lost by chance. */
typedef enum { CG_MASK_MAX, CG_MASK_AREA, CG_MASK_NEAREST } CgMaskPolicy;
/* "max", "area", "nearest" */
const char *cg_mask_policy_name(CgMaskPolicy policy);
gboolean cg_mask_policy_parse(const char *text, CgMaskPolicy *policy);

/* What became of the mask. */
typedef struct {
    size_t pixels;     /* non-zero ones in the image */
    size_t lost;       /* of those, how many lie in cells that are 0 now */
    size_t cells;      /* non-zero ones on the latent grid */
    gboolean vanished; /* pixels > 0, cells == 0: nothing would be generated */
} CgMaskFit;

/* The HEIGHT x WIDTH mask (bytes, 0 outside .. 255 inside) on the latent grid: f32 [h, w] in 0..1.
 * Hard (not SOFT): 1 where the cell's value is 1/2 or more, else 0. Soft: the value itself; for
 * max and nearest of a mask of 0 and 255 that is the same. 1 <= H <= HEIGHT, 1 <= W <= WIDTH.
 * FIT is nullable; a caller should refuse a mask that vanished and may warn about what was lost. */
CgTensor *cg_mask_to_latent(const guint8 *mask, int height, int width, int h, int w,
                            CgMaskPolicy policy, gboolean soft, CgMaskFit *fit);

/* eq. 4. Z_G and OUT [n, h, w, c], Z_I [n or 1, h, w, c], MASK [h, w] or [n, h, w], all f32. OUT
 * may be Z_G. Where MASK is 0, OUT is Z_I bit for bit; where it is 1, Z_G. */
void cg_fuse_latents(const CgTensor *z_g, const CgTensor *z_i, const CgTensor *mask, CgTensor *out);

/* Mixes the state X after step I of SAMPLER, as above. EPS, the size of X, is standard normal (not
 * scaled by cg_sampler_init_sigma); after the last step it is not used and may be NULL. */
void cg_fuse_step(const CgSampler *sampler, int i, const CgTensor *z_i, const CgTensor *mask,
                  const CgTensor *eps, CgTensor *x);

#endif
