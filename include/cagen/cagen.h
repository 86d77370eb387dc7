/* cagen: anomalous images from normal ones, in plain C.
 *
 *     cagen_model *model;
 *     cagen_model_options mo = {.model = "sd15", .controlnet = "cagen-bottle"};
 *     if (cagen_model_open(&mo, &model) != CAGEN_OK)
 *         die(cagen_last_error());
 *     cagen_generate_options go;
 *     cagen_generate_options_init(&go);
 *     go.prompt = "broken large bottle";
 *     cagen_generate(model, normal, mask, &go, &result);
 *
 * Handles are opaque; strings are UTF-8 (file names: the bytes of the system) and copied where they
 * are kept. Functions that can fail return a status; cagen_last_error() then holds one line for the
 * user, until the next call of this thread that fails. A model is used by one thread at a time;
 * different models (and images) by any. The library never prints, but for warnings on standard
 * error, and never exits.
 */
#ifndef CAGEN_CAGEN_H
#define CAGEN_CAGEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CAGEN_API __attribute__((visibility("default")))
#else
#define CAGEN_API
#endif

typedef enum {
    CAGEN_OK = 0,
    CAGEN_ERROR_USAGE,       /* arguments that make no sense */
    CAGEN_ERROR_IO,          /* the system refused to open, read or write */
    CAGEN_ERROR_FORMAT,      /* a file is corrupt or of another kind */
    CAGEN_ERROR_MISSING,     /* a file, tensor or key is not there */
    CAGEN_ERROR_SHAPE,       /* sizes do not fit together */
    CAGEN_ERROR_UNSUPPORTED, /* valid, but not something the library does */
    CAGEN_ERROR_MEMORY,      /* not enough memory */
    CAGEN_ERROR_NUMERIC,     /* NaN or infinity in weights or results */
    CAGEN_ERROR_ENGINE,      /* a compute library failed */
    CAGEN_ERROR_CANCELLED    /* the progress callback asked to stop */
} cagen_status;

/* "0.1.0" */
CAGEN_API const char *cagen_version(void);
/* What went wrong in this thread's last failing call; "" when none failed. */
CAGEN_API const char *cagen_last_error(void);

/* ---- models ---- */

typedef struct cagen_model cagen_model;

/* Set what is not needed to zero. */
typedef struct {
    const char *model;       /* folder in diffusers' layout, or one .safetensors file */
    const char *controlnet;  /* folder or file; NULL: none */
    const char *vae;         /* instead of the model's own; NULL: its own */
    const char *tokenizer;   /* likewise; needed when model is a single file */
    const char *dtype;       /* "f32", "bf16", "auto"; NULL: auto */
    int threads;             /* 0: one per core. Of the process, not of the model */
    const char *config;      /* model folder whose configuration and tokenizer a single file has;
                                NULL: Stable Diffusion 1.5's configuration */
    const char *const *lora; /* low-rank additions to merge into the model, each "FILE" or
                                "FILE:WEIGHT" as cagen generate --lora takes it, then NULL;
                                NULL: none */
} cagen_model_options;

/* Loads and checks everything. Free with cagen_model_close. */
CAGEN_API cagen_status cagen_model_open(const cagen_model_options *options, cagen_model **model);
CAGEN_API void cagen_model_close(cagen_model *model); /* NULL is fine */
/* Side in pixels of the square pictures that the model was trained for (512). */
CAGEN_API int cagen_model_size(const cagen_model *model);

/* ---- images: 8-bit, rows from the top, channels interleaved ---- */

typedef struct cagen_image cagen_image;

/* Reads PNG, JPEG, TIFF, BMP, WebP or PNM; grey gives 1 channel, colour 3 (sRGB). */
CAGEN_API cagen_status cagen_image_load(const char *path, cagen_image **image);
/* The same as a mask: 1 channel, 0 and 255. */
CAGEN_API cagen_status cagen_mask_load(const char *path, cagen_image **mask);
/* A copy of PIXELS [height, width, channels], channels 1 or 3; NULL: zeros. */
CAGEN_API cagen_status cagen_image_new(int width, int height, int channels, const uint8_t *pixels,
                                       cagen_image **image);
CAGEN_API void cagen_image_free(cagen_image *image); /* NULL is fine */
CAGEN_API int cagen_image_width(const cagen_image *image);
CAGEN_API int cagen_image_height(const cagen_image *image);
CAGEN_API int cagen_image_channels(const cagen_image *image);
/* [height, width, channels], valid while the image lives; may be written to. */
CAGEN_API uint8_t *cagen_image_pixels(cagen_image *image);
/* PNG; appears under its name only when complete. */
CAGEN_API cagen_status cagen_image_save(const cagen_image *image, const char *path);

/* ---- generation ---- */

/* Called after each sampling step; a value other than 0 stops with CAGEN_ERROR_CANCELLED. */
typedef int (*cagen_progress)(void *data, int step, int steps);

/* Names are those of the program's options: see cagen generate --help. */
typedef struct {
    const char *prompt; /* "{defect type} {category}" */
    const char *negative_prompt;
    uint64_t seed;   /* at most 2^53 */
    uint32_t sample; /* number of the image under this seed */
    int steps;
    double strength;     /* below 1: begin from the normal image with some noise */
    const char *sampler; /* "ddim", "dpmpp-2m", ... */
    double eta;
    double guidance;
    double control_scale, control_start, control_end;
    int guess_mode;
    int clip_skip;
    const char *fuse;        /* "final", "step", "off" */
    const char *mask_policy; /* "max", "area", "nearest" */
    int soft_mask;
    int posterior_sample;
    double detail;     /* 0..1: how much of what the autoencoder loses is added back */
    const char *paste; /* "exact", "feather", "poisson", "off" */
    int paste_band;
    const char *window; /* "auto", "full" */
    int size;           /* longest side of the working picture; 0: the model's */
    int vae_tiling;
    cagen_progress progress; /* NULL: none */
    void *progress_data;
} cagen_generate_options;

/* The defaults of the program; prompt is NULL and must be set. */
CAGEN_API void cagen_generate_options_init(cagen_generate_options *options);

/* NORMAL with a defect where MASK (same size) is not 0: *RESULT has NORMAL's size and channels; its
 * exact mask is MASK. Free with cagen_image_free. */
CAGEN_API cagen_status cagen_generate(cagen_model *model, const cagen_image *normal,
                                      const cagen_image *mask,
                                      const cagen_generate_options *options, cagen_image **result);

#ifdef __cplusplus
}
#endif

#endif
