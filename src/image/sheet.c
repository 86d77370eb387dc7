#include "image/sheet.h"

#include "image/distance.h"
#include "image/image-private.h"
#include "image/vips-private.h"

#include <string.h>

#define GAP        8
#define BACKGROUND 228 /* pictures on white and on black ground both show their edges */
#define INK        40
/* Written in nearly transparent ink behind each line: rendered text is cut to what is inked, and
 * would otherwise stand on a different baseline depending on its letters. */
#define RULER "<span alpha=\"1\">\xc3\x81gj</span>"

typedef struct {
    int columns, rows, side;
    int font, line, lines; /* pixels of a font and of a line; lines under each image */
    int ruler;             /* width of RULER */
} Layout;

/* TEXT (markup) as coverage 0..255, NULL when it cannot be rendered. */
static CgImage *render(const char *markup, int font)
{
    g_autofree char *name = g_strdup_printf("sans %d", font);
    VipsImage *out = NULL;
    CgImage *image = NULL;
    /* At 72 dpi a point is a pixel. */
    if (vips_type_find("VipsOperation", "text") &&
        vips_call("text", &out, markup, "font", name, "dpi", 72, NULL) == 0) {
        size_t size;
        g_autofree guint8 *coverage = vips_image_write_to_memory(out, &size);
        if (coverage && out->Bands == 1 && size == (size_t)out->Xsize * (size_t)out->Ysize) {
            image = cg_image_new(out->Xsize, out->Ysize, 1);
            memcpy(image->pixels, coverage, size);
        }
    }
    g_clear_object(&out);
    vips_error_clear();
    return image;
}

/* A line of a caption, no wider than the cell: cut in the middle, because file names differ at
 * their end. */
static CgImage *render_line(const char *text, const Layout *layout)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    glong length = g_utf8_strlen(valid, -1), kept = length;
    CgImage *image = NULL;
    while (kept > 0) {
        g_autofree char *head = g_utf8_substring(valid, 0, kept == length ? length : kept / 2);
        g_autofree char *tail = g_utf8_substring(valid, length - (kept - kept / 2), length);
        g_autofree char *shown =
            kept == length ? g_strdup(valid) : g_strconcat(head, "\xe2\x80\xa6", tail, NULL);
        g_autofree char *escaped = g_markup_escape_text(shown, -1);
        g_autofree char *markup = g_strconcat(escaped, RULER, NULL);
        cg_image_free(image);
        image = render(markup, layout->font);
        if (!image || image->width - layout->ruler <= layout->side)
            break;
        kept = MIN(kept - 1, kept * layout->side / (image->width - layout->ruler));
    }
    return image;
}

/* Dark ink on SHEET at (X, Y), at most WIDTH pixels of it. */
static void draw_coverage(CgImage *sheet, const CgImage *text, int x, int y, int width)
{
    for (int v = 0; v < text->height && y + v < sheet->height; v++)
        for (int u = 0; u < MIN(text->width, width); u++) {
            int coverage = text->pixels[v * text->width + u];
            guint8 *p = sheet->pixels + 3 * ((size_t)(y + v) * (size_t)sheet->width) + 3 * (x + u);
            for (int c = 0; c < 3; c++)
                p[c] = (guint8)((p[c] * (255 - coverage) + INK * coverage) / 255);
        }
}

static void draw_caption(CgImage *sheet, const char *caption, const Layout *layout, int x, int y)
{
    g_auto(GStrv) lines = g_strsplit(caption, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        g_autoptr(CgImage) text = *lines[i] ? render_line(lines[i], layout) : NULL;
        if (text)
            draw_coverage(sheet, text, x, y + i * layout->line, layout->side);
    }
}

/* IMAGE as RGB that just fits into SIDE x SIDE. */
static CgImage *fit(const CgImage *image, int side)
{
    int longer = MAX(image->width, image->height);
    int w = MAX((int)((gint64)image->width * side / longer), 1);
    int h = MAX((int)((gint64)image->height * side / longer), 1);
    g_autoptr(CgImage) sized =
        side >= 2 * longer ? cg_image_resize_nearest(image, w, h) : cg_image_resize(image, w, h);
    return cg_image_to_rgb(sized);
}

static void draw_image(CgImage *sheet, const CgImage *image, int x, int y, int side)
{
    g_autoptr(CgImage) thumbnail = fit(image, side);
    x += (side - thumbnail->width) / 2;
    y += (side - thumbnail->height) / 2;
    for (int v = 0; v < thumbnail->height; v++)
        memcpy(sheet->pixels + 3 * ((size_t)(y + v) * (size_t)sheet->width + (size_t)x),
               thumbnail->pixels + 3 * (size_t)v * (size_t)thumbnail->width,
               3 * (size_t)thumbnail->width);
}

static void measure(Layout *layout, const CgSheetCell *cells, int count)
{
    layout->font = CLAMP(layout->side / 14, 9, 18);
    for (int i = 0; i < count; i++) {
        int lines = cells[i].caption ? 1 : 0;
        for (const char *p = cells[i].caption; p && (p = strchr(p, '\n')); p++)
            lines++;
        layout->lines = MAX(layout->lines, lines);
    }
    g_autoptr(CgImage) ruler = layout->lines ? render(RULER, layout->font) : NULL;
    if (!ruler) {
        layout->lines = 0;
        return;
    }
    layout->line = ruler->height + 2;
    layout->ruler = ruler->width;
}

CgImage *cg_contact_sheet(const CgSheetCell *cells, int count, int columns, int side,
                          GError **error)
{
    g_assert(count > 0 && columns > 0 && side > 0);
    if (!cg_image_init(error))
        return NULL;
    Layout layout = {.columns = MIN(columns, count), .side = side};
    layout.rows = (count + layout.columns - 1) / layout.columns;
    measure(&layout, cells, count);
    int text = layout.lines ? GAP / 2 + layout.lines * layout.line : 0;
    gint64 width = (gint64)layout.columns * (side + GAP) + GAP;
    gint64 height = (gint64)layout.rows * (side + text + GAP) + GAP;
    if (!cg_image_check_size("contact sheet", width, height, (guint64)(width * height * 3), error))
        return NULL;
    CgImage *sheet = cg_image_new((int)width, (int)height, 3);
    memset(sheet->pixels, BACKGROUND, (size_t)width * (size_t)height * 3);
    for (int i = 0; i < count; i++) {
        int x = GAP + i % layout.columns * (side + GAP);
        int y = GAP + i / layout.columns * (side + text + GAP);
        if (cells[i].image)
            draw_image(sheet, cells[i].image, x, y, side);
        if (cells[i].caption && layout.lines)
            draw_caption(sheet, cells[i].caption, &layout, x, y + side + GAP / 2);
    }
    return sheet;
}

CgImage *cg_image_difference(const CgImage *a, const CgImage *b, int gain)
{
    g_assert(a->width == b->width && a->height == b->height && gain >= 0);
    gboolean colour = a->channels == 3 || b->channels == 3;
    g_autoptr(CgImage) x = colour ? cg_image_to_rgb(a) : cg_image_copy(a);
    g_autoptr(CgImage) y = colour ? cg_image_to_rgb(b) : cg_image_copy(b);
    size_t size = (size_t)x->width * (size_t)x->height * (size_t)x->channels;
    for (size_t i = 0; i < size; i++)
        x->pixels[i] = (guint8)MIN((gint64)gain * ABS(x->pixels[i] - y->pixels[i]), 255);
    return g_steal_pointer(&x);
}

CgImage *cg_image_outline(const CgImage *image, const CgImage *mask, int width)
{
    g_assert(mask->channels == 1 && mask->width == image->width && mask->height == image->height);
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    g_autofree guint32 *squares = g_new(guint32, count);
    CgImage *out = cg_image_to_rgb(image);
    cg_distance_squared(mask->pixels, mask->width, mask->height, squares);
    for (size_t i = 0; i < count; i++)
        if (squares[i] > 0 && squares[i] <= (guint32)(width * width)) {
            static const guint8 red[3] = {230, 30, 30};
            memcpy(out->pixels + 3 * i, red, sizeof red);
        }
    return out;
}
