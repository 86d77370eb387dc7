#include "image/polygon.h"

#include <math.h>
#include <string.h>

/* Directions: east, south, west, north; turning right adds one. */
static const int step_x[4] = {1, 0, -1, 0}, step_y[4] = {0, 1, 0, -1};
/* The pixel ahead on the right and on the left of a lattice point when looking in that direction.
 */
static const int right_x[4] = {0, -1, -1, 0}, right_y[4] = {0, 0, -1, -1};
static const int left_x[4] = {0, 0, -1, -1}, left_y[4] = {-1, 0, 0, -1};

void cg_outline_free(CgOutline *outline)
{
    if (!outline)
        return;
    g_ptr_array_unref(outline->rings);
    g_free(outline);
}

static gboolean is_set(const CgImage *mask, int x, int y)
{
    return x >= 0 && y >= 0 && x < mask->width && y < mask->height &&
           mask->pixels[(size_t)y * (size_t)mask->width + (size_t)x];
}

/* A run of set pixels in a row, and the piece it belongs to (union-find by the smallest index). */
typedef struct {
    int y, begin, end; /* columns begin..end-1 */
    guint parent;
} Run;

static guint find_root(GArray *runs, guint i)
{
    Run *r = (Run *)(void *)runs->data;
    while (r[i].parent != i)
        i = r[i].parent = r[r[i].parent].parent;
    return i;
}

static void join_runs(GArray *runs, guint a, guint b)
{
    a = find_root(runs, a);
    b = find_root(runs, b);
    g_array_index(runs, Run, MAX(a, b)).parent = MIN(a, b);
}

/* The runs of MASK by rows and columns. Those of neighbouring rows that touch, also by corners,
 * belong together. */
static GArray *find_runs(const CgImage *mask)
{
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(Run));
    guint above = 0, begin = 0;
    for (int y = 0; y < mask->height; y++, above = begin) {
        const guint8 *row = mask->pixels + (size_t)y * (size_t)mask->width;
        guint before = above;
        begin = runs->len;
        for (int x = 0; x < mask->width;) {
            if (!row[x]) {
                x++;
                continue;
            }
            Run run = {.y = y, .begin = x, .parent = runs->len};
            while (x < mask->width && row[x])
                x++;
            run.end = x;
            g_array_append_val(runs, run);
            while (before < begin && g_array_index(runs, Run, before).end < run.begin)
                before++;
            for (guint k = before; k < begin && g_array_index(runs, Run, k).begin <= run.end; k++)
                join_runs(runs, k, runs->len - 1);
        }
    }
    return runs;
}

/* Follows the border that leaves lattice point (X, Y) eastwards with set pixels on its right. Upper
 * sides of pixels that it passes are marked in SEEN. Twice the enclosed area goes to *AREA,
 * negative for holes. */
static GArray *follow(const CgImage *mask, guint8 *seen, int x, int y, gint64 *area)
{
    GArray *ring = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    const int x0 = x, y0 = y;
    int direction = 0;
    *area = 0;
    do {
        if (direction == 0) {
            const size_t at = (size_t)y * (size_t)mask->width + (size_t)x;
            seen[at / 8] = (guint8)(seen[at / 8] | 1u << at % 8);
        }
        *area += (gint64)x * step_y[direction] - (gint64)y * step_x[direction];
        x += step_x[direction];
        y += step_y[direction];
        int turn = 0;
        /* The left one first: pixels that touch by corners are one piece. */
        if (is_set(mask, x + left_x[direction], y + left_y[direction]))
            turn = 3;
        else if (!is_set(mask, x + right_x[direction], y + right_y[direction]))
            turn = 1;
        if (turn) {
            const CgPoint p = {x, y};
            g_array_append_val(ring, p);
            direction = (direction + turn) % 4;
        }
    } while (x != x0 || y != y0 || direction != 0);
    return ring;
}

static CgOutline *outline_new(const CgImage *mask)
{
    CgOutline *outline = g_new0(CgOutline, 1);
    outline->rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    outline->x = mask->width;
    outline->y = mask->height;
    return outline;
}

/* One outline per piece, with box and area but without rings; OWNER[run] is its index. */
static GPtrArray *measure_pieces(const CgImage *mask, GArray *runs, guint *owner)
{
    GPtrArray *outlines = g_ptr_array_new_with_free_func((GDestroyNotify)cg_outline_free);
    for (guint i = 0; i < runs->len; i++) {
        const Run *run = &g_array_index(runs, Run, i);
        const guint root = find_root(runs, i);
        if (root == i) {
            owner[i] = outlines->len;
            g_ptr_array_add(outlines, outline_new(mask));
        } else
            owner[i] = owner[root];
        CgOutline *o = g_ptr_array_index(outlines, owner[i]);
        const int right = MAX(o->x + o->width, run->end);
        /* An empty box begins beyond the picture. */
        const gboolean is_first = o->area == 0;
        o->x = MIN(o->x, run->begin);
        o->width = (is_first ? run->end : right) - o->x;
        o->y = MIN(o->y, run->y);
        o->height = run->y + 1 - o->y;
        o->area += run->end - run->begin;
    }
    return outlines;
}

GPtrArray *cg_mask_trace(const CgImage *mask)
{
    g_assert(mask->channels == 1);
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    g_autofree guint8 *seen = g_malloc0(count / 8 + 1);
    g_autoptr(GArray) runs = find_runs(mask);
    g_autofree guint *owner = g_new(guint, runs->len + 1);
    GPtrArray *outlines = measure_pieces(mask, runs, owner);
    for (guint i = 0; i < runs->len; i++) {
        const Run run = g_array_index(runs, Run, i);
        for (int x = run.begin; x < run.end; x++) {
            const size_t at = (size_t)run.y * (size_t)mask->width + (size_t)x;
            if (is_set(mask, x, run.y - 1) || seen[at / 8] >> at % 8 & 1)
                continue;
            gint64 area;
            const CgOutline *o = g_ptr_array_index(outlines, owner[i]);
            /* By rows, the first border met of a piece is its outer one. */
            g_ptr_array_add(o->rings, follow(mask, seen, x, run.y, &area));
        }
    }
    return outlines;
}

/* A lattice point of a polygon under construction. */
typedef struct {
    int x, y;
    guint next;
} Node;

typedef struct {
    GArray *nodes;
    GHashTable *places; /* lattice point -> node, of the rings joined so far */
} Chain;

static gpointer place_key(int x, int y)
{
    return GSIZE_TO_POINTER(((gsize)y << 32 | (gsize)x) + 1);
}

/* Appends all lattice points of RING as a loop of its own; returns the node at (X, Y), or the
 * first.
 */
static guint add_loop(Chain *chain, const GArray *ring, int x, int y)
{
    const guint begin = chain->nodes->len;
    guint found = begin;
    for (guint i = 0; i < ring->len; i++) {
        const CgPoint a = g_array_index(ring, CgPoint, i);
        const CgPoint b = g_array_index(ring, CgPoint, (i + 1) % ring->len);
        const int dx = (b.x > a.x) - (b.x < a.x), dy = (b.y > a.y) - (b.y < a.y);
        for (Node n = {(int)a.x, (int)a.y, 0}; n.x != (int)b.x || n.y != (int)b.y;
             n.x += dx, n.y += dy) {
            n.next = chain->nodes->len + 1;
            if (n.x == x && n.y == y)
                found = chain->nodes->len;
            g_array_append_val(chain->nodes, n);
        }
    }
    g_array_index(chain->nodes, Node, chain->nodes->len - 1).next = begin;
    return found;
}

static void register_nodes(Chain *chain, guint begin)
{
    for (guint i = begin; i < chain->nodes->len; i++) {
        const Node *n = &g_array_index(chain->nodes, Node, i);
        g_hash_table_insert(chain->places, place_key(n->x, n->y), GUINT_TO_POINTER(i + 1));
    }
}

static guint add_node(Chain *chain, Node node)
{
    g_array_append_val(chain->nodes, node);
    return chain->nodes->len - 1;
}

/* The leftmost point of RING, the uppermost of several. */
static CgPoint leftmost(const GArray *ring)
{
    CgPoint best = g_array_index(ring, CgPoint, 0);
    for (guint i = 1; i < ring->len; i++) {
        const CgPoint p = g_array_index(ring, CgPoint, i);
        if (p.x < best.x || (p.x == best.x && p.y < best.y))
            best = p;
    }
    return best;
}

static int compare_leftmost(gconstpointer a, gconstpointer b)
{
    const CgPoint p = leftmost(*(GArray *const *)a), q = leftmost(*(GArray *const *)b);
    return p.x != q.x ? (p.x < q.x ? -1 : 1) : (p.y > q.y) - (p.y < q.y);
}

/* Joins HOLE to what lies left of it. Holes come by their leftmost points, so whatever border a
 * walk to the left meets first has been joined before. */
static void join_hole(Chain *chain, const GArray *hole)
{
    const CgPoint p = leftmost(hole);
    const int y = (int)p.y;
    int x = (int)p.x;
    gpointer met;
    while (!(met = g_hash_table_lookup(chain->places, place_key(x, y))) && x > 0)
        x--;
    g_assert(met);
    const guint from = GPOINTER_TO_UINT(met) - 1;
    const guint begin = chain->nodes->len;
    const guint at = add_loop(chain, hole, (int)p.x, y);
    register_nodes(chain, begin);
    /* from -> at ... around the hole ... -> again -> back -> what followed from */
    Node *nodes = (Node *)(void *)chain->nodes->data;
    const guint follows = nodes[from].next, around = nodes[at].next;
    guint last = at;
    for (guint i = around; i != at; i = nodes[i].next)
        last = i;
    const guint again = add_node(chain, (Node){(int)p.x, y, 0});
    const guint back = add_node(chain, (Node){x, y, follows});
    nodes = (Node *)(void *)chain->nodes->data;
    nodes[again].next = back;
    nodes[last].next = again;
    nodes[from].next = at;
}

/* The loop of CHAIN from its first node without points in the middle of straight lines. */
static GArray *corners(const Chain *chain)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    guint i = 0;
    do {
        const Node *n = &g_array_index(chain->nodes, Node, i);
        const CgPoint p = {n->x, n->y};
        const CgPoint *last = all->len ? &g_array_index(all, CgPoint, all->len - 1) : NULL;
        if (!last || last->x != p.x || last->y != p.y)
            g_array_append_val(all, p);
        i = n->next;
    } while (i != 0);
    GArray *polygon = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    const CgPoint *points = (const CgPoint *)(void *)all->data;
    for (i = 0; i < all->len; i++) {
        const CgPoint a = points[(i + all->len - 1) % all->len], b = points[i],
                      c = points[(i + 1) % all->len];
        const double cross = (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x);
        const double along = (b.x - a.x) * (c.x - b.x) + (b.y - a.y) * (c.y - b.y);
        if (cross != 0 || along < 0)
            g_array_append_val(polygon, b);
    }
    return polygon;
}

static GArray *copy_ring(const GArray *ring)
{
    GArray *copy = g_array_sized_new(FALSE, FALSE, sizeof(CgPoint), ring->len);
    g_array_append_vals(copy, ring->data, ring->len);
    return copy;
}

GArray *cg_outline_join(const CgOutline *outline)
{
    const GPtrArray *rings = outline->rings;
    if (rings->len == 1)
        return copy_ring(g_ptr_array_index(rings, 0));
    g_autoptr(GPtrArray) holes = g_ptr_array_new();
    for (guint i = 1; i < rings->len; i++)
        g_ptr_array_add(holes, g_ptr_array_index(rings, i));
    g_ptr_array_sort(holes, compare_leftmost);
    Chain chain = {g_array_new(FALSE, FALSE, sizeof(Node)), g_hash_table_new(NULL, NULL)};
    add_loop(&chain, g_ptr_array_index(rings, 0), -1, -1);
    register_nodes(&chain, 0);
    for (guint i = 0; i < holes->len; i++)
        join_hole(&chain, g_ptr_array_index(holes, i));
    GArray *polygon = corners(&chain);
    g_array_unref(chain.nodes);
    g_hash_table_unref(chain.places);
    return polygon;
}

/* An edge that crosses the centres of rows first..last. */
typedef struct {
    double x, y, slope; /* a point, and columns per row */
    int first, last;
} Edge;

static int compare_edges(gconstpointer a, gconstpointer b)
{
    return ((const Edge *)a)->first - ((const Edge *)b)->first;
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first index whose centre is not before V, cut to 0..LIMIT. */
static int first_centre(double v, int limit)
{
    return (int)CLAMP(ceil(v - 0.5), 0, limit);
}

static GArray *find_edges(const GPtrArray *rings, int height)
{
    GArray *edges = g_array_new(FALSE, FALSE, sizeof(Edge));
    for (guint r = 0; r < rings->len; r++) {
        const GArray *ring = g_ptr_array_index(rings, r);
        for (guint i = 0; i < ring->len; i++) {
            CgPoint a = g_array_index(ring, CgPoint, i);
            CgPoint b = g_array_index(ring, CgPoint, (i + 1) % ring->len);
            if (a.y > b.y) {
                const CgPoint swap = a;
                a = b;
                b = swap;
            }
            const Edge e = {.x = a.x,
                            .y = a.y,
                            .slope = b.y > a.y ? (b.x - a.x) / (b.y - a.y) : 0,
                            .first = first_centre(a.y, height),
                            .last = first_centre(b.y, height) - 1};
            if (e.first <= e.last)
                g_array_append_val(edges, e);
        }
    }
    g_array_sort(edges, compare_edges);
    return edges;
}

void cg_polygon_fill(CgImage *mask, const GPtrArray *rings, guint8 value)
{
    g_assert(mask->channels == 1);
    g_autoptr(GArray) edges = find_edges(rings, mask->height);
    g_autoptr(GArray) active = g_array_new(FALSE, FALSE, sizeof(Edge));
    g_autoptr(GArray) crossings = g_array_new(FALSE, FALSE, sizeof(double));
    guint next = 0;
    for (int y = 0; y < mask->height; y++) {
        guint8 *row = mask->pixels + (size_t)y * (size_t)mask->width;
        for (; next < edges->len && g_array_index(edges, Edge, next).first <= y; next++)
            g_array_append_val(active, g_array_index(edges, Edge, next));
        g_array_set_size(crossings, 0);
        for (guint i = 0; i < active->len;) {
            const Edge *e = &g_array_index(active, Edge, i);
            if (e->last < y) {
                g_array_remove_index_fast(active, i);
                continue;
            }
            const double x = e->x + (y + 0.5 - e->y) * e->slope;
            g_array_append_val(crossings, x);
            i++;
        }
        g_array_sort(crossings, compare_doubles);
        for (guint i = 0; i + 1 < crossings->len; i += 2) {
            const int begin = first_centre(g_array_index(crossings, double, i), mask->width);
            const int end = first_centre(g_array_index(crossings, double, i + 1), mask->width);
            if (begin < end)
                memset(row + begin, value, (size_t)(end - begin));
        }
    }
}
