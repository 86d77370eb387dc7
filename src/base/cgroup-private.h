/* cgroup-private: what Linux control groups leave of the machine for this process.
 *
 * Containers and batch systems limit memory and processor time this way, in version 1 or 2 of the
 * interface. ROOT is /sys/fs/cgroup and SELF /proc/self/cgroup; tests pass trees of their own.
 */
#ifndef CG_BASE_CGROUP_PRIVATE_H
#define CG_BASE_CGROUP_PRIVATE_H

#include <glib.h>

#define CG_CGROUP_ROOT "/sys/fs/cgroup"
#define CG_CGROUP_SELF "/proc/self/cgroup"

/* Lowers *TOTAL to the memory limit of our group or of one above it, *AVAILABLE to what is left of
 * it, in bytes. */
void cg_cgroup_memory(const char *root, const char *self, guint64 *total, guint64 *available);

/* Processors' worth of time that our groups grant, rounded up; G_MAXINT when there is no quota. */
int cg_cgroup_cpus(const char *root, const char *self);

/* The number after KEY in lines "KEY 123" or "KEY: 123"; 0 when there is none. */
guint64 cg_line_number(const char *text, const char *key);

#endif
