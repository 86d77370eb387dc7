#include "image/map.h"

#include "base/error.h"
#include "base/file.h"
#include "image/image-private.h"
#include "image/vips-private.h"

#include <string.h>

CgMap *cg_map_new(int width, int height)
{
    CgMap *map = g_new(CgMap, 1);
    *map = (CgMap){width, height, g_new0(float, (gsize)width *(gsize)height)};
    return map;
}

void cg_map_free(CgMap *map)
{
    if (!map)
        return;
    g_free(map->values);
    g_free(map);
}

static gboolean check_format(CgFormat format, const char *where, GError **error)
{
    if (format == CG_FORMAT_PNG || format == CG_FORMAT_TIFF || format == CG_FORMAT_PPM)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: a %s, which is no place for scores; write maps as PNG, TIFF or .npy", where,
                cg_format_name(format));
    return FALSE;
}

static gboolean check_kind(VipsImage *image, const char *where, GError **error)
{
    const int pages = vips_image_get_n_pages(image);
    if (image->Bands != 1 || image->Coding != VIPS_CODING_NONE) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %d channels, but a map has one score a pixel; write the scores and not a "
                    "drawing of them",
                    where, image->Bands);
        return FALSE;
    }
    if (pages > 1) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %d pages, but a map has one; write a file for each image", where, pages);
        return FALSE;
    }
    if (image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT ||
        image->BandFmt == VIPS_FORMAT_FLOAT)
        return TRUE;
    g_set_error(
        error, CG_ERROR, CG_ERROR_UNSUPPORTED,
        "%s: samples of type %s, but 8 and 16 bits and 32-bit floats are read; write such floats",
        where, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image->BandFmt));
    return FALSE;
}

static void convert(const void *samples, VipsBandFormat format, CgMap *map)
{
    const size_t count = (size_t)map->width * (size_t)map->height;
    for (size_t i = 0; i < count; i++) {
        switch (format) {
        case VIPS_FORMAT_UCHAR:
            map->values[i] = (float)((const guint8 *)samples)[i] / 255;
            break;
        case VIPS_FORMAT_USHORT:
            map->values[i] = (float)((const guint16 *)samples)[i] / 65535;
            break;
        default:
            map->values[i] = ((const float *)samples)[i];
        }
    }
}

static CgMap *decode(const guint8 *data, size_t size, const char *where, CgFormat format,
                     GError **error)
{
    CG_VIPS_AUTO VipsSource *source = vips_source_new_from_memory(data, size);
    CG_VIPS_AUTO VipsImage *image = cg_vips_open(source, format, VIPS_FAIL_ON_ERROR);
    if (!image) {
        cg_vips_broken(where, format, error);
        return NULL;
    }
    const guint64 bytes = (guint64)image->Xsize * (guint64)image->Ysize *
                          (VIPS_IMAGE_SIZEOF_PEL(image) + sizeof(float));
    if (!cg_image_check_size(where, image->Xsize, image->Ysize, bytes, error) ||
        !check_kind(image, where, error))
        return NULL;
    size_t written;
    vips_error_clear();
    g_autofree void *samples = vips_image_write_to_memory(image, &written);
    /* As in load.c: what a reader thread says counts, even where the whole does not fail. */
    if (!samples || *vips_error_buffer()) {
        cg_vips_broken(where, format, error);
        return NULL;
    }
    CgMap *map = cg_map_new(image->Xsize, image->Ysize);
    convert(samples, image->BandFmt, map);
    return map;
}

CgMap *cg_map_load(const char *path, GError **error)
{
    CgFormat format;
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, error);
    if (!file || !cg_image_init(error))
        return NULL;
    if (file->size >= sizeof CG_NPY_MAGIC - 1 &&
        !memcmp(file->data, CG_NPY_MAGIC, sizeof CG_NPY_MAGIC - 1))
        return cg_npy_parse(file->data, file->size, path, error);
    if (!cg_format_sniff(file->data, file->size, path, &format, error) ||
        !check_format(format, path, error) ||
        (format == CG_FORMAT_PNG && !cg_format_check_png(file->data, file->size, path, error)))
        return NULL;
    return decode(file->data, file->size, path, format, error);
}
