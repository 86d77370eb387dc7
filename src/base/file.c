#include "base/file.h"

#include "base/error.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 20)

/* Names of files under construction: these around eight hexadecimal digits. */
#define TEMPORARY_BEGIN ".cagen-"
#define TEMPORARY_END   ".tmp"

static void set_errno_error(GError **error, const char *path, const char *action, int code)
{
    g_set_error(error, CG_ERROR, code == ENOENT || code == ENOTDIR ? CG_ERROR_MISSING : CG_ERROR_IO,
                "%s: cannot %s: %s", path, action, g_strerror(code));
}

/* Opens a regular file for reading; -1 with ERROR otherwise. */
static int open_regular(const char *path, struct stat *st, GError **error)
{
    /* O_NONBLOCK: opening a FIFO that nobody writes to must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) != 0) {
        set_errno_error(error, path, "open", errno);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (!S_ISREG(st->st_mode)) {
        g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: is %s, but a regular file is needed", path,
                    S_ISDIR(st->st_mode) ? "a folder" : "a device or pipe");
        close(fd);
        return -1;
    }
    return fd;
}

CgMappedFile *cg_mapped_file_open(const char *path, GError **error)
{
    struct stat st;
    int fd = open_regular(path, &st, error);
    if (fd < 0)
        return NULL;

    void *data = NULL;
    size_t size = (size_t)st.st_size;
    if (size > 0) {
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            set_errno_error(error, path, "map into memory", errno);
            close(fd);
            return NULL;
        }
    }
    close(fd);

    CgMappedFile *file = g_new0(CgMappedFile, 1);
    file->path = g_strdup(path);
    file->data = data;
    file->size = size;
    file->ref_count = 1;
    return file;
}

CgMappedFile *cg_mapped_file_ref(CgMappedFile *file)
{
    g_atomic_int_inc(&file->ref_count);
    return file;
}

void cg_mapped_file_unref(CgMappedFile *file)
{
    if (!file || !g_atomic_int_dec_and_test(&file->ref_count))
        return;
    if (file->data)
        munmap((void *)file->data, file->size);
    g_free(file->path);
    g_free(file);
}

void cg_mapped_file_release(CgMappedFile *file, const void *data, size_t size)
{
    uintptr_t start = (uintptr_t)file->data, end = start + file->size;
    uintptr_t from = (uintptr_t)data;
    if (!file->data || from < start || from > end || size > end - from)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t low = (from + page - 1) & ~(page - 1), high = (from + size) & ~(page - 1);
    if (low < high)
        madvise((void *)low, high - low, MADV_DONTNEED); /* a hint: failure changes nothing */
}

/* Reads up to SIZE bytes; fewer only at the end of the file. -1 on error (errno). */
static ssize_t read_full(int fd, void *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, (char *)buffer + done, MIN(size - done, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

char *cg_file_read(const char *path, size_t max_size, size_t *size, GError **error)
{
    struct stat st;
    int fd = open_regular(path, &st, error);
    if (fd < 0)
        return NULL;
    if ((guint64)st.st_size > max_size) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: %" G_GUINT64_FORMAT " bytes are too many for this kind of file (at most "
                    "%zu)",
                    path, (guint64)st.st_size, max_size);
        close(fd);
        return NULL;
    }
    g_autofree char *text = g_malloc((size_t)st.st_size + 1);
    ssize_t got = read_full(fd, text, (size_t)st.st_size);
    int code = errno;
    close(fd);
    if (got < 0) {
        set_errno_error(error, path, "read", code);
        return NULL;
    }
    text[got] = '\0';
    if (size)
        *size = (size_t)got;
    return g_steal_pointer(&text);
}

struct CgAtomicFile {
    char *path;      /* the final name */
    char *temporary; /* in the same folder, so that rename cannot cross file systems */
    int fd;
    size_t used; /* bytes waiting in buffer */
    guint8 buffer[CHUNK];
};

/* The name that is really written: a symbolic link stays, the file it points to is replaced. */
static char *final_path(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        char *target = realpath(path, NULL);
        char *copy = g_strdup(target ? target : path);
        free(target);
        return copy;
    }
    return g_strdup(path);
}

CgAtomicFile *cg_atomic_file_open(const char *path, GError **error)
{
    g_autofree char *final = final_path(path);
    struct stat st;
    gboolean exists = stat(final, &st) == 0;
    size_t length = strlen(path);
    if ((exists && !S_ISREG(st.st_mode)) || length == 0 || path[length - 1] == '/') {
        g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot write a file here: it is %s", path,
                    exists && !S_ISDIR(st.st_mode) ? "a device or pipe" : "a folder");
        return NULL;
    }

    g_autofree char *folder = g_path_get_dirname(final);
    for (int attempt = 0; attempt < 100; attempt++) {
        /* Short, so that it fits wherever the final name fits; with open instead of mkstemp the
         * user's umask decides on the permissions. */
        g_autofree char *temporary =
            g_strdup_printf("%s/" TEMPORARY_BEGIN "%08x" TEMPORARY_END, folder, g_random_int());
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                      exists ? st.st_mode & 0777 : 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            break;
        CgAtomicFile *file = g_malloc(sizeof *file);
        file->path = g_steal_pointer(&final);
        file->temporary = g_steal_pointer(&temporary);
        file->fd = fd;
        file->used = 0;
        return file;
    }
    set_errno_error(error, path, "write", errno);
    return NULL;
}

static gboolean write_full(CgAtomicFile *file, const void *data, size_t size, GError **error)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(file->fd, (const char *)data + done, MIN(size - done, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            set_errno_error(error, file->path, "write", errno);
            return FALSE;
        }
        done += (size_t)n;
    }
    return TRUE;
}

static gboolean flush_buffer(CgAtomicFile *file, GError **error)
{
    size_t used = file->used;
    file->used = 0;
    return write_full(file, file->buffer, used, error);
}

gboolean cg_atomic_file_write(CgAtomicFile *file, const void *data, size_t size, GError **error)
{
    if (size > CHUNK - file->used && !flush_buffer(file, error))
        return FALSE;
    if (size >= CHUNK)
        return write_full(file, data, size, error);
    if (size > 0)
        memcpy(file->buffer + file->used, data, size);
    file->used += size;
    return TRUE;
}

static void atomic_file_free(CgAtomicFile *file)
{
    g_free(file->path);
    g_free(file->temporary);
    g_free(file);
}

void cg_atomic_file_abort(CgAtomicFile *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    unlink(file->temporary);
    atomic_file_free(file);
}

/* The rename itself must survive a crash too. Not every file system can sync a folder; that is no
 * reason to call the file lost. */
static void sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

gboolean cg_atomic_file_commit(CgAtomicFile *file, GError **error)
{
    gboolean ok = flush_buffer(file, error);
    /* EINVAL: a file system without syncing. */
    if (ok && fsync(file->fd) != 0 && errno != EINVAL && errno != EROFS) {
        set_errno_error(error, file->path, "write", errno);
        ok = FALSE;
    }
    int closed = close(file->fd);
    file->fd = -1;
    if (ok && closed != 0) {
        set_errno_error(error, file->path, "write", errno);
        ok = FALSE;
    }
    if (ok && rename(file->temporary, file->path) != 0) {
        set_errno_error(error, file->path, "write", errno);
        ok = FALSE;
    }
    if (!ok) {
        cg_atomic_file_abort(file);
        return FALSE;
    }
    sync_folder(file->path);
    atomic_file_free(file);
    return TRUE;
}

void cg_atomic_file_clean(const char *folder)
{
    const size_t length = strlen(TEMPORARY_BEGIN "01234567" TEMPORARY_END);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (strlen(name) != length || !g_str_has_prefix(name, TEMPORARY_BEGIN) ||
            !g_str_has_suffix(name, TEMPORARY_END))
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        unlink(path);
    }
}

gboolean cg_file_write(const char *path, const void *data, size_t size, GError **error)
{
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, error);
    if (!file || !cg_atomic_file_write(file, data, size, error))
        return FALSE;
    return cg_atomic_file_commit(g_steal_pointer(&file), error);
}

gboolean cg_file_can_write(const char *path, GError **error)
{
    g_autoptr(CgAtomicFile) file = path ? cg_atomic_file_open(path, error) : NULL;
    return file || !path;
}

char *cg_file_below(const char *folder, const char *path)
{
    return !path || g_path_is_absolute(path) ? g_strdup(path)
                                             : g_build_filename(folder, path, NULL);
}

gboolean cg_file_make_directory(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0777) == 0)
        return TRUE;
    int code = errno;
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot create the folder: %s", path,
                code == ENOTDIR || code == EEXIST ? "a part of it is a file" : g_strerror(code));
    return FALSE;
}

char *cg_file_sha256(const char *path, GError **error)
{
    struct stat st;
    int fd = open_regular(path, &st, error);
    if (fd < 0)
        return NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guint8 *buffer = g_malloc(CHUNK);
    ssize_t got;
    while ((got = read_full(fd, buffer, CHUNK)) > 0) {
        g_checksum_update(sum, buffer, got);
        if (cg_cancelled())
            break;
    }
    int code = errno;
    close(fd);
    if (got < 0) {
        set_errno_error(error, path, "read", code);
        return NULL;
    }
    if (!cg_cancel_check(error))
        return NULL;
    return g_strdup(g_checksum_get_string(sum));
}
