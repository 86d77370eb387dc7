/* ldm_names: the names of the original Stable Diffusion and ControlNet code, from diffusers' ones.
 *
 * The inverse of src/models/tensor_names.c, written from the side of diffusers: for tests of that
 * file and for making whole checkpoints.
 */
#ifndef CG_TESTS_SUPPORT_LDM_NAMES_H
#define CG_TESTS_SUPPORT_LDM_NAMES_H

#include "models/tensor_names.h"

/* What COMPONENT's tensors begin with in a whole checkpoint: "model.diffusion_model.". */
const char *cg_ldm_prefix(CgComponent component);
/* The LDM name, without prefix, of COMPONENT's tensor with the diffusers name NAME. */
char *cg_ldm_name(CgComponent component, const char *name);
/* Whether the file has [c_out, c_in, 1, 1] where diffusers has [c_out, c_in]. */
gboolean cg_ldm_is_convolution(CgComponent component, const char *name);

#endif
