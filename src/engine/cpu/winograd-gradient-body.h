/* winograd-gradient-body: the gradient of 3x3 kernels of stride 1 by Winograd's F(4x4, 3x3),
 * compiled once per instruction set. Follows winograd-body.h, whose transforms it takes. With the
 * forward's matrices, the adjoint of y = A^T [(G g G^T) * (B^T d B)] A by g is
 *
 *     dg = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G,
 *
 * over channels 36 matrix products with the tiles inside. Their sums are kept for a block of input
 * and output channels while all tiles pass by the chunk; what is summed in which order follows from
 * the shape alone. */

/* Channels of a block each way, at most: 9 MB of sums. */
#define BLOCK_CHANNELS ((size_t)256)

typedef struct {
    Winograd g;                   /* v: transformed x; m: transformed dy */
    size_t in, out;               /* channels of a block, at most */
    size_t in_panels, out_panels; /* of ROWS; of LANES */
    float *sums;                  /* [36][out_panels][in_panels][ROWS][LANES] */
    float *dw;
} WinogradGradient;

/* G^T */
VINLINE void winograd_fold(const V u[6], V to[3])
{
    V sum_a = (u[1] + u[2]) * WEIGHT_A, sum_b = (u[3] + u[4]) * WEIGHT_B;
    to[0] = u[0] + sum_a + sum_b;
    to[1] = (u[1] - u[2]) * (POINT_A * WEIGHT_A) + (u[3] - u[4]) * (POINT_B * WEIGHT_B);
    to[2] = sum_a * SQUARE_A + sum_b * SQUARE_B + u[5];
}

/* Tile FIRST + T of x and dy to row T of the matrices; INS and OUTS channels from I0 and O0. */
static void winograd_gradient_tile(const Winograd *g, size_t first, size_t t, size_t i0, size_t ins,
                                   size_t o0, size_t outs)
{
    const CgWinograd *c = g->c;
    const float *x[POINTS], *dy[16];
    const WinogradPatch patch = winograd_patch(g, first + t, o0);
    winograd_pixels(g, first + t, x);
    for (size_t p = 0; p < POINTS; p++)
        x[p] += i0;
    for (size_t p = 0; p < 16; p++)
        dy[p] = p / 4 < patch.rows && p % 4 < patch.columns
                    ? c->y + patch.at + (p / 4 * c->to_w + p % 4) * c->c_out
                    : g->zeros;
    float *v = g->v + t * g->v_row, *m = g->m + t * g->m_row;
    V_FOR(ins, winograd_tile_vector(x, 6, i, k, v, g->v_plane));
    V_FOR(outs, winograd_tile_vector(dy, 4, i, k, m, g->m_plane));
}

/* SUMS [ROWS][LANES] += A^T B over COUNT tiles. */
static __attribute__((noinline)) void winograd_outer(const float *a, size_t a_row, const float *b,
                                                     size_t b_row, size_t count, float *sums)
{
    V s[ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
        s[r][0] = v_load(CG_F32, sums, (size_t)r * LANES, VW);
        s[r][1] = v_load(CG_F32, sums, (size_t)r * LANES + VW, VW);
    }
    for (; count; count--, a += a_row, b += b_row) {
        V b0 = v_load(CG_F32, b, 0, VW), b1 = v_load(CG_F32, b, VW, VW);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            s[r][0] += b0 * a[r];
            s[r][1] += b1 * a[r];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
        v_store(CG_F32, sums, (size_t)r * LANES, VW, s[r][0]);
        v_store(CG_F32, sums, (size_t)r * LANES + VW, VW, s[r][1]);
    }
}

static void winograd_outers(const WinogradGradient *w, size_t tiles, size_t ins, size_t p,
                            size_t panel)
{
    const Winograd *g = &w->g;
    const float *v = g->v + p * g->v_plane, *m = g->m + p * g->m_plane + panel * LANES;
    float *sums = w->sums + (p * w->out_panels + panel) * w->in_panels * ROWS * LANES;
    for (size_t i = 0; i < ins; i += ROWS)
        winograd_outer(v + i, g->v_row, m, g->m_row, tiles, sums + i * LANES);
}

/* dw of input I0 + I and LANES outputs from O0 += G^T sums G. */
static void winograd_gradient_add(const WinogradGradient *w, size_t i0, size_t i, size_t o0,
                                  size_t panel)
{
    const CgWinograd *c = w->g.c;
    const size_t plane = w->out_panels * w->in_panels * ROWS * LANES;
    const float *from = w->sums + (panel * w->in_panels * ROWS + i) * LANES;
    float kernel[9][LANES];
    for (size_t half = 0; half < LANES; half += VW) {
        V s[3][6];
        for (size_t x = 0; x < 6; x++) {
            V column[6], to[3];
            for (size_t p = 0; p < 6; p++)
                column[p] = v_load(CG_F32, from + (p * 6 + x) * plane, half, VW);
            winograd_fold(column, to);
            for (int r = 0; r < 3; r++)
                s[r][x] = to[r];
        }
        for (int r = 0; r < 3; r++) {
            V to[3];
            winograd_fold(s[r], to);
            for (int q = 0; q < 3; q++)
                v_store(CG_F32, kernel[r * 3 + q], half, VW, to[q]);
        }
    }
    o0 += panel * LANES;
    for (size_t o = 0; o < MIN(LANES, c->c_out - o0); o++)
        for (size_t k = 0; k < 9; k++)
            w->dw[((o0 + o) * c->c_in + i0 + i) * 9 + k] += kernel[k][o];
}

/* Among threads. */
static void winograd_gradient_block(const WinogradGradient *w, size_t i0, size_t o0)
{
    const Winograd *g = &w->g;
    const size_t ins = MIN(w->in, g->c->c_in - i0), outs = MIN(w->out, g->c->c_out - o0);
    const size_t panels = (outs + LANES - 1) / LANES;
#pragma omp for schedule(static)
    for (size_t p = 0; p < POINTS * w->out_panels; p++)
        memset(w->sums + p * w->in_panels * ROWS * LANES, 0,
               w->in_panels * ROWS * LANES * sizeof *w->sums);
    for (size_t first = 0; first < g->tiles; first += g->chunk) {
        const size_t tiles = MIN(g->chunk, g->tiles - first);
#pragma omp for schedule(static)
        for (size_t t = 0; t < tiles; t++)
            winograd_gradient_tile(g, first, t, i0, ins, o0, outs);
#pragma omp for collapse(2) schedule(static)
        for (size_t p = 0; p < POINTS; p++)
            for (size_t panel = 0; panel < panels; panel++)
                winograd_outers(w, tiles, ins, p, panel);
    }
#pragma omp for collapse(2) schedule(static)
    for (size_t i = 0; i < ins; i++)
        for (size_t panel = 0; panel < panels; panel++)
            winograd_gradient_add(w, i0, i, o0, panel);
}

static void winograd_gradient_cut(WinogradGradient *w, const CgWinograd *c)
{
    Winograd *g = &w->g;
    winograd_cut(g, c);
    w->in = MIN(c->c_in, BLOCK_CHANNELS);
    w->out = MIN(c->c_out, BLOCK_CHANNELS);
    w->in_panels = (w->in + ROWS - 1) / ROWS;
    w->out_panels = (w->out + LANES - 1) / LANES;
    winograd_cut_tiles(g, winograd_row(w->in), winograd_row(w->out_panels * LANES));
}

/* C's y is dy. */
static void winograd_gradient(CgPool *pool, const CgWinograd *c, float *dw)
{
    WinogradGradient w = {.dw = dw};
    Winograd *g = &w.g;
    if (c->n * c->to_h * c->to_w * c->c_out == 0)
        return;
    winograd_gradient_cut(&w, c);
    const size_t v = POINTS * g->v_plane, m = POINTS * g->m_plane;
    const size_t sums = POINTS * w.out_panels * w.in_panels * ROWS * LANES;
    const size_t zeros = winograd_row(MAX(c->c_in, c->c_out));
    w.sums = cg_pool_scratch(pool, (sums + v + m + zeros) * sizeof(float));
    g->v = w.sums + sums;
    g->m = g->v + v;
    g->zeros = memset(g->m + m, 0, zeros * sizeof(float));
#pragma omp parallel num_threads(work_threads(c->n * c->to_h * c->to_w * c->c_out * c->c_in))
    for (size_t o = 0; o < c->c_out; o += w.out)
        for (size_t i = 0; i < c->c_in; i += w.in)
            winograd_gradient_block(&w, i, o);
}

#undef LANES
#undef ROWS
#undef POINTS
#undef GROUP_BYTES
#undef TILES_BYTES
#undef TILES_LEAST
#undef TILES_MOST
#undef KERNELS
#undef BLOCK_CHANNELS
