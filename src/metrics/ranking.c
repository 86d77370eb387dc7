/* Scores in, events out; see ranking-private.h. */
#include "metrics/ranking-private.h"

#include "base/error.h"
#include "base/size.h"
#include "base/system.h"
#include "metrics/radix-private.h"

#include <math.h>
#include <string.h>

#define FIRST_SPACE 65536
#define MEGA        1000000

CgRanking *cg_ranking_new(double threshold)
{
    CgRanking *r = g_new0(CgRanking, 1);
    r->threshold = threshold;
    r->units = g_array_new(FALSE, FALSE, sizeof(CgRankedUnit));
    r->regions = g_array_new(FALSE, FALSE, sizeof(CgRankedRegion));
    return r;
}

void cg_ranking_free(CgRanking *r)
{
    if (!r)
        return;
    g_array_unref(r->units);
    g_array_unref(r->regions);
    g_free(r->items);
    g_free(r->keys);
    g_free(r);
}

guint cg_ranking_units(const CgRanking *r)
{
    return r->units->len;
}

gboolean cg_ranking_is_constant(const CgRanking *r)
{
    return r->constant;
}

/* Bits of a float compare like signed magnitudes; this makes them rise while the score falls. -0
 * and 0 are equal numbers. */
static guint32 key_of(float score)
{
    guint32 bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

float cg_ranking_score_of(guint32 key)
{
    const guint32 bits = key & 0x80000000u ? key : ~key & 0x7fffffffu;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static gboolean make_room(CgRanking *r, const char *where, size_t count, GError **error)
{
    size_t need;
    if (!cg_size_add(r->count, count, &need) || need > G_MAXSIZE / 4 / sizeof *r->items)
        need = G_MAXSIZE / 4 / sizeof *r->items;
    if (need <= r->space)
        return TRUE;
    const size_t space = MAX(MAX(need, 2 * r->space), FIRST_SPACE);
    /* Sorting takes as much again. Pages that are not written yet are not taken. */
    const guint64 wanted = (guint64)(2 * need - r->count) * sizeof *r->items;
    const guint64 available = cg_memory_available();
    guint64 *items = NULL;
    if (!available || wanted <= available)
        items = g_try_realloc_n(r->items, space, sizeof *items);
    if (!items) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "%s: %" G_GUINT64_FORMAT " MB more are needed to rank %" G_GSIZE_FORMAT
                    " scores, %" G_GUINT64_FORMAT " MB are free; give smaller maps or fewer images",
                    where, wanted / MEGA, need, available / MEGA);
        return FALSE;
    }
    r->items = items;
    r->space = space;
    return TRUE;
}

gboolean cg_ranking_check(const char *where, const float *scores, size_t count, GError **error)
{
    size_t bad = 0;
    for (size_t i = 0; i < count; i++)
        bad += !isfinite(scores[i]);
    if (!bad)
        return TRUE;
    size_t first = 0;
    while (isfinite(scores[first]))
        first++;
    g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                "%s: %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                " scores are %s, which has no place in an order; see what made them",
                where, bad, count, isnan(scores[first]) ? "NaN" : "infinite");
    return FALSE;
}

gboolean cg_ranking_add(CgRanking *r, const char *where, const float *scores,
                        const guint32 *regions, guint32 region_count, size_t count, GError **error)
{
    g_assert(!r->sorted);
    const guint32 unit = r->units->len, first_region = r->regions->len;
    if (unit >= CG_RANKING_MAX_UNITS || region_count > CG_RANKING_MAX_UNITS - first_region ||
        count > G_MAXUINT32) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: too much for one ranking; give fewer images", where);
        return FALSE;
    }
    if (!cg_ranking_check(where, scores, count, error) || !make_room(r, where, count, error))
        return FALSE;
    CgRankedUnit u = {.regions = region_count};
    g_array_set_size(r->regions, first_region + region_count);
    CgRankedRegion *own =
        region_count ? &g_array_index(r->regions, CgRankedRegion, first_region) : NULL;
    for (guint32 i = 0; i < region_count; i++)
        own[i] = (CgRankedRegion){unit, 0};
    for (size_t i = 0; i < count; i++) {
        const guint32 region = regions ? regions[i] : 0;
        const guint32 id = region ? CG_ITEM_DEFECTIVE | (first_region + region - 1) : unit;
        const gboolean above = (double)scores[i] >= r->threshold;
        r->items[r->count + i] = (guint64)key_of(scores[i]) << 32 | id;
        if (region) {
            own[region - 1].size++;
            u.defective++;
            u.found += above;
        } else {
            u.false_alarms += above;
        }
    }
    u.normal = count - u.defective;
    r->count += count;
    g_array_append_val(r->units, u);
    return TRUE;
}

/* Counts by unit or region, and which of them are not 0. */
typedef struct {
    guint32 *count, *used, used_count;
} Tally;

static void tally_init(Tally *t, guint ids)
{
    *t = (Tally){g_new0(guint32, ids + 1), g_new(guint32, ids + 1), 0};
}

static void tally_clear(Tally *t)
{
    g_free(t->count);
    g_free(t->used);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tally, tally_clear)

static inline void tally_add(Tally *t, guint32 id)
{
    if (t->count[id]++ == 0)
        t->used[t->used_count++] = id;
}

/* Writes T as events of KIND and empties it. */
static guint64 *tally_flush(Tally *t, unsigned kind, guint64 *to)
{
    for (guint32 i = 0; i < t->used_count; i++) {
        *to++ = cg_event(kind, t->used[i], t->count[t->used[i]]);
        t->count[t->used[i]] = 0;
    }
    t->used_count = 0;
    return to;
}

static void tally_group(const guint64 *items, size_t count, Tally *normal, Tally *defective)
{
    for (size_t i = 0; i < count; i++) {
        const guint32 id = (guint32)items[i];
        if (id & CG_ITEM_DEFECTIVE)
            tally_add(defective, id & ~CG_ITEM_DEFECTIVE);
        else
            tally_add(normal, id);
    }
}

/* From sorted scores to events, in place: there are never more events than scores read so far. */
static void compress(CgRanking *r)
{
    g_auto(Tally) gap, tie, region;
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(guint32));
    tally_init(&gap, r->units->len);
    tally_init(&tie, r->units->len);
    tally_init(&region, r->regions->len);
    const guint64 *items = r->items;
    const size_t count = r->count;
    guint64 *to = r->items;
    for (size_t begin = 0, end; begin < count; begin = end) {
        const guint32 key = (guint32)(items[begin] >> 32);
        guint32 any = 0;
        for (end = begin; end < count && (guint32)(items[end] >> 32) == key; end++)
            any |= (guint32)items[end];
        if (!(any & CG_ITEM_DEFECTIVE)) {
            for (size_t i = begin; i < end; i++)
                tally_add(&gap, (guint32)items[i]);
            continue;
        }
        tally_group(items + begin, end - begin, &tie, &region);
        to = tally_flush(&gap, CG_EVENT_GAP, to);
        to = tally_flush(&tie, CG_EVENT_TIE, to);
        to = tally_flush(&region, CG_EVENT_REGION, to);
        to[-1] |= (guint64)CG_EVENT_LAST << 30;
        g_array_append_val(keys, key);
    }
    to = tally_flush(&gap, CG_EVENT_GAP, to);
    r->count = (size_t)(to - r->items);
    r->group_count = keys->len;
    r->keys = (guint32 *)(void *)g_array_free(g_steal_pointer(&keys), FALSE);
}

gboolean cg_ranking_sort(CgRanking *r, GError **error)
{
    g_assert(!r->sorted);
    r->sorted = TRUE;
    if (r->count == 0)
        return TRUE;
    g_autofree guint64 *scratch = g_try_new(guint64, r->count);
    if (!scratch) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "no memory to sort %" G_GSIZE_FORMAT " scores; give smaller maps or fewer "
                    "images",
                    r->count);
        return FALSE;
    }
    guint64 *sorted = cg_radix_sort(r->items, scratch, r->count);
    if (sorted == scratch) {
        scratch = r->items;
        r->items = sorted;
    }
    r->lowest = cg_ranking_score_of((guint32)(r->items[r->count - 1] >> 32));
    r->constant = r->items[0] >> 32 == r->items[r->count - 1] >> 32;
    compress(r);
    r->space = MAX(r->count, 1);
    r->items = g_renew(guint64, r->items, r->space);
    return TRUE;
}
