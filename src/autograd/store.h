/* store: the numbers that training changes.
 *
 * Values, gradients and both moments of AdamW are four blocks with the same offsets, so that
 * clipping, the optimizer, averaging and a checkpoint are each one loop. Layers hold views of the
 * values; a view carries the variable by which a tape finds its gradient. All are f32, but moments
 * may be of a byte each (autograd/moments.h).
 *
 *     g_autoptr(CgStore) store = cg_store_new(count);
 *     CgTensor *w = cg_store_add(store, &name, &initial, 1, CG_SHAPE(320, 4, 3, 3));
 */
#ifndef CG_AUTOGRAD_STORE_H
#define CG_AUTOGRAD_STORE_H

#include "tensor/tensor.h"

/* One tensor of a model's file. */
typedef struct {
    char *name;
    CgShape shape;
    size_t offset, count; /* in the blocks */
    gboolean is_buffer;   /* no gradient changes it: a batch norm's running statistics */
} CgParameter;

typedef struct {
    CgTensor *values, *gradients; /* f32 [capacity] */
    CgTensor *average;            /* of the values over the steps (EMA), likewise; NULL: not kept */
    CgTensor *m, *v;              /* f32 or u8 [capacity]; NULL before cg_store_keep_moments */
    CgTensor *m_scales, *v_scales; /* of bytes: f32 [blocks of all leaves, in their order] */
    size_t capacity, used;
    GArray *parameters; /* of CgParameter, in order of offset */
    GPtrArray *leaves;  /* of CgTensor: what layers hold; leaf i is variable i of the store */
    GPtrArray *leaf_gradients;
} CgStore;

/* Numbers that COUNT parameters with TOTAL numbers take, aligned. */
size_t cg_store_size(size_t count, size_t total);
/* Room for CAPACITY numbers; values undefined, gradients zero. */
CgStore *cg_store_new(size_t capacity);
void cg_store_free(CgStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgStore, cg_store_free)

/* A leaf [SHAPE] made of COUNT parameters that lie below each other in it, each with the shape and
 * numbers of its INITIAL (any float type). Aborts when there is no room. Returns the leaf,
 * borrowed: f32, its numbers in the store's values. */
CgTensor *cg_store_add(CgStore *store, const char *const *names, CgTensor *const *initial,
                       int count, CgShape shape);

/* The same for one buffer NAME: it is saved and averaged with the parameters, but a constant to
 * tapes; whoever owns it changes its numbers. */
CgTensor *cg_store_add_buffer(CgStore *store, const char *name, CgTensor *initial);
/* The buffers' values, to be put back later: for what must not change them. NULL when there are
 * none. Free with g_free. */
float *cg_store_copy_buffers(const CgStore *store);
void cg_store_restore_buffers(CgStore *store, const float *copy);

/* The gradient of a leaf: f32, same shape; added to by tapes. Borrowed. */
CgTensor *cg_store_gradient(const CgStore *store, const CgTensor *leaf);
/* The parameter NAME, or NULL. */
const CgParameter *cg_store_find(const CgStore *store, const char *name);
guint cg_store_count(const CgStore *store);
/* Numbers in all parameters. */
guint64 cg_store_total(const CgStore *store);
const CgParameter *cg_store_nth(const CgStore *store, guint i);
/* A view of PARAMETER in one of the blocks; new reference. */
CgTensor *cg_store_view(CgTensor *block, const CgParameter *parameter);

void cg_store_zero_gradients(CgStore *store);
/* The moments, all zero, unless they are there; in bytes with SMALL. Nothing can be added later. */
void cg_store_keep_moments(CgStore *store, gboolean small);
/* From now on the average is kept; it begins as the values are. */
void cg_store_keep_average(CgStore *store);

#endif
