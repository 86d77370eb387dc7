/* batch: many jobs into one folder of results, resumable.
 *
 * The folder is laid out as output.h says; images have the normal image's size and channels. What
 * falls short of the rules goes to OUT/.dropped/ and is tried again with the next seed; its row has
 * "kept": false and a "reason".
 */
#ifndef CG_PIPELINE_BATCH_H
#define CG_PIPELINE_BATCH_H

#include "pipeline/job.h"
#include "pipeline/manifest.h"
#include "pipeline/score.h"

typedef struct {
    const char *out;
    const char *init_latents; /* safetensors to read x_T from; NULL: seeded noise */
    const char *save_latents; /* safetensors to write; NULL: none */
    const char *sheet;        /* contact sheet to write (PNG) of the first results; NULL: none */
    CgScoreRules rules;
    guint tries; /* at most, for each image; 0: one */
} CgBatchOptions;

typedef struct {
    guint made, skipped;      /* skipped: had their row already */
    guint dropped;            /* tries that fell short of the rules */
    guint given_up;           /* images of which no try was good enough */
    double seconds_per_image; /* mean of those made */
} CgBatchSummary;

/* Called with each row as it is written (borrowed). */
typedef void (*CgRowFunction)(void *data, const json_t *row);

/* JOBS: CgJob, with normal, mask (or shape) and prompt; names are filled in, and what the object
 * is. All inputs are looked at before the first image is made. On an error (also
 * CG_ERROR_CANCELLED) finished images stay, and SUMMARY counts them; the same call continues. */
gboolean cg_batch_run(const CgModel *model, GPtrArray *jobs, const CgBatchOptions *options,
                      CgRowFunction row_done, void *data, CgBatchSummary *summary, GError **error);

#endif
