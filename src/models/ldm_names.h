/* ldm_names: the names of the original Stable Diffusion and ControlNet code, from diffusers' ones.
 *
 * The inverse of tensor_names, for writing whole checkpoints.
 */
#ifndef CG_MODELS_LDM_NAMES_H
#define CG_MODELS_LDM_NAMES_H

#include "models/tensor_names.h"

/* What COMPONENT's tensors begin with in a whole checkpoint: "model.diffusion_model.". */
const char *cg_ldm_prefix(CgComponent component);
/* The LDM name, without prefix, of COMPONENT's tensor with the diffusers name NAME: the one that
 * cg_tensor_name_translate turns back to NAME. NULL when there is none, as for networks with
 * another number of levels than Stable Diffusion 1.x has. Free with g_free. */
char *cg_ldm_name(CgComponent component, const char *name);
/* Whether the file has [c_out, c_in, 1, 1] where diffusers has [c_out, c_in]. */
gboolean cg_ldm_is_convolution(CgComponent component, const char *name);

#endif
