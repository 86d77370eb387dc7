#include "pipeline/manifest.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_MANIFEST ((size_t)1 << 30)

struct CgManifest {
    char *path;
    int fd;
    gboolean is_new;
    GPtrArray *rows;   /* json_t, owned */
    GHashTable *index; /* image -> row */
};

static gboolean system_error(const CgManifest *m, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: can't %s: %s", m->path, what, g_strerror(errno));
    return FALSE;
}

/* Takes ROW over. */
static void remember(CgManifest *m, json_t *row)
{
    const char *image = cg_json_text(row, "image");
    g_ptr_array_add(m->rows, row);
    if (image)
        g_hash_table_insert(m->index, (char *)(guintptr)image, row);
}

static void remember_row(void *manifest, json_t *row)
{
    remember(manifest, row);
}

/* Hands the complete lines of the file at PATH to ADD. *SIZE gets the bytes of the file, *COMPLETE
 * those up to the last newline. */
static gboolean parse_rows(const char *path, void (*add)(void *data, json_t *row), void *data,
                           size_t *size, size_t *complete, GError **error)
{
    g_autofree char *text = cg_file_read(path, MAX_MANIFEST, size, error);
    if (!text)
        return FALSE;
    int number = 0;
    size_t at = 0;
    for (char *end; (end = memchr(text + at, '\n', *size - at)); at = (size_t)(end - text) + 1) {
        g_autofree char *where = g_strdup_printf("%s line %d", path, ++number);
        json_t *row = cg_json_parse(text + at, (size_t)(end - text) - at, where, error);
        if (!row)
            return FALSE;
        add(data, row);
    }
    *complete = at;
    return TRUE;
}

/* Reads the complete lines; cuts off what follows the last newline. */
static gboolean read_rows(CgManifest *m, GError **error)
{
    size_t size = 0, complete = 0;
    if (!parse_rows(m->path, remember_row, m, &size, &complete, error))
        return FALSE;
    if (complete == size)
        return TRUE;
    cg_log_warning("%s: the last line is incomplete (an interrupted run); removed", m->path);
    return ftruncate(m->fd, (off_t)complete) == 0 || system_error(m, "shorten it", error);
}

/* Takes the lock of the open file; what is not ours is closed, so that nobody removes it. */
static gboolean lock_or_close(CgManifest *m, GError **error)
{
    if (flock(m->fd, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
    if (errno == EWOULDBLOCK)
        g_set_error(error, CG_ERROR, CG_ERROR_IO,
                    "%s: another cagen is writing here; choose another --out or wait", m->path);
    else
        system_error(m, "lock it", error);
    close(m->fd);
    m->fd = -1;
    return FALSE;
}

static gboolean open_locked(CgManifest *m, GError **error)
{
    struct stat st = {0};
    for (;;) {
        m->is_new = access(m->path, F_OK) != 0;
        m->fd = open(m->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (m->fd < 0)
            return system_error(m, "open it", error);
        if (!lock_or_close(m, error))
            return FALSE;
        /* Removed between opening and locking: nobody's manifest any more. */
        if (fstat(m->fd, &st) != 0 || st.st_nlink > 0)
            return TRUE;
        close(m->fd);
    }
}

CgManifest *cg_manifest_open(const char *out, GError **error)
{
    g_autoptr(CgManifest) m = g_new0(CgManifest, 1);
    m->path = g_build_filename(out, "manifest.jsonl", NULL);
    m->rows = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    m->index = g_hash_table_new(g_str_hash, g_str_equal);
    m->fd = -1;
    if (!cg_file_make_directory(out, error) || !open_locked(m, error) || !read_rows(m, error))
        return NULL;
    return g_steal_pointer(&m);
}

void cg_manifest_close(CgManifest *m)
{
    if (!m)
        return;
    if (m->fd >= 0) {
        struct stat st;
        /* A run that failed before its first image leaves nothing behind. */
        if (fstat(m->fd, &st) == 0 && st.st_size == 0)
            unlink(m->path);
        close(m->fd);
    }
    g_hash_table_unref(m->index);
    g_ptr_array_unref(m->rows);
    g_free(m->path);
    g_free(m);
}

gboolean cg_manifest_is_new(const CgManifest *m)
{
    return m->is_new;
}

const json_t *cg_manifest_find(const CgManifest *m, const char *image)
{
    return g_hash_table_lookup(m->index, image);
}

guint cg_manifest_count(const CgManifest *m)
{
    return m->rows->len;
}

gboolean cg_manifest_append(CgManifest *m, const json_t *row, GError **error)
{
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(10));
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    free(text);
    const size_t length = strlen(line);
    struct stat before;
    if (fstat(m->fd, &before) != 0)
        return system_error(m, "look at it", error);
    size_t written = 0;
    while (written < length) {
        const ssize_t n = write(m->fd, line + written, length - written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            system_error(m, "write to it", error);
            /* No torn line stays behind on a full disk. */
            if (ftruncate(m->fd, before.st_size) != 0)
                g_prefix_error(error, "(and could not repair it) ");
            return FALSE;
        }
        written += (size_t)n;
    }
    if (fsync(m->fd) != 0 && errno != EINVAL)
        return system_error(m, "write to it", error);
    remember(m, json_deep_copy(row));
    return TRUE;
}

static void add_row(void *rows, json_t *row)
{
    g_ptr_array_add(rows, row);
}

GPtrArray *cg_manifest_read(const char *out, GError **error)
{
    g_autofree char *path = g_build_filename(out, "manifest.jsonl", NULL);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    size_t size = 0, complete = 0;
    if (!parse_rows(path, add_row, rows, &size, &complete, error))
        return NULL;
    return g_steal_pointer(&rows);
}

static gboolean has_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

gboolean cg_manifest_is_of_results(const char *out)
{
    return has_file(out, "manifest.jsonl") && !has_file(out, "prompts.json");
}
