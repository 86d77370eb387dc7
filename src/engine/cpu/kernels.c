#include "engine/cpu/kernels.h"

#include "base/system.h"
#include "engine/cpu/tables.h"

const CgCpuKernels *const *cg_cpu_kernels_all(void)
{
    static const CgCpuKernels *tables[5];
    static gsize ready;
    if (g_once_init_enter(&ready)) {
        guint count = 0;
        tables[count++] = &cg_cpu_kernels_portable;
#if defined(__x86_64__)
        if (cg_cpu_features()->avx2)
            tables[count++] = &cg_cpu_kernels_avx2;
        if (cg_cpu_features()->avx512)
            tables[count++] = &cg_cpu_kernels_avx512;
        if (cg_cpu_features()->avx512_bf16)
            tables[count++] = &cg_cpu_kernels_avx512bf16;
#endif
        g_once_init_leave(&ready, 1);
    }
    return tables;
}

const CgCpuKernels *cg_cpu_kernels(void)
{
    const CgCpuKernels *const *table = cg_cpu_kernels_all();
    while (table[1])
        table++;
    return *table;
}
