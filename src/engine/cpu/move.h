/* move: kernels that only move bytes; the same for every instruction set and type. */
#ifndef CG_ENGINE_CPU_MOVE_H
#define CG_ENGINE_CPU_MOVE_H

#include "tensor/tensor.h"

/* As CgEngineOps says. */
void cg_cpu_upsample_nearest(const CgTensor *x, CgTensor *y);
void cg_cpu_concat(const CgTensor *a, const CgTensor *b, CgTensor *y);
void cg_cpu_split(const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db);

#endif
