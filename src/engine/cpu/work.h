/* work: how the kernels split their work over threads. */
#ifndef CG_ENGINE_CPU_WORK_H
#define CG_ENGINE_CPU_WORK_H

#include "base/system.h"
#include "tensor/tensor.h"

/* Elements of a flat piece of pointwise work; a multiple of every vector width. */
#define WORK_PIECE ((size_t)8192)

/* Threads for work on COUNT elements: waking them costs more than a small tensor does. */
static inline int work_threads(size_t count)
{
    return count < 4 * WORK_PIECE ? 1 : cg_threads();
}

static inline size_t work_pieces(size_t count)
{
    return (count + WORK_PIECE - 1) / WORK_PIECE;
}

static inline size_t work_piece_length(size_t count, size_t piece)
{
    return MIN(WORK_PIECE, count - piece * WORK_PIECE);
}

/* Work whose sums are merged is cut into at most 64 tasks of whole rows, by the shape alone: rows
 * of a task, of ROWS of ROW_BYTES. */
static inline size_t work_task_rows(size_t rows, size_t row_bytes)
{
    return MAX((rows + 63) / 64, 16384 / row_bytes + 1);
}

/* The last dimension, and how many rows of it there are. */
static inline size_t work_columns(const CgTensor *t)
{
    return t->shape.rank ? (size_t)t->shape.d[t->shape.rank - 1] : 1;
}

static inline size_t work_rows(const CgTensor *t)
{
    size_t c = work_columns(t);
    return c ? t->count / c : 0;
}

#endif
