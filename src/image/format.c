#include "image/format.h"

#include "base/error.h"

#include <string.h>
#include <zlib.h>

#define READABLE "PNG, JPEG, TIFF, BMP, WebP, GIF or PPM"

typedef struct {
    const char *magic;
    gsize offset, length;
    int format;       /* a CgFormat, or -1 */
    const char *kind; /* of those that we do not read */
} Signature;

#define AT(offset, magic) magic, offset, sizeof magic - 1
static const Signature signatures[] = {
    {AT(0, "\x89PNG\r\n\x1a\n"), CG_FORMAT_PNG, NULL},
    {AT(0, "\xff\xd8\xff"), CG_FORMAT_JPEG, NULL},
    {AT(0, "II*\0"), CG_FORMAT_TIFF, NULL},
    {AT(0, "MM\0*"), CG_FORMAT_TIFF, NULL},
    {AT(0, "II+\0"), CG_FORMAT_TIFF, NULL},
    {AT(0, "MM\0+"), CG_FORMAT_TIFF, NULL},
    {AT(0, "GIF87a"), CG_FORMAT_GIF, NULL},
    {AT(0, "GIF89a"), CG_FORMAT_GIF, NULL},
    {AT(8, "WEBP"), CG_FORMAT_WEBP, NULL},
    {AT(0, "%PDF"), -1, "a PDF document"},
    {AT(0, "%!PS"), -1, "a PostScript document"},
    {AT(4, "ftyp"), -1, "a HEIF, AVIF or video file"},
    {AT(0, "\xff\x0a"), -1, "a JPEG XL file"},
    {AT(4, "JXL "), -1, "a JPEG XL file"},
    {AT(4, "jP  "), -1, "a JPEG 2000 file"},
    {AT(0, "\xff\x4f\xff\x51"), -1, "a JPEG 2000 file"},
    {AT(0, "8BPS"), -1, "a Photoshop document"},
    {AT(0, "v/1\x01"), -1, "an OpenEXR file"},
    {AT(0, "\x93NUMPY"), -1, "a NumPy array"},
    {AT(0, "PK\x03\x04"), -1, "a zip archive"},
    {AT(0, "\x1f\x8b"), -1, "a gzip archive"},
};

const char *cg_format_name(CgFormat format)
{
    static const char *const names[] = {"PNG", "JPEG", "TIFF", "BMP", "WebP", "GIF", "PPM"};
    return names[format];
}

/* "P5" and white space, "BM" and a known header size: too short to stand in the table. */
static gboolean is_ppm(const guint8 *data, gsize size)
{
    return size > 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' &&
           (g_ascii_isspace((char)data[2]) || data[2] == '#');
}

static gboolean is_bmp(const guint8 *data, gsize size)
{
    return size > 17 && data[0] == 'B' && data[1] == 'M' && data[15] < 4 && !data[16] && !data[17];
}

static gboolean is_svg(const guint8 *data, gsize size)
{
    g_autofree char *head = g_strndup((const char *)data, MIN(size, 1024));
    return head[strspn(head, "\xef\xbb\xbf \t\r\n")] == '<' && strstr(head, "<svg");
}

gboolean cg_format_sniff(const guint8 *data, gsize size, const char *where, CgFormat *format,
                         GError **error)
{
    if (size == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: an empty file; copy or export the image again", where);
        return FALSE;
    }
    const char *kind = is_svg(data, size) ? "an SVG drawing" : NULL;
    int found = is_ppm(data, size) ? CG_FORMAT_PPM : is_bmp(data, size) ? CG_FORMAT_BMP : -1;
    for (gsize i = 0; i < G_N_ELEMENTS(signatures) && !kind && found < 0; i++) {
        const Signature *s = &signatures[i];
        if (s->offset + s->length > size || memcmp(data + s->offset, s->magic, s->length) != 0)
            continue;
        found = s->format;
        kind = s->kind;
    }
    if (kind) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %s, which is not read; export it as PNG", where, kind);
        return FALSE;
    }
    if (found < 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: not an image in a format that is read; give " READABLE, where);
        return FALSE;
    }
    *format = (CgFormat)found;
    return TRUE;
}

static guint32 be32(const guint8 *p)
{
    return (guint32)p[0] << 24 | (guint32)p[1] << 16 | (guint32)p[2] << 8 | (guint32)p[3];
}

gboolean cg_format_check_png(const guint8 *data, gsize size, const char *where, GError **error)
{
    const char *wrong = "it ends early";
    gsize at = 8;
    while (at <= size && size - at >= 12) {
        guint32 length = be32(data + at);
        const guint8 *chunk = data + at + 4; /* type, then LENGTH bytes, then the checksum */
        if (length > size - at - 12)
            break;
        gboolean critical = g_ascii_isupper((char)chunk[0]);
        if (critical && crc32(0, chunk, length + 4) != be32(chunk + 4 + length)) {
            wrong = "a checksum does not match";
            break;
        }
        if (memcmp(chunk, "IEND", 4) == 0)
            return TRUE;
        at += (gsize)length + 12;
    }
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: truncated or corrupt PNG (%s); copy or export it again", where, wrong);
    return FALSE;
}
