/* pseudo: weights and inputs computed from their names.
 *
 * Every implementation that follows the rule has the same numbers, so that a model's outputs can be
 * compared without storing weights. tests/oracle/pseudo.py is the same rule for PyTorch.
 *
 *     seed = FNV-1a 64 of the name's bytes; element i (row-major):
 *     z = seed + (i + 1) * 0x9E3779B97F4A7C15; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
 *     z = (z ^ z >> 27) * 0x94D049BB133111EB; z = z ^ z >> 31; u = (z >> 40) / 2^23 - 1
 */
#ifndef TESTS_SUPPORT_PSEUDO_H
#define TESTS_SUPPORT_PSEUDO_H

#include "tensor/tensor.h"

/* FNV-1a 64 of NAME. */
uint64_t cg_pseudo_seed(const char *name);
/* u of element I under SEED, in [-1, 1), exact in f32. */
double cg_pseudo_unit(uint64_t seed, uint64_t i);

/* OUT[i] = bias + scale * u_i under NAME, computed in double: the rule for inputs, whose names are
 * "input/latent", "input/ctx", ... The order is that of the reference: NCHW. */
void cg_pseudo_fill(const char *name, double scale, double bias, float *out, size_t count);

/* The parameter NAME = "<component>/<tensor name in the file>" ("unet/conv_in.weight",
 * "clip/text_model.final_layer_norm.weight") of SHAPE, in the file's layout.
 * Rank >= 2: u / sqrt(product of all dims but the first). Rank 1: 1 + 0.1 u when the name ends in
 * ".weight", else 0.1 u. */
void cg_pseudo_parameter(const char *name, const CgShape *shape, float *out);

#endif
