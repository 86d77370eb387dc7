#include "image/image-private.h"

#include "base/error.h"

#include <string.h>

enum { BMP_RGB = 0, BMP_BITFIELDS = 3, BMP_ALPHABITFIELDS = 6 };

typedef struct {
    gint64 width, height;
    gboolean top_down; /* rows are stored bottom first unless the height is negative */
    int bits;          /* per pixel: 1, 4, 8, 16, 24, 32 */
    size_t pixels;     /* offset of the first stored row */
    size_t stride;     /* bytes of a stored row */
    guint32 mask[3];   /* red, green, blue of 16- and 32-bit pixels */
    guint8 palette[256][3];
    gboolean grey; /* every palette entry has equal channels */
} Bmp;

static guint32 le32(const guint8 *p)
{
    return (guint32)p[0] | (guint32)p[1] << 8 | (guint32)p[2] << 16 | (guint32)p[3] << 24;
}

static guint16 le16(const guint8 *p)
{
    return (guint16)(p[0] | p[1] << 8);
}

static gboolean broken(const char *where, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: truncated or corrupt BMP (%s); copy or export it again", where, what);
    return FALSE;
}

/* Colour masks of 16- and 32-bit pixels; HEADER bytes of information header begin at 14. */
static gboolean parse_masks(Bmp *bmp, const guint8 *data, size_t size, guint32 header,
                            guint32 compression, const char *where, GError **error)
{
    static const guint32 plain16[3] = {0x7c00, 0x03e0, 0x001f};
    static const guint32 plain32[3] = {0xff0000, 0x00ff00, 0x0000ff};
    if (compression == BMP_RGB) {
        memcpy(bmp->mask, bmp->bits == 16 ? plain16 : plain32, sizeof bmp->mask);
        return TRUE;
    }
    /* They follow the 40 bytes of the first header version and are part of the later ones. */
    if (header < 40 || size < 14 + 40 + 12)
        return broken(where, "no colour masks", error);
    for (int i = 0; i < 3; i++) {
        bmp->mask[i] = le32(data + 14 + 40 + 4 * i);
        guint32 m = bmp->mask[i];
        if (m)
            m >>= __builtin_ctz(m);
        if (!m || (m & (m + 1)))
            return broken(where, "impossible colour masks", error);
    }
    return TRUE;
}

static gboolean parse_palette(Bmp *bmp, const guint8 *data, size_t begin, guint32 used,
                              size_t entry, const char *where, GError **error)
{
    size_t most = (size_t)1 << bmp->bits, count = used ? used : most;
    if (count > most)
        return broken(where, "too many palette entries", error);
    if (begin > bmp->pixels || (bmp->pixels - begin) / entry < count)
        return broken(where, "palette and pixels overlap", error);
    bmp->grey = TRUE;
    for (size_t i = 0; i < count; i++) {
        const guint8 *p = data + begin + i * entry; /* blue, green, red */
        bmp->palette[i][0] = p[2];
        bmp->palette[i][1] = p[1];
        bmp->palette[i][2] = p[0];
        bmp->grey = bmp->grey && p[0] == p[1] && p[1] == p[2];
    }
    return TRUE;
}

static gboolean parse_header(Bmp *bmp, const guint8 *data, size_t size, const char *where,
                             GError **error)
{
    memset(bmp, 0, sizeof *bmp);
    if (size < 14 + 12)
        return broken(where, "no header", error);
    guint32 header = le32(data + 14), compression = BMP_RGB, used = 0;
    bmp->pixels = le32(data + 10);
    if ((header != 12 && header < 40) || header > 1024 || size < 14 + (size_t)header)
        return broken(where, "unknown header", error);
    if (header == 12) {
        bmp->width = le16(data + 18);
        bmp->height = le16(data + 20);
        bmp->bits = le16(data + 24);
    } else {
        bmp->width = (gint32)le32(data + 18);
        bmp->height = (gint32)le32(data + 22);
        bmp->bits = le16(data + 28);
        compression = le32(data + 30);
        used = le32(data + 46);
    }
    if (bmp->height < 0) {
        bmp->top_down = TRUE;
        bmp->height = -bmp->height;
    }
    gboolean deep = bmp->bits == 16 || bmp->bits == 32;
    gboolean fields = compression == BMP_BITFIELDS || compression == BMP_ALPHABITFIELDS;
    if (compression != BMP_RGB && !(fields && deep)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a compressed BMP (kind %u); save it without compression, or as PNG", where,
                    compression);
        return FALSE;
    }
    if (!deep && bmp->bits != 1 && bmp->bits != 4 && bmp->bits != 8 && bmp->bits != 24)
        return broken(where, "impossible bits per pixel", error);
    if (!cg_image_check_size(where, bmp->width, bmp->height, 0, error))
        return FALSE;
    if (deep && !parse_masks(bmp, data, size, header, compression, where, error))
        return FALSE;
    bmp->stride = ((size_t)bmp->width * (size_t)bmp->bits + 31) / 32 * 4;
    if (bmp->pixels > size || (size - bmp->pixels) / bmp->stride < (size_t)bmp->height)
        return broken(where, "pixels are missing", error);
    if (bmp->bits > 8)
        return TRUE;
    return parse_palette(bmp, data, 14 + (size_t)header, used, header == 12 ? 3 : 4, where, error);
}

/* One colour of a 16- or 32-bit pixel, spread over 0..255. */
static guint8 field(guint32 pixel, guint32 mask)
{
    int shift = __builtin_ctz(mask);
    guint64 most = mask >> shift, value = (pixel & mask) >> shift;
    return (guint8)((value * 255 + most / 2) / most);
}

static void decode_row(const Bmp *bmp, const guint8 *row, guint8 *out)
{
    for (gint64 x = 0; x < bmp->width; x++) {
        if (bmp->bits <= 8) {
            int per_byte = 8 / bmp->bits, place = per_byte - 1 - (int)(x % per_byte);
            guint8 index =
                (guint8)((row[x / per_byte] >> (place * bmp->bits)) & ((1 << bmp->bits) - 1));
            memcpy(out, bmp->palette[index], bmp->grey ? 1 : 3);
            out += bmp->grey ? 1 : 3;
        } else if (bmp->bits == 24) {
            *out++ = row[3 * x + 2];
            *out++ = row[3 * x + 1];
            *out++ = row[3 * x];
        } else {
            guint32 pixel = bmp->bits == 16 ? le16(row + 2 * x) : le32(row + 4 * x);
            for (int i = 0; i < 3; i++)
                *out++ = field(pixel, bmp->mask[i]);
        }
    }
}

gboolean cg_bmp_probe(const guint8 *data, size_t size, const char *where, int *width, int *height,
                      int *channels, GError **error)
{
    Bmp bmp;
    if (!parse_header(&bmp, data, size, where, error))
        return FALSE;
    *width = (int)bmp.width;
    *height = (int)bmp.height;
    *channels = bmp.grey ? 1 : 3;
    return TRUE;
}

CgImage *cg_bmp_decode(const guint8 *data, size_t size, const char *where, GError **error)
{
    Bmp bmp;
    if (!parse_header(&bmp, data, size, where, error))
        return NULL;
    int channels = bmp.grey ? 1 : 3;
    guint64 bytes = (guint64)bmp.width * (guint64)bmp.height * (guint64)channels;
    if (!cg_image_check_size(where, bmp.width, bmp.height, bytes, error))
        return NULL;
    CgImage *image = cg_image_new((int)bmp.width, (int)bmp.height, channels);
    size_t line = (size_t)bmp.width * (size_t)channels;
    for (gint64 y = 0; y < bmp.height; y++) {
        gint64 stored = bmp.top_down ? y : bmp.height - 1 - y;
        decode_row(&bmp, data + bmp.pixels + (size_t)stored * bmp.stride,
                   image->pixels + (size_t)y * line);
    }
    return image;
}
