/* published: the figures of the paper's tables, for printing beside our own.
 *
 * Source: CAGen, Tables 1 (MVTec AD) and 2 (BTAD). Pixel AUROC and average precision in per cent,
 * at full size (256 x 256, width 128, 700 epochs). Its DRAEM columns are those that DRAEM's
 * authors published, to the digit.
 */
#ifndef CG_METRICS_PUBLISHED_H
#define CG_METRICS_PUBLISHED_H

#include <glib.h>

typedef struct {
    const char *category;
    double draem_auroc, draem_ap;
    double cagen_auroc, cagen_ap;
} CgPublished;

/* NULL for a category that is in neither table. */
const CgPublished *cg_published_find(const char *category);

#endif
