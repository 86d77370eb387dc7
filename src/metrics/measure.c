/* The sweep over a sorted ranking: from the highest score to the lowest, once for LANES weightings.
 */
#include "metrics/ranking-private.h"

#include "base/system.h"

#include <math.h>

/* Weightings that share one reading of the events. */
#define LANES 8

typedef struct {
    double fp[LANES], tp[LANES], pro[LANES];
} Point;

/* Everything is a weighted count. */
typedef struct {
    double defective[LANES], normal[LANES], regions[LANES], limit[LANES]; /* limit: of fp */
    Point now; /* at the current threshold */
    double roc_area[LANES], ap[LANES], pro_area[LANES], f1[LANES];
    size_t f1_group[LANES];
} Sweep;

/* weights [units, lanes]. */
typedef struct {
    const CgRanking *r;
    const double *weights;
    double *region_weights; /* [regions]: 1 / size */
} Input;

/* Area under PRO while fp goes from FP0 to FP1 and pro from P0 to P1, up to LIMIT. */
static inline double pro_trapezoid(double fp0, double fp1, double p0, double p1, double limit)
{
    const double end = MIN(fp1, limit), length = end - fp0;
    if (!(length > 0))
        return 0;
    const double p = p0 + (p1 - p0) * (length / (fp1 - fp0));
    return length * (p0 + p) / 2;
}

/* Between P and now: one group, or the normal scores above it. */
static inline void add_areas(Sweep *s, int lanes, const Point *p)
{
    const Point *now = &s->now;
    for (int l = 0; l < lanes; l++) {
        s->roc_area[l] += (now->fp[l] - p->fp[l]) * ((p->tp[l] + now->tp[l]) / 2);
        s->pro_area[l] += pro_trapezoid(p->fp[l], now->fp[l], p->pro[l], now->pro[l], s->limit[l]);
    }
}

static inline void add_precision(Sweep *s, int lanes, const Point *p, size_t group)
{
    for (int l = 0; l < lanes; l++) {
        const double tp = s->now.tp[l], called = tp + s->now.fp[l];
        if (!(tp > p->tp[l]))
            continue;
        s->ap[l] += (tp - p->tp[l]) * (tp / called);
        const double f1 = 2 * tp / (called + s->defective[l]);
        if (f1 > s->f1[l]) {
            s->f1[l] = f1;
            s->f1_group[l] = group;
        }
    }
}

/* While events are of KIND, adds them to fp; returns the first that is not. */
static inline size_t add_normal(Sweep *s, int lanes, const Input *in, size_t i, unsigned kind)
{
    const guint64 *events = in->r->items;
    for (; i < in->r->count && cg_event_kind(events[i]) == kind; i++) {
        const double *w = in->weights + (size_t)cg_event_id(events[i]) * (size_t)lanes;
        const double n = cg_event_count(events[i]);
#pragma omp simd
        for (int l = 0; l < lanes; l++)
            s->now.fp[l] += w[l] * n;
    }
    return i;
}

static inline size_t add_regions(Sweep *s, int lanes, const Input *in, size_t i)
{
    const guint64 *events = in->r->items;
    const CgRankedRegion *regions = (const CgRankedRegion *)(void *)in->r->regions->data;
    for (gboolean last = FALSE; !last; i++) {
        const guint32 id = cg_event_id(events[i]);
        const double *w = in->weights + (size_t)regions[id].unit * (size_t)lanes;
        const double n = cg_event_count(events[i]), share = n * in->region_weights[id];
#pragma omp simd
        for (int l = 0; l < lanes; l++) {
            s->now.tp[l] += w[l] * n;
            s->now.pro[l] += w[l] * share;
        }
        last = cg_event_kind(events[i]) == CG_EVENT_LAST;
    }
    return i;
}

static inline void start(Sweep *s, int lanes, const Input *in, double fpr_limit)
{
    *s = (Sweep){0};
    for (guint i = 0; i < in->r->units->len; i++) {
        const CgRankedUnit *u = cg_ranking_unit(in->r, i);
        for (int l = 0; l < lanes; l++) {
            const double w = in->weights[(size_t)i * (size_t)lanes + (size_t)l];
            s->defective[l] += w * (double)u->defective;
            s->normal[l] += w * (double)u->normal;
            s->regions[l] += w * (double)u->regions;
        }
    }
    for (int l = 0; l < lanes; l++)
        s->limit[l] = fpr_limit * s->normal[l];
}

/* LANES is a constant at every call: the loops over it unroll. */
static inline __attribute__((always_inline)) void sweep(Sweep *s, int lanes, const Input *in,
                                                        double fpr_limit)
{
    start(s, lanes, in, fpr_limit);
    size_t group = 0;
    for (size_t i = 0; i < in->r->count; group++) {
        Point before = s->now;
        i = add_normal(s, lanes, in, i, CG_EVENT_GAP);
        add_areas(s, lanes, &before);
        if (i == in->r->count)
            break;
        before = s->now;
        i = add_normal(s, lanes, in, i, CG_EVENT_TIE);
        i = add_regions(s, lanes, in, i);
        add_areas(s, lanes, &before);
        add_precision(s, lanes, &before, group);
    }
}

static void sweep_one(Sweep *s, const Input *in, double fpr_limit)
{
    sweep(s, 1, in, fpr_limit);
}

static void sweep_lanes(Sweep *s, const Input *in, double fpr_limit)
{
    sweep(s, LANES, in, fpr_limit);
}

/* IoU at the ranking's own threshold. */
static double iou_at(const CgRanking *r, const double *weights, double defective)
{
    double found = 0, false_alarms = 0;
    for (guint i = 0; i < r->units->len; i++) {
        const double w = weights ? weights[i] : 1;
        found += w * (double)cg_ranking_unit(r, i)->found;
        false_alarms += w * (double)cg_ranking_unit(r, i)->false_alarms;
    }
    return isnan(r->threshold) ? NAN : found / (defective + false_alarms);
}

/* Lane L of S as measures; WEIGHTS [units] are the lane's. */
static void finish(const CgRanking *r, const Sweep *s, int l, const double *weights,
                   CgMeasures *out)
{
    double *v = out->value;
    for (int m = 0; m < CG_MEASURE_COUNT; m++)
        v[m] = NAN;
    if (!(s->defective[l] > 0) || !(s->normal[l] > 0))
        return;
    v[CG_MEASURE_AUROC] = s->roc_area[l] / s->defective[l] / s->normal[l];
    v[CG_MEASURE_AP] = s->ap[l] / s->defective[l];
    v[CG_MEASURE_F1] = s->f1[l];
    v[CG_MEASURE_F1_THRESHOLD] = (double)cg_ranking_score_of(r->keys[s->f1_group[l]]);
    v[CG_MEASURE_IOU] = s->f1[l] / (2 - s->f1[l]);
    v[CG_MEASURE_AUPRO] = s->pro_area[l] / s->regions[l] / s->limit[l];
    v[CG_MEASURE_IOU_AT] = iou_at(r, weights, s->defective[l]);
}

static double *make_region_weights(const CgRanking *r)
{
    double *weights = g_new(double, r->regions->len + 1);
    for (guint i = 0; i < r->regions->len; i++)
        weights[i] = 1.0 / g_array_index(r->regions, CgRankedRegion, i).size;
    return weights;
}

void cg_ranking_measure(const CgRanking *r, guint sets, const double *weights, double fpr_limit,
                        CgMeasures *measures)
{
    g_assert(r->sorted && (weights || sets == 1));
    const size_t units = r->units->len;
    g_autofree double *region_weights = make_region_weights(r);
    if (sets == 1) {
        g_autofree double *ones = g_new(double, units + 1);
        for (size_t i = 0; i < units; i++)
            ones[i] = 1;
        Sweep s;
        sweep_one(&s, &(Input){r, weights ? weights : ones, region_weights}, fpr_limit);
        finish(r, &s, 0, weights, measures);
        return;
    }
    const guint blocks = (sets + LANES - 1) / LANES;
#pragma omp parallel for schedule(dynamic, 1) num_threads(cg_threads())
    for (guint b = 0; b < blocks; b++) {
        const guint used = MIN(sets - b * LANES, LANES);
        g_autofree double *lanes = g_new0(double, (units + 1) * LANES);
        for (guint l = 0; l < used; l++)
            for (size_t i = 0; i < units; i++)
                lanes[i * LANES + l] = weights[(size_t)(b * LANES + l) * units + i];
        Sweep s;
        sweep_lanes(&s, &(Input){r, lanes, region_weights}, fpr_limit);
        for (guint l = 0; l < used; l++) {
            const guint set = b * LANES + l;
            finish(r, &s, (int)l, weights + (size_t)set * units, &measures[set]);
        }
    }
}

static void count_sides(const CgRanking *r, const double *weights, double *normal,
                        double *defective)
{
    *normal = *defective = 0;
    for (guint i = 0; i < r->units->len; i++) {
        const double w = weights ? weights[i] : 1;
        *normal += w * (double)cg_ranking_unit(r, i)->normal;
        *defective += w * (double)cg_ranking_unit(r, i)->defective;
    }
}

CgLack cg_ranking_lack(const CgRanking *r, const double *weights)
{
    double normal, defective;
    count_sides(r, weights, &normal, &defective);
    if (!(normal > 0) && !(defective > 0))
        return CG_LACK_SCORES;
    return !(defective > 0) ? CG_LACK_DEFECTIVE : !(normal > 0) ? CG_LACK_NORMAL : CG_LACK_NOTHING;
}
