#include "image/image-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "image/format.h"
#include "image/vips-private.h"

#include <string.h>

#define MEGA (1024 * 1024)

/* A decoded picture before it is cut down to 8 bits without alpha. */
typedef struct {
    void *samples;            /* [height, width, bands], guint16 when wide, else guint8 */
    gboolean wide;            /* 16 bits a sample */
    int width, height, bands; /* 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha */
    int orientation;          /* of EXIF: 1 upright .. 8 */
    GString *note;            /* remarks for the user, joined by "; " */
    gboolean harmless;        /* decoding failed on a warning that leaves the pixels alone */
} Raw;

static void raw_clear(Raw *raw)
{
    g_free(raw->samples);
    if (raw->note)
        g_string_free(raw->note, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Raw, raw_clear)

static void G_GNUC_PRINTF(2, 3) raw_remark(Raw *raw, const char *format, ...)
{
    if (raw->note->len)
        g_string_append(raw->note, "; ");
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(raw->note, format, args);
    va_end(args);
}

gboolean cg_image_check_size(const char *where, gint64 width, gint64 height, guint64 bytes,
                             GError **error)
{
    if (width <= 0 || height <= 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                    " pixels, so there is nothing to read; export it again",
                    where, width, height);
        return FALSE;
    }
    if (width > CG_IMAGE_MAX_SIDE || height > CG_IMAGE_MAX_SIDE) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                    " pixels, but at most %d a side are read; crop or shrink it first",
                    where, width, height, CG_IMAGE_MAX_SIDE);
        return FALSE;
    }
    if ((gint64)width * height > CG_IMAGE_MAX_PIXELS) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                    " are %d megapixels, but at most %d are read; crop or shrink it first",
                    where, width, height, (int)(width * height / MEGA), CG_IMAGE_MAX_PIXELS / MEGA);
        return FALSE;
    }
    guint64 available = cg_memory_available();
    if (available && bytes > available) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "%s: decoding needs %" G_GUINT64_FORMAT " MB of memory, %" G_GUINT64_FORMAT
                    " MB are free; crop or shrink it first",
                    where, bytes / MEGA, available / MEGA);
        return FALSE;
    }
    return TRUE;
}

/* Whether all that libvips said is about things that leave the pixels alone (stray bytes between
 * segments, a version number, ...), which some cameras cause in every file. */
static gboolean is_harmless(const char *messages)
{
    static const char *const harmless[] = {"extraneous bytes", "Adobe color transform",
                                           "JFIF revision"};
    gboolean all = TRUE;
    g_auto(GStrv) lines = g_strsplit(messages, "\n", -1);
    for (int i = 0; lines[i] && all; i++) {
        all = *lines[i] == '\0';
        for (size_t k = 0; k < G_N_ELEMENTS(harmless) && !all; k++)
            all = strstr(lines[i], harmless[k]) != NULL;
    }
    return all;
}

gboolean cg_vips_broken(const char *where, CgFormat format, GError **error)
{
    g_autofree char *reason = cg_vips_take_error();
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: truncated or corrupt %s (%s); copy or export it again", where,
                cg_format_name(format), reason);
    return FALSE;
}

VipsImage *cg_vips_open(VipsSource *source, CgFormat format, VipsFailOn fail_on)
{
    static const char *const operations[] = {
        [CG_FORMAT_PNG] = "pngload_source",   [CG_FORMAT_JPEG] = "jpegload_source",
        [CG_FORMAT_TIFF] = "tiffload_source", [CG_FORMAT_WEBP] = "webpload_source",
        [CG_FORMAT_GIF] = "gifload_source",   [CG_FORMAT_PPM] = "ppmload_source",
    };
    VipsImage *image = NULL;
    if (vips_call(operations[format], source, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                  fail_on, NULL))
        return NULL;
    return image;
}

static gboolean check_header(VipsImage *image, const char *where, GError **error)
{
    guint64 pixels = (guint64)image->Xsize * (guint64)image->Ysize;
    guint64 bytes = pixels * (VIPS_IMAGE_SIZEOF_PEL(image) + 3);
    if (!cg_image_check_size(where, image->Xsize, image->Ysize, bytes, error))
        return FALSE;
    gboolean lab = image->Type == VIPS_INTERPRETATION_LAB;
    gboolean whole = image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT;
    if (image->Coding != VIPS_CODING_NONE || (!whole && !lab)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: samples of type %s, but 8 and 16 bits a channel are read; export it as "
                    "8-bit PNG",
                    where, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image->BandFmt));
        return FALSE;
    }
    if (image->Bands > 4 && image->Type != VIPS_INTERPRETATION_CMYK) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: %d channels, but grey or colour is read; export it as 8-bit PNG", where,
                    image->Bands);
        return FALSE;
    }
    return TRUE;
}

static int to_srgb(VipsImage *in, VipsImage **out)
{
    return vips_icc_transform(in, out, "srgb", "embedded", TRUE, "intent", VIPS_INTENT_PERCEPTUAL,
                              "depth", in->BandFmt == VIPS_FORMAT_USHORT ? 16 : 8, NULL);
}

/* Whether the profile embedded in IMAGE, an RGB picture, moves any colour of a 9x9x9 grid by more
 * than one step of 8 bits. Profiles that say "sRGB" in other words do not, and pixels that go
 * through them unchanged can be put back into the picture unchanged. */
static gboolean profile_matters(VipsImage *image, gboolean *usable)
{
    enum { N = 9 };
    guint8 grid[N * N * N][3];
    for (int i = 0; i < N * N * N; i++)
        for (int c = 0, k = i; c < 3; c++, k /= N)
            grid[i][c] = (guint8)(k % N * 255 / (N - 1));
    const void *profile;
    size_t size;
    *usable = FALSE;
    if (vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &size))
        return FALSE;
    CG_VIPS_AUTO VipsImage *memory =
        vips_image_new_from_memory(grid, sizeof grid, N * N * N, 1, 3, VIPS_FORMAT_UCHAR);
    CG_VIPS_AUTO VipsImage *probe = NULL;
    CG_VIPS_AUTO VipsImage *moved = NULL;
    if (!memory || vips_copy(memory, &probe, "interpretation", VIPS_INTERPRETATION_sRGB, NULL))
        return FALSE;
    vips_image_set_blob_copy(probe, VIPS_META_ICC_NAME, profile, size);
    size_t bytes = 0;
    g_autofree guint8 *result = NULL;
    if (!to_srgb(probe, &moved))
        result = vips_image_write_to_memory(moved, &bytes);
    if (!result || bytes != sizeof grid)
        return FALSE;
    *usable = TRUE;
    for (size_t i = 0; i < bytes; i++)
        if (ABS((int)result[i] - (int)((guint8 *)grid)[i]) > 1)
            return TRUE;
    return FALSE;
}

/* *IMAGE as grey or RGB, and RGB as sRGB where PROFILES count. Grey stays as it is. */
static gboolean manage_colour(VipsImage **image, gboolean profiles, Raw *raw)
{
    VipsImage *in = *image, *out = NULL;
    gboolean profile = vips_image_get_typeof(in, VIPS_META_ICC_NAME) != 0;
    switch (in->Type) {
    case VIPS_INTERPRETATION_CMYK:
        raw_remark(raw, "CMYK converted to sRGB");
        if (profiles && profile && to_srgb(in, &out)) {
            vips_error_clear();
            raw_remark(raw, "unusable colour profile ignored");
        }
        if (!out && vips_colourspace(in, &out, VIPS_INTERPRETATION_sRGB, NULL))
            return FALSE;
        break;
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABS:
    case VIPS_INTERPRETATION_XYZ:
        raw_remark(raw, "Lab converted to sRGB");
        if (vips_colourspace(in, &out, VIPS_INTERPRETATION_sRGB, NULL))
            return FALSE;
        break;
    default: {
        gboolean usable = FALSE;
        if (!profiles || !profile || in->Bands < 3)
            return TRUE;
        if (profile_matters(in, &usable)) {
            if (to_srgb(in, &out))
                return FALSE;
            raw_remark(raw, "colour profile converted to sRGB");
        } else if (!usable) {
            vips_error_clear();
            raw_remark(raw, "unusable colour profile ignored");
        }
        if (!out)
            return TRUE;
    }
    }
    g_object_unref(in);
    *image = out;
    return TRUE;
}

static gboolean decode_source(const guint8 *data, size_t size, const char *where, CgFormat format,
                              VipsFailOn fail_on, gboolean profiles, Raw *raw, GError **error)
{
    CG_VIPS_AUTO VipsSource *source = vips_source_new_from_memory(data, size);
    VipsImage *image = cg_vips_open(source, format, fail_on);
    if (!image) {
        raw->harmless = is_harmless(vips_error_buffer());
        return cg_vips_broken(where, format, error);
    }
    raw->orientation = vips_image_get_orientation(image);
    int pages = vips_image_get_n_pages(image);
    gboolean ok = check_header(image, where, error);
    if (ok) {
        if (pages > 1)
            raw_remark(raw, "only the first of %d pages is read", pages);
        size_t bytes;
        if (manage_colour(&image, profiles, raw)) {
            vips_error_clear();
            raw->samples = vips_image_write_to_memory(image, &bytes);
        }
        /* A reader that fails in one of several threads does not always make the whole fail (seen
         * with libvips 8.14, one truncated PPM in a hundred), but it always says so. */
        if (!raw->samples || !is_harmless(vips_error_buffer())) {
            raw->harmless = is_harmless(vips_error_buffer());
            ok = cg_vips_broken(where, format, error);
        }
    }
    raw->wide = image->BandFmt == VIPS_FORMAT_USHORT;
    raw->width = image->Xsize;
    raw->height = image->Ysize;
    raw->bands = image->Bands;
    g_object_unref(image);
    vips_error_clear();
    return ok;
}

static gboolean decode(const guint8 *data, size_t size, const char *where, gboolean profiles,
                       Raw *raw, GError **error)
{
    CgFormat format;
    raw->note = g_string_new(NULL);
    raw->orientation = 1;
    if (!cg_image_init(error) || !cg_format_sniff(data, size, where, &format, error))
        return FALSE;
    if (format == CG_FORMAT_BMP) {
        g_autoptr(CgImage) image = cg_bmp_decode(data, size, where, error);
        if (!image)
            return FALSE;
        raw->width = image->width;
        raw->height = image->height;
        raw->bands = image->channels;
        raw->samples = g_steal_pointer(&image->pixels);
        return TRUE;
    }
    if (format == CG_FORMAT_PNG && !cg_format_check_png(data, size, where, error))
        return FALSE;
    /* JPEG has no checksums: damage shows only in warnings of its decoder. */
    VipsFailOn strict = format == CG_FORMAT_JPEG ? VIPS_FAIL_ON_WARNING : VIPS_FAIL_ON_ERROR;
    g_autoptr(GError) first = NULL;
    if (decode_source(data, size, where, format, strict, profiles, raw, &first))
        return TRUE;
    if (format != CG_FORMAT_JPEG || !raw->harmless) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    g_string_truncate(raw->note, 0);
    return decode_source(data, size, where, format, VIPS_FAIL_ON_ERROR, profiles, raw, error);
}

/* Where the sample that belongs at column X, row Y of the upright picture (WIDTH x HEIGHT) lies in
 * the stored one. Source: EXIF 2.3, tag 0x0112. */
static size_t stored_index(const Raw *raw, int x, int y, int width, int height)
{
    int sx = x, sy = y;
    switch (raw->orientation) {
    case 2: /* mirrored */
        sx = width - 1 - x;
        break;
    case 3: /* upside down */
        sx = width - 1 - x;
        sy = height - 1 - y;
        break;
    case 4: /* mirrored upside down */
        sy = height - 1 - y;
        break;
    case 5: /* transposed */
        sx = y;
        sy = x;
        break;
    case 6: /* to be turned clockwise */
        sx = y;
        sy = width - 1 - x;
        break;
    case 7: /* transposed along the other diagonal */
        sx = height - 1 - y;
        sy = width - 1 - x;
        break;
    case 8: /* to be turned anticlockwise */
        sx = height - 1 - y;
        sy = x;
        break;
    }
    return (size_t)sy * (size_t)raw->width + (size_t)sx;
}

/* Calls for each upright pixel are cheap against decoding. */
static guint16 sample(const Raw *raw, size_t pixel, int band)
{
    size_t i = pixel * (size_t)raw->bands + (size_t)band;
    return raw->wide ? ((const guint16 *)raw->samples)[i] : ((const guint8 *)raw->samples)[i];
}

static CgImage *new_upright(const Raw *raw, int channels)
{
    gboolean turned = raw->orientation >= 5;
    return cg_image_new(turned ? raw->height : raw->width, turned ? raw->width : raw->height,
                        channels);
}

static CgImage *to_image(Raw *raw)
{
    int channels = raw->bands < 3 ? 1 : 3;
    gboolean alpha = raw->bands == 2 || raw->bands == 4, transparent = FALSE;
    CgImage *image = new_upright(raw, channels);
    guint16 opaque = raw->wide ? 0xffff : 0xff, brightest = 0;
    guint8 *out = image->pixels;
    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            size_t pixel = stored_index(raw, x, y, image->width, image->height);
            for (int c = 0; c < channels; c++) {
                guint16 v = sample(raw, pixel, c);
                brightest = MAX(brightest, v);
                *out++ = (guint8)(raw->wide ? v >> 8 : v);
            }
            transparent = transparent || (alpha && sample(raw, pixel, channels) != opaque);
        }
    }
    if (raw->wide && brightest < 4096)
        raw_remark(raw, "16 bits reduced to 8, and very dark: values reach %d of 65535", brightest);
    else if (raw->wide)
        raw_remark(raw, "16 bits reduced to 8");
    if (transparent)
        raw_remark(raw, "transparency dropped");
    return image;
}

CgImage *cg_image_parse(const guint8 *data, size_t size, const char *where, char **note,
                        GError **error)
{
    g_auto(Raw) raw = {0};
    if (note)
        *note = NULL;
    if (!decode(data, size, where, TRUE, &raw, error))
        return NULL;
    CgImage *image = to_image(&raw);
    if (note && raw.note->len)
        *note = g_strdup_printf("%s: %s", where, raw.note->str);
    return image;
}

CgImage *cg_image_parse_mask(const guint8 *data, size_t size, const char *where, GError **error)
{
    g_auto(Raw) raw = {0};
    if (!decode(data, size, where, FALSE, &raw, error))
        return NULL;
    int channels = raw.bands < 3 ? 1 : 3, threshold = raw.wide ? 128 << 8 : 128;
    int brightest = 0;
    g_autoptr(CgImage) mask = new_upright(&raw, 1);
    guint8 *out = mask->pixels;
    for (int y = 0; y < mask->height; y++) {
        for (int x = 0; x < mask->width; x++) {
            size_t pixel = stored_index(&raw, x, y, mask->width, mask->height);
            int v = 0;
            for (int c = 0; c < channels; c++)
                v = MAX(v, sample(&raw, pixel, c));
            brightest = MAX(brightest, v);
            *out++ = v >= threshold ? 255 : 0;
        }
    }
    if (brightest > 0 && brightest < threshold) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: no value reaches %d (the largest is %d), so the mask would be empty; "
                    "write masks with 0 and 255",
                    where, threshold, brightest);
        return NULL;
    }
    return g_steal_pointer(&mask);
}

CgImage *cg_image_load(const char *path, char **note, GError **error)
{
    if (note)
        *note = NULL;
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, error);
    return file ? cg_image_parse(file->data, file->size, path, note, error) : NULL;
}

CgImage *cg_image_load_mask(const char *path, GError **error)
{
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, error);
    return file ? cg_image_parse_mask(file->data, file->size, path, error) : NULL;
}

gboolean cg_image_probe(const char *path, int *width, int *height, int *channels, GError **error)
{
    CgFormat format;
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, error);
    if (!file || !cg_image_init(error) ||
        !cg_format_sniff(file->data, file->size, path, &format, error))
        return FALSE;
    if (format == CG_FORMAT_BMP)
        return cg_bmp_probe(file->data, file->size, path, width, height, channels, error);
    CG_VIPS_AUTO VipsSource *source = vips_source_new_from_memory(file->data, file->size);
    CG_VIPS_AUTO VipsImage *image = cg_vips_open(source, format, VIPS_FAIL_ON_ERROR);
    if (!image)
        return cg_vips_broken(path, format, error);
    if (!check_header(image, path, error))
        return FALSE;
    gboolean turned = vips_image_get_orientation(image) >= 5;
    *width = turned ? image->Ysize : image->Xsize;
    *height = turned ? image->Xsize : image->Ysize;
    *channels = image->Bands < 3 ? 1 : 3;
    return TRUE;
}
