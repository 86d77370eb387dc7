/* plain_weights: parameters in files that call them what the model does: detectors, classifiers.
 *
 *     g_autoptr(CgPlainWeights) w = cg_plain_weights_open(paths, 2, error);
 *     const CgBuild build = {.lookup = cg_plain_weights_lookup, .source = w, ...};
 *
 * num_batches_tracked, which nothing reads, is passed over.
 */
#ifndef CG_MODELS_PLAIN_WEIGHTS_H
#define CG_MODELS_PLAIN_WEIGHTS_H

#include "nn/parameters.h"
#include "tensor/safetensors.h"

typedef struct CgPlainWeights CgPlainWeights;

/* The tensors of COUNT files together. CG_ERROR_FORMAT when two files have one of the same name. */
CgPlainWeights *cg_plain_weights_open(const char *const *paths, guint count, GError **error);
void cg_plain_weights_free(CgPlainWeights *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPlainWeights, cg_plain_weights_free)

/* The tensor NAME, or NULL. */
const CgSafetensor *cg_plain_weights_find(const CgPlainWeights *w, const char *name);
/* Calls VISIT for each tensor: file by file, in order of name. */
typedef void (*CgPlainWeightsVisit)(void *data, const char *name, const CgSafetensor *entry);
void cg_plain_weights_foreach(const CgPlainWeights *w, CgPlainWeightsVisit visit, void *data);
/* The tensor NAME will not be asked for, and that is no problem. */
void cg_plain_weights_pass_over(CgPlainWeights *w, const char *name);

/* A CgParameterLookup with a CgPlainWeights as its source. Floats of any type, all finite; tensors
 * that were never asked for are problems. */
CgTensor *cg_plain_weights_lookup(void *weights, const char *name, const CgShape *want,
                                  GPtrArray *problems);

/* Writes the parameters of STORE that FILTER (nullable: all) accepts to PATH as f32, from BLOCK of
 * it (values or average). */
gboolean cg_plain_weights_save(const char *path, const CgStore *store, CgTensor *block,
                               CgParameterFilter filter, GError **error);

#endif
