/* train_state: a training put aside: the store's blocks and how far it was, in one file. */
#ifndef CG_PIPELINE_TRAIN_STATE_H
#define CG_PIPELINE_TRAIN_STATE_H

#include "autograd/store.h"
#include "tensor/safetensors.h"

typedef struct {
    guint64 step; /* updates done */
    guint64 seed;
    int batch, accumulate;
} CgTrainProgress;

/* Writes PATH atomically. TASK is the kind of training, BASE (nullable) a fingerprint of what it
 * stands on and does not change. */
gboolean cg_train_state_save(const char *path, const char *task, const char *base,
                             const CgStore *store, const CgTrainProgress *progress, GError **error);

/* Reads PATH into STORE, which has the same parameters (CG_ERROR_SHAPE otherwise) and is not
 * touched unless all is well. CG_ERROR_USAGE when the state is of another TASK or BASE.
 * CG_ERROR_MISSING when there is no such file. */
gboolean cg_train_state_load(const char *path, const char *task, const char *base, CgStore *store,
                             CgTrainProgress *progress, GError **error);

#endif
