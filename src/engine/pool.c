#include "engine/pool.h"

#include "base/size.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif
#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* Blocks come in classes, eight to each power of two: a block is at most an eighth larger than
 * asked for, and that rest is never touched. A block serves its own class only. That holds a
 * little more memory than best fit would, but a repeated step finds exactly what it gave back. */
#define MIN_LOG    9 /* 512 bytes, so that an eighth is a multiple of ALIGN */
#define PARTS      8
#define CLASSES    ((64 - MIN_LOG) * PARTS)
#define ALIGN      ((size_t)64)
#define HUGE_ALIGN ((size_t)2 << 20)

struct CgPool {
    GPtrArray *free[CLASSES]; /* blocks not in use; NULL where there never was one */
    void *scratch;
    size_t scratch_size;
    guint64 live;    /* tensors alive */
    gboolean closed; /* the creator is gone */
    gboolean is_virtual;
    CgPoolStats stats;
};

static guint class_of(size_t size)
{
    if (size <= (size_t)1 << MIN_LOG)
        return 0;
    /* size - 1 lies in [2^log, 2^(log+1)); which eighth of it? */
    guint log = 63 - (guint)__builtin_clzll(size - 1);
    guint part = (guint)((size - 1) >> (log - 3)) & (PARTS - 1);
    return (log - MIN_LOG) * PARTS + part + 1;
}

static size_t class_size(guint class)
{
    if (class == 0)
        return (size_t)1 << MIN_LOG;
    guint log = MIN_LOG + (class - 1) / PARTS;
    return ((size_t)1 << log) + ((size_t)((class - 1) % PARTS + 1) << (log - 3));
}

static void *huge_alloc(size_t size, gboolean is_virtual)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (is_virtual ? MAP_NORESERVE : 0);
    /* Over-allocate, then give back what lies outside the aligned part. */
    char *raw = mmap(NULL, size + HUGE_ALIGN, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *data = (char *)cg_size_align((uintptr_t)raw, HUGE_ALIGN);
    size_t head = (size_t)(data - raw);
    if (head)
        munmap(raw, head);
    munmap(data + size, HUGE_ALIGN - head);
    madvise(data, size, MADV_HUGEPAGE);
    return data;
}

static void system_free(CgPool *pool, void *data, size_t size)
{
    if (!pool->is_virtual)
        ASAN_UNPOISON_MEMORY_REGION(data, size);
    if (size >= HUGE_ALIGN)
        munmap(data, size);
    else
        free(data);
    pool->stats.held -= size;
}

static void free_idle_blocks(CgPool *pool)
{
    for (guint i = 0; i < CLASSES; i++) {
        GPtrArray *list = pool->free[i];
        if (!list)
            continue;
        for (guint j = 0; j < list->len; j++)
            system_free(pool, g_ptr_array_index(list, j), class_size(i));
        g_ptr_array_set_size(list, 0);
    }
}

/* Aborts when there is no memory, as GLib does. SIZE is a class size. */
static void *system_alloc(CgPool *pool, size_t size)
{
    gboolean huge = size >= HUGE_ALIGN;
    void *data = huge ? huge_alloc(size, pool->is_virtual) : aligned_alloc(ALIGN, size);
    if (!data) {
        free_idle_blocks(pool);
        data = huge ? huge_alloc(size, pool->is_virtual) : aligned_alloc(ALIGN, size);
    }
    if (!data)
        g_error("out of memory: the system refused %zu bytes for activations", size);
    pool->stats.held += size;
    pool->stats.system_allocations++;
    return data;
}

static void use(CgPool *pool, size_t size)
{
    pool->stats.in_use += size;
    pool->stats.peak_in_use = MAX(pool->stats.peak_in_use, pool->stats.in_use);
}

CgPool *cg_pool_new(void)
{
    return g_new0(CgPool, 1);
}

CgPool *cg_pool_new_virtual(void)
{
    CgPool *pool = cg_pool_new();
    pool->is_virtual = TRUE;
    return pool;
}

static void destroy_if_unused(CgPool *pool)
{
    if (!pool->closed || pool->live)
        return;
    for (guint i = 0; i < CLASSES; i++)
        if (pool->free[i])
            g_ptr_array_unref(pool->free[i]);
    g_free(pool);
}

void cg_pool_unref(CgPool *pool)
{
    if (!pool)
        return;
    cg_pool_trim(pool);
    pool->closed = TRUE;
    destroy_if_unused(pool);
}

/* The CgTensorRelease of our tensors; SIZE is their block's class size. */
static void give_back(void *owner, void *data, size_t size)
{
    CgPool *pool = owner;
    pool->stats.in_use -= size;
    pool->live--;
    if (pool->closed) {
        system_free(pool, data, size);
        destroy_if_unused(pool);
        return;
    }
    GPtrArray **list = &pool->free[class_of(size)];
    if (!*list)
        *list = g_ptr_array_new();
    /* Marking address space as unusable would cost an eighth of it in real memory. */
    if (!pool->is_virtual)
        ASAN_POISON_MEMORY_REGION(data, size);
    g_ptr_array_add(*list, data);
}

CgTensor *cg_pool_tensor(CgPool *pool, CgDType dtype, CgShape shape)
{
    size_t count, bytes;
    if (!cg_shape_checked_count(&shape, cg_dtype_size(dtype), &count) ||
        !cg_size_mul(count, cg_dtype_size(dtype), &bytes) || bytes > (size_t)1 << 48) {
        char text[CG_SHAPE_TEXT];
        g_error("no memory can hold a tensor %s", cg_shape_text(&shape, text));
    }
    guint class = class_of(bytes);
    size_t size = class_size(class);
    GPtrArray *list = pool->free[class];
    void *data = list && list->len ? g_ptr_array_steal_index_fast(list, list->len - 1)
                                   : system_alloc(pool, size);
    if (!pool->is_virtual)
        ASAN_UNPOISON_MEMORY_REGION(data, size);
    use(pool, size);
    pool->live++;
    return cg_tensor_wrap(dtype, shape, data, size, give_back, pool);
}

static void scratch_free(CgPool *pool)
{
    if (!pool->scratch)
        return;
    pool->stats.in_use -= pool->scratch_size;
    system_free(pool, pool->scratch, pool->scratch_size);
    pool->scratch = NULL;
    pool->scratch_size = 0;
}

void *cg_pool_scratch(CgPool *pool, size_t size)
{
    if (pool->scratch_size < size || !pool->scratch) {
        scratch_free(pool);
        size = class_size(class_of(size));
        pool->scratch = system_alloc(pool, size);
        pool->scratch_size = size;
        use(pool, size);
    }
    return pool->scratch;
}

void cg_pool_trim(CgPool *pool)
{
    free_idle_blocks(pool);
    scratch_free(pool);
}

CgPoolStats cg_pool_stats(const CgPool *pool)
{
    CgPoolStats stats = pool->stats;
    stats.scratch = pool->scratch_size;
    return stats;
}
