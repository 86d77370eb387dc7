#include "embedding/affinity.h"

#include "base/system.h"

#include <math.h>
#include <string.h>

#define ENTROPY_TOLERANCE 1e-5
#define SEARCH_STEPS      100
/* Points between two looks at whether the user wants to stop. */
#define BLOCK 256

void cg_affinity_free(CgAffinity *p)
{
    if (!p)
        return;
    g_free(p->begin);
    g_free(p->column);
    g_free(p->value);
    g_free(p);
}

typedef struct {
    double squared;
    guint32 index;
} Neighbour;

static gboolean is_nearer(const Neighbour *a, const Neighbour *b)
{
    return a->squared < b->squared || (a->squared == b->squared && a->index < b->index);
}

/* HEAP [count] with the farthest on top: sinks the one at AT. */
static void sink(Neighbour *heap, size_t count, size_t at)
{
    const Neighbour moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_nearer(&heap[child], &heap[child + 1]))
            child++;
        if (!is_nearer(&moved, &heap[child]))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* The K nearest rows of row I, nearest first. */
static void find_nearest(const CgFeatures *f, size_t i, size_t k, Neighbour *heap)
{
    size_t filled = 0;
    for (size_t j = 0; j < f->count; j++) {
        if (j == i)
            continue;
        const Neighbour found = {
            cg_squared_distance(cg_features_row(f, i), cg_features_row(f, j), f->width),
            (guint32)j};
        if (filled < k) {
            heap[filled++] = found;
            if (filled == k)
                for (size_t at = k / 2; at-- > 0;)
                    sink(heap, k, at);
        } else if (is_nearer(&found, heap)) {
            heap[0] = found;
            sink(heap, k, 0);
        }
    }
    for (size_t last = k; last-- > 1;) {
        const Neighbour farthest = heap[0];
        heap[0] = heap[last];
        heap[last] = farthest;
        sink(heap, last, 0);
    }
}

gboolean cg_nearest(const CgFeatures *f, size_t k, guint32 *index, double *squared, GError **error)
{
    for (size_t first = 0; first < f->count; first += BLOCK) {
        const size_t end = MIN(first + BLOCK, f->count);
        if (!cg_cancel_check(error))
            return FALSE;
#pragma omp parallel for schedule(dynamic, 8) num_threads(cg_threads())
        for (size_t i = first; i < end; i++) {
            g_autofree Neighbour *heap = g_new(Neighbour, k + 1);
            find_nearest(f, i, k, heap);
            for (size_t j = 0; j < k; j++) {
                index[i * k + j] = heap[j].index;
                if (squared)
                    squared[i * k + j] = heap[j].squared;
            }
        }
    }
    return TRUE;
}

/* p(j|i) of the K neighbours at SQUARED distances, in place. */
static void conditional(double *squared, size_t k, double perplexity)
{
    double beta = 1, low = -INFINITY, high = INFINITY;
    g_autofree double *p = g_new(double, k);
    for (int step = 0; step < SEARCH_STEPS; step++) {
        double sum = 0, weighted = 0;
        for (size_t j = 0; j < k; j++) {
            p[j] = exp(-squared[j] * beta);
            sum += p[j];
        }
        if (sum == 0)
            sum = 1e-8; /* all underflow: beta will fall */
        for (size_t j = 0; j < k; j++) {
            p[j] /= sum;
            weighted += squared[j] * p[j];
        }
        const double missing = log(sum) + beta * weighted - log(perplexity);
        if (fabs(missing) <= ENTROPY_TOLERANCE)
            break;
        if (missing > 0) {
            low = beta;
            beta = isinf(high) ? 2 * beta : (beta + high) / 2;
        } else {
            high = beta;
            beta = isinf(low) ? beta / 2 : (beta + low) / 2;
        }
    }
    memcpy(squared, p, k * sizeof *p);
}

typedef struct {
    guint32 column;
    double value;
} Entry;

static int compare_columns(gconstpointer a, gconstpointer b)
{
    const guint32 x = ((const Entry *)a)->column, y = ((const Entry *)b)->column;
    return (x > y) - (x < y);
}

/* Puts p(j|i) into both rows i and j of ENTRIES; BEGIN [count + 1] tells where rows begin. */
static Entry *mirror(const guint32 *index, const double *p, size_t count, size_t k, size_t *begin)
{
    memset(begin, 0, (count + 1) * sizeof *begin);
    for (size_t i = 0; i < count * k; i++)
        begin[index[i] + 1]++;
    for (size_t i = 0; i < count; i++)
        begin[i + 1] += begin[i] + k;
    g_autofree size_t *at = g_memdup2(begin, count * sizeof *begin);
    Entry *entries = g_new(Entry, 2 * count * k);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i * k; j < (i + 1) * k; j++) {
            entries[at[i]++] = (Entry){index[j], p[j]};
            entries[at[index[j]]++] = (Entry){(guint32)i, p[j]};
        }
    return entries;
}

/* P + P^T, what a pair has in both directions added, divided by its sum. */
static CgAffinity *symmetrise(const guint32 *index, const double *p, size_t count, size_t k)
{
    CgAffinity *a = g_new0(CgAffinity, 1);
    a->count = count;
    a->begin = g_new(size_t, count + 1);
    g_autofree Entry *entries = mirror(index, p, count, k, a->begin);
    a->column = g_new(guint32, 2 * count * k);
    a->value = g_new(double, 2 * count * k);
    size_t kept = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t first = a->begin[i], end = a->begin[i + 1];
        qsort(entries + first, end - first, sizeof *entries, compare_columns);
        a->begin[i] = kept;
        for (size_t j = first; j < end; j++) {
            sum += entries[j].value;
            if (j > first && entries[j].column == entries[j - 1].column) {
                a->value[kept - 1] += entries[j].value;
                continue;
            }
            a->column[kept] = entries[j].column;
            a->value[kept++] = entries[j].value;
        }
    }
    a->begin[count] = kept;
    for (size_t i = 0; i < kept; i++)
        a->value[i] /= sum;
    return a;
}

CgAffinity *cg_affinity_new(const CgFeatures *f, size_t neighbours, double perplexity,
                            GError **error)
{
    g_autofree guint32 *index = g_new(guint32, f->count * neighbours);
    g_autofree double *p = g_new(double, f->count *neighbours);
    if (!cg_nearest(f, neighbours, index, p, error))
        return NULL;
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (size_t i = 0; i < f->count; i++)
        conditional(p + i * neighbours, neighbours, perplexity);
    return symmetrise(index, p, f->count, neighbours);
}
