#include "pipeline/bands.h"

#include <math.h>
#include <string.h>

typedef struct {
    guint64 update;
    int band;
    double loss;
} Entry;

struct CgBands {
    int count, window;
    guint64 updates;
    GArray *entries; /* Entry, in order; those before FIRST are too old */
    guint first;
};

CgBands *cg_bands_new(int count, int window)
{
    g_assert(count > 0 && window > 0);
    CgBands *b = g_new0(CgBands, 1);
    b->count = count;
    b->window = window;
    b->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    return b;
}

void cg_bands_free(CgBands *b)
{
    if (!b)
        return;
    g_array_unref(b->entries);
    g_free(b);
}

static void forget_old(CgBands *b)
{
    while (b->first < b->entries->len &&
           g_array_index(b->entries, Entry, b->first).update + (guint64)b->window < b->updates)
        b->first++;
    if (b->first > 1024 && b->first > b->entries->len / 2) {
        g_array_remove_range(b->entries, 0, b->first);
        b->first = 0;
    }
}

void cg_bands_add(CgBands *b, const CgBandSample *samples, int count)
{
    for (int i = 0; i < count; i++) {
        const CgBandSample s = samples[i];
        if (!isfinite(s.loss) || !(s.place >= 0 && s.place < 1))
            continue;
        const Entry entry = {b->updates, MIN((int)(s.place * b->count), b->count - 1), s.loss};
        g_array_append_val(b->entries, entry);
    }
    b->updates++;
    forget_old(b);
}

void cg_bands_means(const CgBands *b, double *means, guint *counts)
{
    /* Summed anew: a running sum from which old samples are subtracted would drift. */
    for (int i = 0; i < b->count; i++) {
        means[i] = 0;
        counts[i] = 0;
    }
    for (guint i = b->first; i < b->entries->len; i++) {
        const Entry *e = &g_array_index(b->entries, Entry, i);
        means[e->band] += e->loss;
        counts[e->band]++;
    }
    for (int i = 0; i < b->count; i++)
        means[i] = counts[i] ? means[i] / counts[i] : NAN;
}
