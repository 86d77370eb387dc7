#include "base/cgroup-private.h"

#include <string.h>

/* Called for our group and each one above it. */
typedef void (*Visit)(const char *folder, void *data);

guint64 cg_line_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, length) == 0 && (g_ascii_isspace(p[length]) || p[length] == ':'))
            return g_ascii_strtoull(p + length + (p[length] == ':'), NULL, 10);
    }
    return 0;
}

static char *read_text(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* The number that a file holds; FALSE also for "max" and "-1". */
static gboolean read_number(const char *folder, const char *name, guint64 *out)
{
    g_autofree char *text = read_text(folder, name);
    if (!text || !g_ascii_isdigit(text[0]))
        return FALSE;
    *out = g_ascii_strtoull(text, NULL, 10);
    return TRUE;
}

/* Our path for CONTROLLER, NULL meaning version 2; "" if unknown. Lines are "4:memory:/path" and
 * "0::/path". */
static char *own_path(const char *self, const char *controller)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(self, &text, NULL, NULL))
        return g_strdup("");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) part = g_strsplit(*line, ":", 3);
        if (g_strv_length(part) < 3)
            continue;
        g_auto(GStrv) names = g_strsplit(part[1], ",", -1);
        if (controller ? g_strv_contains((const char *const *)names, controller) : !part[1][0])
            return g_strdup(part[2]);
    }
    return g_strdup("");
}

static void visit_groups(const char *root, const char *self, const char *controller, Visit visit,
                         void *data)
{
    g_autofree char *path = own_path(self, controller);
    for (;;) {
        /* In a container the path may name a group that is only visible outside; the loop then
         * reaches the root, which is the container's own group. */
        g_autofree char *folder = g_build_filename(root, controller ? controller : "", path, NULL);
        visit(folder, data);
        char *slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

typedef struct {
    const char *limit, *usage, *inactive, *active; /* the names of one version */
    guint64 total, available;
} Memory;

static void visit_memory(const char *folder, void *data)
{
    Memory *m = data;
    guint64 limit, usage;
    if (!read_number(folder, m->limit, &limit))
        return;
    m->total = MIN(m->total, limit);
    if (!read_number(folder, m->usage, &usage))
        usage = 0;
    /* Pages of files count as usage, but give way. */
    g_autofree char *stat = read_text(folder, "memory.stat");
    guint64 cache = cg_line_number(stat, m->inactive) + cg_line_number(stat, m->active);
    usage -= MIN(usage, cache);
    m->available = MIN(m->available, limit - MIN(limit, usage));
}

void cg_cgroup_memory(const char *root, const char *self, guint64 *total, guint64 *available)
{
    Memory one = {"memory.limit_in_bytes",
                  "memory.usage_in_bytes",
                  "total_inactive_file",
                  "total_active_file",
                  *total,
                  *available};
    Memory two = {"memory.max",  "memory.current", "inactive_file",
                  "active_file", *total,           *available};
    visit_groups(root, self, "memory", visit_memory, &one);
    visit_groups(root, self, NULL, visit_memory, &two);
    *total = MIN(one.total, two.total);
    *available = MIN(one.available, two.available);
}

static void apply_quota(int *cpus, guint64 quota, guint64 period)
{
    if (quota == 0 || period == 0)
        return;
    guint64 count = quota / period + (quota % period != 0);
    *cpus = (int)MIN((guint64)*cpus, count);
}

/* "200000 100000": microseconds of time in each period; "max 100000" without quota. */
static void visit_cpu_max(const char *folder, void *data)
{
    g_autofree char *text = read_text(folder, "cpu.max");
    char *end;
    if (!text || !g_ascii_isdigit(text[0]))
        return;
    guint64 quota = g_ascii_strtoull(text, &end, 10);
    apply_quota(data, quota, g_ascii_strtoull(end, NULL, 10));
}

static void visit_cfs_quota(const char *folder, void *data)
{
    guint64 quota, period;
    if (read_number(folder, "cpu.cfs_quota_us", &quota) &&
        read_number(folder, "cpu.cfs_period_us", &period))
        apply_quota(data, quota, period);
}

int cg_cgroup_cpus(const char *root, const char *self)
{
    int cpus = G_MAXINT;
    visit_groups(root, self, "cpu", visit_cfs_quota, &cpus);
    visit_groups(root, self, NULL, visit_cpu_max, &cpus);
    return cpus;
}
