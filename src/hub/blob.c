#include "hub/blob.h"

#include "base/error.h"
#include "base/file.h"
#include "hub/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file on its way. */
typedef struct {
    const CgHubFile *file;
    char *path; /* TARGET.incomplete */
    int fd, lock;
    guint64 have;
    GChecksum *sum; /* of what is there */
    CgProgress *progress;
    guint64 before;
} Blob;

static char *incomplete_path(const char *target)
{
    return g_strconcat(target, ".incomplete", NULL);
}

guint64 cg_hub_blob_have(const CgHubFile *file, const char *target)
{
    g_autofree char *path = incomplete_path(target);
    struct stat st;
    return stat(path, &st) == 0 && (guint64)st.st_size <= file->size ? (guint64)st.st_size : 0;
}

static gboolean fail(const char *path, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot %s: %s", path, what, g_strerror(errno));
    return FALSE;
}

static void blob_clear(Blob *b)
{
    g_free(b->path);
    if (b->fd >= 0)
        close(b->fd);
    if (b->lock >= 0)
        close(b->lock);
    if (b->sum)
        g_checksum_free(b->sum);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Blob, blob_clear)

static guint64 blob_have(void *data)
{
    return ((Blob *)data)->have;
}

static gboolean blob_restart(void *data, GError **error)
{
    Blob *b = data;
    if (ftruncate(b->fd, 0) != 0 || lseek(b->fd, 0, SEEK_SET) != 0)
        return fail(b->path, "write", error);
    g_checksum_free(b->sum);
    b->sum = cg_hub_hash_new(b->file->hash, b->file->size);
    b->have = 0;
    return TRUE;
}

static gboolean blob_write(void *data, const void *bytes, size_t size, GError **error)
{
    Blob *b = data;
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(b->fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(b->path, "write", error);
        done += (size_t)n;
    }
    g_checksum_update(b->sum, bytes, (gssize)size);
    b->have += size;
    cg_progress_update(b->progress, b->before + b->have, b->file->path);
    return TRUE;
}

static gboolean take_lock(Blob *b, const char *path, GError **error)
{
    b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (b->lock < 0)
        return fail(path, "write", error);
    if (flock(b->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return TRUE; /* not every file system can lock */
    g_set_error(error, CG_ERROR, CG_ERROR_IO,
                "%s: another program is fetching this file; wait for it", b->file->path);
    return FALSE;
}

/* Opens what there is already, and takes it into the hash. */
static gboolean open_incomplete(Blob *b, GError **error)
{
    struct stat st;
    b->fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (b->fd < 0 || fstat(b->fd, &st) != 0)
        return fail(b->path, "write", error);
    b->sum = cg_hub_hash_new(b->file->hash, b->file->size);
    if ((guint64)st.st_size > b->file->size)
        return blob_restart(b, error);
    b->have = (guint64)st.st_size;
    return cg_hub_hash_read(b->sum, b->fd, b->have, b->path, error);
}

static gboolean transfer(Blob *b, CgHttp *http, const char *url, GError **error)
{
    const CgHttpReceiver receiver = {b, b->file->size, blob_have, blob_restart, blob_write};
    return (b->have == b->file->size && b->have > 0) ||
           cg_http_download(http, url, &receiver, error);
}

static gboolean is_right(Blob *b)
{
    g_autoptr(GChecksum) sum = g_checksum_copy(b->sum);
    return g_str_equal(g_checksum_get_string(sum), b->file->hash);
}

static gboolean finish(Blob *b, const char *target, GError **error)
{
    if (fsync(b->fd) != 0 && errno != EINVAL)
        return fail(b->path, "write", error);
    return rename(b->path, target) == 0 || fail(target, "write", error);
}

gboolean cg_hub_blob_fetch(CgHttp *http, const char *url, const CgHubFile *file, const char *target,
                           const char *lock, CgProgress *progress, guint64 before, GError **error)
{
    g_auto(Blob) b = {.file = file,
                      .path = incomplete_path(target),
                      .fd = -1,
                      .lock = -1,
                      .progress = progress,
                      .before = before};
    if (!take_lock(&b, lock, error) || !open_incomplete(&b, error))
        return FALSE;
    for (int i = 0; i < 2; i++) {
        if (!transfer(&b, http, url, error))
            return FALSE;
        if (is_right(&b))
            return finish(&b, target, error);
        if (!blob_restart(&b, error))
            return FALSE;
    }
    unlink(b.path);
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: what comes is not what the hub says it is: its hash is not %s", url,
                file->hash);
    return FALSE;
}
