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

void ref_upsample_nearest_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_upsample(dx, dy);
    size_t h = (size_t)dx->shape.d[1], w = (size_t)dx->shape.d[2], c = (size_t)dx->shape.d[3];
    size_t to_h = (size_t)dy->shape.d[1], to_w = (size_t)dy->shape.d[2];
    g_autofree double *sums = g_new(double, h *w *c);
    for (size_t n = 0; n < (size_t)dx->shape.d[0]; n++) {
        memset(sums, 0, h * w * c * sizeof *sums);
        for (size_t i = 0; i < to_h; i++)
            for (size_t j = 0; j < to_w; j++)
                for (size_t k = 0; k < c; k++)
                    sums[(i * h / to_h * w + j * w / to_w) * c + k] +=
                        ref_get(dy->dtype, dy->data, ((n * to_h + i) * to_w + j) * c + k);
        for (size_t k = 0; k < h * w * c; k++)
            ref_set(dx->dtype, dx->data, n * h * w * c + k, sums[k]);
    }
}

void ref_split(CgEngine *e, const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db)
{
    (void)e;
    cg_check_split(dy, ca, da, db);
    size_t c = ref_columns(dy), a = (size_t)ca, rows = ref_rows(dy);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < c; i++) {
            double value = ref_get(dy->dtype, dy->data, r * c + i);
            if (i < a && da)
                ref_set(da->dtype, da->data, r * a + i, value);
            if (i >= a && db)
                ref_set(db->dtype, db->data, r * (c - a) + i - a, value);
        }
}
