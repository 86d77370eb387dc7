#include "image/image.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

CgImage *cg_image_new(int width, int height, int channels)
{
    g_assert(width > 0 && height > 0);
    g_assert(channels == 1 || channels == 3);
    size_t size;
    if (!cg_size_mul((size_t)width, (size_t)height, &size) ||
        !cg_size_mul(size, (size_t)channels, &size))
        g_error("an image of %dx%d does not fit into memory", width, height);
    CgImage *image = g_new0(CgImage, 1);
    image->width = width;
    image->height = height;
    image->channels = channels;
    image->pixels = g_malloc0(size);
    return image;
}

static size_t image_bytes(const CgImage *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

CgImage *cg_image_copy(const CgImage *image)
{
    CgImage *copy = cg_image_new(image->width, image->height, image->channels);
    memcpy(copy->pixels, image->pixels, image_bytes(image));
    return copy;
}

void cg_image_free(CgImage *image)
{
    if (!image)
        return;
    g_free(image->pixels);
    g_free(image);
}

CgImage *cg_image_crop(const CgImage *image, int x, int y, int width, int height)
{
    g_assert(x >= 0 && y >= 0 && width > 0 && height > 0);
    g_assert(width <= image->width - x && height <= image->height - y);
    CgImage *out = cg_image_new(width, height, image->channels);
    size_t c = (size_t)image->channels, row = (size_t)width * c;
    for (int i = 0; i < height; i++)
        memcpy(out->pixels + (size_t)i * row,
               image->pixels + ((size_t)(y + i) * (size_t)image->width + (size_t)x) * c, row);
    return out;
}

CgImage *cg_image_to_rgb(const CgImage *image)
{
    if (image->channels == 3)
        return cg_image_copy(image);
    CgImage *out = cg_image_new(image->width, image->height, 3);
    size_t count = image_bytes(image);
    for (size_t i = 0; i < count; i++)
        memset(out->pixels + 3 * i, image->pixels[i], 3);
    return out;
}

CgImage *cg_image_to_grey(const CgImage *image)
{
    if (image->channels == 1)
        return cg_image_copy(image);
    CgImage *out = cg_image_new(image->width, image->height, 1);
    size_t count = image_bytes(out);
    /* PIL's fixed-point form of 0.299 R + 0.587 G + 0.114 B. */
    for (size_t i = 0; i < count; i++) {
        const guint8 *p = image->pixels + 3 * i;
        out->pixels[i] = (guint8)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
    }
    return out;
}

/* TABLE of the pixel values to [1, h, w, 3]. */
static CgTensor *look_up(const CgImage *image, const float table[256])
{
    CgTensor *t = cg_tensor_new(CG_F32, CG_SHAPE(1, image->height, image->width, 3));
    float *out = cg_tensor_f32(t);
    size_t count = image_bytes(image);
    if (image->channels == 3)
        for (size_t i = 0; i < count; i++)
            out[i] = table[image->pixels[i]];
    else
        for (size_t i = 0; i < count; i++)
            out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = table[image->pixels[i]];
    return t;
}

CgTensor *cg_image_to_tensor(const CgImage *image)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = 2.0f * ((float)i / 255.0f) - 1.0f; /* in the reference's order of roundings */
    return look_up(image, table);
}

CgTensor *cg_image_to_control(const CgImage *image)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (float)i / 255.0f;
    return look_up(image, table);
}

CgImage *cg_image_from_tensor(const CgTensor *t, int sample)
{
    g_assert(t->shape.rank == 4 && t->shape.d[3] == 3);
    g_assert(sample >= 0 && sample < t->shape.d[0]);
    CgImage *image = cg_image_new((int)t->shape.d[2], (int)t->shape.d[1], 3);
    size_t count = image_bytes(image);
    const float *x = cg_tensor_f32(t) + (size_t)sample * count;
    for (size_t i = 0; i < count; i++) {
        float v = x[i] / 2.0f + 0.5f;
        v = v > 0.0f ? v : 0.0f; /* also where v is NaN */
        v = v < 1.0f ? v : 1.0f;
        image->pixels[i] = (guint8)rintf(v * 255.0f);
    }
    return image;
}
