/* journal: what a training writes down about itself.
 *
 *     OUT/journal.jsonl        a row for each update
 *     OUT/curve.svg, .png      loss, loss by timestep, obedience; drawn again now and then
 *     OUT/tensorboard/         the same figures as TensorBoard event files, if asked for
 *
 *     CgJournal *j = cg_journal_open(&settings, resumed_step, &error);
 *     each update:
 *         CgJournalRow row = cg_journal_row(step);
 *         row.loss = ...; row.learning_rate = ...;
 *         cg_journal_add(j, &row, samples, count, &error);
 *         if (cg_stop_update(stop, step, row.smoothed, row.obedience)) ...
 *     each checkpoint, before its state is written:
 *         cg_journal_sync(j, &error);
 *     at the end:
 *         cg_journal_close(j, &error);
 *
 * A row holds what is known of: step, epoch, loss, smoothed, learning_rate, gradient_norm,
 * images_per_second, seconds, memory, obedience, the task's own figures by their names, "samples":
 * [[place, loss]...] (place: timestep / number of timesteps), and at every CG_JOURNAL_BANDS_EVERY
 * steps "bands" and "band_counts" (bands.h). A number that is not finite is null. Numbers are
 * rounded to f32 first, so that what is read back is what was there.
 *
 * Going on after a pause: rows after the state's step are cut off, smoothing, bands and curve
 * continue from the rows before. So apart from clock and memory the journal is the one of a
 * training without the pause. A killed process leaves at most a torn last line, which is cut off
 * too.
 */
#ifndef CG_PIPELINE_JOURNAL_H
#define CG_PIPELINE_JOURNAL_H

#include "pipeline/bands.h"

#define CG_JOURNAL_OWN          8    /* most figures of a task's own */
#define CG_JOURNAL_SMOOTHING    0.99 /* decay; see base/smooth.h */
#define CG_JOURNAL_BANDS        5
#define CG_JOURNAL_BANDS_WINDOW 500 /* updates */
#define CG_JOURNAL_BANDS_EVERY  50  /* updates */

typedef struct {
    guint64 step; /* updates done, from 1; rows rise */
    double epoch;
    double loss;     /* of this update */
    double smoothed; /* filled in by cg_journal_add */
    double learning_rate, gradient_norm, images_per_second;
    double seconds; /* of work so far, all runs together */
    double memory;  /* peak resident bytes */
    double obedience;
    double own[CG_JOURNAL_OWN];
} CgJournalRow;

/* A row of STEP in which nothing is known: NaN. */
CgJournalRow cg_journal_row(guint64 step);

typedef struct {
    const char *out;                       /* folder; created */
    const char *title;                     /* of the curve: "ControlNet, 12 defects" */
    const char *own_names[CG_JOURNAL_OWN]; /* "kl"; the first NULL ends them */
    gboolean tensorboard;
    double draw_seconds; /* between drawings of the curve; 0: 60 */
    gboolean no_curve;
} CgJournalSettings;

typedef struct CgJournal CgJournal;

/* Opens OUT/journal.jsonl for a training that has done STEP updates; 0 begins a new journal in the
 * place of an old one. Takes its lock: CG_ERROR_IO when another process writes there.
 * CG_ERROR_FORMAT for a line, other than the last, that is no row. */
CgJournal *cg_journal_open(const CgJournalSettings *settings, guint64 step, GError **error);

/* Writes ROW (its .smoothed is filled in) with the update's SAMPLES [count]; draws the curve if it
 * is time. On failure (CG_ERROR_IO, a full disk say) no torn line stays. A curve that can't be
 * drawn is a warning, once. */
gboolean cg_journal_add(CgJournal *j, CgJournalRow *row, const CgBandSample *samples, int count,
                        GError **error);
/* All rows are on the disk when this returns. */
gboolean cg_journal_sync(CgJournal *j, GError **error);
/* The rows of this training so far, also those before the pause; borrowed, of CgJournalRow. */
const GArray *cg_journal_rows(const CgJournal *j);

/* Syncs, draws the curve (unless settings had no_curve) and frees, also on failure. */
gboolean cg_journal_close(CgJournal *j, GError **error);
/* Frees; the file keeps what was written. NULL is fine. */
void cg_journal_free(CgJournal *j);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgJournal, cg_journal_free)

#endif
