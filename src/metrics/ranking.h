/* ranking: scores in order, and every metric that follows from the order alone.
 *
 * A ranking takes scores unit by unit (a unit is an image: its pixels, or its one score), sorts
 * them once, and then answers for any weighting of the units: all of them, those of one defect type
 * and the good ones, a bootstrap sample.
 *
 *     g_autoptr(CgRanking) r = cg_ranking_new(NAN);
 *     for (...)
 *         cg_ranking_add(r, path, scores, regions, region_count, pixels, error);
 *     cg_ranking_sort(r, error);
 *     cg_ranking_measure(r, 1, NULL, 0.3, &measures);
 *
 * Exact: equal scores are one group, as in scikit-learn and in the evaluation code of MVTec AD.
 * With groups in falling order, P and N defective and normal pixels, TP and FP those at or above
 * the group's score and d their growth:
 *     AUROC  sum of dFP (TP before + dTP / 2) / (P N)      sklearn.metrics.roc_auc_score
 *     AP     sum of dTP / P * TP / (TP + FP)               sklearn.metrics.average_precision_score
 *     F1     largest 2 TP / (TP + FP + P); its threshold is the score of the first such group,
 *            and a pixel is called defective when its score is not below it
 *     IoU    TP / (FP + P) at that threshold, or at one given
 *     AUPRO  area under PRO (mean over all regions of the share found) against FP / N from 0 to a
 *            limit, trapezoids, linear at the limit, divided by the limit (Bergmann et al. 2021,
 *            section 5; anomalib's AUPRO)
 *
 * Memory: 8 bytes a score while adding and 16 while sorting; afterwards 8 for each run of normal
 * scores of one unit between two defective ones, which is far less where the metrics are good.
 */
#ifndef CG_METRICS_RANKING_H
#define CG_METRICS_RANKING_H

#include <glib.h>

typedef enum {
    CG_MEASURE_AUROC,
    CG_MEASURE_AP,
    CG_MEASURE_F1,
    CG_MEASURE_F1_THRESHOLD,
    CG_MEASURE_IOU, /* at the threshold of F1 */
    CG_MEASURE_AUPRO,
    CG_MEASURE_IOU_AT, /* at the threshold given to cg_ranking_new */
    CG_MEASURE_COUNT,
} CgMeasure;

typedef struct {
    double value[CG_MEASURE_COUNT]; /* NaN: undefined, see cg_ranking_lack */
} CgMeasures;

/* Most units, and most regions in all. */
#define CG_RANKING_MAX_UNITS (1u << 30)

typedef struct CgRanking CgRanking;

/* THRESHOLD: of CG_MEASURE_IOU_AT; NaN for none. */
CgRanking *cg_ranking_new(double threshold);
void cg_ranking_free(CgRanking *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgRanking, cg_ranking_free)

/* Adds a unit of COUNT scores (0 is fine: a unit that takes no part). REGIONS [count]: 0 is normal,
 * 1..REGION_COUNT the defective region it belongs to, each of them used; NULL: all normal.
 * CG_ERROR_NUMERIC for NaN and infinity, CG_ERROR_MEMORY when the scores do not fit, both naming
 * WHERE; then nothing was added. */
gboolean cg_ranking_add(CgRanking *r, const char *where, const float *scores,
                        const guint32 *regions, guint32 region_count, size_t count, GError **error);
/* The first of these checks alone. */
gboolean cg_ranking_check(const char *where, const float *scores, size_t count, GError **error);
/* Nothing can be added any more. CG_ERROR_MEMORY. */
gboolean cg_ranking_sort(CgRanking *r, GError **error);

guint cg_ranking_units(const CgRanking *r);
/* Whether all scores are one number. */
gboolean cg_ranking_is_constant(const CgRanking *r);

/* MEASURES [sets] of SETS weightings; WEIGHTS [sets, units], none negative, NULL for one set of
 * ones. A unit of weight 2 counts as if it were there twice. FPR_LIMIT in (0, 1]: of AUPRO. Runs on
 * all threads, which do not change the result. */
void cg_ranking_measure(const CgRanking *r, guint sets, const double *weights, double fpr_limit,
                        CgMeasures *measures);

typedef enum {
    CG_LACK_NOTHING,
    CG_LACK_SCORES,    /* no unit has any */
    CG_LACK_DEFECTIVE, /* all are normal */
    CG_LACK_NORMAL,    /* all are defective */
} CgLack;
/* Why the measures of WEIGHTS [units] (NULL: ones) are undefined. All are, when one is. */
CgLack cg_ranking_lack(const CgRanking *r, const double *weights);

typedef enum {
    CG_CURVE_ROC, /* x: FP / N, y: TP / P */
    CG_CURVE_PR,  /* x: TP / P, y: TP / (TP + FP) */
    CG_CURVE_PRO, /* x: FP / N, y: PRO */
} CgCurveKind;
typedef struct {
    double x, y, threshold; /* of the group; +infinity at the start */
} CgCurvePoint;

/* Points of the curve itself, in falling order of threshold, at most MOST of them (at least 8):
 * where two lie closer than about 2 / MOST, one is left out; first and last are always there. NULL
 * when undefined. */
GArray *cg_ranking_curve(const CgRanking *r, const double *weights, CgCurveKind kind, guint most);

#endif
