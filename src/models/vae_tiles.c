#include "models/vae.h"

#include <string.h>

/* The scheme of diffusers' AutoencoderKL.tiled_encode / tiled_decode: tiles of TILE source cells
 * every STRIDE cells; in the result, EXTENT cells of each tile are cross-faded with the tile above
 * and to the left (as already blended), and KEEP cells of each tile are used. */
typedef struct {
    int64_t tile, stride; /* in source cells */
    int64_t extent, keep; /* in result cells */
    int64_t up, down;     /* result cells = source cells * up / down */
} Tiling;

typedef CgTensor *(*TileFunction)(CgContext *cx, const CgVae *v, CgTensor *part);

static CgTensor *crop(const CgTensor *t, int64_t y, int64_t x, int64_t h, int64_t w)
{
    const int64_t n = t->shape.d[0], c = t->shape.d[3];
    CgTensor *part = cg_tensor_new(CG_F32, CG_SHAPE(n, h, w, c));
    for (int64_t i = 0; i < n; i++)
        for (int64_t row = 0; row < h; row++)
            memcpy(cg_tensor_f32(part) + (i * h + row) * w * c,
                   cg_tensor_f32(t) + ((i * t->shape.d[1] + y + row) * t->shape.d[2] + x) * c,
                   (size_t)(w * c) * sizeof(float));
    return part;
}

static void paste(CgTensor *to, const CgTensor *from, int64_t y, int64_t x, int64_t h, int64_t w)
{
    const int64_t c = to->shape.d[3];
    for (int64_t i = 0; i < to->shape.d[0]; i++)
        for (int64_t row = 0; row < h; row++)
            memcpy(cg_tensor_f32(to) + ((i * to->shape.d[1] + y + row) * to->shape.d[2] + x) * c,
                   cg_tensor_f32(from) + ((i * from->shape.d[1] + row) * from->shape.d[2]) * c,
                   (size_t)(w * c) * sizeof(float));
}

static float *at(const CgTensor *t, int64_t n, int64_t y, int64_t x)
{
    return cg_tensor_f32(t) + ((n * t->shape.d[1] + y) * t->shape.d[2] + x) * t->shape.d[3];
}

/* The top (or left) EXTENT cells of TILE fade from the end of BEFORE into TILE. */
static void blend(const CgTensor *before, CgTensor *tile, int64_t extent, gboolean vertical)
{
    const int64_t c = tile->shape.d[3];
    const int axis = vertical ? 1 : 2;
    const int64_t end = before->shape.d[axis];
    extent = MIN(extent, MIN(end, tile->shape.d[axis]));
    const int64_t across = MIN(before->shape.d[3 - axis], tile->shape.d[3 - axis]);
    for (int64_t n = 0; n < tile->shape.d[0]; n++)
        for (int64_t i = 0; i < extent; i++)
            for (int64_t j = 0; j < across; j++) {
                const float w = (float)i / (float)extent;
                float *to = vertical ? at(tile, n, i, j) : at(tile, n, j, i);
                const float *from = vertical ? at(before, n, end - extent + i, j)
                                             : at(before, n, j, end - extent + i);
                for (int64_t k = 0; k < c; k++)
                    to[k] = from[k] * (1 - w) + to[k] * w;
            }
}

static CgTensor *in_tiles(CgContext *cx, const CgVae *v, CgTensor *source, const Tiling *t,
                          TileFunction function, int64_t channels)
{
    const int64_t h = source->shape.d[1], w = source->shape.d[2];
    const int64_t columns = (w + t->stride - 1) / t->stride;
    g_autoptr(GPtrArray) tiles = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    CgTensor *result = cg_tensor_new(
        CG_F32, CG_SHAPE(source->shape.d[0], h * t->up / t->down, w * t->up / t->down, channels));
    for (int64_t y = 0, row = 0; y < h; y += t->stride, row++)
        for (int64_t x = 0, column = 0; x < w; x += t->stride, column++) {
            g_autoptr(CgTensor) part = crop(source, y, x, MIN(t->tile, h - y), MIN(t->tile, w - x));
            CgTensor *tile = function(cx, v, part);
            g_ptr_array_add(tiles, tile);
            if (row > 0)
                blend(g_ptr_array_index(tiles, tiles->len - 1 - (guint)columns), tile, t->extent,
                      TRUE);
            if (column > 0)
                blend(g_ptr_array_index(tiles, tiles->len - 2), tile, t->extent, FALSE);
            const int64_t to_y = row * t->keep, to_x = column * t->keep;
            if (to_y < result->shape.d[1] && to_x < result->shape.d[2])
                paste(result, tile, to_y, to_x,
                      MIN(MIN(t->keep, tile->shape.d[1]), result->shape.d[1] - to_y),
                      MIN(MIN(t->keep, tile->shape.d[2]), result->shape.d[2] - to_x));
        }
    return result;
}

CgTensor *cg_vae_encode_tiled(CgContext *cx, const CgVae *v, CgTensor *image)
{
    const CgVaeConfig *config = cg_vae_config(v);
    const int64_t factor = cg_vae_factor(config), tile = config->sample_size;
    const int64_t latent_tile = tile / factor, extent = latent_tile / 4;
    if (image->shape.d[1] <= tile && image->shape.d[2] <= tile)
        return cg_vae_encode(cx, v, image);
    const Tiling tiling = {.tile = tile,
                           .stride = tile * 3 / 4,
                           .extent = extent,
                           .keep = latent_tile - extent,
                           .up = 1,
                           .down = factor};
    return in_tiles(cx, v, image, &tiling, cg_vae_encode, 2 * config->latent_channels);
}

CgTensor *cg_vae_decode_tiled(CgContext *cx, const CgVae *v, CgTensor *latent)
{
    const CgVaeConfig *config = cg_vae_config(v);
    const int64_t factor = cg_vae_factor(config), tile = config->sample_size / factor;
    const int64_t extent = config->sample_size / 4;
    if (latent->shape.d[1] <= tile && latent->shape.d[2] <= tile)
        return cg_vae_decode(cx, v, latent);
    const Tiling tiling = {.tile = tile,
                           .stride = tile * 3 / 4,
                           .extent = extent,
                           .keep = config->sample_size - extent,
                           .up = factor,
                           .down = 1};
    return in_tiles(cx, v, latent, &tiling, cg_vae_decode, config->out_channels);
}
