/* The processor's features, as far as our kernels ask for them. */
#include "base/system.h"

#include "base/log.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define XCR0_AVX    0x6u     /* SSE and AVX state */
#define XCR0_AVX512 0xe0u    /* opmask and the upper halves */
#define XCR0_AMX    0x60000u /* tile configuration and tile data */

static uint64_t enabled_state(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux gives a process the 8 KiB tile state only when it asks. */
static gboolean request_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static void processor_name(char name[64])
{
    unsigned words[12];
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u)
        return;
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                    &words[4 * i + 3]);
    memcpy(name, words, sizeof words);
    name[sizeof words] = '\0';
    g_strstrip(name);
}

static void detect(CgCpuFeatures *f)
{
    unsigned a, b, c, d, b7, c7, d7, a71 = 0;

    processor_name(f->model);
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return;
    gboolean fma_f16c = (c & bit_FMA) && (c & bit_F16C) && (c & bit_AVX);
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
        return;
    if (a >= 1)
        __get_cpuid_count(7, 1, &a71, &b, &c, &d);

    uint64_t state = enabled_state();
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    f->avx2 = fma_f16c && (b7 & bit_AVX2) && (state & XCR0_AVX) == XCR0_AVX;
    f->avx512 = f->avx2 && (b7 & avx512) == avx512 && (state & XCR0_AVX512) == XCR0_AVX512;
    f->avx512_bf16 = f->avx512 && (a71 & (1u << 5));
    f->amx_bf16 = f->avx512_bf16 && (d7 & (1u << 24)) && (d7 & (1u << 22)) &&
                  (state & XCR0_AMX) == XCR0_AMX && request_tiles();
}

#else

static void detect(CgCpuFeatures *f)
{
    (void)f;
}

#endif

/* CAGEN_MAX_ISA takes features away, never adds any. */
static void lower(CgCpuFeatures *f, const char *limit)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx", NULL};
    gboolean *const features[] = {&f->avx2, &f->avx512, &f->avx512_bf16, &f->amx_bf16};

    if (!limit || !*limit)
        return;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(limit, names[i]) == 0) {
            for (; i < G_N_ELEMENTS(features); i++)
                *features[i] = FALSE;
            return;
        }
    cg_log_warning("CAGEN_MAX_ISA=%s: not one of portable, avx2, avx512, avx512_bf16, amx; ignored",
                   limit);
}

const CgCpuFeatures *cg_cpu_features(void)
{
    static CgCpuFeatures features;
    static gsize once = 0;
    if (g_once_init_enter(&once)) {
        detect(&features);
        /* any condition to a plain TRUE */
        features.avx2 = !!features.avx2;
        features.avx512 = !!features.avx512;
        features.avx512_bf16 = !!features.avx512_bf16;
        features.amx_bf16 = !!features.amx_bf16;
        lower(&features, g_getenv("CAGEN_MAX_ISA"));
        if (!features.model[0])
            g_strlcpy(features.model, "unknown processor", sizeof features.model);
        g_once_init_leave(&once, 1);
    }
    return &features;
}
