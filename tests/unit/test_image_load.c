/* Reading pictures as people's files have them, and files that are none. */
#include "base/error.h"
#include "image/format.h"
#include "image/image.h"
#include "support/fixture.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>
#include <zlib.h>

#define VIPS_OK(call) g_assert_cmpint((call), ==, 0)

/* A picture with something in every corner: 0..200 to the right, 0..99 downwards. */
static VipsImage *picture(int width, int height, int bands, VipsInterpretation type)
{
    g_autofree guint8 *p = g_new(guint8, (gsize)(width * height * bands));
    for (int y = 0, i = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int b = 0; b < bands; b++)
                p[i++] = (guint8)(b == 0 ? x * 200 / width : b == 1 ? y * 99 / height : 40 * b);
    VipsImage *memory = vips_image_new_from_memory_copy(p, (gsize)(width * height * bands), width,
                                                        height, bands, VIPS_FORMAT_UCHAR);
    VipsImage *out;
    VIPS_OK(vips_copy(memory, &out, "interpretation", type, NULL));
    g_object_unref(memory);
    return out;
}

static guint8 *encode(VipsImage *image, const char *format, gsize *size)
{
    void *bytes = NULL;
    if (vips_image_write_to_buffer(image, format, &bytes, size, NULL))
        g_error("%s: %s", format, vips_error_buffer());
    return bytes;
}

/* Writes IMAGE as FORMAT (a suffix with options) into DIR and returns the path. */
static char *write_image(CgTestFolder *dir, VipsImage *image, const char *format)
{
    gsize size;
    g_autofree guint8 *bytes = encode(image, format, &size);
    return cg_test_folder_file(dir, "picture", bytes, size);
}

static CgImage *load(const char *path, char **note)
{
    GError *error = NULL;
    CgImage *image = cg_image_load(path, note, &error);
    g_assert_no_error(error);
    int w, h, c;
    g_assert_true(cg_image_probe(path, &w, &h, &c, &error));
    g_assert_cmpint(w, ==, image->width);
    g_assert_cmpint(h, ==, image->height);
    g_assert_cmpint(c, ==, image->channels);
    return image;
}

/* Reading PATH fails with CODE and one line that begins with the path and contains PART. */
static void refuse(const char *path, CgErrorCode code, const char *part)
{
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *note = NULL;
        CgImage *image = i ? cg_image_load_mask(path, &error) : cg_image_load(path, &note, &error);
        g_assert_null(image);
        g_assert_null(note);
        g_assert_error(error, CG_ERROR, (int)code);
        if (!g_str_has_prefix(error->message, path) || strchr(error->message, '\n') ||
            !strstr(error->message, part))
            g_error("'%s' should begin with the path and contain '%s'", error->message, part);
    }
}

static void refuse_bytes(CgTestFolder *dir, const void *bytes, gsize size, CgErrorCode code,
                         const char *part)
{
    g_autofree char *path = cg_test_folder_file(dir, "picture", bytes, size);
    refuse(path, code, part);
}

static void common_formats_keep_their_pixels(void)
{
    static const char *const lossless[] = {
        ".png",       ".png[interlace]", ".tif", ".tif[compression=lzw]",
        ".tif[tile]", ".webp[lossless]", ".ppm",
    };
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (int bands = 1; bands <= 3; bands += 2) {
        VipsImage *image =
            picture(67, 45, bands, bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
        gsize size;
        g_autofree guint8 *want = vips_image_write_to_memory(image, &size);
        for (gsize i = 0; i < G_N_ELEMENTS(lossless); i++) {
            if (bands == 1 && strstr(lossless[i], "webp")) /* always colour */
                continue;
            g_autofree char *path = NULL, *note = NULL;
            if (g_str_has_prefix(lossless[i], ".ppm")) {
                path = cg_test_folder_path(dir, bands == 1 ? "a.pgm" : "a.ppm");
                VIPS_OK(vips_image_write_to_file(image, path, NULL));
            } else {
                path = write_image(dir, image, lossless[i]);
            }
            g_autoptr(CgImage) got = load(path, &note);
            g_test_message("%s", lossless[i]);
            g_assert_null(note);
            g_assert_cmpint(got->channels, ==, bands);
            g_assert_cmpmem(got->pixels, size, want, size);
        }
        g_object_unref(image);
    }
}

static void jpeg_is_near(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(64, 48, 3, VIPS_INTERPRETATION_sRGB);
    g_autofree char *path = write_image(dir, image, ".jpg[Q=95]"), *note = NULL;
    g_autoptr(CgImage) got = load(path, &note);
    g_assert_null(note);
    g_assert_cmpint(got->channels, ==, 3);
    g_assert_cmpint(ABS(got->pixels[3 * (64 * 24 + 32)] - 100), <, 6);
    g_object_unref(image);
}

static void sixteen_bits_lose_the_low_byte(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const guint16 values[] = {0, 255, 256, 0x12ff, 0xffff, 0x8000};
    for (int bands = 1; bands <= 3; bands += 2) {
        g_autofree char *note = NULL;
        VipsImage *memory = vips_image_new_from_memory(values, sizeof values, 6 / bands, 1, bands,
                                                       VIPS_FORMAT_USHORT);
        VipsImage *image;
        VIPS_OK(vips_copy(memory, &image, "interpretation",
                          bands == 1 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16,
                          NULL));
        g_autofree char *path = write_image(dir, image, bands == 1 ? ".png" : ".tif");
        g_autoptr(CgImage) got = load(path, &note);
        static const guint8 want[] = {0, 0, 1, 0x12, 255, 128};
        g_assert_cmpint(got->channels, ==, bands);
        g_assert_cmpmem(got->pixels, 6, want, 6);
        g_assert_nonnull(note);
        g_assert_true(g_str_has_prefix(note, path));
        g_assert_nonnull(strstr(note, "16 bits reduced to 8"));
        g_object_unref(image);
        g_object_unref(memory);
    }
}

static void dark_sixteen_bits_are_pointed_out(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const guint16 values[] = {0, 4095, 100, 2000}; /* a 12-bit camera */
    VipsImage *image =
        vips_image_new_from_memory(values, sizeof values, 2, 2, 1, VIPS_FORMAT_USHORT);
    g_autofree char *path = write_image(dir, image, ".tif"), *note = NULL;
    g_autoptr(CgImage) got = load(path, &note);
    g_assert_nonnull(got);
    g_assert_nonnull(strstr(note, "values reach 4095"));
    g_object_unref(image);
}

static void alpha_is_dropped_and_said_only_if_it_did_something(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (int bands = 2; bands <= 4; bands += 2)
        for (int opaque = 0; opaque < 2; opaque++) {
            VipsImage *colour = picture(
                20, 10, bands - 1, bands == 2 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
            VipsImage *image;
            VIPS_OK(vips_bandjoin_const1(colour, &image, opaque ? 255 : 7, NULL));
            g_autofree char *path = write_image(dir, image, ".png"), *note = NULL;
            g_autoptr(CgImage) got = load(path, &note);
            gsize size;
            g_autofree guint8 *want = vips_image_write_to_memory(colour, &size);
            g_assert_cmpint(got->channels, ==, bands - 1);
            g_assert_cmpmem(got->pixels, size, want, size);
            if (opaque)
                g_assert_null(note);
            else
                g_assert_nonnull(strstr(note, "transparency dropped"));
            g_object_unref(image);
            g_object_unref(colour);
        }
}

static void be32(GByteArray *out, guint32 v)
{
    const guint8 b[] = {(guint8)(v >> 24), (guint8)(v >> 16), (guint8)(v >> 8), (guint8)v};
    g_byte_array_append(out, b, 4);
}

static void png_chunk(GByteArray *out, const char *type, const guint8 *data, guint size)
{
    be32(out, size);
    guint at = out->len;
    g_byte_array_append(out, (const guint8 *)type, 4);
    if (size)
        g_byte_array_append(out, data, size);
    be32(out, (guint32)crc32(0, out->data + at, size + 4));
}

/* A PNG written by hand: DEPTH and COLOUR of its header, PALETTE (nullable), raw ROWS with their
 * filter bytes. */
static GByteArray *png(guint32 width, guint32 height, guint8 depth, guint8 colour,
                       const guint8 *palette, guint palette_size, const guint8 *rows, gsize size)
{
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, (const guint8 *)"\x89PNG\r\n\x1a\n", 8);
    g_autoptr(GByteArray) header = g_byte_array_new();
    be32(header, width);
    be32(header, height);
    const guint8 rest[] = {depth, colour, 0, 0, 0};
    g_byte_array_append(header, rest, 5);
    png_chunk(out, "IHDR", header->data, header->len);
    if (palette)
        png_chunk(out, "PLTE", palette, palette_size);
    guint8 packed[512];
    uLongf packed_size = sizeof packed;
    g_assert_cmpint(compress(packed, &packed_size, rows, size), ==, Z_OK);
    png_chunk(out, "IDAT", packed, (guint)packed_size);
    png_chunk(out, "IEND", NULL, 0);
    return out;
}

static void one_bit_and_palette_pngs_open_up(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const guint8 bits[] = {0, 0xa5, 0x80, 0, 0x5a, 0x00}; /* 9 x 2 */
    g_autoptr(GByteArray) bilevel = png(9, 2, 1, 0, NULL, 0, bits, sizeof bits);
    g_autofree char *a = cg_test_folder_file(dir, "a.png", bilevel->data, bilevel->len);
    g_autoptr(CgImage) grey = load(a, NULL);
    static const guint8 want[] = {255, 0,   255, 0,   0,   255, 0,   255, 255,
                                  0,   255, 0,   255, 255, 0,   255, 0,   0};
    g_assert_cmpint(grey->channels, ==, 1);
    g_assert_cmpmem(grey->pixels, 18, want, 18);
    g_autoptr(CgImage) mask = cg_image_load_mask(a, NULL);
    g_assert_cmpmem(mask->pixels, 18, want, 18);

    static const guint8 palette[] = {1, 2, 3, 200, 100, 50, 0, 0, 0, 9, 9, 9};
    static const guint8 indices[] = {0, 0x1b}; /* 4 x 1, two bits each: 0 1 2 3 */
    g_autoptr(GByteArray) indexed = png(4, 1, 2, 3, palette, 12, indices, 2);
    g_autofree char *b = cg_test_folder_file(dir, "b.png", indexed->data, indexed->len);
    g_autoptr(CgImage) rgb = load(b, NULL);
    g_assert_cmpint(rgb->channels, ==, 3);
    g_assert_cmpmem(rgb->pixels, 12, palette, 12);
}

static void orientation_is_applied(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    /* Where the top left pixel of the stored picture must end up: right (1) or left, bottom (1) or
     * top; EXIF 2.3, tag 0x0112. */
    static const struct {
        gboolean right, bottom, turned;
    } want[9] = {[1] = {0, 0, 0}, [2] = {1, 0, 0}, [3] = {1, 1, 0}, [4] = {0, 1, 0},
                 [5] = {0, 0, 1}, [6] = {1, 0, 1}, [7] = {1, 1, 1}, [8] = {0, 1, 1}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        VipsImage *black, *image;
        VIPS_OK(vips_black(&black, 5, 3, NULL));
        VIPS_OK(vips_copy(black, &image, "interpretation", VIPS_INTERPRETATION_B_W, NULL));
        VIPS_OK(vips_draw_point1(image, 255, 0, 0, NULL));
        vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
        g_autofree char *path = write_image(dir, image, ".tif");
        g_autoptr(CgImage) got = load(path, NULL);
        g_assert_cmpint(got->width, ==, want[orientation].turned ? 3 : 5);
        g_assert_cmpint(got->height, ==, want[orientation].turned ? 5 : 3);
        int x = want[orientation].right ? got->width - 1 : 0;
        int y = want[orientation].bottom ? got->height - 1 : 0;
        for (int i = 0; i < 15; i++)
            g_assert_cmpint(got->pixels[i], ==, i == y * got->width + x ? 255 : 0);
        /* libvips agrees. */
        VipsImage *upright;
        VIPS_OK(vips_autorot(image, &upright, NULL));
        gsize size;
        g_autofree guint8 *pixels = vips_image_write_to_memory(upright, &size);
        g_assert_cmpmem(got->pixels, 15, pixels, size);
        g_object_unref(upright);
        g_object_unref(image);
        g_object_unref(black);
    }
}

static void attach_profile(VipsImage *image, const char *name)
{
    VipsBlob *profile = NULL;
    VIPS_OK(vips_profile_load(name, &profile, NULL));
    gsize size;
    const void *bytes = vips_blob_get(profile, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, bytes, size);
    vips_area_unref((VipsArea *)profile);
}

static void profiles_count_only_where_they_change_colours(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(32, 24, 3, VIPS_INTERPRETATION_sRGB);
    gsize size;
    g_autofree guint8 *stored = vips_image_write_to_memory(image, &size);
    g_autofree char *note = NULL;

    attach_profile(image, "srgb");
    g_autofree char *srgb = write_image(dir, image, ".png");
    g_autoptr(CgImage) same = load(srgb, &note);
    g_assert_null(note);
    g_assert_cmpmem(same->pixels, size, stored, size);

    attach_profile(image, "p3");
    g_autofree char *p3 = write_image(dir, image, ".png");
    g_autoptr(CgImage) moved = load(p3, &note);
    g_assert_nonnull(strstr(note, "colour profile converted"));
    g_assert_true(memcmp(moved->pixels, stored, size) != 0);
    /* The same colour needs more of it in the smaller space: red grows, and white stays white. */
    const guint8 *before = stored + 3 * (32 * 2 + 31), *after = moved->pixels + 3 * (32 * 2 + 31);
    g_assert_cmpint(after[0], >, before[0]);

    /* Masks are numbers, not colours. */
    g_autoptr(CgImage) mask = cg_image_load_mask(p3, NULL);
    for (int i = 0; i < 32 * 24; i++) {
        int v = MAX(MAX(stored[3 * i], stored[3 * i + 1]), stored[3 * i + 2]);
        g_assert_cmpint(mask->pixels[i], ==, v >= 128 ? 255 : 0);
    }
    g_object_unref(image);
}

static void a_broken_profile_does_not_stop_reading(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(16, 16, 3, VIPS_INTERPRETATION_sRGB);
    gsize size;
    g_autofree guint8 *stored = vips_image_write_to_memory(image, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, "no profile at all", 17);
    g_autofree char *path = write_image(dir, image, ".tif");
    g_autoptr(CgImage) got = load(path, NULL);
    g_assert_cmpmem(got->pixels, size, stored, size);
    g_object_unref(image);
}

static void cmyk_becomes_colour(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    /* cyan, yellow, white, black */
    static const guint8 ink[] = {255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 255, 255, 255, 255};
    VipsImage *memory = vips_image_new_from_memory(ink, 16, 4, 1, 4, VIPS_FORMAT_UCHAR);
    VipsImage *image, *large;
    VIPS_OK(vips_copy(memory, &image, "interpretation", VIPS_INTERPRETATION_CMYK, NULL));
    VIPS_OK(vips_zoom(image, &large, 16, 16, NULL));
    g_autofree char *path = write_image(dir, large, ".jpg[Q=95]"), *note = NULL;
    g_autoptr(CgImage) got = load(path, &note);
    g_assert_nonnull(strstr(note, "CMYK"));
    g_assert_cmpint(got->channels, ==, 3);
    const guint8 *row = got->pixels + 3 * 64 * 8;
    const guint8 *cyan = row + 3 * 8, *yellow = row + 3 * 24, *white = row + 3 * 40,
                 *black = row + 3 * 56;
    g_assert_cmpint(cyan[2], >, cyan[0] + 80);
    g_assert_cmpint(yellow[0], >, yellow[2] + 80);
    g_assert_cmpint(MIN(MIN(white[0], white[1]), white[2]), >, 235);
    g_assert_cmpint(MAX(MAX(black[0], black[1]), black[2]), <, 60);
    g_object_unref(large);
    g_object_unref(image);
    g_object_unref(memory);
}

static void first_of_several_pages_is_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *page = picture(12, 30, 1, VIPS_INTERPRETATION_B_W);
    vips_image_set_int(page, VIPS_META_PAGE_HEIGHT, 10);
    static const char *const formats[] = {".tif", ".gif"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *path = write_image(dir, page, formats[i]), *note = NULL;
        g_autoptr(CgImage) got = load(path, &note);
        g_assert_cmpint(got->width, ==, 12);
        g_assert_cmpint(got->height, ==, 10);
        g_assert_nonnull(strstr(note, "first of 3 pages"));
    }
    g_object_unref(page);
}

static void truncated_files_are_errors(void)
{
    static const char *const formats[] = {
        ".png", ".jpg", ".tif", ".tif[compression=deflate]", ".webp", ".gif", ".png[interlace]"};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(90, 70, 3, VIPS_INTERPRETATION_sRGB);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        gsize size;
        g_autofree guint8 *bytes = encode(image, formats[i], &size);
        const gsize kept[] = {20, size / 4, size / 2, size - 20, size - 3};
        for (gsize k = 0; k < G_N_ELEMENTS(kept); k++) {
            g_test_message("%s, %zu of %zu bytes", formats[i], kept[k], size);
            refuse_bytes(dir, bytes, kept[k], CG_ERROR_FORMAT, "truncated or corrupt");
        }
    }
    g_object_unref(image);
}

static void truncated_ppm_is_an_error(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    /* Often, because libvips 8.14 overlooks it once in a while, by a race of its threads. */
    for (int i = 0; i < 200; i++)
        refuse_bytes(dir, "P6 4 4 255\nabc", 14, CG_ERROR_FORMAT, "PPM");
    refuse_bytes(dir, "P5 4", 4, CG_ERROR_FORMAT, "PPM");
}

static void flipped_bytes_in_a_png_are_noticed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(90, 70, 3, VIPS_INTERPRETATION_sRGB);
    gsize size;
    g_autofree guint8 *bytes = encode(image, ".png[strip]", &size);
    for (gsize at = 80; at < size - 12; at += size / 9) { /* from inside of IDAT on */
        bytes[at] ^= 0x10;
        refuse_bytes(dir, bytes, size, CG_ERROR_FORMAT, "truncated or corrupt PNG");
        bytes[at] ^= 0x10;
    }
    g_object_unref(image);
}

/* Decoders warn on their own; the user gets one line, and that from the caller. */
static void nothing_is_printed_about_broken_files(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("");
        return;
    }
    static const char *const formats[] = {".png", ".jpg", ".tif", ".gif"};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(90, 70, 3, VIPS_INTERPRETATION_sRGB);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        gsize size;
        g_autofree guint8 *bytes = encode(image, formats[i], &size);
        memset(bytes + size / 3, 0x5a, size / 9);
        g_autofree char *path = cg_test_folder_file(dir, "picture", bytes, size);
        CgImage *got = cg_image_load(path, NULL, NULL);
        cg_image_free(got); /* an uncompressed TIFF cannot show it */
    }
    g_object_unref(image);
}

/* JPEG has no checksums, so not every flip can show; a run of them does. */
static void damaged_jpeg_data_is_noticed(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(200, 150, 3, VIPS_INTERPRETATION_sRGB);
    gsize size;
    g_autofree guint8 *bytes = encode(image, ".jpg[strip]", &size);
    g_assert_cmpuint(size, >, 1200);
    memset(bytes + size * 2 / 3, 0xff, 40);
    refuse_bytes(dir, bytes, size, CG_ERROR_FORMAT, "truncated or corrupt JPEG");
    g_object_unref(image);
}

static void stray_bytes_between_jpeg_segments_are_forgiven(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    VipsImage *image = picture(40, 30, 3, VIPS_INTERPRETATION_sRGB);
    gsize size;
    g_autofree guint8 *bytes = encode(image, ".jpg[strip]", &size);
    g_autoptr(GByteArray) padded = g_byte_array_new();
    guint first = 4u + (guint)(bytes[4] << 8 | bytes[5]); /* behind the first segment */
    g_byte_array_append(padded, bytes, first);
    g_byte_array_append(padded, (const guint8 *)"stray", 5);
    g_byte_array_append(padded, bytes + first, (guint)size - first);
    g_autofree char *whole = cg_test_folder_file(dir, "whole.jpg", bytes, size);
    g_autofree char *path = cg_test_folder_file(dir, "stray.jpg", padded->data, padded->len);
    g_autoptr(CgImage) want = load(whole, NULL);
    g_autoptr(CgImage) got = load(path, NULL);
    g_assert_cmpmem(got->pixels, 40 * 30 * 3, want->pixels, 40 * 30 * 3);
    g_object_unref(image);
}

static void other_kinds_of_file_are_named(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const struct {
        const char *bytes;
        gsize size;
        CgErrorCode code;
        const char *part;
    } cases[] = {
        {"", 0, CG_ERROR_FORMAT, "empty file"},
        {"x", 1, CG_ERROR_FORMAT, "not an image"},
        {"Plain words, no picture.\n", 25, CG_ERROR_FORMAT, "not an image"},
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", 41, CG_ERROR_UNSUPPORTED, "SVG"},
        {"<?xml version='1.0'?>\n<svg/>", 28, CG_ERROR_UNSUPPORTED, "SVG"},
        {"%PDF-1.4\n", 9, CG_ERROR_UNSUPPORTED, "PDF"},
        {"\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16, CG_ERROR_UNSUPPORTED, "HEIF"},
        {"8BPS\0\1", 6, CG_ERROR_UNSUPPORTED, "Photoshop"},
        {"PK\3\4zip", 7, CG_ERROR_UNSUPPORTED, "zip"},
        {"\x89PNG\r\n\x1a\n", 8, CG_ERROR_FORMAT, "PNG"},
        {"\xff\xd8\xff", 3, CG_ERROR_FORMAT, "JPEG"},
        {"II*\0", 4, CG_ERROR_FORMAT, "TIFF"},
        {"GIF89a", 6, CG_ERROR_FORMAT, "GIF"},
        {"RIFF\4\0\0\0WEBP", 12, CG_ERROR_FORMAT, "WebP"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        refuse_bytes(dir, cases[i].bytes, cases[i].size, cases[i].code, cases[i].part);
}

static void folders_pipes_and_missing_files_are_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *fifo = cg_test_folder_path(dir, "pipe");
    g_autofree char *missing = cg_test_folder_path(dir, "missing.png");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    refuse(dir->path, CG_ERROR_IO, "folder");
    refuse(fifo, CG_ERROR_IO, "regular file");
    refuse(missing, CG_ERROR_MISSING, "No such file");
}

static void unreadable_files_are_refused(void)
{
    if (geteuid() == 0) {
        g_test_skip("root may read everything");
        return;
    }
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a.png", "x", 1);
    g_assert_cmpint(chmod(path, 0), ==, 0);
    refuse(path, CG_ERROR_IO, "Permission denied");
}

static void huge_pictures_are_refused_by_their_header(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const guint8 row[16] = {0};
    g_autoptr(GByteArray) wide = png(40000, 2, 8, 0, NULL, 0, row, sizeof row);
    refuse_bytes(dir, wide->data, wide->len, CG_ERROR_UNSUPPORTED, "40000x2 pixels");
    g_autoptr(GByteArray) square = png(32768, 32768, 8, 2, NULL, 0, row, sizeof row);
    refuse_bytes(dir, square->data, square->len, CG_ERROR_UNSUPPORTED, "1024 megapixels");
    g_autoptr(GByteArray) none = png(0, 5, 8, 0, NULL, 0, row, sizeof row);
    refuse_bytes(dir, none->data, none->len, CG_ERROR_FORMAT, "");
    int w, h, c;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_file(dir, "wide.png", wide->data, wide->len);
    g_assert_false(cg_image_probe(path, &w, &h, &c, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
}

static void float_pictures_are_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const float values[] = {0, 0.5f, 1, 2};
    VipsImage *image =
        vips_image_new_from_memory(values, sizeof values, 2, 2, 1, VIPS_FORMAT_FLOAT);
    g_autofree char *path = write_image(dir, image, ".tif");
    refuse(path, CG_ERROR_UNSUPPORTED, "samples of type float");
    g_object_unref(image);
}

static void a_mask_is_cut_at_128(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    static const guint8 values[] = {0, 1, 127, 128, 129, 255};
    VipsImage *grey = vips_image_new_from_memory(values, 6, 6, 1, 1, VIPS_FORMAT_UCHAR);
    g_autofree char *path = write_image(dir, grey, ".png");
    g_autoptr(CgImage) mask = cg_image_load_mask(path, NULL);
    static const guint8 want[] = {0, 0, 0, 255, 255, 255};
    g_assert_cmpint(mask->channels, ==, 1);
    g_assert_cmpmem(mask->pixels, 6, want, 6);
    g_object_unref(grey);

    static const guint8 colours[] = {0, 0, 200, 100, 127, 90, 255, 0, 0};
    VipsImage *rgb = vips_image_new_from_memory(colours, 9, 3, 1, 3, VIPS_FORMAT_UCHAR);
    VipsImage *named;
    VIPS_OK(vips_copy(rgb, &named, "interpretation", VIPS_INTERPRETATION_sRGB, NULL));
    g_autofree char *second = write_image(dir, named, ".png");
    g_autoptr(CgImage) bright = cg_image_load_mask(second, NULL);
    static const guint8 want3[] = {255, 0, 255};
    g_assert_cmpmem(bright->pixels, 3, want3, 3);
    g_object_unref(named);
    g_object_unref(rgb);
}

static void a_mask_of_zeros_is_empty_and_one_of_class_numbers_an_error(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    guint8 values[4] = {0};
    VipsImage *image = vips_image_new_from_memory(values, 4, 2, 2, 1, VIPS_FORMAT_UCHAR);
    g_autofree char *zeros = write_image(dir, image, ".png");
    g_autoptr(CgImage) mask = cg_image_load_mask(zeros, NULL);
    g_assert_nonnull(mask);
    g_assert_null(memchr(mask->pixels, 255, 4));
    g_object_unref(image);

    values[2] = 3;
    image = vips_image_new_from_memory(values, 4, 2, 2, 1, VIPS_FORMAT_UCHAR);
    g_autofree char *classes = write_image(dir, image, ".png");
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_image_load_mask(classes, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "the largest is 3"));
    g_object_unref(image);
}

/* Real photographs and masks; the same pixels again after saving. */
static void real_photographs_load_and_survive_saving(void)
{
    static const struct {
        const char *name;
        int width, height, channels;
    } cases[] = {
        {"mvtec-subset/leather/test/cut/000.png", 1024, 1024, 3},
        {"mvtec-subset/bottle/test/good/000.png", 900, 900, 3},
        {"mvtec-256/screw/test/good/000.png", 256, 256, 1},
        {"dtd-subset/images/banded/banded_0002.jpg", 300, 300, 3},
        {"neu-seg-subset/images/test/000301.jpg", 200, 200, 3},
    };
    const char *data = test_data_or_skip();
    if (!data)
        return;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *copy = cg_test_folder_path(dir, "copy.png");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_build_filename(data, cases[i].name, NULL), *note = NULL;
        g_test_message("%s", cases[i].name);
        g_autoptr(CgImage) image = load(path, &note);
        g_assert_null(note);
        g_assert_cmpint(image->width, ==, cases[i].width);
        g_assert_cmpint(image->height, ==, cases[i].height);
        g_assert_cmpint(image->channels, ==, cases[i].channels);
        g_assert_true(cg_image_save_png(image, copy, NULL));
        g_autoptr(CgImage) back = load(copy, &note);
        gsize size = (gsize)(image->width * image->height * image->channels);
        g_assert_cmpmem(back->pixels, size, image->pixels, size);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* Decoders warn about the broken files below, which our own log handler swallows; the test
     * framework would stop at each warning. */
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/image/load/" #name, name)
    TEST(common_formats_keep_their_pixels);
    TEST(jpeg_is_near);
    TEST(sixteen_bits_lose_the_low_byte);
    TEST(dark_sixteen_bits_are_pointed_out);
    TEST(alpha_is_dropped_and_said_only_if_it_did_something);
    TEST(one_bit_and_palette_pngs_open_up);
    TEST(orientation_is_applied);
    TEST(profiles_count_only_where_they_change_colours);
    TEST(a_broken_profile_does_not_stop_reading);
    TEST(cmyk_becomes_colour);
    TEST(first_of_several_pages_is_read);
    TEST(truncated_files_are_errors);
    TEST(truncated_ppm_is_an_error);
    TEST(flipped_bytes_in_a_png_are_noticed);
    TEST(nothing_is_printed_about_broken_files);
    TEST(damaged_jpeg_data_is_noticed);
    TEST(stray_bytes_between_jpeg_segments_are_forgiven);
    TEST(other_kinds_of_file_are_named);
    TEST(folders_pipes_and_missing_files_are_refused);
    TEST(unreadable_files_are_refused);
    TEST(huge_pictures_are_refused_by_their_header);
    TEST(float_pictures_are_refused);
    TEST(a_mask_is_cut_at_128);
    TEST(a_mask_of_zeros_is_empty_and_one_of_class_numbers_an_error);
    TEST(real_photographs_load_and_survive_saving);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
