/* Vectors of sixteen, one instruction to round to bf16. */
#define KERNELS_NAME   "AVX-512 with bf16"
#define KERNELS_SYMBOL cg_cpu_kernels_avx512bf16
#include "engine/cpu/kernels-body.h"
