/* manifest: OUT/manifest.jsonl, one row per generated image, from which it can be made again.
 *
 * Rows are appended after the image and its mask are safely on the disk. A run that was cut off
 * leaves complete rows and perhaps a torn last line, which the next run removes; what has a row is
 * not made again.
 */
#ifndef CG_PIPELINE_MANIFEST_H
#define CG_PIPELINE_MANIFEST_H

#include "base/json.h"

typedef struct CgManifest CgManifest;

/* Opens (or creates) OUT/manifest.jsonl and takes its lock: a second process is refused. */
CgManifest *cg_manifest_open(const char *out, GError **error);
void cg_manifest_close(CgManifest *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgManifest, cg_manifest_close)

/* Whether there was no manifest before. */
gboolean cg_manifest_is_new(const CgManifest *m);
/* The row whose "image" is IMAGE, or NULL. Borrowed. */
const json_t *cg_manifest_find(const CgManifest *m, const char *image);
guint cg_manifest_count(const CgManifest *m);
/* Writes and syncs the row. */
gboolean cg_manifest_append(CgManifest *m, const json_t *row, GError **error);

/* The rows (json_t, owned) of OUT/manifest.jsonl for looking at: without the lock, also while it is
 * being written; a torn last line is left out. CG_ERROR_MISSING when there is none. Free with
 * g_ptr_array_unref. */
GPtrArray *cg_manifest_read(const char *out, GError **error);

/* Whether OUT has a manifest of results, not that of a drawn data set (cagen dataset make), beside
 * whose categories others may lie that it does not know. */
gboolean cg_manifest_is_of_results(const char *out);

#endif
