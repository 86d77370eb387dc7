/* Vectors of sixteen. */
#define KERNELS_NAME   "AVX-512"
#define KERNELS_SYMBOL cg_cpu_kernels_avx512
#include "engine/cpu/kernels-body.h"
