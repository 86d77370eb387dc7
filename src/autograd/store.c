#include "autograd/store.h"

#include "autograd/moments.h"
#include "autograd/tape.h"

#include <string.h>

/* Every leaf begins at a multiple of this many numbers: 64 bytes. */
#define ALIGN 16

size_t cg_store_size(size_t count, size_t total)
{
    return total + count * (ALIGN - 1);
}

static CgTensor *block_new(CgDType dtype, size_t count)
{
    return cg_tensor_zeros(dtype, CG_SHAPE((int64_t)count));
}

static void clear_parameter(gpointer data)
{
    g_free(((CgParameter *)data)->name);
}

CgStore *cg_store_new(size_t capacity)
{
    CgStore *store = g_new0(CgStore, 1);
    store->capacity = capacity;
    store->values = block_new(CG_F32, capacity);
    store->gradients = block_new(CG_F32, capacity);
    store->parameters = g_array_new(FALSE, TRUE, sizeof(CgParameter));
    g_array_set_clear_func(store->parameters, clear_parameter);
    store->leaves = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    store->leaf_gradients = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    return store;
}

void cg_store_free(CgStore *store)
{
    if (!store)
        return;
    g_ptr_array_unref(store->leaves);
    g_ptr_array_unref(store->leaf_gradients);
    g_array_unref(store->parameters);
    cg_tensor_unref(store->values);
    cg_tensor_unref(store->gradients);
    cg_tensor_unref(store->m);
    cg_tensor_unref(store->v);
    cg_tensor_unref(store->m_scales);
    cg_tensor_unref(store->v_scales);
    cg_tensor_unref(store->average);
    g_free(store);
}

static void release_block(void *owner, void *data, size_t size)
{
    (void)data, (void)size;
    cg_tensor_unref(owner);
}

static CgTensor *view(CgTensor *block, size_t offset, CgShape shape)
{
    float *data = cg_tensor_f32(block) + offset;
    return cg_tensor_wrap(CG_F32, shape, data, cg_shape_count(&shape) * sizeof *data, release_block,
                          cg_tensor_ref(block));
}

CgTensor *cg_store_add(CgStore *store, const char *const *names, CgTensor *const *initial,
                       int count, CgShape shape)
{
    const size_t first = (store->used + ALIGN - 1) / ALIGN * ALIGN;
    size_t offset = first;
    if (first + cg_shape_count(&shape) > store->capacity || store->m)
        g_error("%s: no room in the parameter store", names[0]);
    for (int i = 0; i < count; i++) {
        const CgParameter p = {.name = g_strdup(names[i]),
                               .shape = initial[i]->shape,
                               .offset = offset,
                               .count = initial[i]->count};
        cg_dtype_convert(initial[i]->data, initial[i]->dtype, cg_tensor_f32(store->values) + offset,
                         CG_F32, p.count);
        g_array_append_val(store->parameters, p);
        offset += p.count;
    }
    g_assert(offset - first == cg_shape_count(&shape));
    store->used = offset;
    CgTensor *leaf = view(store->values, first, shape);
    leaf->node = cg_node_of_leaf(store->leaves->len);
    g_ptr_array_add(store->leaves, leaf);
    g_ptr_array_add(store->leaf_gradients, view(store->gradients, first, shape));
    return leaf;
}

CgTensor *cg_store_add_buffer(CgStore *store, const char *name, CgTensor *initial)
{
    CgTensor *buffer = cg_store_add(store, &name, &initial, 1, initial->shape);
    g_array_index(store->parameters, CgParameter, store->parameters->len - 1).is_buffer = TRUE;
    buffer->node = 0;
    return buffer;
}

/* All buffers, one behind the other in PACKED, to or from the values; their count. */
static size_t move_buffers(const CgStore *store, float *packed, gboolean restore)
{
    size_t at = 0;
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        float *values = cg_tensor_f32(store->values) + p->offset;
        if (!p->is_buffer)
            continue;
        if (packed)
            memcpy(restore ? values : packed + at, restore ? packed + at : values,
                   p->count * sizeof *values);
        at += p->count;
    }
    return at;
}

float *cg_store_copy_buffers(const CgStore *store)
{
    const size_t count = move_buffers(store, NULL, FALSE);
    float *packed = count ? g_new(float, count) : NULL;
    if (packed)
        move_buffers(store, packed, FALSE);
    return packed;
}

void cg_store_restore_buffers(CgStore *store, const float *copy)
{
    if (copy)
        move_buffers(store, (float *)(guintptr)copy, TRUE);
}

CgTensor *cg_store_gradient(const CgStore *store, const CgTensor *leaf)
{
    g_assert(cg_node_is_leaf(leaf->node));
    return g_ptr_array_index(store->leaf_gradients, cg_node_leaf(leaf->node));
}

const CgParameter *cg_store_find(const CgStore *store, const char *name)
{
    for (guint i = 0; i < store->parameters->len; i++)
        if (g_str_equal(cg_store_nth(store, i)->name, name))
            return cg_store_nth(store, i);
    return NULL;
}

guint cg_store_count(const CgStore *store)
{
    return store->parameters->len;
}

guint64 cg_store_total(const CgStore *store)
{
    guint64 total = 0;
    for (guint i = 0; i < cg_store_count(store); i++)
        total += cg_store_nth(store, i)->count;
    return total;
}

const CgParameter *cg_store_nth(const CgStore *store, guint i)
{
    return &g_array_index(store->parameters, CgParameter, i);
}

CgTensor *cg_store_view(CgTensor *block, const CgParameter *parameter)
{
    return view(block, parameter->offset, parameter->shape);
}

void cg_store_keep_moments(CgStore *store, gboolean small)
{
    size_t blocks = 0;
    if (store->m)
        return;
    for (guint i = 0; i < store->leaves->len; i++)
        blocks += cg_moments_blocks(((CgTensor *)g_ptr_array_index(store->leaves, i))->count);
    store->m = block_new(small ? CG_U8 : CG_F32, store->capacity);
    store->v = block_new(small ? CG_U8 : CG_F32, store->capacity);
    if (small) {
        store->m_scales = block_new(CG_F32, blocks);
        store->v_scales = block_new(CG_F32, blocks);
    }
}

void cg_store_keep_average(CgStore *store)
{
    if (!store->average)
        store->average = cg_tensor_copy(store->values, CG_F32);
}

void cg_store_zero_gradients(CgStore *store)
{
    float *g = cg_tensor_f32(store->gradients);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < store->used; i++)
        g[i] = 0;
}
