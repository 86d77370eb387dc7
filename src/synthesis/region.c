#include "synthesis/region.h"

#include <string.h>

gsize cg_region_area(const guint8 *mask, gsize count)
{
    gsize area = 0;
    for (gsize i = 0; i < count; i++)
        area += mask[i] != 0;
    return area;
}

typedef struct {
    const guint8 *mask;
    gint32 *labels;
    int width, height;
    GArray *stack; /* gsize, pixels to visit */
} Flood;

static void flood_visit(Flood *flood, int x, int y, gint32 label)
{
    if (x < 0 || y < 0 || x >= flood->width || y >= flood->height)
        return;
    gsize at = (gsize)y * (gsize)flood->width + (gsize)x;
    if (!flood->mask[at] || flood->labels[at])
        return;
    flood->labels[at] = label;
    g_array_append_val(flood->stack, at);
}

static CgRegion flood_region(Flood *flood, int x, int y, gint32 label, gboolean diagonal)
{
    CgRegion region = {0, x, y, x, y, FALSE};
    flood_visit(flood, x, y, label);
    while (flood->stack->len) {
        gsize at = g_array_index(flood->stack, gsize, flood->stack->len - 1);
        g_array_set_size(flood->stack, flood->stack->len - 1);
        x = (int)(at % (gsize)flood->width);
        y = (int)(at / (gsize)flood->width);
        region.area++;
        region.left = MIN(region.left, x);
        region.right = MAX(region.right, x);
        region.top = MIN(region.top, y);
        region.bottom = MAX(region.bottom, y);
        for (int v = y - 1; v <= y + 1; v++)
            for (int u = x - 1; u <= x + 1; u++)
                if (diagonal || u == x || v == y)
                    flood_visit(flood, u, v, label);
    }
    region.at_frame = region.left == 0 || region.top == 0 || region.right == flood->width - 1 ||
                      region.bottom == flood->height - 1;
    return region;
}

GArray *cg_region_label(const guint8 *mask, int width, int height, gboolean diagonal,
                        gint32 *labels)
{
    memset(labels, 0, (gsize)width * (gsize)height * sizeof *labels);
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(gsize));
    GArray *regions = g_array_new(FALSE, FALSE, sizeof(CgRegion));
    Flood flood = {mask, labels, width, height, stack};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            gsize at = (gsize)y * (gsize)width + (gsize)x;
            if (!mask[at] || labels[at])
                continue;
            CgRegion region = flood_region(&flood, x, y, (gint32)regions->len + 1, diagonal);
            g_array_append_val(regions, region);
        }
    return regions;
}

/* OUT[i] is whether any (WANT 255) or all (WANT 0) of IN[i + first .. i + last] are set, along a
 * line of COUNT pixels STRIDE apart; those outside are ignored. */
static void run_line(const guint8 *in, guint8 *out, int count, gsize stride, int first, int last,
                     guint8 want)
{
    int nearest = G_MININT / 2; /* the last place with WANT that was seen */
    for (int i = first; i < count + last; i++) {
        /* I is the leading edge; the window that ends there belongs to I - LAST. */
        if (i >= 0 && i < count && (in[(gsize)i * stride] ? 255 : 0) == want)
            nearest = i;
        int at = i - last;
        if (at >= 0 && at < count)
            out[(gsize)at * stride] = nearest >= at + first ? want : (guint8)~want;
    }
}

static void run_square(guint8 *mask, int width, int height, int first, int last, guint8 want)
{
    g_autofree guint8 *rows = g_malloc((gsize)width * (gsize)height);
    for (int y = 0; y < height; y++) {
        gsize row = (gsize)y * (gsize)width;
        run_line(mask + row, rows + row, width, 1, first, last, want);
    }
    for (int x = 0; x < width; x++)
        run_line(rows + x, mask + x, height, (gsize)width, first, last, want);
}

void cg_region_close(guint8 *mask, int width, int height, int size)
{
    int before = size / 2, after = size - 1 - before;
    run_square(mask, width, height, -before, after, 255);
    run_square(mask, width, height, -after, before, 0);
}

void cg_region_open(guint8 *mask, int width, int height, int size)
{
    int before = size / 2, after = size - 1 - before;
    run_square(mask, width, height, -before, after, 0);
    run_square(mask, width, height, -after, before, 255);
}
