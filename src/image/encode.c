#include "image/encode.h"

#include "base/error.h"
#include "image/vips-private.h"

/* IMAGE for libvips, its pixels borrowed. */
static VipsImage *wrap(const CgImage *image)
{
    const size_t size = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    CG_VIPS_AUTO VipsImage *memory = vips_image_new_from_memory(
        image->pixels, size, image->width, image->height, image->channels, VIPS_FORMAT_UCHAR);
    VipsImage *named = NULL;
    const VipsInterpretation type =
        image->channels == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    if (memory)
        vips_copy(memory, &named, "interpretation", type, NULL);
    return named;
}

static GByteArray *finish(int status, void *bytes, size_t size, GError **error)
{
    if (status == 0)
        return g_byte_array_new_take(bytes, size);
    g_autofree char *reason = cg_vips_take_error();
    g_set_error(error, CG_ERROR, CG_ERROR_ENGINE, "cannot encode a picture: %s", reason);
    return NULL;
}

GByteArray *cg_image_encode_jpeg(const CgImage *image, int quality, GError **error)
{
    void *bytes = NULL;
    size_t size = 0;
    if (!cg_image_init(error))
        return NULL;
    CG_VIPS_AUTO VipsImage *wrapped = wrap(image);
    const int status = wrapped ? vips_jpegsave_buffer(wrapped, &bytes, &size, "Q", quality, "strip",
                                                      TRUE, "optimize_coding", TRUE, NULL)
                               : -1;
    return finish(status, bytes, size, error);
}

GByteArray *cg_image_encode_png(const CgImage *image, GError **error)
{
    void *bytes = NULL;
    size_t size = 0;
    if (!cg_image_init(error))
        return NULL;
    CG_VIPS_AUTO VipsImage *wrapped = wrap(image);
    const int status = wrapped
                           ? vips_pngsave_buffer(wrapped, &bytes, &size, "compression", 9, "filter",
                                                 VIPS_FOREIGN_PNG_FILTER_ALL, "strip", TRUE, NULL)
                           : -1;
    return finish(status, bytes, size, error);
}
