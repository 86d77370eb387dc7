/* weights-gradient-body: the gradient of convolution kernels and linear matrices, compiled once per
 * instruction set.
 *
 *     dw[o, i, kh, kw] += sum over n, y, x of dy[n, y, x, o] x[n, y s + kh - top, x s + kw - left,
 * i]
 *
 * For each kernel position it is a matrix product over pixels. Pixels are cut into blocks whose
 * channels are packed into panels: ROWS channels of one side, LANES of the other, zeros around the
 * image included. A product of two panels keeps ROWS x LANES sums in registers while it walks over
 * a block's pixels; the kernel position only moves its start in the packed x. Sums are f32, over at
 * most BLOCK_PIXELS before they meet those of other blocks.
 *
 * What is summed in which order follows from the shape alone, so threads change nothing.
 */

#define LANES        (2 * VW)
#define ROWS         (VW == 16 ? 12 : 6)
#define BLOCK_PIXELS 256
/* Blocks are packed and used by the chunk, which bounds the memory. */
#define CHUNK_BYTES ((size_t)24 << 20)
/* Sums that a task keeps: half a level 2 cache. */
#define TASK_BYTES ((size_t)128 << 10)
/* Tasks that are made at least when there are pixels for them. */
#define TASKS 32

/* One image or token tensor, cut into panels of WIDTH channels. */
typedef struct {
    CgDType t;
    const void *data;
    size_t c, width, panels;
} Side;

typedef struct {
    CgConvGeometry g;
    Side x, dy;
    gboolean x_in_lanes; /* else x is in rows and dy in lanes */
    size_t h, w, to_h, to_w;
    size_t block_rows, block_columns;              /* outputs of a block, at most */
    size_t image_blocks_down, image_blocks_across; /* blocks of an image */
    size_t blocks;
    size_t x_pixels, dy_pixels;         /* packed, of a full block */
    size_t block_floats;                /* packed */
    size_t taps;                        /* kernel positions */
    size_t group_x, group_dy;           /* panels of a task */
    size_t groups_x, groups_dy, slices; /* a slice: some of a chunk's blocks */
    size_t task_floats;
    float *dw;
} Gradient;

typedef struct {
    size_t image, row, column, rows, columns; /* of outputs */
} Block;

static Block block_at(const Gradient *g, size_t index)
{
    Block b;
    size_t across = index % g->image_blocks_across;
    size_t down = index / g->image_blocks_across % g->image_blocks_down;
    b.image = index / g->image_blocks_across / g->image_blocks_down;
    b.row = down * g->block_rows;
    b.column = across * g->block_columns;
    b.rows = MIN(g->block_rows, g->to_h - b.row);
    b.columns = MIN(g->block_columns, g->to_w - b.column);
    return b;
}

/* ---- packing ------------------------------------------------------------------------------- */

/* COUNT pixels of SIDE from pixel FROM, all panels; a panel's pixels go to TO, PITCH floats from
 * panel to panel. */
VINLINE void pack_pixels(CgDType t, const Side *side, size_t width, size_t from, size_t count,
                         float *to, size_t pitch)
{
    size_t full = side->c / width, rest = side->c % width;
    for (size_t p = 0; p < count; p++, from++, to += width) {
        for (size_t j = 0; j < full && t == CG_F32 && width % VW; j++)
            memcpy(to + j * pitch, (const float *)side->data + from * side->c + j * width,
                   width * sizeof *to);
        for (size_t j = 0; j < full && (t != CG_F32 || width % VW == 0); j++)
            for (size_t i = 0; i < width; i += VW) {
                size_t k = MIN(VW, width - i);
                v_store(CG_F32, to + j * pitch, i, k,
                        v_load(t, side->data, from * side->c + j * width + i, k));
            }
        for (size_t i = 0; i < width && rest; i++)
            to[full * pitch + i] =
                i >= rest ? 0.0f
                : t == CG_F32
                    ? ((const float *)side->data)[from * side->c + full * width + i]
                    : cg_f32_from_bf16(
                          ((const uint16_t *)side->data)[from * side->c + full * width + i]);
    }
}

static void pack_run(const Side *side, size_t from, size_t count, float *to, size_t pitch)
{
    if (side->width == LANES && side->t == CG_F32)
        pack_pixels(CG_F32, side, LANES, from, count, to, pitch);
    else if (side->width == LANES)
        pack_pixels(CG_BF16, side, LANES, from, count, to, pitch);
    else if (side->t == CG_F32)
        pack_pixels(CG_F32, side, ROWS, from, count, to, pitch);
    else
        pack_pixels(CG_BF16, side, ROWS, from, count, to, pitch);
}

static void pack_zeros(const Side *side, size_t count, float *to, size_t pitch)
{
    for (size_t j = 0; j < side->panels; j++)
        memset(to + j * pitch, 0, count * side->width * sizeof *to);
}

/* TO: [panel][rows (s) + kernel_h - s][columns (s) + kernel_w - s][width]. */
static void pack_x(const Gradient *g, const Block *b, float *to)
{
    const CgConvGeometry *geometry = &g->g;
    size_t s = (size_t)geometry->stride, pitch = g->x_pixels * g->x.width;
    size_t rows = (b->rows - 1) * s + (size_t)geometry->kernel_h;
    size_t columns = (b->columns - 1) * s + (size_t)geometry->kernel_w;
    int64_t first = (int64_t)(b->column * s) - geometry->pad_left;
    size_t left = (size_t)CLAMP(-first, 0, (int64_t)columns);
    size_t right =
        (size_t)CLAMP(first + (int64_t)columns - (int64_t)g->w, 0, (int64_t)(columns - left));
    for (size_t r = 0; r < rows; r++, to += columns * g->x.width) {
        int64_t row = (int64_t)(b->row * s + r) - geometry->pad_top;
        if (row < 0 || row >= (int64_t)g->h) {
            pack_zeros(&g->x, columns, to, pitch);
            continue;
        }
        size_t from = (b->image * g->h + (size_t)row) * g->w + (size_t)(first + (int64_t)left);
        pack_zeros(&g->x, left, to, pitch);
        pack_run(&g->x, from, columns - left - right, to + left * g->x.width, pitch);
        pack_zeros(&g->x, right, to + (columns - right) * g->x.width, pitch);
    }
}

/* TO: [panel][rows][columns][width]. */
static void pack_dy(const Gradient *g, const Block *b, float *to)
{
    for (size_t r = 0; r < b->rows; r++, to += b->columns * g->dy.width)
        pack_run(&g->dy, (b->image * g->to_h + b->row + r) * g->to_w + b->column, b->columns, to,
                 g->dy_pixels * g->dy.width);
}

/* ---- products ------------------------------------------------------------------------------ */

/* SUMS [ROWS][LANES] += the products of ROWS x COLUMNS pixels. A and B start at the first pixel;
 * their pixels are *_STEP floats apart, rows of pixels *_ROW. */
static __attribute__((noinline)) void product(const float *a, size_t a_step, size_t a_row,
                                              const float *b, size_t b_step, size_t b_row,
                                              size_t rows, size_t columns, float *sums)
{
    V s[ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
        s[i][0] = v_load(CG_F32, sums, (size_t)i * LANES, VW);
        s[i][1] = v_load(CG_F32, sums, (size_t)i * LANES + VW, VW);
    }
    for (; rows; rows--, a += a_row, b += b_row) {
        const float *x = a, *y = b;
        for (size_t j = 0; j < columns; j++, x += a_step, y += b_step) {
            V y0 = v_load(CG_F32, y, 0, VW), y1 = v_load(CG_F32, y, VW, VW);
#pragma GCC unroll 16
            for (int i = 0; i < ROWS; i++) {
                s[i][0] += y0 * x[i];
                s[i][1] += y1 * x[i];
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
        v_store(CG_F32, sums, (size_t)i * LANES, VW, s[i][0]);
        v_store(CG_F32, sums, (size_t)i * LANES + VW, VW, s[i][1]);
    }
}

/* A panel of x with a panel of dy in one block: SUMS [taps][ROWS][LANES]. */
static void block_products(const Gradient *g, const Block *b, const float *x, const float *dy,
                           float *sums)
{
    size_t s = (size_t)g->g.stride, kernel_w = (size_t)g->g.kernel_w;
    size_t x_line = ((b->columns - 1) * s + kernel_w) * g->x.width;
    size_t dy_line = b->columns * g->dy.width;
    size_t x_step = s * g->x.width;
    for (size_t tap = 0; tap < g->taps; tap++, sums += ROWS * LANES) {
        const float *from = x + tap / kernel_w * x_line + tap % kernel_w * g->x.width;
        if (g->x_in_lanes)
            product(dy, g->dy.width, dy_line, from, x_step, s * x_line, b->rows, b->columns, sums);
        else
            product(from, x_step, s * x_line, dy, g->dy.width, dy_line, b->rows, b->columns, sums);
    }
}

/* Task INDEX over COUNT packed blocks from FIRST: SUMS [group_dy][group_x][taps][ROWS][LANES]. */
static void task_products(const Gradient *g, size_t index, size_t first, size_t count,
                          const float *packed, float *sums)
{
    size_t pairs = g->groups_x * g->groups_dy, pair = index % pairs, slice = index / pairs;
    size_t from = count * slice / g->slices, to = count * (slice + 1) / g->slices;
    size_t dy0 = pair / g->groups_x * g->group_dy, dy1 = MIN(dy0 + g->group_dy, g->dy.panels);
    size_t x0 = pair % g->groups_x * g->group_x, x1 = MIN(x0 + g->group_x, g->x.panels);
    memset(sums, 0, g->task_floats * sizeof *sums);
    for (size_t i = from; i < to; i++) {
        Block b = block_at(g, first + i);
        const float *x = packed + i * g->block_floats;
        const float *dy = x + g->x.panels * g->x_pixels * g->x.width;
        for (size_t p = dy0; p < dy1; p++)
            for (size_t q = x0; q < x1; q++)
                block_products(g, &b, x + q * g->x_pixels * g->x.width,
                               dy + p * g->dy_pixels * g->dy.width,
                               sums + ((p - dy0) * g->group_x + q - x0) * g->taps * ROWS * LANES);
    }
}

/* dw of a panel of dy with a panel of x += the slices' sums. SUMS: of slice 0, slices are PITCH
 * floats apart; they are added up in order into the first. */
static void pair_merge(const Gradient *g, size_t dy_panel, size_t x_panel, float *sums,
                       size_t pitch)
{
    size_t count = g->taps * ROWS * LANES;
    for (size_t slice = 1; slice < g->slices; slice++)
        V_FOR(count,
              v_store(CG_F32, sums, i, k,
                      v_load(CG_F32, sums, i, k) + v_load(CG_F32, sums + slice * pitch, i, k)));
    size_t outs = MIN(g->dy.width, g->dy.c - dy_panel * g->dy.width);
    size_t ins = MIN(g->x.width, g->x.c - x_panel * g->x.width);
    size_t out_step = g->x_in_lanes ? LANES : 1, in_step = g->x_in_lanes ? 1 : LANES;
    for (size_t o = 0; o < outs; o++) {
        float *to =
            g->dw + ((dy_panel * g->dy.width + o) * g->x.c + x_panel * g->x.width) * g->taps;
        const float *from = sums + o * out_step;
        if (g->taps == 1 && in_step == 1) {
            V_FOR(ins,
                  v_store(CG_F32, to, i, k, v_load(CG_F32, to, i, k) + v_load(CG_F32, from, i, k)));
            continue;
        }
        for (size_t i = 0; i < ins; i++)
            for (size_t tap = 0; tap < g->taps; tap++)
                *to++ += from[tap * ROWS * LANES + i * in_step];
    }
}

static void chunk_run(const Gradient *g, size_t first, size_t count, float *packed, float *sums,
                      int threads)
{
    size_t pairs = g->groups_x * g->groups_dy;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < count; i++) {
            Block b = block_at(g, first + i);
            float *x = packed + i * g->block_floats;
            pack_x(g, &b, x);
            pack_dy(g, &b, x + g->x.panels * g->x_pixels * g->x.width);
        }
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < pairs * g->slices; i++)
            task_products(g, i, first, count, packed, sums + i * g->task_floats);
#pragma omp for schedule(static)
        for (size_t p = 0; p < g->dy.panels; p++)
            for (size_t q = 0; q < g->x.panels; q++) {
                size_t pair = p / g->group_dy * g->groups_x + q / g->group_x;
                size_t at = p % g->group_dy * g->group_x + q % g->group_x;
                pair_merge(g, p, q, sums + pair * g->task_floats + at * g->taps * ROWS * LANES,
                           pairs * g->task_floats);
            }
    }
}

/* ---- cutting ------------------------------------------------------------------------------- */

static size_t panels_of(size_t c, size_t width)
{
    return (c + width - 1) / width;
}

static void choose_sides(Gradient *g)
{
    size_t x_rows = panels_of(g->x.c, ROWS) * panels_of(g->dy.c, LANES);
    size_t x_lanes = panels_of(g->x.c, LANES) * panels_of(g->dy.c, ROWS);
    /* With a single kernel position sums of x in lanes lie as dw does. */
    g->x_in_lanes = g->taps == 1 ? 8 * x_lanes <= 9 * x_rows : x_lanes < x_rows;
    g->x.width = g->x_in_lanes ? LANES : ROWS;
    g->dy.width = g->x_in_lanes ? ROWS : LANES;
    g->x.panels = panels_of(g->x.c, g->x.width);
    g->dy.panels = panels_of(g->dy.c, g->dy.width);
}

static void cut_blocks(Gradient *g, size_t images)
{
    size_t s = (size_t)g->g.stride;
    g->block_columns = MIN(g->to_w, BLOCK_PIXELS);
    g->block_rows = CLAMP(BLOCK_PIXELS / g->block_columns, 1, g->to_h);
    g->image_blocks_down = panels_of(g->to_h, g->block_rows);
    g->image_blocks_across = panels_of(g->to_w, g->block_columns);
    g->blocks = images * g->image_blocks_down * g->image_blocks_across;
    g->x_pixels = ((g->block_rows - 1) * s + (size_t)g->g.kernel_h) *
                  ((g->block_columns - 1) * s + (size_t)g->g.kernel_w);
    g->dy_pixels = g->block_rows * g->block_columns;
    g->block_floats =
        g->x.panels * g->x_pixels * g->x.width + g->dy.panels * g->dy_pixels * g->dy.width;
}

static void cut_tasks(Gradient *g, size_t chunk)
{
    size_t pair = g->taps * ROWS * LANES * sizeof(float);
    size_t all = MAX(TASK_BYTES / pair, 1);
    g->group_dy = CLAMP((size_t)sqrt((double)all / 2), 1, g->dy.panels);
    g->group_x = CLAMP(all / g->group_dy, 1, g->x.panels);
    g->groups_dy = panels_of(g->dy.panels, g->group_dy);
    g->groups_x = panels_of(g->x.panels, g->group_x);
    g->slices = CLAMP(TASKS / (g->groups_dy * g->groups_x), 1, chunk);
    g->task_floats = g->group_dy * g->group_x * pair / sizeof(float);
}

/* Of a linear layer of few rows: read and written once, dw is what costs. */
#define FEW_ROWS 16

VINLINE void few_rows_output(CgDType t, const void *x, const void *dy, size_t rows, size_t in,
                             size_t out, size_t o, float *dw)
{
    float d[FEW_ROWS];
    for (size_t r = 0; r < rows; r++)
        d[r] = t == CG_F32 ? ((const float *)dy)[r * out + o]
                           : cg_f32_from_bf16(((const uint16_t *)dy)[r * out + o]);
#define STEP                                                                                       \
    {                                                                                              \
        V sum = v_zero();                                                                          \
        for (size_t r = 0; r < rows; r++)                                                          \
            sum += v_load(t, x, r * in + i, k) * d[r];                                             \
        v_store(CG_F32, dw, o *in + i, k, v_load(CG_F32, dw, o * in + i, k) + sum);                \
    }
    V_FOR(in, STEP);
#undef STEP
}

static void few_rows_gradient(const CgTensor *x, const CgTensor *dy, size_t rows, size_t in,
                              size_t out, float *dw)
{
#pragma omp parallel for schedule(static) num_threads(work_threads(in *out))
    for (size_t o = 0; o < out; o++) {
        if (x->dtype == CG_F32)
            few_rows_output(CG_F32, x->data, dy->data, rows, in, out, o, dw);
        else
            few_rows_output(CG_BF16, x->data, dy->data, rows, in, out, o, dw);
    }
}

/* X [images, h, w, c_in], DY [images, to_h, to_w, c_out]; DW [c_out, c_in, kh, kw]. */
static void weights_gradient(CgPool *pool, const CgConvGeometry *geometry, const CgTensor *x,
                             const CgTensor *dy, const size_t size[5], float *dw)
{
    Gradient g = {.g = *geometry,
                  .x = {x->dtype, x->data, (size_t)geometry->c_in, 0, 0},
                  .dy = {dy->dtype, dy->data, (size_t)geometry->c_out, 0, 0},
                  .h = size[1],
                  .w = size[2],
                  .to_h = size[3],
                  .to_w = size[4],
                  .taps = (size_t)geometry->kernel_h * (size_t)geometry->kernel_w,
                  .dw = dw};
    if (dy->count == 0 || x->count == 0)
        return;
    if (size[0] == 1 && size[1] == 1 && size[3] == 1 && g.taps == 1 && size[2] == size[4] &&
        size[2] <= FEW_ROWS) {
        few_rows_gradient(x, dy, size[2], g.x.c, g.dy.c, dw);
        return;
    }
    choose_sides(&g);
    cut_blocks(&g, size[0]);
    size_t chunk = CLAMP(CHUNK_BYTES / (g.block_floats * sizeof(float)), 1, g.blocks);
    cut_tasks(&g, chunk);
    int threads = work_threads(dy->count * (size_t)geometry->c_in * g.taps);
    size_t packed = cg_size_align(chunk * g.block_floats, 16);
    size_t sums = g.groups_dy * g.groups_x * g.slices * g.task_floats;
    float *scratch = cg_pool_scratch(pool, (packed + sums) * sizeof(float));
    for (size_t first = 0; first < g.blocks; first += chunk)
        chunk_run(&g, first, MIN(chunk, g.blocks - first), scratch, scratch + packed, threads);
}

#undef LANES
#undef ROWS
