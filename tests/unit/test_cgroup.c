/* Limits of control groups, from trees laid out as Linux shows them. */
#include "base/cgroup-private.h"

#include "support/folder.h"

#include <glib/gstdio.h>
#include <string.h>

#define MIB ((guint64)1 << 20)

typedef struct {
    CgTestFolder *dir;
    char *self;
} Tree;

static Tree tree_new(const char *self)
{
    Tree t = {cg_test_folder_new(), NULL};
    t.self = cg_test_folder_file(t.dir, "self", self, strlen(self));
    return t;
}

static void tree_clear(Tree *t)
{
    cg_test_folder_free(t->dir);
    g_free(t->self);
}

static void put(const Tree *t, const char *name, const char *text)
{
    g_autofree char *path = cg_test_folder_path(t->dir, name);
    g_autofree char *folder = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_memory(const Tree *t, guint64 want_total, guint64 want_available)
{
    guint64 total = 1000 * MIB, available = 900 * MIB;
    cg_cgroup_memory(t->dir->path, t->self, &total, &available);
    g_assert_cmpuint(total / MIB, ==, want_total);
    g_assert_cmpuint(available / MIB, ==, want_available);
}

static void no_groups_leave_all(void)
{
    Tree t = tree_new("");
    assert_memory(&t, 1000, 900);
    g_assert_cmpint(cg_cgroup_cpus(t.dir->path, t.self), ==, G_MAXINT);
    g_assert_cmpint(cg_cgroup_cpus("/nowhere", "/nowhere"), ==, G_MAXINT);
    tree_clear(&t);
}

static void version_2_limits_count_from_any_level(void)
{
    Tree t = tree_new("0::/job.slice/task\n");
    put(&t, "job.slice/task/memory.max", "max\n");
    put(&t, "job.slice/memory.max", "419430400\n");
    put(&t, "job.slice/memory.current", "314572800\n");
    put(&t, "job.slice/memory.stat", "anon 5\nactive_file 52428800\ninactive_file 104857600\n");
    put(&t, "job.slice/task/cpu.max", "max 100000\n");
    put(&t, "job.slice/cpu.max", "250000 100000\n");
    assert_memory(&t, 400, 400 - 300 + 150);
    g_assert_cmpint(cg_cgroup_cpus(t.dir->path, t.self), ==, 3);
    tree_clear(&t);
}

static void version_1_limits_are_read(void)
{
    Tree t = tree_new("7:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n");
    put(&t, "memory/docker/1/memory.limit_in_bytes", "209715200\n");
    put(&t, "memory/docker/1/memory.usage_in_bytes", "209715200\n");
    put(&t, "memory/docker/1/memory.stat", "total_inactive_file 10485760\n");
    put(&t, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(&t, "cpu/docker/1/cpu.cfs_quota_us", "400000\n");
    put(&t, "cpu/docker/1/cpu.cfs_period_us", "100000\n");
    put(&t, "cpu/cpu.cfs_quota_us", "-1\n");
    put(&t, "cpu/cpu.cfs_period_us", "100000\n");
    assert_memory(&t, 200, 10);
    g_assert_cmpint(cg_cgroup_cpus(t.dir->path, t.self), ==, 4);
    tree_clear(&t);
}

/* Inside a container the path is the host's, and only the root is visible. */
static void invisible_path_falls_back_to_the_root(void)
{
    Tree t = tree_new("4:memory:/host/only/path\n");
    put(&t, "memory/memory.limit_in_bytes", "104857600\n");
    put(&t, "memory/memory.usage_in_bytes", "999999999999\n");
    assert_memory(&t, 100, 0);
    tree_clear(&t);
}

static void nonsense_is_ignored(void)
{
    Tree t = tree_new("no colons\n:\n0::\n4:memory:\n\n");
    put(&t, "memory.max", "");
    put(&t, "cpu.max", "0 0\n");
    put(&t, "cpu/cpu.cfs_quota_us", "5");
    put(&t, "cpu/cpu.cfs_period_us", "x");
    assert_memory(&t, 1000, 900);
    g_assert_cmpint(cg_cgroup_cpus(t.dir->path, t.self), ==, G_MAXINT);
    tree_clear(&t);
}

static void line_numbers_match_whole_keys(void)
{
    const char *text = "VmHWMx:\t1 kB\nxVmHWM:\t2 kB\nVmHWM:\t  3 kB\n";
    g_assert_cmpuint(cg_line_number(text, "VmHWM"), ==, 3);
    g_assert_cmpuint(cg_line_number(text, "Vm"), ==, 0);
    g_assert_cmpuint(cg_line_number(NULL, "Vm"), ==, 0);
}

#define TEST(name) g_test_add_func("/cgroup/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(no_groups_leave_all);
    TEST(version_2_limits_count_from_any_level);
    TEST(version_1_limits_are_read);
    TEST(invisible_path_falls_back_to_the_root);
    TEST(nonsense_is_ignored);
    TEST(line_numbers_match_whole_keys);
    return g_test_run();
}
