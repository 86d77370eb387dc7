#include "diffusion/fusion.h"

#include <string.h>

static gboolean parse_name(const char *text, const char *const *names, guint count, guint *value)
{
    for (guint i = 0; i < count; i++) {
        if (!strcmp(text, names[i])) {
            *value = i;
            return TRUE;
        }
    }
    return FALSE;
}

static const char *const mode_names[] = {"final", "step", "off"};
static const char *const policy_names[] = {"max", "area", "nearest"};

const char *cg_fuse_mode_name(CgFuseMode mode)
{
    return mode_names[mode];
}

gboolean cg_fuse_mode_parse(const char *text, CgFuseMode *mode)
{
    guint value;
    if (!parse_name(text, mode_names, G_N_ELEMENTS(mode_names), &value))
        return FALSE;
    *mode = value;
    return TRUE;
}

const char *cg_mask_policy_name(CgMaskPolicy policy)
{
    return policy_names[policy];
}

gboolean cg_mask_policy_parse(const char *text, CgMaskPolicy *policy)
{
    guint value;
    if (!parse_name(text, policy_names, G_N_ELEMENTS(policy_names), &value))
        return FALSE;
    *policy = value;
    return TRUE;
}

/* Part I of SMALL of a side of LARGE pixels: FIRST .. END - 1. Neighbours overlap by a pixel where
 * the sizes do not divide (torch's adaptive pooling). */
static void part(int i, int small, int large, int *first, int *end)
{
    *first = (int)((gint64)i * large / small);
    *end = (int)(((gint64)(i + 1) * large + small - 1) / small);
}

static double cell_value(const guint8 *mask, int width, int y0, int y1, int x0, int x1,
                         CgMaskPolicy policy)
{
    if (policy == CG_MASK_NEAREST)
        return mask[(size_t)y0 * width + x0] / 255.0;
    guint64 sum = 0;
    int max = 0;
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            int value = mask[(size_t)y * width + x];
            sum += value;
            max = MAX(max, value);
        }
    }
    if (policy == CG_MASK_MAX)
        return max / 255.0;
    return sum / (255.0 * (y1 - y0) * (x1 - x0));
}

/* TRUE when any cell that pixel Y, X belongs to is not 0. */
static gboolean is_covered(const float *cells, int height, int width, int h, int w, int y, int x)
{
    int i0, i1, j0, j1;
    part(y, height, h, &i0, &i1);
    part(x, width, w, &j0, &j1);
    for (int i = i0; i < i1; i++) {
        for (int j = j0; j < j1; j++) {
            if (cells[i * w + j] > 0)
                return TRUE;
        }
    }
    return FALSE;
}

static CgMaskFit measure(const guint8 *mask, int height, int width, const float *cells, int h,
                         int w)
{
    CgMaskFit fit = {0};
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            if (!mask[(size_t)y * width + x])
                continue;
            fit.pixels++;
            fit.lost += !is_covered(cells, height, width, h, w, y, x);
        }
    }
    for (int i = 0; i < h * w; i++)
        fit.cells += cells[i] > 0;
    fit.vanished = fit.pixels > 0 && fit.cells == 0;
    return fit;
}

CgTensor *cg_mask_to_latent(const guint8 *mask, int height, int width, int h, int w,
                            CgMaskPolicy policy, gboolean soft, CgMaskFit *fit)
{
    g_assert(h >= 1 && h <= height && w >= 1 && w <= width);
    CgTensor *t = cg_tensor_new(CG_F32, CG_SHAPE(h, w));
    float *cells = cg_tensor_f32(t);
    for (int i = 0; i < h; i++) {
        int y0, y1;
        part(i, h, height, &y0, &y1);
        for (int j = 0; j < w; j++) {
            int x0, x1;
            part(j, w, width, &x0, &x1);
            double value = cell_value(mask, width, y0, y1, x0, x1, policy);
            cells[i * w + j] = soft ? (float)value : (value >= 0.5 ? 1 : 0);
        }
    }
    if (fit)
        *fit = measure(mask, height, width, cells, h, w);
    return t;
}

/* OUT = X * m + KNOWN * (1 - m), KNOWN = signal * z_i + noise * eps. Where m is 0 or 1 nothing is
 * multiplied: what is masked out cannot leak, not even as NaN. */
static void blend(const CgTensor *x, const CgTensor *z_i, const CgTensor *mask, double signal,
                  double noise, const CgTensor *eps, CgTensor *out)
{
    g_assert(x->shape.rank == 4);
    int64_t n = x->shape.d[0], h = x->shape.d[1], w = x->shape.d[2], c = x->shape.d[3];
    cg_assert_shape("fusion: image latent", z_i, CG_SHAPE(z_i->shape.d[0] == 1 ? 1 : n, h, w, c));
    if (mask->shape.rank == 2)
        cg_assert_shape("fusion: mask", mask, CG_SHAPE(h, w));
    else
        cg_assert_shape("fusion: mask", mask, CG_SHAPE(n, h, w));
    cg_assert_shape("fusion: output", out, x->shape);
    if (noise > 0)
        cg_assert_shape("fusion: noise", eps, x->shape);

    size_t sample = h * w * c;
    for (int64_t k = 0; k < n; k++) {
        const float *state = cg_tensor_f32(x) + k * sample;
        const float *image = cg_tensor_f32(z_i) + (z_i->shape.d[0] == 1 ? 0 : k * sample);
        const float *m = cg_tensor_f32(mask) + (mask->shape.rank == 2 ? 0 : k * h * w);
        const float *e = noise > 0 ? cg_tensor_f32(eps) + k * sample : NULL;
        float *to = cg_tensor_f32(out) + k * sample;
        for (size_t i = 0; i < sample; i++) {
            double inside = m[i / c];
            float known = e ? (float)(signal * image[i] + noise * e[i]) : image[i];
            if (inside == 0)
                to[i] = known;
            else if (inside == 1)
                to[i] = state[i];
            else
                to[i] = (float)(inside * state[i] + (1 - inside) * known);
        }
    }
}

void cg_fuse_latents(const CgTensor *z_g, const CgTensor *z_i, const CgTensor *mask, CgTensor *out)
{
    blend(z_g, z_i, mask, 1, 0, NULL, out);
}

void cg_fuse_step(const CgSampler *sampler, int i, const CgTensor *z_i, const CgTensor *mask,
                  const CgTensor *eps, CgTensor *x)
{
    double signal, noise;
    cg_sampler_level(sampler, i + 1, &signal, &noise);
    blend(x, z_i, mask, signal, noise, eps, x);
}
