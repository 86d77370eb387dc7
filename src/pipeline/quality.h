/* quality: groups of synthetic pictures measured against real ones, in several views.
 *
 *     g_auto(CgQuality) q = {.groups = groups, .real = 0, .good = -1, .classifier = c, ...};
 *     q.views[CG_VIEW_WINDOW] = TRUE;
 *     cg_quality_measure(&q, error);
 *     g_autofree char *table = cg_quality_print(&q, CG_REPORT_MD);
 *
 * For each view and group:
 *
 * - Fréchet and kernel distance of its features from the real group's (embedding/frechet.h,
 *   kernel_distance.h): FID and KID where the features are Inception's, given as files
 *
 * - Inception score by the classifier's classes, where there is one (embedding/inception_score.h)
 *
 * - IC-LPIPS: each picture goes to the nearest shot by LPIPS, the mean distance of pairs in a
 * cluster is taken, then the mean over clusters (embedding/clusters.h); of synthetic groups, where
 * LPIPS is there
 */
#ifndef CG_PIPELINE_QUALITY_H
#define CG_PIPELINE_QUALITY_H

#include "embedding/clusters.h"
#include "embedding/kernel_distance.h"
#include "metrics/report.h"
#include "pipeline/group.h"

#include <jansson.h>

typedef struct {
    guint group;
    CgGroupView view;
    CgEstimate frechet, inception; /* NaN: not of this group, or not measured */
    CgKernelDistance kernel;
    CgClusters clusters;
} CgQualityRow;

typedef struct {
    GPtrArray *groups;    /* CgGroup, borrowed; their features are overwritten */
    guint real;           /* which of them */
    int good;             /* .. is of normal pictures; -1: none */
    const CgGroup *shots; /* what clusters gather around; NULL: the real group */
    gboolean views[CG_VIEW_COUNT];
    CgEngine *engine;               /* may be NULL where there is no network */
    const CgClassifier *classifier; /* NULL: features are pixels, and there is no Inception score */
    const CgLpips *lpips;           /* NULL: no IC-LPIPS */
    int side;                       /* to which LPIPS squeezes pictures */
    const char *features;           /* in words */
    guint draws;                    /* for the kernel distance's intervals */
    guint64 seed;

    GArray *rows; /* CgQualityRow: what cg_quality_measure finds, view by view */
} CgQuality;

/* Groups of features alone have one row, as if they were of whole pictures; LPIPS is not of them
 * (CG_ERROR_USAGE). Pictures that lack a mask in a view that needs it are whole, with a warning. */
gboolean cg_quality_measure(CgQuality *quality, GError **error);
void cg_quality_clear(CgQuality *quality);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgQuality, cg_quality_clear)

/* All numbers, and what they are of: pictures, shots, which picture went to which shot. */
json_t *cg_quality_json(const CgQuality *quality);
/* Free with g_free. */
char *cg_quality_print(const CgQuality *quality, CgReportFormat format);

#endif
