/* drawings: a data set of drawn pictures (synthesis/drawing.h) in a folder, resumable.
 *
 *     OUT/manifest.jsonl, OUT/prompts.json, OUT/README.txt    outside every category
 *     OUT/<category>/train/good/000.png
 *     OUT/<category>/test/good/000.png
 *     OUT/<category>/test/<defect>/000.png
 *     OUT/<category>/ground_truth/<defect>/000_mask.png
 *
 * The same options give the same bytes, on any number of threads. More images of a kind can be
 * added later: those that are there stay.
 */
#ifndef CG_PIPELINE_DRAWINGS_H
#define CG_PIPELINE_DRAWINGS_H

#include "pipeline/batch.h"
#include "synthesis/drawing.h"

typedef struct {
    const char *out;
    const char *twins;     /* folder for TWINS/<category>/<defect>/000.png, the sound pictures that
                            * the defective ones were made from, not in OUT; NULL: not written */
    GPtrArray *categories; /* const CgDrawing * */
    guint64 seed;
    int size;         /* pixels a side */
    guint train;      /* good images to train with, of each category */
    guint test_good;  /* good images to test with */
    guint per_defect; /* images of each defect */
} CgDrawingsOptions;

/* The number of images that OPTIONS ask for. */
guint cg_drawings_count(const CgDrawingsOptions *options);

/* As cg_batch_run. Rows come in the order of categories, training before test before defects. */
gboolean cg_drawings_run(const CgDrawingsOptions *options, CgRowFunction row_done, void *data,
                         CgBatchSummary *summary, GError **error);

#endif
