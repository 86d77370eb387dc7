/* result: what one trained detector measured on one category, kept as a file until a table is made
 * of many of them.
 *
 *     OUT/cells/CATEGORY/METHOD/SEED.json
 *         {"category": "bottle", "method": "draem+cagen:0.3", "seed": 0, "draws": 1000,
 *          "settings": {...},                 all that the figures depend on
 *          "rows": [...], "notes": [...],     as cagen detect test --format json prints them
 *          "curves": {MODE: {...}}}           of all test images (cg_report_curves)
 *     OUT/cells/CATEGORY/METHOD/SEED.safetensors
 *         MODE.all, MODE.not_few_shot [4, draws] f32: pixel AUROC, pixel AP, image AUROC and AUPRO
 *         in each bootstrap draw of the images; draw I is of the same images for all methods and
 *         seeds. NaN where undefined.
 *
 * The JSON is written last: where it is, the other is complete.
 */
#ifndef CG_METRICS_RESULT_H
#define CG_METRICS_RESULT_H

#include "base/json.h"
#include "metrics/evaluation.h"

/* What methods are compared by. */
#define CG_COMPARED_COUNT 4
extern const CgValueKind cg_compared[CG_COMPARED_COUNT];

typedef struct {
    CgMode mode;
    gboolean without_shots;
    guint good, defective;
    double values[CG_COMPARED_COUNT]; /* NaN: undefined */
    char *reasons[CG_COMPARED_COUNT]; /* why; NULL */
    float *draws[CG_COMPARED_COUNT];  /* [draws] */
} CgResultRow;

typedef struct {
    char *category, *method;
    guint64 seed;
    guint draws;
    GArray *rows;     /* CgResultRow, of all defect types together */
    GPtrArray *notes; /* char * */
    json_t *settings;
} CgResult;

/* PATH (ending in .json) and the file of draws beside it. SETTINGS is borrowed; EVALUATION, with
 * its draws kept, is taken over. */
gboolean cg_result_save(const char *path, const char *category, const char *method, guint64 seed,
                        json_t *settings, CgEvaluation *evaluation, GError **error);
CgResult *cg_result_load(const char *path, GError **error);
/* The settings alone. */
json_t *cg_result_load_settings(const char *path, GError **error);
void cg_result_free(CgResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgResult, cg_result_free)

#endif
