/* winograd-body: 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), compiled once per
 * instruction set. winograd.h has the method; the points are 0, +-2/3, +-3/2 and infinity.
 *
 * Tiles, of all images after each other, are worked on by the chunk, in three phases with all
 * threads: their inputs are transformed to 36 matrices [tile][c_in], each is multiplied with its
 * matrix of weights, and the 36 products [tile][c_out] are transformed to outputs. Weights are
 * transformed at each call, by groups of output channels: that takes about a nanosecond a weight,
 * where keeping them would take four times the weights' memory.
 *
 * An output's sum runs over the input channels in their order, so neither threads nor chunks
 * change it.
 */

#define LANES  (2 * VW)
#define ROWS   (VW == 16 ? 12 : 6)
#define POINTS 36
/* Transformed weights at a time. */
#define GROUP_BYTES ((size_t)32 << 20)
/* A chunk's transformed inputs and products, and the tiles it has at least and at most. */
#define TILES_BYTES ((size_t)6 << 20)
#define TILES_LEAST ((size_t)96)
#define TILES_MOST  ((size_t)384)

/* Points, as a pair of signs each. a b = 1. */
#define POINT_A  (2.0f / 3)
#define POINT_B  1.5f
#define SQUARE_A (4.0f / 9)
#define SQUARE_B 2.25f
/* The sum of the squares. */
#define SQUARES (97.0f / 36)
/* 1 / (2 a^2 (a^2 - b^2)) and the same with both exchanged. */
#define WEIGHT_A (-81.0f * 36 / (72 * 65))
#define WEIGHT_B (4.0f * 36 / (18 * 65))

typedef struct {
    const CgWinograd *c;
    size_t down, across, tiles; /* of an image; of all */
    size_t chunk;               /* tiles, a multiple of ROWS */
    size_t v_row, v_plane;      /* transformed inputs: floats of a tile, of a matrix */
    size_t m_row, m_plane;      /* products */
    size_t panels, group;       /* LANES output channels each; panels at a time */
    size_t u_plane;             /* transformed weights [panel][c_in][LANES] of a group */
    float *u, *v, *m, *zeros;   /* scratch */
} Winograd;

/* Floats of a row of COUNT: whole cache lines, an odd number, so that rows do not share cache sets.
 */
static size_t winograd_row(size_t count)
{
    return cg_size_align(count, 16) | 16;
}

/* ---- transforms in one dimension ------------------------------------------------------------ */

/* B^T */
VINLINE void winograd_input(const V x[6], V to[6])
{
    V even = x[4] - x[2] * SQUARE_B, odd = x[3] - x[1] * SQUARE_B;
    to[0] = x[0] - x[2] * SQUARES + x[4];
    to[1] = even + odd * POINT_A;
    to[2] = even - odd * POINT_A;
    even = x[4] - x[2] * SQUARE_A;
    odd = x[3] - x[1] * SQUARE_A;
    to[3] = even + odd * POINT_B;
    to[4] = even - odd * POINT_B;
    to[5] = x[1] - x[3] * SQUARES + x[5];
}

/* A */
VINLINE void winograd_spread(const V y[4], V to[6])
{
    V even = y[0] + y[2] * SQUARE_A, odd = (y[1] + y[3] * SQUARE_A) * POINT_A;
    to[0] = y[0];
    to[1] = even + odd;
    to[2] = even - odd;
    even = y[0] + y[2] * SQUARE_B;
    odd = (y[1] + y[3] * SQUARE_B) * POINT_B;
    to[3] = even + odd;
    to[4] = even - odd;
    to[5] = y[3];
}

/* What tiles have to the six points: 6 pixels of x, 4 of dy. */
VINLINE void winograd_to_points(int side, const V *pixels, V to[6])
{
    if (side == 6)
        winograd_input(pixels, to);
    else
        winograd_spread(pixels, to);
}

/* A^T */
VINLINE void winograd_output(const V m[6], V to[4])
{
    V sum_a = m[1] + m[2], difference_a = (m[1] - m[2]) * POINT_A;
    V sum_b = m[3] + m[4], difference_b = (m[3] - m[4]) * POINT_B;
    to[0] = m[0] + sum_a + sum_b;
    to[1] = difference_a + difference_b;
    to[2] = sum_a * SQUARE_A + sum_b * SQUARE_B;
    to[3] = difference_a * SQUARE_A + difference_b * SQUARE_B + m[5];
}

/* G */
VINLINE void winograd_kernel(const V g[3], V to[6])
{
    V even = (g[0] + g[2] * SQUARE_A) * WEIGHT_A, odd = g[1] * (POINT_A * WEIGHT_A);
    to[0] = g[0];
    to[1] = even + odd;
    to[2] = even - odd;
    even = (g[0] + g[2] * SQUARE_B) * WEIGHT_B;
    odd = g[1] * (POINT_B * WEIGHT_B);
    to[3] = even + odd;
    to[4] = even - odd;
    to[5] = g[2];
}

/* ---- weights ------------------------------------------------------------------------------- */

/* Inputs whose kernels are transformed after each other. */
#define KERNELS 8

/* The kernels of inputs I0..I0+COUNT-1 to the output channels of a panel from O0, as f32
 * [input][9][LANES]; channels beyond the last are zeros. */
static void winograd_gather(const CgWinograd *c, size_t o0, size_t i0, size_t count, float *to)
{
    const size_t outs = MIN(LANES, c->c_out - o0), size = cg_dtype_size(c->weight_type);
    /* Stored as [c_out][c_in][9], turned as [c_in][c_out][9]: runs of one lane's inputs, or of one
     * input's lanes. */
    const size_t runs = c->turned ? count : outs, run = 9 * (c->turned ? outs : count);
    const size_t first = c->turned ? i0 * c->c_out + o0 : o0 * c->c_in + i0;
    const size_t pitch = 9 * (c->turned ? c->c_out : c->c_in);
    float converted[MAX(KERNELS, LANES) * 9];
    memset(to, 0, outs < LANES ? count * 9 * LANES * sizeof *to : 0);
    for (size_t r = 0; r < runs; r++) {
        const void *source = (const char *)c->weights + (first * 9 + r * pitch) * size;
        const float *from = source;
        if (c->weight_type != CG_F32) {
            cg_dtype_convert(source, c->weight_type, converted, CG_F32, run);
            from = converted;
        }
        if (c->turned)
            for (size_t o = 0; o < outs; o++)
                for (size_t k = 0; k < 9; k++)
                    to[(r * 9 + 8 - k) * LANES + o] = from[o * 9 + k];
        else
            for (size_t j = 0; j < count * 9; j++)
                to[j * LANES + r] = from[j];
    }
}

/* G g G^T of one vector of output channels; TO: at one input, planes PLANE floats apart. */
VINLINE void winograd_kernel_vector(const float *g, float *to, size_t plane)
{
    V s[3][6];
#pragma GCC unroll 3
    for (int y = 0; y < 3; y++) {
        const V row[3] = {v_load(CG_F32, g, (size_t)(y * 3) * LANES, VW),
                          v_load(CG_F32, g, (size_t)(y * 3 + 1) * LANES, VW),
                          v_load(CG_F32, g, (size_t)(y * 3 + 2) * LANES, VW)};
        winograd_kernel(row, s[y]);
    }
#pragma GCC unroll 6
    for (int q = 0; q < 6; q++) {
        const V column[3] = {s[0][q], s[1][q], s[2][q]};
        V u[6];
        winograd_kernel(column, u);
        for (int p = 0; p < 6; p++)
            v_store(CG_F32, to, (size_t)(p * 6 + q) * plane, VW, u[p]);
    }
}

/* Panel PANEL of the group from output channel O0, inputs I0... */
static void winograd_weights(const Winograd *g, size_t o0, size_t panel, size_t i0)
{
    const size_t count = MIN(KERNELS, g->c->c_in - i0);
    float kernels[KERNELS * 9 * LANES];
    winograd_gather(g->c, o0 + panel * LANES, i0, count, kernels);
    for (size_t i = 0; i < count; i++)
        for (size_t half = 0; half < LANES; half += VW)
            winograd_kernel_vector(kernels + i * 9 * LANES + half,
                                   g->u + (panel * g->c->c_in + i0 + i) * LANES + half, g->u_plane);
}

/* ---- inputs -------------------------------------------------------------------------------- */

/* A tile's pixels of x, zeros outside the image. */
static void winograd_pixels(const Winograd *g, size_t tile, const float *pixels[POINTS])
{
    const CgWinograd *c = g->c;
    const size_t image = tile / (g->down * g->across);
    const int64_t row = (int64_t)(tile / g->across % g->down * 4) - c->top;
    const int64_t column = (int64_t)(tile % g->across * 4) - c->left;
    for (int p = 0; p < POINTS; p++) {
        const int64_t y = row + p / 6, x = column + p % 6;
        const gboolean inside = y >= 0 && y < (int64_t)c->h && x >= 0 && x < (int64_t)c->w;
        pixels[p] =
            inside ? c->x + ((image * c->h + (size_t)y) * c->w + (size_t)x) * c->c_in : g->zeros;
    }
}

/* COUNT channels from I of SIDE x SIDE pixels: B^T d B with 6, A dy A^T with 4. */
VINLINE void winograd_tile_vector(const float *const *pixels, int side, size_t i, size_t count,
                                  float *to, size_t plane)
{
    V s[6][6];
#pragma GCC unroll 6
    for (int x = 0; x < side; x++) {
        V d[6], column[6];
#pragma GCC unroll 6
        for (int y = 0; y < side; y++)
            d[y] = v_load(CG_F32, pixels[y * side + x], i, count);
        winograd_to_points(side, d, column);
#pragma GCC unroll 6
        for (int y = 0; y < 6; y++)
            s[y][x] = column[y];
    }
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) {
        V row[6];
        winograd_to_points(side, s[y], row);
#pragma GCC unroll 6
        for (int x = 0; x < 6; x++)
            v_store(CG_F32, to + (size_t)(y * 6 + x) * plane, i, VW, row[x]);
    }
}

/* Tile FIRST + T to row T of the matrices; rows after the last tile are zeros. */
static void winograd_input_tile(const Winograd *g, size_t first, size_t t)
{
    float *to = g->v + t * g->v_row;
    if (first + t >= g->tiles) {
        for (size_t p = 0; p < POINTS; p++)
            memset(to + p * g->v_plane, 0, g->c->c_in * sizeof *to);
        return;
    }
    const float *pixels[POINTS];
    winograd_pixels(g, first + t, pixels);
    V_FOR(g->c->c_in, winograd_tile_vector(pixels, 6, i, k, to, g->v_plane));
}

/* ---- products ------------------------------------------------------------------------------ */

/* C [ROWS][LANES] = A [ROWS][COUNT] B [COUNT][LANES]. */
static __attribute__((noinline)) void winograd_product(const float *a, size_t a_row, const float *b,
                                                       size_t count, float *c, size_t c_row)
{
    V s[ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
        s[r][0] = s[r][1] = v_zero();
    for (size_t k = 0; k < count; k++, b += LANES) {
        V b0 = v_load(CG_F32, b, 0, VW), b1 = v_load(CG_F32, b, VW, VW);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            s[r][0] += b0 * a[(size_t)r * a_row + k];
            s[r][1] += b1 * a[(size_t)r * a_row + k];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
        v_store(CG_F32, c + (size_t)r * c_row, 0, VW, s[r][0]);
        v_store(CG_F32, c + (size_t)r * c_row, VW, VW, s[r][1]);
    }
}

/* ROWS_USED tiles' products at point P with a panel of the group. */
static void winograd_products(const Winograd *g, size_t rows, size_t p, size_t panel)
{
    const float *u = g->u + p * g->u_plane + panel * g->c->c_in * LANES;
    const float *v = g->v + p * g->v_plane;
    float *m = g->m + p * g->m_plane + panel * LANES;
    for (size_t r = 0; r < rows; r += ROWS)
        winograd_product(v + r * g->v_row, g->v_row, u, g->c->c_in, m + r * g->m_row, g->m_row);
}

/* ---- outputs ------------------------------------------------------------------------------- */

/* A tile's outputs inside the image, from channel O0. */
typedef struct {
    size_t at, rows, columns; /* of the first, in floats; how many */
} WinogradPatch;

static WinogradPatch winograd_patch(const Winograd *g, size_t tile, size_t o0)
{
    const CgWinograd *c = g->c;
    const size_t image = tile / (g->down * g->across);
    const size_t row = tile / g->across % g->down * 4, column = tile % g->across * 4;
    return (WinogradPatch){
        ((image * c->to_h + row) * c->to_w + column) * c->c_out + o0,
        MIN(4, c->to_h - row),
        MIN(4, c->to_w - column),
    };
}

VINLINE void winograd_store(const CgWinograd *c, CgActivation act, const WinogradPatch *patch,
                            size_t i, size_t count, V y[4][4])
{
    for (size_t r = 0; r < patch->rows; r++)
        for (size_t q = 0; q < patch->columns; q++) {
            const size_t at = patch->at + (r * c->to_w + q) * c->c_out + i;
            V v = activate_vector(act, y[r][q]);
            if (c->residual)
                v += v_load(CG_F32, c->residual, at, count);
            v_store(CG_F32, c->y, at, count, v);
        }
}

/* A^T M A of COUNT channels from I of the group, O0 its first channel. */
VINLINE void winograd_output_vector(const CgWinograd *c, const WinogradPatch *patch, size_t o0,
                                    size_t i, size_t count, const float *m, size_t plane)
{
    const V bias = c->bias ? v_load(CG_F32, c->bias, o0 + i, count) : v_zero();
    V s[4][6], y[4][4];
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) {
        V column[6], to[4];
#pragma GCC unroll 6
        for (int p = 0; p < 6; p++)
            column[p] = v_load(CG_F32, m + (size_t)(p * 6 + x) * plane, i, VW);
        winograd_output(column, to);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            s[r][x] = to[r];
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
        winograd_output(s[r], y[r]);
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++)
            y[r][q] += bias;
    }
#define CASE(act)                                                                                  \
    case act:                                                                                      \
        winograd_store(c, act, patch, i, count, y);                                                \
        break;
    switch (c->act) {
        CASE(CG_ACT_NONE)
        CASE(CG_ACT_SILU)
        CASE(CG_ACT_GELU)
        CASE(CG_ACT_QUICK_GELU)
        CASE(CG_ACT_RELU)
        CASE(CG_ACT_SIGMOID)
    }
#undef CASE
}

/* Row T of the products to tile FIRST + T, OUTS channels from O0. */
static void winograd_output_tile(const Winograd *g, size_t first, size_t t, size_t o0, size_t outs)
{
    const WinogradPatch patch = winograd_patch(g, first + t, o0);
    const float *m = g->m + t * g->m_row;
    V_FOR(outs, winograd_output_vector(g->c, &patch, o0, i, k, m, g->m_plane));
}

/* ---- all ----------------------------------------------------------------------------------- */

/* Chunks of tiles whose rows in the matrices have so many floats. */
static void winograd_cut_tiles(Winograd *g, size_t v_row, size_t m_row)
{
    const size_t tile = POINTS * (v_row + m_row) * sizeof(float);
    const size_t most = CLAMP(TILES_BYTES / tile, TILES_LEAST, TILES_MOST);
    const size_t chunks = (g->tiles + most - 1) / most;
    g->chunk = ((g->tiles + chunks - 1) / chunks + ROWS - 1) / ROWS * ROWS;
    g->v_row = v_row;
    g->m_row = m_row;
    /* One cache line more: stores to all 36 planes must not meet in one cache set. */
    g->v_plane = g->chunk * v_row + 16;
    g->m_plane = g->chunk * m_row + 16;
}

static void winograd_cut(Winograd *g, const CgWinograd *c)
{
    g->c = c;
    g->down = (c->to_h + 3) / 4;
    g->across = (c->to_w + 3) / 4;
    g->tiles = c->n * g->down * g->across;
    g->panels = (c->c_out + LANES - 1) / LANES;
    g->group = CLAMP(GROUP_BYTES / (POINTS * c->c_in * LANES * sizeof(float)), 1, g->panels);
    g->group = (g->panels + (g->panels + g->group - 1) / g->group - 1) /
               ((g->panels + g->group - 1) / g->group);
    winograd_cut_tiles(g, winograd_row(c->c_in), winograd_row(g->group * LANES));
    g->u_plane = g->group * c->c_in * LANES + 16;
}

/* All tiles, output channels of the group from panel FIRST_PANEL; the first chunk's inputs are
 * there already when there is no other. Among threads. */
static void winograd_group(const Winograd *g, size_t first_panel)
{
    const CgWinograd *c = g->c;
    const size_t o0 = first_panel * LANES, panels = MIN(g->group, g->panels - first_panel);
    const size_t outs = MIN(panels * LANES, c->c_out - o0);
#pragma omp for collapse(2) schedule(static)
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t i = 0; i < c->c_in; i += KERNELS)
            winograd_weights(g, o0, panel, i);
    for (size_t first = 0; first < g->tiles; first += g->chunk) {
        const size_t tiles = MIN(g->chunk, g->tiles - first);
        const size_t rows = (tiles + ROWS - 1) / ROWS * ROWS;
        if (g->tiles > g->chunk || first_panel == 0) {
#pragma omp for schedule(static)
            for (size_t t = 0; t < rows; t++)
                winograd_input_tile(g, first, t);
        }
#pragma omp for collapse(2) schedule(static)
        for (size_t p = 0; p < POINTS; p++)
            for (size_t panel = 0; panel < panels; panel++)
                winograd_products(g, rows, p, panel);
#pragma omp for schedule(static)
        for (size_t t = 0; t < tiles; t++)
            winograd_output_tile(g, first, t, o0, outs);
    }
}

static void winograd(CgPool *pool, const CgWinograd *c)
{
    Winograd g;
    if (c->n * c->to_h * c->to_w * c->c_out == 0)
        return;
    winograd_cut(&g, c);
    const size_t u = POINTS * g.u_plane, v = POINTS * g.v_plane, m = POINTS * g.m_plane;
    g.u = cg_pool_scratch(pool, (u + v + m + g.v_row) * sizeof(float));
    g.v = g.u + u;
    g.m = g.v + v;
    g.zeros = memset(g.m + m, 0, g.v_row * sizeof(float));
#pragma omp parallel num_threads(work_threads(c->n * c->to_h * c->to_w * c->c_out * c->c_in))
    for (size_t panel = 0; panel < g.panels; panel += g.group)
        winograd_group(&g, panel);
}
