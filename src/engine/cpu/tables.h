/* tables: one CgCpuKernels per instruction set, each in its own file. */
#ifndef CG_ENGINE_CPU_TABLES_H
#define CG_ENGINE_CPU_TABLES_H

#include "engine/cpu/kernels.h"

extern const CgCpuKernels cg_cpu_kernels_portable;
/* x86-64 only. */
extern const CgCpuKernels cg_cpu_kernels_avx2;
extern const CgCpuKernels cg_cpu_kernels_avx512;
extern const CgCpuKernels cg_cpu_kernels_avx512bf16;

#endif
