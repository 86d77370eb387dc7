/* Whatever the compiler has for vectors of four: SSE2 on x86-64, NEON on ARM. */
#define KERNELS_NAME   "portable"
#define KERNELS_SYMBOL cg_cpu_kernels_portable
#include "engine/cpu/kernels-body.h"
