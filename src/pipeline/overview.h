/* overview: one picture of what a run made, from its folder alone.
 *
 * Each row shows a result of the manifest: the normal image it was made from, the mask, the result,
 * and the result with the mask's outline. A normal image that is gone leaves its place empty.
 */
#ifndef CG_PIPELINE_OVERVIEW_H
#define CG_PIPELINE_OVERVIEW_H

#include "image/image.h"

typedef struct {
    const char *folder;            /* with manifest.jsonl */
    const char *category, *defect; /* only these; NULL for all */
    gboolean dropped;              /* those that were sorted out instead of those kept */
    int count;                     /* rows, taken evenly from all that fit */
    int cell;                      /* pixels */
} CgOverview;

/* The sheet; *SHOWN and *FOUND (nullable) get how many results it shows and how many there are.
 * CG_ERROR_MISSING when none fits or a result is not where the manifest says. */
CgImage *cg_overview_draw(const CgOverview *o, guint *shown, guint *found, GError **error);

#endif
