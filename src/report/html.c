#include "report/html.h"

#include "image/encode.h"

#include <stdarg.h>
#include <string.h>

#define QUALITY 82

void cg_html_text(GString *out, const char *text)
{
    if (!text)
        return;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (const char *p = valid; *p; p++)
        switch (*p) {
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '"':
            g_string_append(out, "&quot;");
            break;
        case '\'':
            g_string_append(out, "&#39;");
            break;
        case '\n':
        case '\t':
            g_string_append_c(out, *p);
            break;
        default:
            if ((guchar)*p < 32 || *p == 127)
                g_string_append(out, "\xef\xbf\xbd");
            else
                g_string_append_c(out, *p);
        }
}

void cg_html_format(GString *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    cg_html_text(out, text);
}

void cg_html_cell(GString *out, const char *text)
{
    g_string_append(out, "<td>");
    cg_html_text(out, text);
    g_string_append(out, "</td>");
}

void cg_html_number_cell(GString *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_string_append(out, "<td class=\"n\">");
    cg_html_text(out, text);
    g_string_append(out, "</td>");
}

void cg_html_head(GString *out, const char *const *names)
{
    g_string_append(out, "<thead><tr>");
    for (; *names; names++) {
        const gboolean is_number = **names == '#';
        g_string_append(out, is_number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">");
        cg_html_text(out, *names + is_number);
        g_string_append(out, "</th>");
    }
    g_string_append(out, "</tr></thead>\n");
}

void cg_html_begin_table(GString *out, const char *label)
{
    g_string_append(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    cg_html_text(out, label);
    g_string_append(out, "\"><table>");
}

void cg_html_end_table(GString *out)
{
    g_string_append(out, "</tbody></table></div>\n");
}

static CgImage *fit(const CgImage *image, int side, gboolean lossless)
{
    const int longest = MAX(image->width, image->height);
    if (longest <= side)
        return cg_image_copy(image);
    const int width = MAX((int)((gint64)image->width * side / longest), 1);
    const int height = MAX((int)((gint64)image->height * side / longest), 1);
    return lossless ? cg_image_resize_nearest(image, width, height)
                    : cg_image_resize(image, width, height);
}

static gboolean add_data(GString *out, const CgImage *fitted, gboolean lossless, GError **error)
{
    g_autoptr(GByteArray) bytes = lossless ? cg_image_encode_png(fitted, error)
                                           : cg_image_encode_jpeg(fitted, QUALITY, error);
    if (!bytes)
        return FALSE;
    g_autofree char *text = g_base64_encode(bytes->data, bytes->len);
    g_string_append_printf(out, "data:image/%s;base64,", lossless ? "png" : "jpeg");
    g_string_append(out, text);
    return TRUE;
}

gboolean cg_html_data(GString *out, const CgImage *image, int side, gboolean lossless,
                      GError **error)
{
    g_autoptr(CgImage) fitted = fit(image, side, lossless);
    return add_data(out, fitted, lossless, error);
}

gboolean cg_html_image(GString *out, const CgImage *image, int side, gboolean lossless,
                       const char *css_class, const char *alt, GError **error)
{
    g_autoptr(CgImage) fitted = fit(image, side, lossless);
    g_string_append_printf(out, "<img class=\"%s\" width=\"%d\" height=\"%d\" alt=\"", css_class,
                           fitted->width, fitted->height);
    cg_html_text(out, alt);
    g_string_append(out, "\" src=\"");
    if (!add_data(out, fitted, lossless, error))
        return FALSE;
    g_string_append(out, "\">");
    return TRUE;
}

char *cg_html_count(guint64 count)
{
    char digits[32];
    const int length = g_snprintf(digits, sizeof digits, "%" G_GUINT64_FORMAT, count);
    GString *out = g_string_new(NULL);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            g_string_append_c(out, ',');
        g_string_append_c(out, digits[i]);
    }
    return g_string_free(out, FALSE);
}
