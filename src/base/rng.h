/* rng: counter-based random numbers (Philox 4x32-10, Salmon et al. 2011).
 *
 * A value depends on (seed, stream, index) alone: not on threads, batch size or order. Streams keep
 * uses apart; a sample's initial noise, say, is stream CG_STREAM_LATENT + sample number.
 */
#ifndef CG_BASE_RNG_H
#define CG_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* The high 32 bits of a stream say the use, the low 32 bits which one. */
#define CG_STREAM(use, number) (((uint64_t)(use) << 32) | (uint32_t)(number))
enum {
    CG_STREAM_LATENT = 1,     /* x_T of a sample */
    CG_STREAM_STEP = 2,       /* noise added in a sampling step (DDPM, eta > 0) */
    CG_STREAM_POSTERIOR = 3,  /* VAE posterior sample */
    CG_STREAM_WEIGHTS = 4,    /* random weights */
    CG_STREAM_MASK = 5,       /* mask shapes */
    CG_STREAM_AUGMENT = 6,    /* syntheses and augmentation */
    CG_STREAM_SPLIT = 7,      /* which images are for training, which are shown */
    CG_STREAM_ORDER = 8,      /* the order of a training epoch */
    CG_STREAM_TIMESTEP = 9,   /* of a training sample */
    CG_STREAM_NOISE = 10,     /* of a training sample */
    CG_STREAM_DROPOUT = 11,   /* which training samples lose their prompt */
    CG_STREAM_VARIANT = 12,   /* how a training sample is turned and cut */
    CG_STREAM_MOMENTS = 13,   /* a training sample's latent out of its moments */
    CG_STREAM_DETECT = 14,    /* a detector's training samples */
    CG_STREAM_BOOTSTRAP = 15, /* resampled test images */
    CG_STREAM_DRAWING = 16,   /* procedural pictures */
    CG_STREAM_EMPTY = 17,     /* which training samples are normal images without a mask */
    CG_STREAM_EMBEDDING = 18, /* where points of an embedding begin */
    CG_STREAM_PAIRS = 19,     /* pairs and subsets that measures of groups look at */
    CG_STREAM_CLASSIFY = 20,  /* a classifier's training samples */
};

/* The ten-round Philox 4x32 block for COUNTER under KEY. */
void cg_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* COUNT standard normals / uniforms in [0, 1) with indices FIRST..FIRST+COUNT-1 of the stream.
 * Normals: Box-Muller on pairs, computed in double; the same bytes on every machine with the same
 * libm. */
void cg_rng_normals(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count);
void cg_rng_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count);

/* A seed for what is called NAME, a function of both (FNV-1a): draws under it depend on no order.
 */
uint64_t cg_rng_named_seed(uint64_t seed, const char *name);

/* A sequential reader of one stream, for scalar draws. */
typedef struct {
    uint64_t seed, stream, next;
} CgRng;
static inline CgRng cg_rng(uint64_t seed, uint64_t stream)
{
    return (CgRng){seed, stream, 0};
}
uint64_t cg_rng_next(CgRng *rng);                           /* 64 random bits */
double cg_rng_uniform(CgRng *rng, double low, double high); /* [low, high) */
int cg_rng_int(CgRng *rng, int low, int high);              /* low..high inclusive, unbiased */
double cg_rng_normal(CgRng *rng);

#endif
