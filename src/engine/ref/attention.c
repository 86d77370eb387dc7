#include "engine/ref/ref-private.h"

#include <math.h>

/* P [keys] = the weights of one query of one head, scaled so that the largest is 1; returns their
 * sum. LARGEST: the largest logit. */
static double weigh(const CgAttention *a, size_t n, size_t head, size_t query, double *p,
                    double *largest)
{
    CgDType t = a->dtype;
    size_t d = (size_t)a->head_dim, tq = (size_t)a->tq, tk = (size_t)a->tk;
    size_t keys = a->causal ? MIN(tk, query + 1) : tk;
    size_t q = (n * tq + query) * a->q_row + head * d, k = n * tk * a->k_row + head * d;
    double sum = 0;
    *largest = -INFINITY;
    for (size_t j = 0; j < keys; j++) {
        p[j] = 0;
        for (size_t i = 0; i < d; i++)
            p[j] += ref_get(t, a->q, q + i) * ref_get(t, a->k, k + j * a->k_row + i);
        p[j] *= (double)a->scale;
        *largest = fmax(*largest, p[j]);
    }
    for (size_t j = 0; j < keys; j++)
        sum += p[j] = exp(p[j] - *largest);
    return sum;
}

/* One query of one head: all its weights, then the sum of values. P: [tk]. */
static void attend(const CgAttention *a, size_t n, size_t head, size_t query, double *p)
{
    CgDType t = a->dtype;
    size_t d = (size_t)a->head_dim, tq = (size_t)a->tq, tk = (size_t)a->tk;
    size_t keys = a->causal ? MIN(tk, query + 1) : tk;
    size_t v = n * tk * a->v_row + head * d, y = (n * tq + query) * a->y_row + head * d;
    double largest, sum = weigh(a, n, head, query, p, &largest);
    if (a->lse)
        a->lse[(n * (size_t)a->heads + head) * tq + query] = (float)(largest + log(sum));
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

/* One query's part of the gradients of a head: with ds = p (dp - sum(p dp)), dp = dy v, it is
 * dq = scale ds k, dk += scale ds q, dv += p dy. P and DP: [tk]; DK and DV: [tk, head_dim]. */
static void query_backward(const CgAttention *a, const CgAttentionGradient *g, size_t n,
                           size_t head, size_t query, double *p, double *dp, double *dk, double *dv)
{
    CgDType t = a->dtype;
    size_t d = (size_t)a->head_dim, tq = (size_t)a->tq, tk = (size_t)a->tk;
    size_t keys = a->causal ? MIN(tk, query + 1) : tk;
    size_t q = (n * tq + query) * a->q_row + head * d, k = n * tk * a->k_row + head * d;
    size_t v = n * tk * a->v_row + head * d, dy = (n * tq + query) * g->dy_row + head * d;
    size_t dq = (n * tq + query) * g->dq_row + head * d;
    double largest, sum = weigh(a, n, head, query, p, &largest), mean = 0;
    for (size_t j = 0; j < keys; j++) {
        p[j] /= sum;
        dp[j] = 0;
        for (size_t i = 0; i < d; i++)
            dp[j] += ref_get(t, g->dy, dy + i) * ref_get(t, a->v, v + j * a->v_row + i);
        mean += p[j] * dp[j];
    }
    for (size_t j = 0; j < keys; j++) {
        double ds = (double)a->scale * p[j] * (dp[j] - mean);
        for (size_t i = 0; i < d; i++) {
            dk[j * d + i] += ds * ref_get(t, a->q, q + i);
            dv[j * d + i] += p[j] * ref_get(t, g->dy, dy + i);
        }
        dp[j] = ds;
    }
    for (size_t i = 0; i < d; i++) {
        double value = 0;
        for (size_t j = 0; j < keys; j++)
            value += dp[j] * ref_get(t, a->k, k + j * a->k_row + i);
        ref_set(t, g->dq, dq + i, value);
    }
}

/* BUFFER: [2 tk (head_dim + 1)]. */
static void head_backward(const CgAttention *a, const CgAttentionGradient *g, size_t n, size_t head,
                          double *buffer)
{
    size_t d = (size_t)a->head_dim, tk = (size_t)a->tk;
    double *dk = buffer + 2 * tk, *dv = dk + tk * d;
    memset(dk, 0, 2 * tk * d * sizeof *dk);
    for (size_t query = 0; query < (size_t)a->tq; query++)
        query_backward(a, g, n, head, query, buffer, buffer + tk, dk, dv);
    for (size_t j = 0; j < tk; j++)
        for (size_t i = 0; i < d; i++) {
            size_t at = head * d + i;
            ref_set(a->dtype, g->dk, (n * tk + j) * g->dk_row + at, dk[j * d + i]);
            ref_set(a->dtype, g->dv, (n * tk + j) * g->dv_row + at, dv[j * d + i]);
        }
}

gboolean ref_attention_backward(CgEngine *e, const CgAttention *a, const CgAttentionGradient *g,
                                GError **error)
{
    (void)e;
    (void)error;
    cg_check_attention_backward(a, g);
    size_t heads = (size_t)a->heads;
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *buffer = g_new(double, 2 * (size_t)a->tk * ((size_t)a->head_dim + 1));
#pragma omp for
        for (size_t i = 0; i < (size_t)a->n * heads; i++)
            head_backward(a, g, i / heads, i % heads, buffer);
    }
    return TRUE;
}
