#include "embedding/quadtree.h"

#include <math.h>
#include <string.h>

#define LEAF_POINTS 6
#define MAX_DEPTH   48 /* points nearer than 2^-48 of the width share a leaf */

/* Nodes lie in depth-first order, so that a walk goes forward through memory: to the next node to
 * look closer, to NEXT to leave this cell. */
typedef struct {
    double x, y;    /* centre of mass */
    double squared; /* width^2 */
    double mass;
    size_t next;
    guint32 first, end; /* points of a leaf; empty otherwise */
} Node;

struct CgQuadtree {
    size_t count;
    GArray *nodes;     /* Node */
    guint32 *order;    /* [count], points of a cell together */
    guint32 *scratch;  /* [count] */
    guint32 *place;    /* [count], where a point is in order */
    double *positions; /* [count, 2], in that order */
};

CgQuadtree *cg_quadtree_new(size_t count)
{
    CgQuadtree *tree = g_new(CgQuadtree, 1);
    *tree = (CgQuadtree){.count = count,
                         .nodes = g_array_new(FALSE, FALSE, sizeof(Node)),
                         .order = g_new(guint32, count + 1),
                         .scratch = g_new(guint32, count + 1),
                         .place = g_new(guint32, count + 1),
                         .positions = g_new(double, 2 * count + 1)};
    return tree;
}

void cg_quadtree_free(CgQuadtree *tree)
{
    if (!tree)
        return;
    g_array_unref(tree->nodes);
    g_free(tree->order);
    g_free(tree->scratch);
    g_free(tree->place);
    g_free(tree->positions);
    g_free(tree);
}

/* Groups order[first..end-1] by quadrant around (CX, CY); BOUNDS [5] where the groups begin. */
static void partition(CgQuadtree *tree, const double *y, size_t first, size_t end, double cx,
                      double cy, size_t bounds[5])
{
    size_t counts[4] = {0}, at[4];
    for (size_t i = first; i < end; i++) {
        const double *p = y + 2 * tree->order[i];
        counts[(p[0] >= cx) + 2 * (p[1] >= cy)]++;
    }
    bounds[0] = first;
    for (int q = 0; q < 4; q++) {
        at[q] = bounds[q];
        bounds[q + 1] = bounds[q] + counts[q];
    }
    for (size_t i = first; i < end; i++) {
        const double *p = y + 2 * tree->order[i];
        tree->scratch[at[(p[0] >= cx) + 2 * (p[1] >= cy)]++] = tree->order[i];
    }
    memcpy(tree->order + first, tree->scratch + first, (end - first) * sizeof *tree->order);
}

/* The cell of points order[first..end-1] around (CX, CY), WIDTH wide. */
static void build(CgQuadtree *tree, const double *y, size_t first, size_t end, double cx, double cy,
                  double width, int depth)
{
    Node node = {.squared = width * width, .mass = (double)(end - first)};
    for (size_t i = first; i < end; i++) {
        node.x += y[2 * tree->order[i]];
        node.y += y[2 * tree->order[i] + 1];
    }
    node.x /= node.mass;
    node.y /= node.mass;
    const gboolean is_leaf = end - first <= LEAF_POINTS || depth == MAX_DEPTH;
    if (is_leaf) {
        node.first = (guint32)first;
        node.end = (guint32)end;
    }
    const guint self = tree->nodes->len;
    g_array_append_val(tree->nodes, node);
    if (!is_leaf) {
        size_t bounds[5];
        partition(tree, y, first, end, cx, cy, bounds);
        for (int q = 0; q < 4; q++)
            if (bounds[q + 1] > bounds[q])
                build(tree, y, bounds[q], bounds[q + 1], cx + (q & 1 ? 0.25 : -0.25) * width,
                      cy + (q & 2 ? 0.25 : -0.25) * width, width / 2, depth + 1);
    }
    g_array_index(tree->nodes, Node, self).next = tree->nodes->len;
}

void cg_quadtree_build(CgQuadtree *tree, const double *y)
{
    g_array_set_size(tree->nodes, 0);
    if (tree->count == 0)
        return;
    double low[2] = {y[0], y[1]}, high[2] = {y[0], y[1]};
    for (size_t i = 0; i < tree->count; i++) {
        tree->order[i] = (guint32)i;
        for (int c = 0; c < 2; c++) {
            low[c] = fmin(low[c], y[2 * i + (size_t)c]);
            high[c] = fmax(high[c], y[2 * i + (size_t)c]);
        }
    }
    build(tree, y, 0, tree->count, (low[0] + high[0]) / 2, (low[1] + high[1]) / 2,
          fmax(high[0] - low[0], high[1] - low[1]), 0);
    for (size_t i = 0; i < tree->count; i++) {
        tree->place[tree->order[i]] = (guint32)i;
        memcpy(tree->positions + 2 * i, y + 2 * tree->order[i], 2 * sizeof *y);
    }
}

static inline void add(double dx, double dy, double squared, double mass, double *sum,
                       double force[2])
{
    const double w = 1 / (1 + squared);
    *sum += mass * w;
    force[0] += mass * w * w * dx;
    force[1] += mass * w * w * dy;
}

double cg_quadtree_repulsion(const CgQuadtree *tree, size_t point, double angle, double force[2])
{
    const size_t self = tree->place[point];
    const double px = tree->positions[2 * self], py = tree->positions[2 * self + 1];
    const double angle_squared = angle * angle;
    const Node *nodes = (const Node *)(const void *)tree->nodes->data;
    double sum = 0;
    force[0] = force[1] = 0;
    for (size_t i = 0; i < tree->nodes->len;) {
        const Node *node = &nodes[i];
        const double dx = px - node->x, dy = py - node->y, squared = dx * dx + dy * dy;
        if (node->squared < angle_squared * squared) {
            add(dx, dy, squared, node->mass, &sum, force);
            i = node->next;
            continue;
        }
        for (size_t j = node->first; j < node->end; j++) {
            if (j == self)
                continue;
            const double ex = px - tree->positions[2 * j], ey = py - tree->positions[2 * j + 1];
            add(ex, ey, ex * ex + ey * ey, 1, &sum, force);
        }
        i++; /* a leaf's next node is also its next */
    }
    return sum;
}
