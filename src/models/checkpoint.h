/* checkpoint: a component's weights, wherever and however they are stored.
 *
 * Folders in diffusers' layout (plain, ".fp16" variant, sharded with an index) and single files are
 * opened alike; names are translated; what the model did not ask for is reported.
 */
#ifndef CG_MODELS_CHECKPOINT_H
#define CG_MODELS_CHECKPOINT_H

#include "models/tensor_names.h"
#include "tensor/safetensors.h"

typedef struct CgCheckpoint CgCheckpoint;

/* The weights in folder DIR (".../unet"): diffusion_pytorch_model or, for the text encoder, model;
 * .safetensors, .safetensors.index.json, .fp16.safetensors, in this order; else PyTorch's
 * diffusion_pytorch_model.bin or pytorch_model.bin. */
CgCheckpoint *cg_checkpoint_open_folder(const char *dir, CgComponent component, GError **error);
/* COMPONENT's tensors of one file: a whole checkpoint or a file of its own. */
CgCheckpoint *cg_checkpoint_open_file(const char *path, CgComponent component, GError **error);
/* Tensors handed out keep the mapped file alive. */
void cg_checkpoint_unref(CgCheckpoint *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgCheckpoint, cg_checkpoint_unref)

/* The pages of its files go back to the system until they are read again. */
void cg_checkpoint_rest(const CgCheckpoint *c);

const char *cg_checkpoint_path(const CgCheckpoint *c);
/* What the weights lie in, with all tensors under the file's own names; borrowed. */
CgSafetensors *cg_checkpoint_file(const CgCheckpoint *c);
/* Bytes of all tensors. */
guint64 cg_checkpoint_bytes(const CgCheckpoint *c);
guint cg_checkpoint_count(const CgCheckpoint *c);
/* Whether there is a tensor of this diffusers name. */
gboolean cg_checkpoint_has(const CgCheckpoint *c, const char *name);
/* Calls VISIT for each tensor, in order of diffusers name. */
typedef void (*CgCheckpointVisit)(void *data, const char *name, const CgSafetensor *entry);
void cg_checkpoint_foreach(const CgCheckpoint *c, CgCheckpointVisit visit, void *data);
/* The name of a tensor with NaN or infinity in it, or NULL; reads everything. */
char *cg_checkpoint_find_not_finite(CgCheckpoint *c);

/* A CgParameterLookup (nn/parameters.h) with the checkpoint as its source. A trailing [.., 1, 1] is
 * as good as none. Called with NAME NULL when binding is over: tensors that were never asked for
 * are added to PROBLEMS if there are any others, and only warned of otherwise. */
CgTensor *cg_checkpoint_lookup(void *checkpoint, const char *name, const CgShape *want,
                               GPtrArray *problems);

#endif
