/* generated: what cagen generate or cagen augment has made, as training data: image, mask, and the
 * normal image that it was made from.
 */
#ifndef CG_PIPELINE_GENERATED_H
#define CG_PIPELINE_GENERATED_H

#include <glib.h>

typedef struct {
    char *image, *mask, *normal; /* paths */
    /* As folders are named. Of a real defect that was pasted the folder that it came from, unless
     * it was given another name. NULL: the row does not say. */
    char *category, *defect;
} CgGenerated;

/* The results in FOLDER (with its manifest.jsonl) of CATEGORY (NULL: of all), in the manifest's
 * order; array of CgGenerated, free with g_array_unref. CG_ERROR_MISSING when there is no manifest,
 * or nothing of that category in it; CG_ERROR_FORMAT for rows that do not say what they were made
 * from. */
GArray *cg_generated_list(const char *folder, const char *category, GError **error);

#endif
