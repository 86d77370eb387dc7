/* listing: the files of a model on a hub, and which of them we need. */
#ifndef CG_HUB_LISTING_H
#define CG_HUB_LISTING_H

#include "base/json.h"

typedef struct {
    char *path;   /* relative, plain: "unet/config.json" */
    guint64 size; /* bytes */
    char *hash;   /* SHA-256 of a large file (64 digits), else git's name for it (40) */
} CgHubFile;

typedef struct {
    char *commit;     /* 40 digits */
    GPtrArray *files; /* of CgHubFile */
} CgHubListing;

/* From what /api/models/ID/revision/REVISION?blobs=true answers. Everything in it is checked: a hub
 * cannot make us write outside of our folders. WHERE names it in messages. */
CgHubListing *cg_hub_listing_parse(const char *text, size_t size, const char *where,
                                   GError **error);
void cg_hub_listing_free(CgHubListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgHubListing, cg_hub_listing_free)

typedef struct {
    const char *only;        /* parts with commas between: "unet,vae"; NULL: all that we read */
    const char *variant;     /* of the weights, "fp16" say, where a part has it; NULL: the plain */
    const char *const *file; /* these paths and nothing else; NULL: what a model consists of */
} CgHubSelection;

/* The files that cagen needs: of a pipeline model_index.json, and of each part configuration and
 * weights as safetensors; of one network likewise. Pickles never, unless named as a file. Borrowed
 * CgHubFile; NULL with an error that says what is missing. */
GPtrArray *cg_hub_select(const CgHubListing *listing, const CgHubSelection *selection,
                         const char *where, GError **error);

#endif
