/* log: what the program says while it works.
 *
 * Results go to standard output; everything here goes to standard error. On a terminal, progress
 * is one line redrawn in place with an estimate of the time left; elsewhere it is plain lines, one
 * every few seconds at first and one every five minutes after hours. With cg_log_set_json(TRUE)
 * each message and each progress report is one JSON object a line on standard error
 * ({"event":"progress","done":3,"total":20,...}).
 */
#ifndef CG_BASE_LOG_H
#define CG_BASE_LOG_H

#include "base/json.h"

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

/* Something that other programs may wait for ("checkpoint", "watch", "stopped"): with --json the
 * object MEMBERS (taken over) with "event": EVENT in front, otherwise the text as a note. */
void cg_log_event(const char *event, json_t *members, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Progress of TOTAL equal steps named WHAT ("sampling", "images"). A training that goes on after a
 * pause, in steps of the whole:
 *
 *     g_autoptr(CgProgress) p = cg_progress_new("training", 30000);
 *     cg_progress_show_rate(p, "step");
 *     cg_progress_resume(p, 12000);
 *     for (...)
 *         cg_progress_update(p, step, "loss 0.0213");
 *
 * says "training 12044/30000 (40%), 1.94 s/step, 9:40:41 left, loss 0.0213".
 */
typedef struct CgProgress CgProgress;
CgProgress *cg_progress_new(const char *what, guint64 total);
/* DONE of the total are finished. DETAIL (nullable) is appended: "image 3 of 20". */
void cg_progress_update(CgProgress *progress, guint64 done, const char *detail);
/* DONE of the total were finished by an earlier run, before the first update: they count as done,
 * but the speed is that of this run. */
void cg_progress_resume(CgProgress *progress, guint64 done);
/* Tells the speed too, in UNIT ("step", "image"; its plural has an s more). */
void cg_progress_show_rate(CgProgress *progress, const char *unit);
/* The steps are bytes: "fetching 1.2 GB/3.4 GB (35%), 12.5 MB/s, 2:56 left". */
void cg_progress_show_bytes(CgProgress *progress);
/* COUNT more steps need not be done: a batch that continues finds them finished. They leave the
 * total, so that the time left is estimated from work alone. */
void cg_progress_skip(CgProgress *progress, guint64 count);
/* Ends the line and frees. NULL is fine. */
void cg_progress_free(CgProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgProgress, cg_progress_free)

#endif
