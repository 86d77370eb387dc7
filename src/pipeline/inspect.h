/* inspect: what is in a model, and what is wrong with it, without computing anything. */
#ifndef CG_PIPELINE_INSPECT_H
#define CG_PIPELINE_INSPECT_H

#include "pipeline/model.h"

/* One network found in a path. */
typedef struct {
    const char *network; /* "U-Net", "VAE", ..., "detector", "classifier", "LoRA"; static */
    char *path;          /* of the weights */
    char *summary; /* its sizes in words, from the configuration; NULL when that is unreadable */
    guint tensors;
    guint64 parameters; /* numbers in them, running statistics apart */
    guint64 bytes;
    char *dtypes; /* "F32" or "F16 686, F32 2" */
    char *fingerprint;
    GPtrArray *problems; /* lines */
} CgInspection;

void cg_inspection_free(CgInspection *inspection);

/* PATH: a model's folder, a component's, detector's or classifier's folder, or a file (safetensors,
 * PyTorch's) with one or several components, a detector or one of its networks, a classifier, or
 * low-rank additions. Returns CgInspection in order of text encoder, VAE, U-Net, ControlNet; parts
 * that a model lacks have a problem and no weights. VALUES: also reads every weight and looks for
 * NaN and infinity (detectors and classifiers: always). NULL with an error when PATH is nothing of
 * all that. */
GPtrArray *cg_inspect(const char *path, gboolean values, GError **error);

/* Which network the folder PATH holds, by the class in its config.json. */
gboolean cg_inspect_component(const char *path, CgComponent *component, GError **error);

#endif
