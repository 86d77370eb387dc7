/* rows: pictures that do not depend on each other, made by all threads, with their rows of the
 * manifest in order.
 *
 * The manifest is the same for any number of threads: pictures are made in chunks, then their rows
 * are written one after the other. What was made behind a picture that failed has no row and is
 * removed, so that the same call continues there.
 */
#ifndef CG_PIPELINE_ROWS_H
#define CG_PIPELINE_ROWS_H

#include "pipeline/batch.h"
#include "pipeline/output.h"

/* What became of one picture. */
typedef struct {
    json_t *row;   /* made, and its pictures written; owned */
    gboolean done; /* was there before */
} CgRowMade;

/* Makes picture I of RUN and writes it (cg_output_write_pictures), or finds it done. Any thread. */
typedef gboolean (*CgRowMaker)(const void *run, guint i, CgRowMade *made, GError **error);

typedef struct {
    const char *out;
    CgManifest *manifest;
    const CgOutput *outputs; /* [count] */
    guint count;
    CgRowMaker make;
    const void *run;
    CgRowFunction row_done; /* nullable; called in order */
    void *data;
} CgRows;

/* As cg_batch_run, with a progress line. */
gboolean cg_rows_run(const CgRows *rows, CgBatchSummary *summary, GError **error);

#endif
