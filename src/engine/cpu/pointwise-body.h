/* pointwise-body: activations, sums and casts, compiled once per instruction set. Follows
 * norm-body.h, which has activate_vector.
 *
 * Every function comes as *_piece, inlined with constant types, and a dispatcher that cuts the
 * tensor into pieces or rows.
 */

VINLINE void activate_piece(CgDType t, CgActivation act, const void *x, void *y, size_t at,
                            size_t count)
{
    V_FOR(count, v_store(t, y, at + i, k, activate_vector(act, v_load(t, x, at + i, k))));
}

static void activate_typed(CgDType t, CgActivation act, const void *x, void *y, size_t at,
                           size_t count)
{
#define CASE(act)                                                                                  \
    case act:                                                                                      \
        if (t == CG_F32)                                                                           \
            activate_piece(CG_F32, act, x, y, at, count);                                          \
        else                                                                                       \
            activate_piece(CG_BF16, act, x, y, at, count);                                         \
        break;
    switch (act) {
        CASE(CG_ACT_NONE)
        CASE(CG_ACT_SILU)
        CASE(CG_ACT_GELU)
        CASE(CG_ACT_QUICK_GELU)
        CASE(CG_ACT_RELU)
        CASE(CG_ACT_SIGMOID)
    }
#undef CASE
}

static void activate(CgActivation act, const CgTensor *x, CgTensor *y)
{
    cg_check_same("activate", x, y);
    size_t pieces = work_pieces(x->count);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t p = 0; p < pieces; p++)
        activate_typed(x->dtype, act, x->data, y->data, p * WORK_PIECE,
                       work_piece_length(x->count, p));
}

VINLINE void geglu_piece(CgDType t, const void *x, void *y, size_t row, size_t c)
{
    size_t value = row * 2 * c, gate = value + c, out = row * c;
    V_FOR(c, v_store(t, y, out + i, k,
                     v_load(t, x, value + i, k) * v_gelu(v_load(t, x, gate + i, k))));
}

static void geglu(const CgTensor *x, CgTensor *y)
{
    cg_check_geglu(x, y);
    size_t c = work_columns(y), rows = work_rows(y);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < rows; r++) {
        if (x->dtype == CG_F32)
            geglu_piece(CG_F32, x->data, y->data, r, c);
        else
            geglu_piece(CG_BF16, x->data, y->data, r, c);
    }
}

VINLINE void scale_piece(CgDType t, const void *x, float factor, void *y, size_t at, size_t count)
{
    V_FOR(count, v_store(t, y, at + i, k, v_load(t, x, at + i, k) * factor));
}

static void scale(const CgTensor *x, float factor, CgTensor *y)
{
    cg_check_same("scale", x, y);
    size_t pieces = work_pieces(y->count);
#pragma omp parallel for schedule(static) num_threads(work_threads(y->count))
    for (size_t p = 0; p < pieces; p++) {
        size_t at = p * WORK_PIECE, count = work_piece_length(y->count, p);
        if (y->dtype == CG_F32)
            scale_piece(CG_F32, x->data, factor, y->data, at, count);
        else
            scale_piece(CG_BF16, x->data, factor, y->data, at, count);
    }
}

VINLINE void add_piece(CgDType t, const void *a, const void *b, float scale, void *y, size_t at,
                       size_t count)
{
    V_FOR(count,
          v_store(t, y, at + i, k, v_load(t, b, at + i, k) * scale + v_load(t, a, at + i, k)));
}

static void add(const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    cg_check_same("add", a, y);
    cg_check_same("add", b, y);
    size_t pieces = work_pieces(y->count);
#pragma omp parallel for schedule(static) num_threads(work_threads(y->count))
    for (size_t p = 0; p < pieces; p++) {
        size_t at = p * WORK_PIECE, count = work_piece_length(y->count, p);
        if (y->dtype == CG_F32)
            add_piece(CG_F32, a->data, b->data, scale, y->data, at, count);
        else
            add_piece(CG_BF16, a->data, b->data, scale, y->data, at, count);
    }
}

VINLINE void add_channels_piece(CgDType t, const void *x, const float *v, void *y, size_t at,
                                size_t c)
{
    V_FOR(c, v_store(t, y, at + i, k, v_load(t, x, at + i, k) + v_load(CG_F32, v, i, k)));
}

static void add_channels(const CgTensor *x, const CgTensor *v, CgTensor *y)
{
    cg_check_add_channels(x, v, y);
    size_t c = work_columns(x), rows = work_rows(x);
    size_t sample_rows = v->shape.d[0] == 1 ? rows : rows / (size_t)x->shape.d[0];
    const float *f = cg_tensor_f32(v);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < rows; r++) {
        const float *channels = f + r / sample_rows * c;
        if (x->dtype == CG_F32)
            add_channels_piece(CG_F32, x->data, channels, y->data, r * c, c);
        else
            add_channels_piece(CG_BF16, x->data, channels, y->data, r * c, c);
    }
}

VINLINE void cast_piece(CgDType from, CgDType to, const void *x, void *y, size_t at, size_t count)
{
    V_FOR(count, v_store(to, y, at + i, k, v_load(from, x, at + i, k)));
}

static void cast(const CgTensor *x, CgTensor *y)
{
    cg_check_cast(x, y);
    size_t pieces = work_pieces(x->count), size = cg_dtype_size(x->dtype);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t p = 0; p < pieces; p++) {
        size_t at = p * WORK_PIECE, count = work_piece_length(x->count, p);
        if (x->dtype == y->dtype)
            memmove((char *)y->data + at * size, (const char *)x->data + at * size, count * size);
        else if (x->dtype == CG_F32)
            cast_piece(CG_F32, CG_BF16, x->data, y->data, at, count);
        else
            cast_piece(CG_BF16, CG_F32, x->data, y->data, at, count);
    }
}
