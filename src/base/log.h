/* log: what the program says while it works.
 *
 * Results go to standard output; everything here goes to standard error. On a terminal, progress
 * is one line redrawn in place with an estimate of the time left; elsewhere it is plain lines, at
 * most one every few seconds. With cg_log_set_json(TRUE) each message and each progress report is
 * one JSON object a line on standard error ({"event":"progress","done":3,"total":20,...}).
 */
#ifndef CG_BASE_LOG_H
#define CG_BASE_LOG_H

#include <glib.h>

typedef enum { CG_LOG_QUIET, CG_LOG_NORMAL, CG_LOG_VERBOSE } CgLogLevel;

void cg_log_set_level(CgLogLevel level);
void cg_log_set_json(gboolean json);
gboolean cg_log_is_json(void);

/* One line each; no trailing newline. note: shown at NORMAL and above. detail: VERBOSE only.
 * warning: always shown, prefixed "cagen: warning: ". error: always, prefixed "cagen: ". */
void cg_log_note(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cg_log_detail(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cg_log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cg_log_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Progress of TOTAL equal steps named WHAT ("sampling", "images"). */
typedef struct CgProgress CgProgress;
CgProgress *cg_progress_new(const char *what, guint64 total);
/* DONE of the total are finished. DETAIL (nullable) is appended: "image 3 of 20". */
void cg_progress_update(CgProgress *progress, guint64 done, const char *detail);
/* COUNT more steps need not be done: a batch that continues finds them finished. They leave the
 * total, so that the time left is estimated from work alone. */
void cg_progress_skip(CgProgress *progress, guint64 count);
/* Ends the line and frees. NULL is fine. */
void cg_progress_free(CgProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgProgress, cg_progress_free)

#endif
