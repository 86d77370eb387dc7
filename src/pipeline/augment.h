/* augment: anomalies made without a network, into the same kind of folder as generated ones.
 *
 * Image I of a run takes the I-th normal picture (starting over at the list's end) and the random
 * stream (seed, CG_STREAM_AUGMENT, I): it does not depend on the threads, nor on which others are
 * made. Its row of the manifest has method, seed, sample, what was drawn ("parameters"), and path
 * and SHA-256 of every input.
 */
#ifndef CG_PIPELINE_AUGMENT_H
#define CG_PIPELINE_AUGMENT_H

#include "pipeline/batch.h"

typedef enum {
    CG_AUGMENT_BLEND_POISSON, /* the pasted piece's gradients */
    CG_AUGMENT_BLEND_EXACT,   /* crop-paste: its pixels */
    CG_AUGMENT_BLEND_MIXED,   /* nsa: the stronger gradients of piece and picture */
} CgAugmentBlend;
/* "poisson", "exact", "mixed" */
gboolean cg_augment_blend_parse(const char *text, CgAugmentBlend *blend);

typedef struct {
    const char *method; /* one of cg_augment_method_name */
    const char *out;
    const char *sheet;             /* PNG, NULL: none */
    const char *category, *defect; /* NULL: from the normal image's path; the method's name */
    gint64 seed;
    guint count;
    GPtrArray *normals;  /* paths, at least one */
    GPtrArray *textures; /* paths, for the methods that lay a texture over; NULL: none.
                          * memseg takes one in half of its images, if there are any */
    /* For crop-paste, else NULL: pictures of real defects and, in the same order, their masks,
     * whose names are the picture's without its ending, or that and "_mask". */
    GPtrArray *defects, *defect_masks;
    CgAugmentBlend blend;
    const char *foreground; /* nsa, memseg, crop-paste: as in objects.h; NULL: auto */
} CgAugmentOptions;

/* The methods, in the order in which people should read of them; NULL at the end. */
const char *cg_augment_method_name(guint index);

/* As cg_batch_run. Rows come in the order of the images. */
gboolean cg_augment_run(const CgAugmentOptions *options, CgRowFunction row_done, void *data,
                        CgBatchSummary *summary, GError **error);

#endif
