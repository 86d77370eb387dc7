/* convert_weights: tensors of some files into another file, one after the other.
 *
 * Memory is that of the largest tensor: sources are mapped, and their pages given back.
 */
#ifndef CG_PIPELINE_CONVERT_WEIGHTS_H
#define CG_PIPELINE_CONVERT_WEIGHTS_H

#include "models/checkpoint.h"

typedef struct CgConversion CgConversion;

/* Floats become DTYPE (f32, f16 or bf16); CG_DTYPE_COUNT: all stay as they are. */
CgConversion *cg_conversion_new(CgDType dtype);
void cg_conversion_free(CgConversion *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgConversion, cg_conversion_free)

/* Every tensor of FILE, under its name. */
gboolean cg_conversion_add_all(CgConversion *c, CgSafetensors *file, GError **error);
/* CHECKPOINT's tensors under diffusers' names, matrices as matrices. */
gboolean cg_conversion_add_diffusers(CgConversion *c, CgComponent component,
                                     CgCheckpoint *checkpoint, GError **error);
/* CHECKPOINT's tensors under the original code's names, behind the component's prefix. Fails with
 * CG_ERROR_UNSUPPORTED when the network has none there. */
gboolean cg_conversion_add_ldm(CgConversion *c, CgComponent component, CgCheckpoint *checkpoint,
                               GError **error);
/* Sources must live until the end of cg_conversion_write. */

guint cg_conversion_count(const CgConversion *c);
guint64 cg_conversion_bytes(const CgConversion *c); /* of the tensors as they will be written */
/* Writes PATH. A finite number that DTYPE cannot hold is CG_ERROR_NUMERIC. */
gboolean cg_conversion_write(CgConversion *c, const char *path, GError **error);

#endif
