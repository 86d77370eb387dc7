#include "base/system.h"

#include "base/cgroup-private.h"
#include "base/error.h"

#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static void memory(guint64 *total, guint64 *available)
{
    g_autofree char *text = NULL;
    *total = (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);
    *available = *total;
    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
        guint64 kib = cg_line_number(text, "MemAvailable");
        if (kib > 0)
            *available = kib * 1024;
    }
    cg_cgroup_memory(CG_CGROUP_ROOT, CG_CGROUP_SELF, total, available);
}

guint64 cg_memory_total(void)
{
    guint64 total, available;
    memory(&total, &available);
    return total;
}

guint64 cg_memory_available(void)
{
    guint64 total, available;
    memory(&total, &available);
    return available;
}

guint64 cg_memory_peak(void)
{
    /* Not ru_maxrss first: it keeps the peak of the program that started us across exec. */
    g_autofree char *text = NULL;
    struct rusage usage;
    if (g_file_get_contents("/proc/self/status", &text, NULL, NULL)) {
        guint64 kib = cg_line_number(text, "VmHWM");
        if (kib > 0)
            return kib * 1024;
    }
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (guint64)usage.ru_maxrss * 1024 : 0;
}

guint64 cg_disk_free(const char *path)
{
    g_autofree char *at = g_canonicalize_filename(path, NULL);
    struct statvfs fs;
    while (statvfs(at, &fs) != 0) {
        char *parent = g_path_get_dirname(at);
        gboolean root = strcmp(parent, at) == 0;
        g_free(at);
        at = parent;
        if (root)
            return 0;
    }
    return (guint64)fs.f_bavail * fs.f_frsize;
}

double cg_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int available_cpus(void)
{
    const int max_cpus = 8192;
    cpu_set_t *set = CPU_ALLOC(max_cpus);
    size_t size = CPU_ALLOC_SIZE(max_cpus);
    int count = 0;
    if (set && sched_getaffinity(0, size, set) == 0)
        count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    /* Threads beyond a container's share of time only wait for each other. */
    return MAX(MIN(count, cg_cgroup_cpus(CG_CGROUP_ROOT, CG_CGROUP_SELF)), 1);
}

static atomic_int threads;

void cg_threads_set(int count)
{
    if (count <= 0)
        count = available_cpus();
    atomic_store(&threads, count);
    omp_set_num_threads(count);
}

int cg_threads(void)
{
    if (atomic_load(&threads) == 0)
        cg_threads_set(0);
    return atomic_load(&threads);
}

static atomic_int cancelled;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&cancelled, 1);
}

void cg_cancel_install(void)
{
    /* Once: a second Ctrl-C ends a program that does not get round to asking. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

gboolean cg_cancelled(void)
{
    return atomic_load_explicit(&cancelled, memory_order_relaxed) != 0;
}

void cg_cancel(void)
{
    atomic_store(&cancelled, 1);
}

void cg_cancel_reset(void)
{
    atomic_store(&cancelled, 0);
}

gboolean cg_cancel_check(GError **error)
{
    if (!cg_cancelled())
        return TRUE;
    g_set_error_literal(error, CG_ERROR, CG_ERROR_CANCELLED, "cancelled");
    return FALSE;
}
