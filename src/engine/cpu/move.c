#include "engine/cpu/move.h"

#include "engine/check.h"
#include "engine/cpu/work.h"

void cg_cpu_upsample_nearest(const CgTensor *x, CgTensor *y)
{
    cg_check_upsample(x, y);
    size_t n = (size_t)x->shape.d[0], h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2];
    size_t to_h = (size_t)y->shape.d[1], to_w = (size_t)y->shape.d[2];
    size_t pixel = (size_t)x->shape.d[3] * cg_dtype_size(x->dtype);
#pragma omp parallel for schedule(static) num_threads(work_threads(y->count))
    for (size_t row = 0; row < n * to_h; row++) {
        size_t from_row = row / to_h * h + row % to_h * h / to_h;
        const char *from = (const char *)x->data + from_row * w * pixel;
        char *to = (char *)y->data + row * to_w * pixel;
        for (size_t j = 0; j < to_w; j++)
            memcpy(to + j * pixel, from + j * w / to_w * pixel, pixel);
    }
}

void cg_cpu_concat(const CgTensor *a, const CgTensor *b, CgTensor *y)
{
    cg_check_concat(a, b, y);
    size_t size = cg_dtype_size(y->dtype), rows = work_rows(y);
    size_t from_a = work_columns(a) * size, from_b = work_columns(b) * size;
#pragma omp parallel for schedule(static) num_threads(work_threads(y->count))
    for (size_t r = 0; r < rows; r++) {
        char *to = (char *)y->data + r * (from_a + from_b);
        memcpy(to, (const char *)a->data + r * from_a, from_a);
        memcpy(to + from_a, (const char *)b->data + r * from_b, from_b);
    }
}

void cg_cpu_split(const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db)
{
    cg_check_split(dy, ca, da, db);
    size_t size = cg_dtype_size(dy->dtype), rows = work_rows(dy);
    size_t to_a = (size_t)ca * size, to_b = work_columns(dy) * size - to_a;
#pragma omp parallel for schedule(static) num_threads(work_threads(dy->count))
    for (size_t r = 0; r < rows; r++) {
        const char *from = (const char *)dy->data + r * (to_a + to_b);
        if (da)
            memcpy((char *)da->data + r * to_a, from, to_a);
        if (db)
            memcpy((char *)db->data + r * to_b, from + to_a, to_b);
    }
}
