/* tensorboard: scalars as TensorBoard's event files.
 *
 * Written by hand: records in TFRecord framing (length, masked CRC-32C of it, data, masked CRC-32C
 * of that), each an Event message (tensorflow/core/util/event.proto) with a Summary of
 * simple_values (framework/summary.proto). Fields used: Event 1 wall_time double, 2 step int64, 3
 * file_version string, 5 summary, 7 session_log; Summary 1 value; Value 1 tag string, 2
 * simple_value float; SessionLog 1 status.
 *
 * Every run writes a file of its own. One that goes on from step N begins with the mark that makes
 * TensorBoard forget what older files say about later steps.
 */
#ifndef CG_PIPELINE_TENSORBOARD_H
#define CG_PIPELINE_TENSORBOARD_H

#include <glib.h>

typedef struct CgEvents CgEvents;

/* A new file in FOLDER (created), "events.out.tfevents.<seconds>.cagen", later in order of name
 * than those that are there. STEP: what the training has done before. CG_ERROR_IO. */
CgEvents *cg_events_open(const char *folder, guint64 step, GError **error);
void cg_events_close(CgEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgEvents, cg_events_close)

/* COUNT scalars VALUES (those that are NaN are left out) called NAMES, of STEP. */
gboolean cg_events_add(CgEvents *events, guint64 step, const char *const *names,
                       const double *values, int count, GError **error);

/* The parts, for files whose bytes are known. Appends to OUT the framed record of an Event of
 * WALL_TIME (seconds since 1970): a file's first, the mark of a start at STEP, and scalars. */
void cg_event_version(GByteArray *out, double wall_time);
void cg_event_start(GByteArray *out, double wall_time, guint64 step);
void cg_event_scalars(GByteArray *out, double wall_time, guint64 step, const char *const *names,
                      const double *values, int count);

/* CRC-32C (Castagnoli) of DATA. */
guint32 cg_crc32c(const void *data, size_t size);

#endif
