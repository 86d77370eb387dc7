/* ranking-private: what a sorted ranking is made of. */
#ifndef CG_METRICS_RANKING_PRIVATE_H
#define CG_METRICS_RANKING_PRIVATE_H

#include "metrics/ranking.h"

typedef struct {
    guint64 normal, defective;   /* scores */
    guint64 found, false_alarms; /* of them, at or above the threshold */
    guint32 regions;
} CgRankedUnit;

typedef struct {
    guint32 unit;
    guint32 size; /* scores */
} CgRankedRegion;

/* Before sorting, ITEMS hold a score each: key in the upper half (falling scores, rising keys), and
 * below it the unit, or CG_ITEM_DEFECTIVE and the region. After it they are events: a count in the
 * upper half, and below it kind and unit or region. In order: for every group of equal scores that
 * has defective ones, the normal scores above it (CG_EVENT_GAP, of groups without defective ones),
 * those in it (CG_EVENT_TIE), and its defective scores by region (CG_EVENT_REGION, the last
 * CG_EVENT_LAST). What is below the last group is one more gap. */
struct CgRanking {
    double threshold;
    guint64 *items;
    size_t count, space;
    GArray *units;   /* CgRankedUnit */
    GArray *regions; /* CgRankedRegion */
    guint32 *keys;   /* [group_count] */
    size_t group_count;
    float lowest; /* score */
    gboolean sorted, constant;
};

#define CG_ITEM_DEFECTIVE (1u << 31)

enum { CG_EVENT_GAP, CG_EVENT_TIE, CG_EVENT_REGION, CG_EVENT_LAST };
#define CG_EVENT_ID_MASK ((1u << 30) - 1)

static inline guint64 cg_event(unsigned kind, guint32 id, guint32 count)
{
    return (guint64)count << 32 | (guint64)kind << 30 | id;
}
static inline unsigned cg_event_kind(guint64 event)
{
    return (unsigned)(event >> 30) & 3;
}
static inline guint32 cg_event_id(guint64 event)
{
    return (guint32)event & CG_EVENT_ID_MASK;
}
static inline double cg_event_count(guint64 event)
{
    return (double)(guint32)(event >> 32);
}

static inline const CgRankedUnit *cg_ranking_unit(const CgRanking *r, guint i)
{
    return &g_array_index(r->units, CgRankedUnit, i);
}

/* The score whose key is KEY. */
float cg_ranking_score_of(guint32 key);

#endif
