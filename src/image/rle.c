#include "image/rle.h"

#include "base/error.h"

#include <string.h>

#define MORE   0x20
#define SIGN   0x10
#define BITS   0x1f
#define OFFSET 48 /* '0' */
#define GROUPS 7  /* of 5 bits: any difference of two 32-bit numbers */

GArray *cg_rle_encode(const CgImage *mask)
{
    g_assert(mask->channels == 1);
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(guint32));
    gboolean state = FALSE;
    guint32 length = 0;
    for (int x = 0; x < mask->width; x++)
        for (int y = 0; y < mask->height; y++) {
            const gboolean set = mask->pixels[(size_t)y * (size_t)mask->width + (size_t)x] != 0;
            if (set != state) {
                g_array_append_val(runs, length);
                length = 0;
                state = set;
            }
            length++;
        }
    g_array_append_val(runs, length);
    return runs;
}

CgImage *cg_rle_decode(const GArray *runs, int width, int height, GError **error)
{
    const guint64 count = (guint64)width * (guint64)height;
    guint64 sum = 0;
    for (guint i = 0; i < runs->len; i++)
        sum += g_array_index(runs, guint32, i);
    if (sum != count) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "the runs cover %" G_GUINT64_FORMAT " pixels, but %dx%d has %" G_GUINT64_FORMAT,
                    sum, width, height, count);
        return NULL;
    }
    CgImage *mask = cg_image_new(width, height, 1);
    guint64 at = 0;
    for (guint i = 0; i < runs->len; i++) {
        const guint64 end = at + g_array_index(runs, guint32, i);
        for (; at < end; at++)
            if (i % 2)
                mask->pixels[at % (guint64)height * (guint64)width + at / (guint64)height] = 255;
    }
    return mask;
}

char *cg_rle_to_string(const GArray *runs)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < runs->len; i++) {
        gint64 value = g_array_index(runs, guint32, i);
        if (i > 2)
            value -= g_array_index(runs, guint32, i - 2);
        for (gboolean more = TRUE; more;) {
            int c = (int)(value & BITS);
            value >>= 5;
            more = c & SIGN ? value != -1 : value != 0;
            g_string_append_c(text, (char)((more ? c | MORE : c) + OFFSET));
        }
    }
    return g_string_free(text, FALSE);
}

GArray *cg_rle_from_string(const char *text, GError **error)
{
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (const char *p = text; *p;) {
        gint64 value = 0;
        int c = MORE, group = 0;
        for (; c & MORE && group < GROUPS && *p; group++) {
            c = *p++ - OFFSET;
            if (c < 0 || c > (MORE | BITS)) {
                c = MORE;
                break;
            }
            value |= (gint64)(c & BITS) << 5 * group;
        }
        if (c & MORE) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "not a run-length mask: wrong at character %d", (int)(p - text));
            return NULL;
        }
        if (c & SIGN)
            value -= (gint64)1 << 5 * group;
        if (runs->len > 2)
            value += g_array_index(runs, guint32, runs->len - 2);
        if (value < 0 || value > G_MAXUINT32) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "not a run-length mask: a run of %" G_GINT64_FORMAT " pixels", value);
            return NULL;
        }
        const guint32 run = (guint32)value;
        g_array_append_val(runs, run);
    }
    return g_steal_pointer(&runs);
}
