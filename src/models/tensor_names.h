/* tensor_names: from the names in a file to the diffusers names that the models use.
 *
 * Files come in diffusers' own naming (old and new), in that of the original Stable Diffusion and
 * ControlNet code ("LDM"), alone or several models in one file under prefixes. The difference ends
 * here: nothing else in the project knows another name than diffusers'.
 */
#ifndef CG_MODELS_TENSOR_NAMES_H
#define CG_MODELS_TENSOR_NAMES_H

#include <glib.h>

typedef enum {
    CG_COMPONENT_UNET,
    CG_COMPONENT_CONTROLNET,
    CG_COMPONENT_VAE,
    CG_COMPONENT_TEXT,
} CgComponent;

/* "U-Net", "ControlNet", ... for messages. */
const char *cg_component_name(CgComponent component);
/* The diffusers name of a tensor that COMPONENT has and no other: by it files are recognised. */
const char *cg_component_mark(CgComponent component);

/* The diffusers name of the file's tensor NAME for COMPONENT; free with g_free. NULL when the
 * tensor is of no use to it: another component's, a schedule buffer, an EMA copy, position ids.
 * Whole checkpoints (SINGLE_FILE) hold several components under prefixes. */
char *cg_tensor_name_translate(CgComponent component, gboolean single_file, const char *name);

/* Whether names like NAME appear in a whole Stable Diffusion checkpoint only. */
gboolean cg_tensor_name_is_single_file(const char *name);

#endif
