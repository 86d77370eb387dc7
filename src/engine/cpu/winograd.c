#include "engine/cpu/winograd.h"

/* Below 8 input channels the transforms cost more than the products. */
#define CHANNELS 8
/* 16x16 outputs: with fewer tiles the weights' transform costs more than the products (8x8, 1280
 * channels, one image: 55 ms against 28). */
#define TILES 16

gboolean cg_winograd_fits(const CgConvGeometry *g, CgDType dtype)
{
    return dtype == CG_F32 && g->kernel_h == 3 && g->kernel_w == 3 && g->stride == 1 &&
           MAX(g->c_in, g->c_out) >= CHANNELS;
}

gboolean cg_winograd_takes(const CgConvGeometry *g, CgDType dtype, int c_in, int64_t to_h,
                           int64_t to_w)
{
    const int64_t tiles = (to_h + 3) / 4 * ((to_w + 3) / 4);
    return cg_winograd_fits(g, dtype) && c_in >= CHANNELS && tiles >= TILES &&
           to_h * to_w >= 8 * tiles; /* half of the outputs in the image at least */
}
