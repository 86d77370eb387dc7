/* system: the machine (processor features, memory, threads) and cancellation. */
#ifndef CG_BASE_SYSTEM_H
#define CG_BASE_SYSTEM_H

#include <glib.h>

typedef struct {
    gboolean avx2;   /* with FMA and F16C */
    gboolean avx512; /* F, BW, DQ, VL, enabled by the operating system */
    gboolean avx512_bf16;
    gboolean amx_bf16; /* tile and bf16, and the kernel granted the tile state */
    char model[64];    /* the processor's own name */
} CgCpuFeatures;

/* Detected once (asks the kernel for AMX tile state). CAGEN_MAX_ISA=portable|avx2|avx512|
 * avx512_bf16|amx in the environment lowers it, for tests. */
const CgCpuFeatures *cg_cpu_features(void);

/* Threads for our kernels and oneDNN; 0 = one per processor that the process may use (affinity, and
 * the time a control group grants). */
void cg_threads_set(int count);
int cg_threads(void);

guint64 cg_memory_total(void);     /* bytes of the machine (or of its control group's limit) */
guint64 cg_memory_available(void); /* bytes that can be taken without swapping */
guint64 cg_memory_peak(void);      /* peak resident bytes of this process */
/* Bytes free for us on the file system of PATH (or of its nearest existing parent); 0 if unknown.
 */
guint64 cg_disk_free(const char *path);

double cg_seconds(void); /* monotonic clock */

/* Cancellation: SIGINT / SIGTERM set a flag after cg_cancel_install(); long loops ask for it. */
void cg_cancel_install(void);
gboolean cg_cancelled(void);
void cg_cancel(void);
void cg_cancel_reset(void);
/* TRUE, or FALSE with CG_ERROR_CANCELLED. */
gboolean cg_cancel_check(GError **error);

#endif
