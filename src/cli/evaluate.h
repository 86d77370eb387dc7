/* evaluate: the parts of cagen evaluate. */
#ifndef CG_CLI_EVALUATE_H
#define CG_CLI_EVALUATE_H

#include "pipeline/experiment.h"

/* CELLS of X that are not done, JOBS of them at a time, each in a process of its own: this program
 * with ARGV (without its name) and "--only CELL --jobs 1 --threads THREADS --quiet" behind it,
 * which says what it says to OUT/logs/CELL.log. After each of them DONE is called. When one fails,
 * no other is begun; the error is the last line that it said. */
typedef gboolean (*CgCliCellDone)(void *data, guint done, GError **error);
gboolean cg_cli_evaluate_jobs(const CgExperiment *x, const GArray *cells, guint jobs, int threads,
                              char *const *argv, CgCliCellDone done, void *data, GError **error);

#endif
