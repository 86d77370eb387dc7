/* BMP, which we read ourselves. */
#include "base/error.h"
#include "image/image.h"
#include "support/folder.h"

#include <string.h>

static void le(GByteArray *out, guint32 value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8) {
        guint8 b = (guint8)value;
        g_byte_array_append(out, &b, 1);
    }
}

/* Both headers of a BMP with a 40-byte information header, the pixels starting at OFFSET. */
static GByteArray *bmp(gint32 width, gint32 height, int bits, guint32 compression, guint32 used,
                       guint32 offset)
{
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, (const guint8 *)"BM", 2);
    le(out, 0, 4);
    le(out, 0, 4);
    le(out, offset, 4);
    le(out, 40, 4);
    le(out, (guint32)width, 4);
    le(out, (guint32)height, 4);
    le(out, 1, 2);
    le(out, (guint32)bits, 2);
    le(out, compression, 4);
    le(out, 0, 4);
    le(out, 0, 4);
    le(out, 0, 4);
    le(out, used, 4);
    le(out, 0, 4);
    return out;
}

static CgImage *load(GByteArray *bytes, GError **error)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a.bmp", bytes->data, bytes->len);
    CgImage *image = cg_image_load(path, NULL, error);
    if (image) {
        int w, h, c;
        g_assert_true(cg_image_probe(path, &w, &h, &c, NULL));
        g_assert_cmpint(w, ==, image->width);
        g_assert_cmpint(h, ==, image->height);
        g_assert_cmpint(c, ==, image->channels);
    }
    return image;
}

static void expect(GByteArray *bytes, int channels, const guint8 *pixels, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) image = load(bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpint(image->channels, ==, channels);
    g_assert_cmpmem(image->pixels, (gsize)(image->width * image->height * channels), pixels, size);
}

static void rows_of_24_bits_are_stored_bottom_up(void)
{
    static const guint8 rows[] = {1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0};
    static const guint8 up[] = {9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4};
    static const guint8 down[] = {3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10};
    g_autoptr(GByteArray) a = bmp(2, 2, 24, 0, 0, 54);
    g_byte_array_append(a, rows, sizeof rows);
    expect(a, 3, up, sizeof up);
    g_autoptr(GByteArray) b = bmp(2, -2, 24, 0, 0, 54);
    g_byte_array_append(b, rows, sizeof rows);
    expect(b, 3, down, sizeof down);
}

static void palettes_of_greys_give_grey(void)
{
    static const guint8 palette[] = {0, 0, 0, 0, 255, 255, 255, 0}, bits[] = {0xa0, 0x80, 0, 0};
    static const guint8 want[] = {255, 0, 255, 0, 0, 0, 0, 0, 255};
    g_autoptr(GByteArray) a = bmp(9, 1, 1, 0, 2, 62);
    g_byte_array_append(a, palette, 8);
    g_byte_array_append(a, bits, 4);
    expect(a, 1, want, 9);
}

static void palettes_of_colours_give_colour(void)
{
    static const guint8 palette[] = {1, 2, 3, 0, 40, 50, 60, 0, 7, 8, 9, 0};
    static const guint8 nibbles[] = {0x20, 0x10, 0, 0}, want[] = {9, 8, 7, 3, 2, 1, 60, 50, 40};
    g_autoptr(GByteArray) a = bmp(3, 1, 4, 0, 3, 66);
    g_byte_array_append(a, palette, 12);
    g_byte_array_append(a, nibbles, 4);
    expect(a, 3, want, 9);
}

static void bit_fields_spread_over_the_whole_range(void)
{
    g_autoptr(GByteArray) a = bmp(2, 1, 16, 3, 0, 66);
    le(a, 0xf800, 4); /* 5, 6 and 5 bits */
    le(a, 0x07e0, 4);
    le(a, 0x001f, 4);
    le(a, 0xffff, 2);
    le(a, 0x8000 | 0x0020, 2); /* half of red, the least green */
    static const guint8 want[] = {255, 255, 255, 132, 4, 0};
    expect(a, 3, want, 6);

    g_autoptr(GByteArray) b = bmp(1, 1, 32, 0, 0, 54);
    le(b, 0x80102030, 4);
    static const guint8 deep[] = {0x10, 0x20, 0x30};
    expect(b, 3, deep, 3);
}

static void broken_headers_are_refused(void)
{
    static const guint8 zeros[64] = {0};
    const struct {
        GByteArray *bytes;
        CgErrorCode code;
        const char *part;
    } cases[] = {
        {bmp(2, 2, 24, 0, 0, 54), CG_ERROR_FORMAT, "pixels are missing"},
        {bmp(2, 2, 7, 0, 0, 54), CG_ERROR_FORMAT, "bits per pixel"},
        {bmp(0, 2, 24, 0, 0, 54), CG_ERROR_FORMAT, "0x2"},
        {bmp(-4, 2, 24, 0, 0, 54), CG_ERROR_FORMAT, "-4x2"},
        {bmp(2, G_MININT32, 24, 0, 0, 54), CG_ERROR_UNSUPPORTED, "a side"},
        {bmp(60000, 2, 1, 0, 0, 54), CG_ERROR_UNSUPPORTED, "a side"},
        {bmp(2, 2, 8, 1, 0, 54), CG_ERROR_UNSUPPORTED, "compressed"},
        {bmp(2, 2, 8, 0, 257, 54), CG_ERROR_FORMAT, "palette"},
        {bmp(2, 2, 8, 0, 0, 60), CG_ERROR_FORMAT, "palette"},
        {bmp(2, 2, 24, 0, 0, 0xffffffff), CG_ERROR_FORMAT, "pixels are missing"},
        {bmp(2, 2, 16, 3, 0, 66), CG_ERROR_FORMAT, "masks"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        if (i > 0)
            g_byte_array_append(cases[i].bytes, zeros, sizeof zeros);
        g_assert_null(load(cases[i].bytes, &error));
        g_assert_error(error, CG_ERROR, (int)cases[i].code);
        if (!strstr(error->message, cases[i].part))
            g_error("'%s' should contain '%s'", error->message, cases[i].part);
        g_byte_array_unref(cases[i].bytes);
    }
}

static void every_truncation_is_refused(void)
{
    static const guint8 rows[16] = {0};
    g_autoptr(GByteArray) whole = bmp(2, 2, 24, 0, 0, 54);
    g_byte_array_append(whole, rows, sizeof rows);
    for (guint size = whole->len; size-- > 1;) {
        g_byte_array_set_size(whole, size);
        g_autoptr(GError) error = NULL;
        g_assert_null(load(whole, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/image/bmp/" #name, name)
    TEST(rows_of_24_bits_are_stored_bottom_up);
    TEST(palettes_of_greys_give_grey);
    TEST(palettes_of_colours_give_colour);
    TEST(bit_fields_spread_over_the_whole_range);
    TEST(broken_headers_are_refused);
    TEST(every_truncation_is_refused);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
