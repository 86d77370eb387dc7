#include "tensor/tensor.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

gboolean cg_shape_equal(const CgShape *a, const CgShape *b)
{
    return a->rank == b->rank && memcmp(a->d, b->d, (size_t)a->rank * sizeof a->d[0]) == 0;
}

size_t cg_shape_count(const CgShape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= (size_t)shape->d[i];
    return count;
}

gboolean cg_shape_checked_count(const CgShape *shape, size_t element_size, size_t *count)
{
    size_t n = 1, bytes;
    for (int i = 0; i < shape->rank; i++)
        if (shape->d[i] < 0 || !cg_size_mul(n, (size_t)shape->d[i], &n))
            return FALSE;
    if (!cg_size_mul(n, element_size, &bytes))
        return FALSE;
    *count = n;
    return TRUE;
}

const char *cg_shape_text(const CgShape *shape, char buffer[CG_SHAPE_TEXT])
{
    if (shape->rank > CG_MAX_RANK) {
        g_snprintf(buffer, CG_SHAPE_TEXT, "[%d dimensions]", shape->rank);
        return buffer;
    }
    size_t used = (size_t)g_snprintf(buffer, CG_SHAPE_TEXT, "[");
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)g_snprintf(buffer + used, CG_SHAPE_TEXT - used, "%s%" G_GINT64_FORMAT,
                                   i ? ", " : "", shape->d[i]);
    g_snprintf(buffer + used, CG_SHAPE_TEXT - used, "]");
    return buffer;
}

static void release_own(void *owner, void *data, size_t size)
{
    (void)owner;
    (void)size;
    free(data);
}

static void release_parent(void *owner, void *data, size_t size)
{
    (void)data;
    (void)size;
    cg_tensor_unref(owner);
}

CgTensor *cg_tensor_wrap(CgDType dtype, CgShape shape, void *data, size_t size,
                         CgTensorRelease release, void *owner)
{
    size_t count;
    g_assert(shape.rank >= 0 && shape.rank <= CG_MAX_RANK);
    if (!cg_shape_checked_count(&shape, cg_dtype_size(dtype), &count) ||
        count * cg_dtype_size(dtype) > size) {
        char text[CG_SHAPE_TEXT];
        g_error("a tensor %s of %s does not fit into %zu bytes", cg_shape_text(&shape, text),
                cg_dtype_name(dtype), size);
    }
    CgTensor *t = g_new0(CgTensor, 1);
    t->ref_count = 1;
    t->dtype = dtype;
    t->shape = shape;
    t->count = count;
    t->data = data;
    t->release = release;
    t->owner = owner;
    t->capacity = size;
    return t;
}

CgTensor *cg_tensor_new(CgDType dtype, CgShape shape)
{
    size_t count, size;
    char text[CG_SHAPE_TEXT];
    g_assert(shape.rank >= 0 && shape.rank <= CG_MAX_RANK);
    /* A spare vector at the end, so that rounding up cannot overflow below. */
    if (!cg_shape_checked_count(&shape, cg_dtype_size(dtype), &count) ||
        !cg_size_add(count * cg_dtype_size(dtype), ALIGNMENT, &size))
        g_error("a tensor %s is too large", cg_shape_text(&shape, text));
    size = cg_size_align(size - ALIGNMENT, ALIGNMENT);
    void *data = aligned_alloc(ALIGNMENT, MAX(size, ALIGNMENT));
    if (!data)
        g_error("out of memory for a tensor %s of %s", cg_shape_text(&shape, text),
                cg_dtype_name(dtype));
    return cg_tensor_wrap(dtype, shape, data, size, release_own, NULL);
}

CgTensor *cg_tensor_zeros(CgDType dtype, CgShape shape)
{
    CgTensor *t = cg_tensor_new(dtype, shape);
    memset(t->data, 0, cg_tensor_bytes(t));
    return t;
}

CgTensor *cg_tensor_reshape(CgTensor *t, CgShape shape)
{
    if (cg_shape_count(&shape) != t->count)
        cg_assert_shape("reshape", t, shape);
    CgTensor *view = cg_tensor_wrap(t->dtype, shape, t->data, cg_tensor_bytes(t), release_parent,
                                    cg_tensor_ref(t));
    view->node = t->node;
    return view;
}

gboolean cg_tensor_is_shared(const CgTensor *t)
{
    return t->ref_count > 1 || (t->release == release_parent && cg_tensor_is_shared(t->owner));
}

CgTensor *cg_tensor_rows(CgTensor *t, int64_t first, int64_t count)
{
    g_assert(t->shape.rank >= 1 && t->node == 0);
    g_assert(first >= 0 && count >= 0 && first <= t->shape.d[0] && count <= t->shape.d[0] - first);
    CgShape shape = t->shape;
    shape.d[0] = 1;
    size_t row = cg_shape_count(&shape) * cg_dtype_size(t->dtype);
    shape.d[0] = count;
    return cg_tensor_wrap(t->dtype, shape, (char *)t->data + (size_t)first * row,
                          (size_t)count * row, release_parent, cg_tensor_ref(t));
}

CgTensor *cg_tensor_copy(const CgTensor *t, CgDType dtype)
{
    CgTensor *copy = cg_tensor_new(dtype, t->shape);
    if (dtype == t->dtype)
        memcpy(copy->data, t->data, cg_tensor_bytes(t));
    else
        cg_dtype_convert(t->data, t->dtype, copy->data, dtype, t->count);
    return copy;
}

CgTensor *cg_tensor_ref(CgTensor *t)
{
    g_atomic_int_inc(&t->ref_count);
    return t;
}

void cg_tensor_unref(CgTensor *t)
{
    if (!t || !g_atomic_int_dec_and_test(&t->ref_count))
        return;
    if (t->release)
        t->release(t->owner, t->data, t->capacity);
    g_free(t);
}

size_t cg_tensor_bytes(const CgTensor *t)
{
    return t->count * cg_dtype_size(t->dtype);
}

/* dst[j][i] = src[i][j] for src [rows, columns], in squares that stay in the first-level cache. */
static void transpose(const float *src, float *dst, size_t rows, size_t columns)
{
    const size_t square = 32;
    const size_t across = (columns + square - 1) / square;
#pragma omp parallel for schedule(static) if (rows * columns >= 65536)
    for (size_t b = 0; b < across; b++) {
        size_t last = MIN(columns, (b + 1) * square);
        for (size_t i0 = 0; i0 < rows; i0 += square)
            for (size_t j = b * square; j < last; j++)
                for (size_t i = i0; i < MIN(rows, i0 + square); i++)
                    dst[j * rows + i] = src[i * columns + j];
    }
}

/* Per image, the last two groups of dims change places: [rows, columns] -> [columns, rows]. */
static CgTensor *transposed(const CgTensor *t, CgShape shape, size_t rows, size_t columns)
{
    CgTensor *out = cg_tensor_new(CG_F32, shape);
    for (int64_t n = 0; n < shape.d[0]; n++)
        transpose(cg_tensor_f32(t) + (size_t)n * rows * columns,
                  cg_tensor_f32(out) + (size_t)n * rows * columns, rows, columns);
    return out;
}

CgTensor *cg_tensor_nchw_to_nhwc(const CgTensor *t)
{
    const int64_t *d = t->shape.d;
    g_assert(t->shape.rank == 4 && t->dtype == CG_F32);
    return transposed(t, CG_SHAPE(d[0], d[2], d[3], d[1]), (size_t)d[1], (size_t)(d[2] * d[3]));
}

CgTensor *cg_tensor_nhwc_to_nchw(const CgTensor *t)
{
    const int64_t *d = t->shape.d;
    g_assert(t->shape.rank == 4 && t->dtype == CG_F32);
    return transposed(t, CG_SHAPE(d[0], d[3], d[1], d[2]), (size_t)(d[1] * d[2]), (size_t)d[3]);
}

/* Views into files start at any byte. */
typedef uint16_t Unaligned16 __attribute__((aligned(1), may_alias));
typedef uint32_t Unaligned32 __attribute__((aligned(1), may_alias));

/* 1 when one of N elements has all the bits of MASK, the exponent, set: NaN or infinity. */
static unsigned special16(const Unaligned16 *x, size_t n, uint16_t mask)
{
    uint16_t found = 0;
#pragma omp simd reduction(| : found)
    for (size_t i = 0; i < n; i++)
        found |= (x[i] & mask) == mask;
    return found;
}

static unsigned special32(const Unaligned32 *x, size_t n, uint32_t mask)
{
    uint32_t found = 0;
#pragma omp simd reduction(| : found)
    for (size_t i = 0; i < n; i++)
        found |= (x[i] & mask) == mask;
    return found;
}

gboolean cg_tensor_is_finite(const CgTensor *t)
{
    const size_t block = 16384, blocks = t->count / block + (t->count % block != 0);
    const uint16_t mask16 = t->dtype == CG_BF16 ? 0x7f80u : 0x7c00u;
    const gboolean wide = t->dtype == CG_F32;
    unsigned found = 0;

    g_assert(wide || t->dtype == CG_BF16 || t->dtype == CG_F16);
#pragma omp parallel for schedule(static) reduction(| : found) if (blocks > 16)
    for (size_t b = 0; b < blocks; b++) {
        size_t first = b * block, n = MIN(block, t->count - first);
        found |= wide ? special32((const Unaligned32 *)t->data + first, n, 0x7f800000u)
                      : special16((const Unaligned16 *)t->data + first, n, mask16);
    }
    return !found;
}

void cg_assert_shape(const char *what, const CgTensor *t, CgShape want)
{
    char expected[CG_SHAPE_TEXT], found[CG_SHAPE_TEXT];
    if (!cg_shape_equal(&t->shape, &want))
        g_error("%s: shape %s was expected, but it is %s", what, cg_shape_text(&want, expected),
                cg_shape_text(&t->shape, found));
}
