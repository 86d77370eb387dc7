/* tensor: a reference-counted, contiguous, row-major array.
 *
 * Images and feature maps are [n, h, w, c], token sequences [n, t, c], matrices [m, n]; weights
 * keep their file's layout ([c_out, c_in, kh, kw], [out, in]). Element (i0, .., ik) lies at offset
 * ((i0 * d1 + i1) * d2 + ..) + ik.
 */
#ifndef CG_TENSOR_TENSOR_H
#define CG_TENSOR_TENSOR_H

#include "tensor/dtype.h"

#include <glib.h>

#define CG_MAX_RANK 5

typedef struct {
    int rank; /* 0..CG_MAX_RANK; rank 0 is a scalar */
    int64_t d[CG_MAX_RANK];
} CgShape;

/* CG_SHAPE(2, 64, 64, 320) */
#define CG_SHAPE(...)                                                                              \
    ((CgShape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

gboolean cg_shape_equal(const CgShape *a, const CgShape *b);
/* Product of the dims; the caller has checked that it fits (cg_shape_checked_count). */
size_t cg_shape_count(const CgShape *shape);
/* FALSE when a dim is negative or the product overflows size_t / ELEMENT_SIZE. */
gboolean cg_shape_checked_count(const CgShape *shape, size_t element_size, size_t *count);
/* "[2, 64, 64, 320]" in a caller's buffer of at least CG_SHAPE_TEXT bytes; returns BUFFER. */
#define CG_SHAPE_TEXT 128
const char *cg_shape_text(const CgShape *shape, char buffer[CG_SHAPE_TEXT]);

typedef void (*CgTensorRelease)(void *owner, void *data, size_t size);

typedef struct {
    gint ref_count;
    CgDType dtype;
    CgShape shape;
    size_t count;            /* elements */
    void *data;              /* 64-byte aligned, except views into files */
    CgTensorRelease release; /* called with owner when the last reference goes; may be NULL */
    void *owner;
    size_t capacity; /* bytes behind data, as the owner counts them */
    guint64 node;    /* which variable of a tape this is (autograd/tape.h); 0: a constant */
} CgTensor;

/* A tensor with its own memory, not initialised. Aborts when memory is gone, as GLib does: sizes
 * that come from files are checked against the machine before. */
CgTensor *cg_tensor_new(CgDType dtype, CgShape shape);
CgTensor *cg_tensor_zeros(CgDType dtype, CgShape shape);
/* A tensor over DATA; RELEASE(OWNER, DATA, SIZE) runs when it dies. */
CgTensor *cg_tensor_wrap(CgDType dtype, CgShape shape, void *data, size_t size,
                         CgTensorRelease release, void *owner);
/* The same elements under another shape of equal count, and the same variable of a tape; keeps T
 * alive. */
CgTensor *cg_tensor_reshape(CgTensor *t, CgShape shape);
/* Rows FIRST..FIRST+COUNT-1 of the first dimension, as a view that keeps T alive. T is no variable
 * of a tape. */
CgTensor *cg_tensor_rows(CgTensor *t, int64_t first, int64_t count);
/* A copy with its own memory, converted to DTYPE. */
CgTensor *cg_tensor_copy(const CgTensor *t, CgDType dtype);
/* Whether something else may look at T's elements: another reference to T or to what it is a view
 * of. */
gboolean cg_tensor_is_shared(const CgTensor *t);
CgTensor *cg_tensor_ref(CgTensor *t);
void cg_tensor_unref(CgTensor *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgTensor, cg_tensor_unref)

/* Replaces what the variable H holds: CG_SET(h, cg_silu(cx, h)) frees the old tensor after the new
 * one was computed from it. */
#define CG_SET(h, expression)                                                                      \
    do {                                                                                           \
        CgTensor *cg_set_new = (expression);                                                       \
        cg_tensor_unref(h);                                                                        \
        (h) = cg_set_new;                                                                          \
    } while (0)

size_t cg_tensor_bytes(const CgTensor *t);
static inline float *cg_tensor_f32(const CgTensor *t)
{
    g_assert(t->dtype == CG_F32);
    return t->data;
}

/* [n, c, h, w] <-> [n, h, w, c] copies (f32). */
CgTensor *cg_tensor_nchw_to_nhwc(const CgTensor *t);
CgTensor *cg_tensor_nhwc_to_nchw(const CgTensor *t);

/* TRUE when every element is finite (f32, bf16, f16). */
gboolean cg_tensor_is_finite(const CgTensor *t);

/* Programming errors only: aborts with WHAT and both shapes unless T has shape WANT. */
void cg_assert_shape(const char *what, const CgTensor *t, CgShape want);

#endif
