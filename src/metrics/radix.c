#include "metrics/radix-private.h"

#include "base/system.h"

#include <string.h>

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)
#define KEY_SHIFT  32
/* Below this many items, threads cost more than they bring. */
#define PARALLEL_MIN 65536

static size_t chunk_begin(size_t count, int threads, int t)
{
    return count / (size_t)threads * (size_t)t + MIN((size_t)t, count % (size_t)threads);
}

static unsigned digit(guint64 item, int shift)
{
    return (unsigned)(item >> shift) & (DIGITS - 1);
}

/* From counts [threads, DIGITS] to the place of each thread's first item of each digit. FALSE when
 * all items have one digit, so that they need not move. */
static gboolean make_places(size_t *places, int threads, size_t count)
{
    size_t place = 0;
    for (int d = 0; d < DIGITS; d++) {
        const size_t before = place;
        for (int t = 0; t < threads; t++) {
            size_t *p = &places[(size_t)t * DIGITS + (size_t)d];
            const size_t n = *p;
            *p = place;
            place += n;
        }
        if (place - before == count)
            return FALSE;
    }
    return TRUE;
}

/* One digit: FROM sorted by it into TO. FALSE when FROM is in order already. */
static gboolean pass(const guint64 *from, guint64 *to, size_t count, int shift, int threads,
                     size_t *places)
{
    gboolean move = TRUE;
    memset(places, 0, sizeof *places * DIGITS * (size_t)threads);
    /* Chunks are numbered by the loop and not by the thread, so that fewer threads than asked for
     * still do all of them. */
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        size_t *counts = places + (size_t)t * DIGITS;
        const size_t end = chunk_begin(count, threads, t + 1);
        for (size_t i = chunk_begin(count, threads, t); i < end; i++)
            counts[digit(from[i], shift)]++;
    }
    move = make_places(places, threads, count);
    if (!move)
        return FALSE;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        size_t *place = places + (size_t)t * DIGITS;
        const size_t end = chunk_begin(count, threads, t + 1);
        for (size_t i = chunk_begin(count, threads, t); i < end; i++)
            to[place[digit(from[i], shift)]++] = from[i];
    }
    return TRUE;
}

guint64 *cg_radix_sort(guint64 *items, guint64 *scratch, size_t count)
{
    const int threads = count < PARALLEL_MIN ? 1 : cg_threads();
    g_autofree size_t *places = g_new(size_t, (gsize)threads * DIGITS);
    guint64 *from = items, *to = scratch;
    for (int shift = KEY_SHIFT; shift < 64; shift += DIGIT_BITS) {
        if (pass(from, to, count, shift, threads, places)) {
            guint64 *sorted = to;
            to = from;
            from = sorted;
        }
    }
    return from;
}
