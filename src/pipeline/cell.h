/* cell: one training of an evaluation, from data to result file: this method, on this category,
 * with this seed.
 *
 *     OUT/cells/CATEGORY/METHOD/SEED.json ...       metrics/result.h
 *     OUT/trainings/CATEGORY/METHOD/SEED/           the detector; gone when the result is there,
 *                                                   unless it shall be kept
 *
 * A cell is a function of its settings, which are written with it and hold hashes of what it read:
 * one whose settings are other ones than those asked for is refused, or done again.
 */
#ifndef CG_PIPELINE_CELL_H
#define CG_PIPELINE_CELL_H

#include "datasets/split.h"
#include "metrics/result.h"
#include "pipeline/method.h"
#include "pipeline/train_detector.h"

/* What all cells of an evaluation share. */
typedef struct {
    const char *data, *layout; /* layout NULL: as it looks */
    const CgDataset *dataset;  /* of them */
    const char *out;
    const char *textures;            /* NULL: none */
    const char *split_path;          /* NULL: none .. */
    const CgSplit *split;            /* .. and what is in it */
    CgTrainDetectorOptions detector; /* size, width, how to train */
    CgEvaluationOptions evaluation;
    CgDType dtype;
    gboolean keep_models;
    gboolean redo; /* cells with other settings are done again */
} CgCellOptions;

typedef struct {
    const char *category;
    const CgMethod *method;
    guint64 seed;
    const char *synthetic; /* folder of the method's source; NULL without one */
} CgCell;

/* The result's file. Free with g_free. */
char *cg_cell_path(const CgCellOptions *o, const CgCell *cell);

/* The textures, where the method's base takes them. */
const char *cg_cell_textures(const CgCellOptions *o, const CgCell *cell);

/* Whether the result is there with the settings asked for. CG_ERROR_USAGE for one with others,
 * naming the first that differs (with redo: it is not done). */
gboolean cg_cell_is_done(const CgCellOptions *o, const CgCell *cell, gboolean *done,
                         GError **error);

/* Trains (going on where an earlier run stopped), tests, writes. A second process that is at the
 * same cell is refused. */
gboolean cg_cell_run(const CgCellOptions *o, const CgCell *cell, CgEngine *engine, GError **error);

/* What its training will take; computes nothing. */
gboolean cg_cell_plan(const CgCellOptions *o, const CgCell *cell, CgEngine *engine,
                      CgTrainResult *plan, GError **error);

#endif
