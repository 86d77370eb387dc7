/* confusion: how often a classifier answered what, and what follows from it. */
#ifndef CG_METRICS_CONFUSION_H
#define CG_METRICS_CONFUSION_H

#include "metrics/report.h"

typedef struct {
    guint classes;
    guint64 *counts; /* [truth, answer] */
} CgConfusion;

CgConfusion *cg_confusion_new(guint classes);
void cg_confusion_free(CgConfusion *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgConfusion, cg_confusion_free)
void cg_confusion_add(CgConfusion *c, guint truth, guint answer);

/* Of one class; NaN where nothing was counted that could be right. */
typedef struct {
    guint64 images;               /* that are of it */
    double precision, recall, f1; /* f1 = 2 right / (images + answers) */
} CgConfusionClass;
CgConfusionClass cg_confusion_class(const CgConfusion *c, guint i);

/* Of all; NaN without images. */
typedef struct {
    guint64 images, right;
    double accuracy, low, high; /* with its 95 % interval (Wilson 1927) */
    double mean_recall;         /* over the classes that have images */
} CgConfusionTotal;
CgConfusionTotal cg_confusion_total(const CgConfusion *c);

/* Total, a row for each class, and the matrix (text, JSON: rows are what the images are, columns
 * what they were taken for; CSV: the same as further columns). LABELS [classes]. Formats: text,
 * JSON and CSV; CG_ERROR_UNSUPPORTED for others. Free with g_free. */
char *cg_confusion_print(const CgConfusion *c, const char *const *labels, CgReportFormat format,
                         GError **error);

#endif
