#include "engine/pool.h"

#include <string.h>

/* Sizes as they come in a network: many, of which some repeat. */
static CgTensor *nth_tensor(CgPool *pool, guint i)
{
    return cg_pool_tensor(pool, i % 2 ? CG_F32 : CG_BF16, CG_SHAPE(1 + i % 3, 17 + 1000 * i, 8));
}

/* Takes and gives back in an interleaved order, as a network does. */
static void step(CgPool *pool)
{
    CgTensor *kept[4] = {NULL};
    for (guint i = 0; i < 40; i++) {
        CG_SET(kept[i % 4], nth_tensor(pool, i));
        memset(kept[i % 4]->data, 1, cg_tensor_bytes(kept[i % 4]));
        cg_pool_scratch(pool, 1000 * (i % 7));
    }
    for (guint i = 0; i < 4; i++)
        cg_tensor_unref(kept[i]);
}

static void test_repeated_step_asks_the_system_for_nothing(void)
{
    CgPool *pool = cg_pool_new();
    step(pool);
    CgPoolStats first = cg_pool_stats(pool);
    g_assert_cmpuint(first.system_allocations, >, 0);
    for (int i = 0; i < 5; i++)
        step(pool);
    CgPoolStats later = cg_pool_stats(pool);
    g_assert_cmpuint(later.system_allocations, ==, first.system_allocations);
    g_assert_cmpuint(later.held, ==, first.held);
    g_assert_cmpuint(later.peak_in_use, ==, first.peak_in_use);
    cg_pool_unref(pool);
}

static void test_memory_of_a_dead_tensor_serves_the_next(void)
{
    CgPool *pool = cg_pool_new();
    CgTensor *a = cg_pool_tensor(pool, CG_F32, CG_SHAPE(1000, 1000));
    void *data = a->data;
    size_t in_use = cg_pool_stats(pool).in_use;
    g_assert_cmpuint(in_use, >=, 4000000);
    cg_tensor_unref(a);
    g_assert_cmpuint(cg_pool_stats(pool).in_use, ==, 0);
    g_assert_cmpuint(cg_pool_stats(pool).peak_in_use, ==, in_use);
    g_assert_cmpuint(cg_pool_stats(pool).held, >=, in_use);
    CgTensor *b = cg_pool_tensor(pool, CG_BF16, CG_SHAPE(2000, 1000));
    g_assert_true(b->data == data);
    CgTensor *c = cg_pool_tensor(pool, CG_F32, CG_SHAPE(1000, 1000));
    g_assert_true(c->data != data);
    cg_tensor_unref(b);
    cg_tensor_unref(c);
    cg_pool_unref(pool);
}

static void test_blocks_hold_their_tensor_and_are_aligned(void)
{
    CgPool *pool = cg_pool_new();
    for (int64_t size = 0; size < 40000000; size += 1 + size / 3) {
        CgTensor *t = cg_pool_tensor(pool, CG_U8, CG_SHAPE(size));
        g_assert_cmpuint(t->capacity, >=, (guint64)size);
        g_assert_cmpuint(t->capacity, <=, (guint64)MAX(512, size + size / 8 + 64));
        g_assert_cmpuint((guintptr)t->data % 64, ==, 0);
        if (size >= 2 << 20)
            g_assert_cmpuint((guintptr)t->data % (2 << 20), ==, 0);
        memset(t->data, 0xab, t->capacity);
        cg_tensor_unref(t);
    }
    cg_pool_unref(pool);
}

static void test_trim_gives_idle_memory_back(void)
{
    CgPool *pool = cg_pool_new();
    g_autoptr(CgTensor) alive = cg_pool_tensor(pool, CG_F32, CG_SHAPE(100));
    CgTensor *idle = cg_pool_tensor(pool, CG_F32, CG_SHAPE(3000000));
    cg_pool_scratch(pool, 5000000);
    cg_tensor_unref(idle);
    cg_pool_trim(pool);
    CgPoolStats stats = cg_pool_stats(pool);
    g_assert_cmpuint(stats.held, ==, stats.in_use);
    g_assert_cmpuint(stats.in_use, ==, alive->capacity);
    memset(alive->data, 1, cg_tensor_bytes(alive));
    g_clear_pointer(&alive, cg_tensor_unref);
    cg_pool_unref(pool);
}

static void test_tensors_outlive_the_pool(void)
{
    CgPool *pool = cg_pool_new();
    CgTensor *small = cg_pool_tensor(pool, CG_F32, CG_SHAPE(10));
    CgTensor *large = cg_pool_tensor(pool, CG_F32, CG_SHAPE(1000000));
    CgTensor *view = cg_tensor_reshape(large, CG_SHAPE(1000, 1000));
    cg_pool_unref(pool);
    memset(small->data, 1, cg_tensor_bytes(small));
    cg_tensor_unref(large);
    memset(view->data, 1, cg_tensor_bytes(view));
    cg_tensor_unref(view);
    cg_tensor_unref(small);
}

static void test_scratch_grows_and_is_reused(void)
{
    CgPool *pool = cg_pool_new();
    void *small = cg_pool_scratch(pool, 1000);
    g_assert_cmpuint((guintptr)small % 64, ==, 0);
    g_assert_true(cg_pool_scratch(pool, 10) == small);
    memset(cg_pool_scratch(pool, 3000000), 1, 3000000);
    guint64 allocations = cg_pool_stats(pool).system_allocations;
    cg_pool_scratch(pool, 2999999);
    g_assert_cmpuint(cg_pool_stats(pool).system_allocations, ==, allocations);
    cg_pool_unref(pool);
}

static void test_virtual_pool_reserves_more_than_there_is(void)
{
    CgPool *pool = cg_pool_new_virtual();
    const int64_t terabyte = (int64_t)1 << 40;
    CgTensor *a = cg_pool_tensor(pool, CG_U8, CG_SHAPE(terabyte));
    CgTensor *b = cg_pool_tensor(pool, CG_U8, CG_SHAPE(2 * terabyte));
    CgTensor *small = cg_pool_tensor(pool, CG_F32, CG_SHAPE(10));
    g_assert_cmpuint(cg_pool_stats(pool).peak_in_use, >=, 3 * (guint64)terabyte);
    /* What is touched is memory. */
    memset(small->data, 1, cg_tensor_bytes(small));
    ((char *)b->data)[terabyte] = 1;
    cg_tensor_unref(a);
    cg_tensor_unref(b);
    cg_tensor_unref(small);
    cg_pool_unref(pool);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/repeated_step_asks_the_system_for_nothing",
                    test_repeated_step_asks_the_system_for_nothing);
    g_test_add_func("/pool/memory_of_a_dead_tensor_serves_the_next",
                    test_memory_of_a_dead_tensor_serves_the_next);
    g_test_add_func("/pool/blocks_hold_their_tensor_and_are_aligned",
                    test_blocks_hold_their_tensor_and_are_aligned);
    g_test_add_func("/pool/trim_gives_idle_memory_back", test_trim_gives_idle_memory_back);
    g_test_add_func("/pool/tensors_outlive_the_pool", test_tensors_outlive_the_pool);
    g_test_add_func("/pool/scratch_grows_and_is_reused", test_scratch_grows_and_is_reused);
    g_test_add_func("/pool/virtual_pool_reserves_more_than_there_is",
                    test_virtual_pool_reserves_more_than_there_is);
    return g_test_run();
}
