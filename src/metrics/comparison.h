/* comparison: methods on categories as one table, from the results of their trainings.
 *
 * Every figure is the mean over seeds, then over categories, with an interval of 95 % over seeds
 * and images (repeated.h), and every method but the first has its difference from it: on the same
 * images and the seeds that both have. "Significant" says that the interval of a difference does
 * not contain 0; nothing is corrected for how many of them there are.
 */
#ifndef CG_METRICS_COMPARISON_H
#define CG_METRICS_COMPARISON_H

#include "metrics/report.h"
#include "metrics/result.h"

typedef struct {
    guint seeds;             /* of a category; for the mean the fewest */
    double value, low, high; /* NaN: undefined; no interval */
    double difference;       /* from the first method; NaN: it is the first, or undefined */
    double difference_low, difference_high;
    gboolean significant;
    char *undefined; /* why, or NULL */
} CgCompared;

typedef struct CgComparison CgComparison;

/* CATEGORIES and METHODS end with NULL; the first method is what others are compared with.
 * PUBLISHED: with the paper's figures beside them. */
CgComparison *cg_comparison_new(const char *const *categories, const char *const *methods,
                                gboolean published);
void cg_comparison_free(CgComparison *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgComparison, cg_comparison_free)

/* Takes RESULT over; its category and method must be among those given. */
void cg_comparison_add(CgComparison *c, CgResult *result);

/* A line to stand below the tables. */
void cg_comparison_note(CgComparison *c, const char *text);

/* CATEGORY: NULL for the mean of all. Free out->undefined with g_free. */
void cg_comparison_find(const CgComparison *c, const char *category, const char *method,
                        CgMode mode, gboolean without_shots, guint compared, CgCompared *out);

/* The tables; text is Markdown. Free with g_free. */
char *cg_comparison_print(const CgComparison *c, CgReportFormat format);

/* Measures against the share that a source replaces, for every base and source that has three
 * ratios or more; the base itself is ratio 0. *DRAWN: whether there was anything to draw. PATH: of
 * cg_figure_save. */
gboolean cg_comparison_chart(const CgComparison *c, const char *path, gboolean *drawn,
                             GError **error);

#endif
