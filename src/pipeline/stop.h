/* stop: when a training has done enough (--stop-when).
 *
 *     rule       condition { "or" condition }         a comma says "or" too
 *     condition  measure relation number [ "for" N ]  N times in a row; 1 unless said
 *                "plateau" N [ "by" number "%" ]
 *     measure    "loss" | "obedience"
 *     relation   "<" | "<=" | ">" | ">="
 *
 *     obedience>=0.8 for 3            at three looks in a row
 *     loss<0.02 for 50                at fifty updates in a row
 *     plateau 2000                    2000 updates without a loss 1 % below the lowest so far
 *     obedience>=0.9 or plateau 5000 by 0.5%
 *
 * loss is the smoothed one (base/smooth.h), and says nothing before CG_STOP_LOSS_UPDATES updates: a
 * few lucky samples are no success. obedience is looked at now and then (metrics/obedience.h);
 * between two looks nothing changes.
 */
#ifndef CG_PIPELINE_STOP_H
#define CG_PIPELINE_STOP_H

#include <glib.h>

#define CG_STOP_LOSS_UPDATES 100
#define CG_STOP_MAX_TEXT     1000 /* bytes of a rule */

typedef struct CgStop CgStop;

/* CG_ERROR_USAGE for what is no rule, saying where and what was expected. */
CgStop *cg_stop_parse(const char *text, GError **error);
void cg_stop_free(CgStop *stop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgStop, cg_stop_free)

/* Whether the rule asks for obedience: a training that never looks would never stop. */
gboolean cg_stop_needs_obedience(const CgStop *stop);

/* Takes note of update STEP (they rise): the smoothed LOSS and, after a look, the OBEDIENCE; NaN
 * for what is not known. TRUE when the rule is fulfilled, now or before. A training that goes on
 * after a pause shows the rows of its journal first (cg_journal_rows). */
gboolean cg_stop_update(CgStop *stop, guint64 step, double loss, double obedience);

/* What was fulfilled ("obedience 0.83 >= 0.8, 3 times in a row, at step 1200"), NULL before. */
const char *cg_stop_reason(const CgStop *stop);

#endif
