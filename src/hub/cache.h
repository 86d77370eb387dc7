/* cache: the folder of fetched models, in the layout of huggingface_hub, which shares it.
 *
 *     CACHE/models--ORG--NAME/blobs/HASH                     contents, by hash (hash.h)
 *     CACHE/models--ORG--NAME/blobs/HASH.incomplete          what has come of one so far
 *     CACHE/models--ORG--NAME/snapshots/COMMIT/unet/...      links to them: the model's folder
 *     CACHE/models--ORG--NAME/refs/main                      the commit that a revision is
 */
#ifndef CG_HUB_CACHE_H
#define CG_HUB_CACHE_H

#include <glib.h>

/* CACHE/models--ORG--NAME. Free with g_free. */
char *cg_hub_repository(const char *cache, const char *id);
/* The folder of ID in REVISION (branch, tag or commit), when it was fetched; else NULL. */
char *cg_hub_snapshot(const char *cache, const char *id, const char *revision);

typedef struct {
    char *path; /* in the snapshot: "unet/config.json" */
    char *blob; /* where its contents are */
    gboolean missing;
    guint64 size;
} CgHubCachedFile;

typedef struct {
    char *id, *commit;
    char *revisions; /* that are this commit, "main"; "" when none is */
    char *folder;
    GPtrArray *files;   /* of CgHubCachedFile, by path */
    guint64 bytes;      /* of them */
    guint64 incomplete; /* bytes of unfinished downloads of this model */
} CgHubCached;

void cg_hub_cached_free(CgHubCached *cached);
/* Every snapshot, by id and commit; those of ID alone when it is not NULL. */
GPtrArray *cg_hub_cache_list(const char *cache, const char *id);

#endif
