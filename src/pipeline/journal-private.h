/* journal-private: what the files of the journal share. */
#ifndef CG_PIPELINE_JOURNAL_PRIVATE_H
#define CG_PIPELINE_JOURNAL_PRIVATE_H

#include "pipeline/journal.h"

/* The loss by timestep after update STEP; NaN: no sample. */
typedef struct {
    guint64 step;
    double means[CG_JOURNAL_BANDS];
} CgBandPoint;

/* Draws OUT/curve.svg and OUT/curve.png. ROWS: at least one CgJournalRow; BANDS: CgBandPoint. */
gboolean cg_journal_draw(const GArray *rows, const GArray *bands, const char *title,
                         const char *out, GError **error);

#endif
