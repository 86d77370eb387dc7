/* Vectors of sixteen, one instruction to round to bf16. */
#include "engine/cpu/move.h"
#include "engine/cpu/norm-body.h"
#include "engine/cpu/pointwise-body.h"
#include "engine/cpu/tables.h"

const CgCpuKernels cg_cpu_kernels_avx512bf16 = {
    .name = "AVX-512 with bf16",
    .group_norm = group_norm,
    .layer_norm = layer_norm,
    .activate = activate,
    .geglu = geglu,
    .add = add,
    .add_channels = add_channels,
    .upsample_nearest = cg_cpu_upsample_nearest,
    .concat = cg_cpu_concat,
    .softmax = softmax,
    .cast = cast,
};
