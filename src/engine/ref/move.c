#include "engine/ref/ref-private.h"

void ref_upsample_nearest(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_upsample(x, y);
    size_t h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2], c = (size_t)x->shape.d[3];
    size_t to_h = (size_t)y->shape.d[1], to_w = (size_t)y->shape.d[2];
    for (size_t n = 0; n < (size_t)x->shape.d[0]; n++)
        for (size_t i = 0; i < to_h; i++)
            for (size_t j = 0; j < to_w; j++) {
                size_t from = ((n * h + i * h / to_h) * w + j * w / to_w) * c;
                size_t to = ((n * to_h + i) * to_w + j) * c;
                for (size_t k = 0; k < c; k++)
                    ref_set(y->dtype, y->data, to + k, ref_get(x->dtype, x->data, from + k));
            }
}

void ref_concat(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y)
{
    (void)e;
    cg_check_concat(a, b, y);
    size_t ca = ref_columns(a), cb = ref_columns(b), c = ca + cb, rows = ref_rows(y);
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < ca; i++)
            ref_set(y->dtype, y->data, r * c + i, ref_get(a->dtype, a->data, r * ca + i));
        for (size_t i = 0; i < cb; i++)
            ref_set(y->dtype, y->data, r * c + ca + i, ref_get(b->dtype, b->data, r * cb + i));
    }
}
