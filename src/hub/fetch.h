/* fetch: a model from a hub into the cache, or into a folder of one's own. */
#ifndef CG_HUB_FETCH_H
#define CG_HUB_FETCH_H

#include "hub/listing.h"

typedef struct {
    const char *id;       /* "runwayml/stable-diffusion-v1-5" */
    const char *revision; /* branch, tag or commit; NULL: main */
    CgHubSelection selection;
    const char *out; /* folder that gets the files themselves, without the cache; NULL: the cache */
    int timeout, retries;
    double pause; /* see http.h */
} CgHubFetchOptions;

void cg_hub_fetch_options_default(CgHubFetchOptions *options);

typedef struct {
    char *folder; /* of the model */
    char *commit; /* NULL: without the network it was not asked for */
    guint files;
    guint64 bytes;   /* of the files */
    guint64 fetched; /* of them now */
} CgHubFetched;

void cg_hub_fetched_clear(CgHubFetched *fetched);

/* Fetches what is not there yet. Checks the space on the disk first, and every file's hash at its
 * end; a revision gets its name in the cache only when all is there. Without the network
 * (HF_HUB_OFFLINE) it finds what is in the cache. Stopped or cut off, the same call goes on. */
gboolean cg_hub_fetch(const CgHubFetchOptions *options, CgHubFetched *fetched, GError **error);

#endif
