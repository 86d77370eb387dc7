#include "base/system.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

/* A control group's files, by version of the interface. */
typedef struct {
    const char *mount, *limit, *usage, *stat_inactive, *stat_active;
} CgroupNames;

static const CgroupNames CGROUP_V1 = {CGROUP_ROOT "/memory", "memory.limit_in_bytes",
                                      "memory.usage_in_bytes", "total_inactive_file",
                                      "total_active_file"};
static const CgroupNames CGROUP_V2 = {CGROUP_ROOT, "memory.max", "memory.current", "inactive_file",
                                      "active_file"};

/* The number in a file that holds one; FALSE also for "max". */
static gboolean read_number(const char *folder, const char *name, guint64 *out)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_ascii_isdigit(text[0]))
        return FALSE;
    *out = g_ascii_strtoull(text, NULL, 10);
    return TRUE;
}

/* The number after KEY and white space in lines "KEY 123". */
static guint64 line_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, length) == 0 && (g_ascii_isspace(p[length]) || p[length] == ':'))
            return g_ascii_strtoull(p + length + (p[length] == ':'), NULL, 10);
    }
    return 0;
}

/* This process's path below the mount, "" if unknown. Lines are "4:memory:/path", "0::/path". */
static char *cgroup_path(const CgroupNames *names)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
        return g_strdup("");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) part = g_strsplit(*line, ":", 3);
        if (g_strv_length(part) < 3)
            continue;
        g_auto(GStrv) controllers = g_strsplit(part[1], ",", -1);
        gboolean ours = names == &CGROUP_V2
                            ? strcmp(part[0], "0") == 0 && part[1][0] == '\0'
                            : g_strv_contains((const char *const *)controllers, "memory");
        if (ours)
            return g_strdup(part[2]);
    }
    return g_strdup("");
}

/* Bytes that the group in FOLDER may still take: page cache of files counts as usage, but gives
 * way. */
static guint64 group_available(const CgroupNames *names, const char *folder, guint64 limit)
{
    guint64 usage;
    if (!read_number(folder, names->usage, &usage))
        return limit;
    g_autofree char *path = g_build_filename(folder, "memory.stat", NULL);
    g_autofree char *text = NULL;
    guint64 cache = 0;
    if (g_file_get_contents(path, &text, NULL, NULL))
        cache = line_number(text, names->stat_inactive) + line_number(text, names->stat_active);
    usage -= MIN(usage, cache);
    return limit - MIN(limit, usage);
}

/* Lowers TOTAL and AVAILABLE by the limits of our group and all groups above it. */
static void apply_cgroup(const CgroupNames *names, guint64 *total, guint64 *available)
{
    g_autofree char *path = cgroup_path(names);
    for (;;) {
        /* In a container the path may name a group that is only visible outside; the loop then
         * reaches the root, which is the container's own group. */
        g_autofree char *folder = g_build_filename(names->mount, path, NULL);
        guint64 limit;
        if (read_number(folder, names->limit, &limit)) {
            *total = MIN(*total, limit);
            *available = MIN(*available, group_available(names, folder, limit));
        }
        char *slash = strrchr(path, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
}

static void memory(guint64 *total, guint64 *available)
{
    g_autofree char *text = NULL;
    *total = (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);
    *available = *total;
    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
        guint64 kib = line_number(text, "MemAvailable");
        if (kib > 0)
            *available = kib * 1024;
    }
    apply_cgroup(&CGROUP_V1, total, available);
    apply_cgroup(&CGROUP_V2, total, available);
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
        guint64 kib = line_number(text, "VmHWM");
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
    return MAX(count, 1);
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
