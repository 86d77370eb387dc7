#include "hub/hash.h"

#include "base/error.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK         (1u << 20)
#define SHA256_DIGITS 64

GChecksum *cg_hub_hash_new(const char *name, guint64 size)
{
    if (strlen(name) == SHA256_DIGITS)
        return g_checksum_new(G_CHECKSUM_SHA256);
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA1);
    g_autofree char *begin = g_strdup_printf("blob %" G_GUINT64_FORMAT, size);
    g_checksum_update(sum, (const guchar *)begin, (gssize)strlen(begin) + 1);
    return sum;
}

gboolean cg_hub_hash_read(GChecksum *sum, int fd, guint64 count, const char *path, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(CHUNK);
    while (count > 0) {
        const ssize_t got = read(fd, buffer, MIN(count, CHUNK));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot read: %s", path,
                        got ? g_strerror(errno) : "it became shorter");
            return FALSE;
        }
        if (!cg_cancel_check(error))
            return FALSE;
        g_checksum_update(sum, buffer, got);
        count -= (guint64)got;
    }
    return TRUE;
}

gboolean cg_hub_hash_check(const char *path, const char *name, GError **error)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot open: %s", path,
                    fd < 0 ? g_strerror(errno) : "not a regular file");
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    g_autoptr(GChecksum) sum = cg_hub_hash_new(name, (guint64)st.st_size);
    const gboolean ok = cg_hub_hash_read(sum, fd, (guint64)st.st_size, path, error);
    close(fd);
    if (!ok)
        return FALSE;
    if (g_str_equal(g_checksum_get_string(sum), name))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: damaged: its hash is %s, not %s", path,
                g_checksum_get_string(sum), name);
    return FALSE;
}
