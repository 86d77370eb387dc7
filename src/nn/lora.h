/* lora: low-rank additions to linear layers that stay as they are (Hu et al. 2021):
 *
 *     y = W x + alpha / rank * B (A x)          A [rank, in], B [out, rank]
 *
 * A and B are all that is trained of such a layer; B begins at zero, so that at first nothing is
 * added. Layers with one are a transformer's attention projections, to_q, to_k, to_v and to_out.0,
 * which is diffusers' choice. Parameters are named as PEFT and diffusers do:
 * "<layer>.lora_A.weight" and "<layer>.lora_B.weight".
 */
#ifndef CG_NN_LORA_H
#define CG_NN_LORA_H

#include "tensor/tensor.h"

typedef struct {
    int rank;     /* 0: no additions */
    double alpha; /* as much as the rank: a factor of 1 */
    guint64 seed; /* of the As */
} CgLora;

float cg_lora_scale(const CgLora *lora);
/* Whether the layer PREFIX gets an addition; LORA may be NULL. */
gboolean cg_lora_targets(const CgLora *lora, const char *prefix);
/* PREFIX.lora_A.weight, or with WHICH 'B' the other. */
char *cg_lora_name(const char *prefix, char which);
/* The layer whose weight [out, in] is called NAME, when it gets an addition, else NULL. */
char *cg_lora_layer(const CgLora *lora, const char *name);
/* Whether NAME is that of an A or B. */
gboolean cg_lora_is_part(const char *name);

/* Room that additions take in a store. */
typedef struct {
    size_t count, numbers; /* of parameters, and in them */
    int64_t narrowest;     /* side of a matrix with an addition; 0: none yet */
} CgLoraSize;
/* That of the parameter NAME's addition, when it gets one, is added to SIZE. */
void cg_lora_size_add(const CgLora *lora, const char *name, const CgShape *shape, CgLoraSize *size);
/* CG_ERROR_USAGE when the rank is above the narrowest matrix's side. */
gboolean cg_lora_size_check(const CgLora *lora, const CgLoraSize *size, GError **error);

/* A, uniform within 1 / sqrt(in) (PEFT's kaiming_uniform), f32; a function of seed and name. */
CgTensor *cg_lora_initial_a(const CgLora *lora, const char *name, int in);

/* W [out, in] += alpha / rank * B A, all f32. */
void cg_lora_merge(const CgLora *lora, CgTensor *w, const CgTensor *a, const CgTensor *b);

#endif
