/* blob: one file from a hub, whole and checked.
 *
 * It grows as TARGET.incomplete, which stays when we are stopped and is gone on with; only what has
 * the right hash gets its name.
 */
#ifndef CG_HUB_BLOB_H
#define CG_HUB_BLOB_H

#include "base/log.h"
#include "hub/http.h"
#include "hub/listing.h"

/* Bytes that an earlier attempt left of FILE at TARGET. */
guint64 cg_hub_blob_have(const CgHubFile *file, const char *target);

/* FILE from URL to TARGET. A wrong hash is tried again once, from the start, and is
 * CG_ERROR_FORMAT. LOCK: a file to lock, so that two programs do not write the same one. PROGRESS
 * is told BEFORE and the bytes that are there. */
gboolean cg_hub_blob_fetch(CgHttp *http, const char *url, const CgHubFile *file, const char *target,
                           const char *lock, CgProgress *progress, guint64 before, GError **error);

#endif
