#include "metrics/components.h"

/* Two passes with union-find; the root of a set is its smallest label. */

static guint32 find(guint32 *parent, guint32 a)
{
    while (parent[a] != a) {
        parent[a] = parent[parent[a]];
        a = parent[a];
    }
    return a;
}

/* Both labels or one of them may be 0: none. */
static guint32 join(guint32 *parent, guint32 a, guint32 b)
{
    if (!a || !b)
        return a ? a : b;
    a = find(parent, a);
    b = find(parent, b);
    parent[MAX(a, b)] = MIN(a, b);
    return MIN(a, b);
}

/* The label of the pixel at X from the neighbours before it, 0 when all of these are normal. */
static guint32 from_neighbours(guint32 *parent, const guint32 *row, const guint32 *above, int x,
                               int width)
{
    guint32 label = x > 0 ? row[x - 1] : 0;
    if (!above)
        return label;
    if (x > 0)
        label = join(parent, label, above[x - 1]);
    label = join(parent, label, above[x]);
    return x + 1 < width ? join(parent, label, above[x + 1]) : label;
}

guint32 cg_components(const guint8 *mask, int width, int height, guint32 *labels)
{
    const size_t w = (size_t)width, pixels = w * (size_t)height;
    g_autoptr(GArray) parents = g_array_new(FALSE, FALSE, sizeof(guint32));
    guint32 next = 0;
    g_array_append_val(parents, next);
    for (size_t i = 0; i < pixels; i++) {
        const int x = (int)(i % w);
        guint32 *row = labels + (i - (size_t)x);
        labels[i] = 0;
        if (!mask[i])
            continue;
        guint32 *parent = (guint32 *)(void *)parents->data;
        labels[i] = from_neighbours(parent, row, i >= w ? row - w : NULL, x, width);
        if (!labels[i]) {
            labels[i] = ++next;
            g_array_append_val(parents, next);
        }
    }
    guint32 *parent = (guint32 *)(void *)parents->data, count = 0;
    g_autofree guint32 *number = g_new0(guint32, (gsize)next + 1);
    for (guint32 a = 1; a <= next; a++) /* a root comes before its set */
        number[a] = parent[a] == a ? ++count : number[find(parent, a)];
    for (size_t i = 0; i < pixels; i++)
        labels[i] = number[labels[i]];
    return count;
}
