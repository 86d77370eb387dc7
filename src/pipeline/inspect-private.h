/* inspect-private: what the inspections of diffusion models, detectors and classifiers share. */
#ifndef CG_PIPELINE_INSPECT_PRIVATE_H
#define CG_PIPELINE_INSPECT_PRIVATE_H

#include "pipeline/inspect.h"

CgInspection *cg_inspection_new(const char *network, const char *path);
/* ERROR's message becomes a problem; it is freed. */
void cg_inspection_add_problem(CgInspection *i, GError *error);
/* B, whose binding is over, is asked what else it found, and its problems are taken over. */
void cg_inspection_finish_binding(CgInspection *i, CgBinder *b);

/* Tensors are counted one by one. */
typedef struct {
    CgInspection *inspection;
    GHashTable *dtypes; /* name -> count */
    GChecksum *fingerprint;
} CgInspectionTally;
void cg_inspection_tally_init(CgInspectionTally *tally, CgInspection *i);
/* DATA: the tally. */
void cg_inspection_tally_add(void *data, const char *name, const CgSafetensor *entry);
/* Counts, types and the fingerprint are filled in. */
void cg_inspection_tally_finish(CgInspectionTally *tally);

/* Whether JSON, config.json of a folder, is that of a detector or classifier; adds what is in the
 * folder PATH to FOUND. */
gboolean cg_inspect_plain_folder(const char *path, const json_t *json, GPtrArray *found);
/* Whether the file PATH holds tensors of one; adds what is in it to FOUND. */
gboolean cg_inspect_plain_file(const char *path, GPtrArray *found);

#endif
