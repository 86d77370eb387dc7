#include "engine/ref/ref-private.h"

#include <math.h>

/* One query of one head: all its weights, then the sum of values. P: [tk]. */
static void attend(const CgAttention *a, size_t n, size_t head, size_t query, double *p)
{
    CgDType t = a->dtype;
    size_t d = (size_t)a->head_dim, tq = (size_t)a->tq, tk = (size_t)a->tk;
    size_t keys = a->causal ? MIN(tk, query + 1) : tk;
    size_t q = (n * tq + query) * a->q_row + head * d;
    size_t k = n * tk * a->k_row + head * d, v = n * tk * a->v_row + head * d;
    size_t y = (n * tq + query) * a->y_row + head * d;
    double largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < keys; j++) {
        p[j] = 0;
        for (size_t i = 0; i < d; i++)
            p[j] += ref_get(t, a->q, q + i) * ref_get(t, a->k, k + j * a->k_row + i);
        p[j] *= (double)a->scale;
        largest = fmax(largest, p[j]);
    }
    for (size_t j = 0; j < keys; j++)
        sum += p[j] = exp(p[j] - largest);
    for (size_t i = 0; i < d; i++) {
        double value = 0;
        for (size_t j = 0; j < keys; j++)
            value += p[j] * ref_get(t, a->v, v + j * a->v_row + i);
        ref_set(t, a->y, y + i, value / sum);
    }
}

gboolean ref_attention(CgEngine *e, const CgAttention *a, GError **error)
{
    (void)e;
    (void)error;
    cg_check_attention(a);
    size_t heads = (size_t)a->heads, tq = (size_t)a->tq, all = (size_t)a->n * heads * tq;
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *p = g_new(double, a->tk);
#pragma omp for
        for (size_t i = 0; i < all; i++)
            attend(a, i / (heads * tq), i / tq % heads, i % tq, p);
    }
    return TRUE;
}
