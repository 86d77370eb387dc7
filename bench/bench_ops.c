/* Speed of the CPU engine on the large rows of the table that the tests check.
 *
 *     bench_ops [part of a row's name] [threads]
 *
 * Backward is all gradients of a row together. GFLOP/s where arithmetic is what costs, and for the
 * rest GB/s of what must be read and written at least, next to the rate of a plain copy of as many
 * bytes, measured in the same run. Times are the best of half a second; with one thread they are
 * processor time, so that a busy machine does not blur them. CAGEN_MAX_ISA chooses a smaller
 * instruction set.
 */
#include "base/system.h"
#include "support/optable.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double clock_seconds(void)
{
    struct timespec t;
    if (cg_threads() > 1)
        return cg_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Bytes read and written by a second of copying, for BYTES in all. */
static double copy_rate(CgEngine *e, double bytes)
{
    int64_t count = MAX((int64_t)(bytes / 8), 1);
    CgTensor *x = e->ops->tensor(e, CG_F32, CG_SHAPE(count));
    CgTensor *y = e->ops->tensor(e, CG_F32, CG_SHAPE(count));
    memset(x->data, 1, cg_tensor_bytes(x));
    memset(y->data, 1, cg_tensor_bytes(y));
    double best = 1e9, until = cg_seconds() + 0.2;
    while (cg_seconds() < until) {
        double start = clock_seconds();
        e->ops->cast(e, x, y);
        best = MIN(best, clock_seconds() - start);
    }
    cg_tensor_unref(x);
    cg_tensor_unref(y);
    return 8 * (double)count / best;
}

/* One line; FALSE when the engine refuses. */
static gboolean measure_part(CgEngine *e, const OpCase *c, CgDType dtype, OpRun *run,
                             gboolean backward)
{
    g_autoptr(GError) error = NULL;
    const char *direction = backward ? "backward" : "forward";
    double best = 1e9, until = cg_seconds() + 0.5;
    do {
        double start = clock_seconds();
        if (!(backward ? optable_backward(run, &error) : optable_execute(run, &error))) {
            printf("%-32s %-5s %-8s %s\n", c->name, cg_dtype_name(dtype), direction,
                   error->message);
            return FALSE;
        }
        best = MIN(best, clock_seconds() - start);
    } while (cg_seconds() < until);
    printf("%-32s %-5s %-8s %9.3f ms ", c->name, cg_dtype_name(dtype), direction, best * 1e3);
    double flops = backward ? optable_backward_flops(c) : optable_flops(c);
    double bytes = backward ? optable_backward_bytes(c, dtype) : optable_bytes(c, dtype);
    if (flops > 0) {
        printf("%8.1f GFLOP/s\n", flops / best * 1e-9);
    } else {
        double copy = copy_rate(e, bytes);
        printf("%8.1f GB/s  copy %6.1f GB/s  %3.0f %%\n", bytes / best * 1e-9, copy * 1e-9,
               100 * bytes / best / copy);
    }
    fflush(stdout);
    return TRUE;
}

static void measure(CgEngine *e, const OpCase *c, CgDType dtype)
{
    g_autoptr(OpRun) run = optable_prepare(c, e, dtype);
    gboolean backward = optable_has_backward(c);
    if (backward)
        optable_backward_prepare(run);
    optable_reset(run);
    if (!measure_part(e, c, dtype, run, FALSE) || !backward)
        return;
    optable_backward_reset(run);
    measure_part(e, c, dtype, run, TRUE);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    cg_threads_set(argc > 2 ? atoi(argv[2]) : 0);
    g_autoptr(CgEngine) e = cg_engine_cpu_new();
    CgEngineInfo info;
    cg_engine_cpu_info(e, &info);
    printf("%s, %s, %d threads\n", info.library, info.isa, cg_threads());
    guint count;
    const OpCase *cases = optable_cases(&count);
    for (guint i = 0; i < count; i++)
        for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++)
            if (cases[i].large && strstr(cases[i].name, part))
                measure(e, &cases[i], dtype);
    return 0;
}
