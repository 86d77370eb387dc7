/* convert: a model in another form.
 *
 * Forms: a folder in diffusers' layout (a whole model, or one network with its config.json), and a
 * single .safetensors file in the naming of the original code. Within a form every tensor keeps its
 * name, whether we know it or not; from form to form it is translated, and what the other form has
 * no place for is left out: from a single file the averaged weights, the schedule's buffers and
 * position ids. There and back gives the same bytes.
 */
#ifndef CG_PIPELINE_CONVERT_H
#define CG_PIPELINE_CONVERT_H

#include "tensor/dtype.h"

typedef struct {
    const char *from; /* folder or file */
    const char *to;   /* a name that ends in .safetensors: a file; else a folder. New. */
    CgDType dtype;    /* of the floats; CG_DTYPE_COUNT: as they are */
    /* For a single file that becomes a folder: */
    const char *config;    /* folder whose config.json files, schedule and tokenizer describe it;
                              NULL: Stable Diffusion 1.5's sizes */
    const char *tokenizer; /* folder to copy it from; NULL: config's */
} CgConvertOptions;

typedef struct {
    guint tensors;
    guint left_out; /* tensors of the source that have no place in the other form */
    guint64 bytes;
} CgConvertResult;

/* Memory is that of the largest tensor. A model's folder gets its model_index.json last. */
gboolean cg_convert(const CgConvertOptions *options, CgConvertResult *result, GError **error);

#endif
