#include "engine/cpu/winograd.h"

/* Below 8 input channels the transforms cost more than the products. */
#define CHANNELS 8
/* 16x16 outputs: with fewer tiles the weights' transform costs more than the products (8x8, 1280
 * channels, one image: 55 ms against 28). */
#define TILES 16

/* Of the gradient: channels each way, and tiles of all images; each sum is read and written once in
 * so many tiles. */
#define GRADIENT_CHANNELS 16
#define GRADIENT_TILES    64

gboolean cg_winograd_fits(const CgConvGeometry *g, CgDType dtype)
{
    return dtype == CG_F32 && g->kernel_h == 3 && g->kernel_w == 3 && g->stride == 1 &&
           MAX(g->c_in, g->c_out) >= CHANNELS;
}

static int64_t tiles_of(int64_t h, int64_t w)
{
    return (h + 3) / 4 * ((w + 3) / 4);
}

/* At least half of the outputs lie in the image. */
static gboolean fills_tiles(int64_t h, int64_t w)
{
    return h * w >= 8 * tiles_of(h, w);
}

gboolean cg_winograd_takes(const CgConvGeometry *g, CgDType dtype, int c_in, int64_t to_h,
                           int64_t to_w)
{
    return cg_winograd_fits(g, dtype) && c_in >= CHANNELS && tiles_of(to_h, to_w) >= TILES &&
           fills_tiles(to_h, to_w);
}

gboolean cg_winograd_takes_gradient(const CgConvGeometry *g, CgDType dtype, int64_t n, int64_t to_h,
                                    int64_t to_w)
{
    return cg_winograd_fits(g, dtype) && MIN(g->c_in, g->c_out) >= GRADIENT_CHANNELS &&
           n * tiles_of(to_h, to_w) >= GRADIENT_TILES && fills_tiles(to_h, to_w);
}
