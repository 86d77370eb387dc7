/* What the two kinds of autoencoder share with vae.c. */
#ifndef CG_MODELS_VAE_PRIVATE_H
#define CG_MODELS_VAE_PRIVATE_H

#include "models/vae.h"
#include "nn/resnet.h"

/* The one-head attention in the middle of the encoder and decoder. */
typedef struct {
    CgNorm norm;
    CgLinear qkv, out;
} CgVaeAttention;

typedef struct {
    CgResnet resnets[2];
    CgVaeAttention attention;
} CgVaeMid;

#define CG_VAE_MAX_LAYERS 8

typedef struct {
    CgResnet resnets[CG_VAE_MAX_LAYERS];
    CgConv resample; /* except at the last block */
} CgVaeBlock;

typedef struct {
    CgConv encoder_in, encoder_out, decoder_in, decoder_out, quant, post_quant;
    CgVaeBlock down[CG_VAE_MAX_LEVELS], up[CG_VAE_MAX_LEVELS];
    CgVaeMid encoder_mid, decoder_mid;
    CgNorm encoder_norm, decoder_norm;
} CgVaeKl;

/* One step of a tiny autoencoder's sequence. */
typedef struct {
    enum { CG_TINY_CONV, CG_TINY_CONV_RELU, CG_TINY_BLOCK, CG_TINY_UPSAMPLE } kind;
    CgConv convs[3]; /* the block's three; others: the first */
} CgTinyLayer;

#define CG_TINY_MAX_LAYERS 64

typedef struct {
    CgTinyLayer encoder[CG_TINY_MAX_LAYERS], decoder[CG_TINY_MAX_LAYERS];
    int encoder_count, decoder_count;
} CgVaeTiny;

struct CgVae {
    CgVaeConfig config;
    CgParameterSet parameters;
    CgVaeKl kl;
    CgVaeTiny tiny;
};

void cg_bind_vae_kl(CgBinder *b, CgVaeKl *kl, const CgVaeConfig *config);
/* Image f32 -> moments before the clamp, in the context's type. */
CgTensor *cg_vae_kl_encode(CgContext *cx, const CgVaeKl *kl, const CgVaeConfig *config,
                           CgTensor *image);
/* Unscaled z f32 -> image in the context's type. */
CgTensor *cg_vae_kl_decode(CgContext *cx, const CgVaeKl *kl, const CgVaeConfig *config,
                           CgTensor *z);

void cg_bind_vae_tiny(CgBinder *b, CgVaeTiny *tiny, const CgVaeConfig *config);
/* Image f32 in [-1, 1] -> latent; latent f32 -> image in [-1, 1]; results in the context's type. */
CgTensor *cg_vae_tiny_encode(CgContext *cx, const CgVaeTiny *tiny, CgTensor *image);
CgTensor *cg_vae_tiny_decode(CgContext *cx, const CgVaeTiny *tiny, CgTensor *z);

#endif
