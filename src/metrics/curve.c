/* Curves for drawing: the sweep of measure.c again, for one weighting, with points on the way. */
#include "metrics/ranking-private.h"

#include <math.h>

typedef struct {
    CgCurveKind kind;
    double defective, normal, regions; /* weighted totals */
    double fp, tp, pro;
    double step; /* points nearer than this to the last one are left out */
    GArray *points;
    CgCurvePoint last; /* not taken yet */
    gboolean pending;
} Walk;

static CgCurvePoint point_at(const Walk *w, double threshold)
{
    switch (w->kind) {
    case CG_CURVE_PR:
        return (CgCurvePoint){w->tp / w->defective, w->tp / (w->tp + w->fp), threshold};
    case CG_CURVE_PRO:
        return (CgCurvePoint){w->fp / w->normal, w->pro / w->regions, threshold};
    default:
        return (CgCurvePoint){w->fp / w->normal, w->tp / w->defective, threshold};
    }
}

static void take(Walk *w, CgCurvePoint p)
{
    g_array_append_val(w->points, p);
    w->pending = FALSE;
}

/* ROC and PRO only rise, so that distances along both axes bound the points; precision goes up and
 * down, and recall alone counts. */
static void visit(Walk *w, double threshold)
{
    const CgCurvePoint p = point_at(w, threshold);
    if (w->points->len > 0) {
        const CgCurvePoint *q = &g_array_index(w->points, CgCurvePoint, w->points->len - 1);
        const double rise = w->kind == CG_CURVE_PR ? 0 : p.y - q->y;
        if (p.x - q->x + rise < w->step) {
            w->last = p;
            w->pending = TRUE;
            return;
        }
    }
    take(w, p);
}

/* Where the curve turns up again after normal scores alone; the lowest of these is not known any
 * more, only that it lies above NEXT. */
static void visit_corner(Walk *w, float next)
{
    if (w->kind != CG_CURVE_PR)
        visit(w, (double)nextafterf(next, INFINITY));
}

static void totals(Walk *w, const CgRanking *r, const double *weights)
{
    for (guint i = 0; i < r->units->len; i++) {
        const CgRankedUnit *u = cg_ranking_unit(r, i);
        const double weight = weights ? weights[i] : 1;
        w->defective += weight * (double)u->defective;
        w->normal += weight * (double)u->normal;
        w->regions += weight * (double)u->regions;
    }
}

GArray *cg_ranking_curve(const CgRanking *r, const double *weights, CgCurveKind kind, guint most)
{
    g_assert(r->sorted && most >= 8);
    if (cg_ranking_lack(r, weights) != CG_LACK_NOTHING)
        return NULL;
    /* Both axes together have length 2; three points are the first, the second and the last. */
    Walk w = {.kind = kind, .step = 2.0 / (most - 3)};
    w.points = g_array_new(FALSE, FALSE, sizeof(CgCurvePoint));
    totals(&w, r, weights);
    if (kind == CG_CURVE_PR)
        take(&w, (CgCurvePoint){0, 1, INFINITY});
    else
        visit(&w, INFINITY);
    size_t group = 0;
    gboolean gap = FALSE;
    for (size_t i = 0; i < r->count; i++) {
        const guint64 event = r->items[i];
        const unsigned event_kind = cg_event_kind(event);
        const guint32 id = cg_event_id(event);
        const double n = cg_event_count(event);
        if (gap && event_kind != CG_EVENT_GAP)
            visit_corner(&w, cg_ranking_score_of(r->keys[group]));
        gap = event_kind == CG_EVENT_GAP;
        if (event_kind <= CG_EVENT_TIE) {
            w.fp += (weights ? weights[id] : 1) * n;
            continue;
        }
        const CgRankedRegion *region = &g_array_index(r->regions, CgRankedRegion, id);
        const double weight = weights ? weights[region->unit] : 1;
        w.tp += weight * n;
        w.pro += weight * n / region->size;
        if (event_kind != CG_EVENT_LAST)
            continue;
        if (w.tp > 0)
            visit(&w, (double)cg_ranking_score_of(r->keys[group]));
        group++;
    }
    if (gap && kind != CG_CURVE_PR)
        visit(&w, (double)r->lowest);
    if (w.pending)
        take(&w, w.last);
    return w.points;
}
