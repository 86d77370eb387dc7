/* Vectors of eight, fused multiply-add. */
#define KERNELS_NAME   "AVX2"
#define KERNELS_SYMBOL cg_cpu_kernels_avx2
#include "engine/cpu/kernels-body.h"
