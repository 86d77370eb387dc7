/* report: evaluations of several categories as one table. */
#ifndef CG_METRICS_REPORT_H
#define CG_METRICS_REPORT_H

#include "metrics/evaluation.h"

#include <jansson.h>

typedef enum {
    CG_REPORT_TEXT,
    CG_REPORT_JSON,  /* all digits, reasons and intervals; one object */
    CG_REPORT_CSV,   /* all digits; undefined is empty */
    CG_REPORT_MD,    /* per cent, as in papers */
    CG_REPORT_LATEX, /* the same; needs booktabs */
} CgReportFormat;
/* "text", "json", "csv", "md", "latex"; CG_ERROR_USAGE lists them. */
gboolean cg_report_format_parse(const char *name, CgReportFormat *format, GError **error);

typedef struct CgReport CgReport;
CgReport *cg_report_new(void);
void cg_report_free(CgReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgReport, cg_report_free)

/* Takes the finished EVALUATION of CATEGORY. CURVE_POINTS: of the curves in JSON, 0 for none. */
void cg_report_add(CgReport *report, const char *category, CgEvaluation *evaluation,
                   guint curve_points);

/* The curves of ROW as JSON has them, [[x, y, threshold], ...] of at most POINTS points each:
 * "pixel_roc", "pixel_pr", "pixel_pro", "image_roc", "image_pr". To be asked for before E is given
 * to a report. Free with json_decref. */
json_t *cg_report_curves(const CgEvaluation *e, const CgEvaluationRow *row, guint points);

/* What gave the maps, for JSON alone: its "detector". Takes DETECTOR. */
void cg_report_set_detector(CgReport *report, json_t *detector);

/* The rows of all categories; with several, also their plain means over the categories (of rows
 * with all defect types; undefined where any is). Free with g_free. */
char *cg_report_print(const CgReport *report, CgReportFormat format);

#endif
