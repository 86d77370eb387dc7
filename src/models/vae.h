/* vae: between pictures and latents.
 *
 * Two kinds behind one interface: AutoencoderKL (Stable Diffusion's own) and AutoencoderTiny
 * (TAESD: small, fast, approximate). "latent" below is the scaled one that diffusion works with:
 * scaling_factor times the autoencoder's (0.18215 for Stable Diffusion 1.5, 1 for TAESD).
 */
#ifndef CG_MODELS_VAE_H
#define CG_MODELS_VAE_H

#include "base/json.h"
#include "nn/layers.h"

typedef enum { CG_VAE_KL, CG_VAE_TINY } CgVaeKind;

#define CG_VAE_MAX_LEVELS 8

typedef struct {
    CgVaeKind kind;
    int in_channels, out_channels, latent_channels;
    int level_count;
    int channels[CG_VAE_MAX_LEVELS]; /* block_out_channels; tiny: of the encoder */
    int layers;                      /* kl: residual blocks per encoder level */
    int groups;                      /* kl */
    int encoder_blocks[CG_VAE_MAX_LEVELS], decoder_blocks[CG_VAE_MAX_LEVELS]; /* tiny */
    int sample_size; /* image side of a tile */
    double scaling_factor;
} CgVaeConfig;

void cg_vae_config_default(CgVaeConfig *config, CgVaeKind kind);
/* _class_name AutoencoderKL or AutoencoderTiny decides the kind. */
gboolean cg_vae_config_parse(const json_t *object, const char *where, CgVaeConfig *config,
                             GError **error);
json_t *cg_vae_config_to_json(const CgVaeConfig *config);
/* Pixels per latent cell and side: 8 for four levels. */
static inline int cg_vae_factor(const CgVaeConfig *config)
{
    return 1 << (config->level_count - 1);
}

typedef struct CgVae CgVae;

CgVae *cg_vae_new(const CgBuild *build, const CgVaeConfig *config, GError **error);
/* Only the structure, visited by B. */
void cg_bind_vae(CgBinder *b, const CgVaeConfig *config);
void cg_vae_free(CgVae *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgVae, cg_vae_free)
/* The store's numbers are other ones now. */
void cg_vae_changed(CgVae *v);
const CgVaeConfig *cg_vae_config(const CgVae *v);
const CgPackedBytes *cg_vae_packed_bytes(const CgVae *vae);
guint64 cg_vae_parameter_count(const CgVae *v);

/* IMAGE [n, h, w, 3] f32 in [-1, 1], sides multiples of the factor -> the posterior's moments
 * [n, h/f, w/f, 2 * latent_channels] f32: mean, then log-variance clamped to [-30, 20]. The tiny
 * kind has no posterior: its log-variance is -30. Unscaled. */
CgTensor *cg_vae_encode(CgContext *cx, const CgVae *v, CgTensor *image);
/* MOMENTS -> latent: scaling_factor * mean, or with NOISE [same, latent_channels] f32 a sample:
 * scaling_factor * (mean + exp(logvar / 2) * noise). */
CgTensor *cg_vae_latent(const CgVae *v, const CgTensor *moments, const CgTensor *noise);
/* LATENT [n, h, w, latent_channels] f32, scaled -> [n, f h, f w, 3] f32, about [-1, 1]. */
CgTensor *cg_vae_decode(CgContext *cx, const CgVae *v, CgTensor *latent);

/* The same in overlapping tiles of sample_size pixels, blended (diffusers' enable_tiling): memory
 * stays that of one tile. Differs visibly from untiled where statistics differ between tiles.
 * Pictures of at most one tile are done whole. */
CgTensor *cg_vae_encode_tiled(CgContext *cx, const CgVae *v, CgTensor *image);
CgTensor *cg_vae_decode_tiled(CgContext *cx, const CgVae *v, CgTensor *latent);

#endif
