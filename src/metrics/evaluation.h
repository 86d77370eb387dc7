/* evaluation: the measures of a detector on the test images of one category.
 *
 *     g_autoptr(CgEvaluation) e = cg_evaluation_new(&options);
 *     for (...)
 *         cg_evaluation_add(e, &image, error);
 *     cg_evaluation_finish(e, error);
 *     for (guint i = 0; i < e->rows->len; i++) ...
 *
 * There is a row for every mode, for all defect types together and each of them against the good
 * images, and for all images as well as without those that a generator has learnt from. Images are
 * taken one by one; what is kept of them are the scores of their pixels (see ranking.h for the
 * memory), for each mode: in strict mode as many as the mask has pixels, else as the map has.
 */
#ifndef CG_METRICS_EVALUATION_H
#define CG_METRICS_EVALUATION_H

#include "metrics/ranking.h"
#include "metrics/resample.h"

typedef struct {
    gboolean modes[CG_MODE_COUNT];
    double fpr_limit;    /* of AUPRO, in (0, 1]; 0.3 is usual */
    double threshold;    /* of one more IoU; NaN for none */
    guint bootstrap;     /* draws for the intervals, 0 for none */
    guint64 seed;        /* of the draws */
    gboolean keep_draws; /* what each of them measured stays with the rows of all defect types */
} CgEvaluationOptions;

typedef struct {
    const char *name;   /* for messages */
    const char *defect; /* CG_DEFECT_GOOD or its type */
    gboolean few_shot;  /* somebody learnt from it */
    const CgMap *map;
    const CgImage *mask; /* grey, 0 is normal; NULL: nobody knows where its defect is */
} CgEvaluated;

typedef enum {
    CG_VALUE_IMAGE_AUROC,
    CG_VALUE_IMAGE_AP,
    CG_VALUE_IMAGE_F1,
    CG_VALUE_IMAGE_THRESHOLD, /* of F1 */
    CG_VALUE_PIXEL_AUROC,
    CG_VALUE_PIXEL_AP,
    CG_VALUE_PIXEL_F1,
    CG_VALUE_PIXEL_THRESHOLD, /* of F1 */
    CG_VALUE_PIXEL_AUPRO,
    CG_VALUE_PIXEL_IOU,    /* at the threshold of F1 */
    CG_VALUE_PIXEL_IOU_AT, /* at the threshold of the options */
    CG_VALUE_COUNT,
} CgValueKind;
const char *cg_value_name(CgValueKind kind); /* "image_auroc", ... */
gboolean cg_value_is_threshold(CgValueKind kind);

typedef struct {
    double value;          /* NaN when undefined */
    double low, high;      /* of the interval; NaN where there is none */
    const char *undefined; /* why, or NULL */
} CgValue;

typedef struct {
    CgMode mode;
    const char *defect;     /* NULL: all types */
    gboolean without_shots; /* the images that somebody learnt from are left out */
    guint good, defective;  /* images */
    CgValue values[CG_VALUE_COUNT];
    CgMeasures *draws[2]; /* [bootstrap] of the images, of the pixels; NULL: not kept, undefined */
} CgEvaluationRow;

/* KIND in draw I of ROW; NaN where there is none. */
double cg_evaluation_row_draw(const CgEvaluationRow *row, CgValueKind kind, guint i);

typedef struct {
    CgEvaluationOptions options;
    GArray *rows;     /* CgEvaluationRow, by mode, without_shots, defect (NULL first) */
    GPtrArray *notes; /* char *: what a reader of the rows should know */
    struct CgEvaluationState *state;
} CgEvaluation;

CgEvaluation *cg_evaluation_new(const CgEvaluationOptions *options);
void cg_evaluation_free(CgEvaluation *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgEvaluation, cg_evaluation_free)

/* CG_ERROR_NUMERIC for maps with NaN or infinity, CG_ERROR_MEMORY; after an error E is of no use.
 */
gboolean cg_evaluation_add(CgEvaluation *e, const CgEvaluated *image, GError **error);
/* Fills the rows; nothing can be added any more. CG_ERROR_MEMORY, CG_ERROR_CANCELLED. */
gboolean cg_evaluation_finish(CgEvaluation *e, GError **error);

/* Gives the memory of the scores back; rows and notes stay, curves cannot be asked for any more. */
void cg_evaluation_drop_scores(CgEvaluation *e);

/* The curve of ROW, of its pixels or its images; see cg_ranking_curve. NULL when undefined. */
GArray *cg_evaluation_curve(const CgEvaluation *e, const CgEvaluationRow *row, gboolean pixels,
                            CgCurveKind kind, guint most);

#endif
