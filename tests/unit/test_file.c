/* Mapped files and files that appear whole or not at all. */
#include "base/file.h"

#include "base/error.h"
#include "base/system.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_content(const char *path, const char *want)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, want);
}

static void small_file_is_read_whole(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a", "x\0y", 3);
    size_t size;
    g_autofree char *text = cg_file_read(path, 3, &size, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(text, size + 1, "x\0y\0", 4);
    g_autofree char *again = cg_file_read(path, 3, NULL, &error);
    g_assert_cmpstr(again, ==, "x");
}

static void what_cannot_be_read_is_named(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *large = cg_test_folder_file(dir, "large", "1234", 4);
    g_autofree char *missing = cg_test_folder_path(dir, "missing");
    g_autofree char *fifo = cg_test_folder_path(dir, "fifo");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    const struct {
        const char *path;
        CgErrorCode code;
        const char *message;
    } rows[] = {
        {large, CG_ERROR_FORMAT, "4 bytes are too many"},
        {missing, CG_ERROR_MISSING, "No such file"},
        {"", CG_ERROR_MISSING, "No such file"},
        {dir->path, CG_ERROR_IO, "a folder"},
        {fifo, CG_ERROR_IO, "a device or pipe"},
        {"/dev/zero", CG_ERROR_IO, "a device or pipe"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_file_read(rows[i].path, 3, NULL, &error));
        g_assert_error(error, CG_ERROR, (gint)rows[i].code);
        g_assert_true(g_str_has_prefix(error->message, rows[i].path));
        g_assert_nonnull(strstr(error->message, rows[i].message));
    }
}

static void mapped_file_shows_the_bytes_until_the_last_reference(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a", "abc", 3);
    CgMappedFile *file = cg_mapped_file_open(path, &error);
    g_assert_no_error(error);
    CgMappedFile *second = cg_mapped_file_ref(file);
    cg_mapped_file_unref(file);
    g_assert_cmpmem(second->data, second->size, "abc", 3);
    cg_mapped_file_unref(second);
    cg_mapped_file_unref(NULL);
}

static void empty_file_maps_to_nothing(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a", "", 0);
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(file->size, ==, 0);
    cg_mapped_file_release(file, file->data, 0);
}

/* Resident bytes of the mapping that holds ADDRESS. */
static gsize resident(const void *address)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/smaps", &text, NULL, NULL))
        return 0;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gboolean inside = FALSE;
    for (char **line = lines; *line; line++) {
        char *end;
        guint64 low = g_ascii_strtoull(*line, &end, 16);
        if (end > *line && *end == '-')
            inside = (uintptr_t)address >= low &&
                     (uintptr_t)address < g_ascii_strtoull(end + 1, NULL, 16);
        else if (inside && g_str_has_prefix(*line, "Rss:"))
            return (gsize)g_ascii_strtoull(*line + 4, NULL, 10) * 1024;
    }
    return 0;
}

static void released_bytes_leave_memory_and_stay_readable(void)
{
    const gsize size = 4 << 20;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *data = g_malloc(size);
    memset(data, 7, size);
    g_autofree char *path = cg_test_folder_file(dir, "a", data, size);
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, &error);
    g_assert_cmpmem(file->data, file->size, data, size);
    gsize before = resident(file->data);
    if (before < size) {
        g_test_skip("no smaps here");
        return;
    }
    cg_mapped_file_release(file, file->data + 1, size - 2);
    g_assert_cmpuint(resident(file->data), <=, before - size + (256 << 10));
    g_assert_cmpmem(file->data, file->size, data, size);
    cg_mapped_file_release(file, data, size); /* not in the map: ignored */
    cg_mapped_file_release(file, file->data + 1, size);
    g_assert_cmpmem(data, 4, "\7\7\7\7", 4);
}

static void committed_file_replaces_the_old_one(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a", "old", 3);
    CgAtomicFile *file = cg_atomic_file_open(path, &error);
    g_assert_true(cg_atomic_file_write(file, "ne", 2, &error));
    g_assert_true(cg_atomic_file_write(file, NULL, 0, &error));
    g_assert_true(cg_atomic_file_write(file, "w", 1, &error));
    assert_content(path, "old");
    g_assert_true(cg_atomic_file_commit(file, &error));
    assert_content(path, "new");
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 1);
}

/* Pieces around the size of the buffer arrive whole and in order. */
static void pieces_of_all_sizes_arrive_in_order(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "a");
    const gsize sizes[] = {1, (1 << 20) - 1, 1, 5, 1 << 20, 3, (1 << 20) + 1, (3 << 20) + 7, 2};
    g_autoptr(GByteArray) want = g_byte_array_new();
    CgAtomicFile *file = cg_atomic_file_open(path, &error);
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree guint8 *piece = g_malloc(sizes[i]);
        for (gsize k = 0; k < sizes[i]; k++)
            piece[k] = (guint8)(i * 31 + k * 7);
        g_byte_array_append(want, piece, (guint)sizes[i]);
        g_assert_true(cg_atomic_file_write(file, piece, sizes[i], &error));
    }
    g_assert_true(cg_atomic_file_commit(file, &error));
    g_autofree char *got = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &got, &size, NULL));
    g_assert_cmpmem(got, size, want->data, want->len);
}

static void aborted_file_leaves_the_old_one(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "a", "old", 3);
    g_autofree char *data = g_malloc0(3 << 20);
    CgAtomicFile *file = cg_atomic_file_open(path, &error);
    g_assert_true(cg_atomic_file_write(file, data, 3 << 20, &error));
    cg_atomic_file_abort(file);
    cg_atomic_file_abort(NULL);
    assert_content(path, "old");
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 1);
}

static void unfinished_files_are_removed_and_no_others(void)
{
    static const char *const kept[] = {"a.png", ".cagen-0123abcd", ".cagen-0123abcd.tmp.png",
                                       "x.cagen-0123abcd.tmp", ".cagen-.tmp"};
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "b.png");
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        g_free(cg_test_folder_file(dir, kept[i], "x", 1));
    /* Of a process that ended here. */
    CgAtomicFile *file = cg_atomic_file_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_test_folder_count(dir), ==, G_N_ELEMENTS(kept) + 1);
    cg_atomic_file_clean(dir->path);
    g_assert_cmpuint(cg_test_folder_count(dir), ==, G_N_ELEMENTS(kept));
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
        g_autofree char *name = cg_test_folder_path(dir, kept[i]);
        g_assert_true(g_file_test(name, G_FILE_TEST_EXISTS));
    }
    cg_atomic_file_abort(file);
    cg_atomic_file_clean("/nowhere/at/all");
}

static void permissions_follow_the_umask_or_the_old_file(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *fresh = cg_test_folder_path(dir, "fresh");
    g_autofree char *kept = cg_test_folder_file(dir, "kept", "", 0);
    struct stat st;
    g_assert_cmpint(g_chmod(kept, 0600), ==, 0);
    mode_t old = umask(027);
    g_assert_true(cg_file_write(fresh, "x", 1, &error) && cg_file_write(kept, "x", 1, &error));
    umask(old);
    g_assert_cmpint(stat(fresh, &st), ==, 0);
    g_assert_cmphex(st.st_mode & 0777, ==, 0640);
    g_assert_cmpint(stat(kept, &st), ==, 0);
    g_assert_cmphex(st.st_mode & 0777, ==, 0600);
}

static void link_stays_a_link(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *target = cg_test_folder_file(dir, "target", "old", 3);
    g_autofree char *link = cg_test_folder_path(dir, "link");
    g_assert_cmpint(symlink("target", link), ==, 0);
    g_assert_true(cg_file_write(link, "new", 3, &error));
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    assert_content(target, "new");
}

static void places_where_no_file_can_be_are_refused_at_once(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *file = cg_test_folder_file(dir, "file", "old", 3);
    g_autofree char *below = g_build_filename(file, "x", NULL);
    g_autofree char *nowhere = cg_test_folder_path(dir, "no/such/folder");
    g_autofree char *slash = g_strconcat(file, "/", NULL);
    const char *const rows[] = {dir->path, below, nowhere, slash, "", "/dev/null"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_atomic_file_open(rows[i], &error));
        g_assert_true(error->domain == CG_ERROR && g_str_has_prefix(error->message, rows[i]));
    }
    struct stat st;
    g_assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 1);
}

/* Runs in a child: tries to write 2 MiB to PATH where there is no room for it. */
static int write_without_room(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = g_malloc0(2 << 20);
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, &error);
    if (!file)
        return 2;
    if (cg_atomic_file_write(file, data, 4096, &error) &&
        cg_atomic_file_write(file, data, 2 << 20, &error) &&
        cg_atomic_file_commit(g_steal_pointer(&file), &error))
        return 3;
    return g_error_matches(error, CG_ERROR, CG_ERROR_IO) && g_str_has_prefix(error->message, path)
               ? 0
               : 4;
}

static int count_files(const char *path)
{
    int count = 0;
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    while (g_dir_read_name(dir))
        count++;
    return count;
}

/* A process of its own, so that its limits and mounts go with it. */
static int in_child(int (*run)(const char *path), const char *path)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run(path));
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int under_a_size_limit(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "a", NULL);
    const struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 77;
    return write_without_room(path);
}

static void failed_write_leaves_nothing(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_assert_cmpint(in_child(under_a_size_limit, dir->path), ==, 0);
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 0);
}

/* 77 when no file system can be mounted here. */
static int on_a_full_disk(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "a", NULL);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=1m") != 0)
        return 77;
    int result = write_without_room(path);
    if (result == 0 && count_files(folder) != 0)
        result = 5;
    /* a small file fits and shows that the disk was usable */
    if (result == 0 && !cg_file_write(path, "x", 1, NULL))
        result = 6;
    if (result == 0 && (cg_disk_free(path) == 0 || cg_disk_free(path) > 1 << 20))
        result = 7;
    umount(folder);
    return result;
}

static void full_disk_leaves_nothing(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    int result = in_child(on_a_full_disk, dir->path);
    if (result == 77) {
        g_test_skip("no small file system can be mounted here");
        return;
    }
    g_assert_cmpint(result, ==, 0);
}

static void folders_are_made_with_their_parents(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *deep = cg_test_folder_path(dir, "a/b/c");
    g_autofree char *file = cg_test_folder_file(dir, "file", "", 0);
    g_autofree char *below = g_build_filename(file, "x", NULL);
    g_assert_true(cg_file_make_directory(deep, &error));
    g_assert_true(cg_file_make_directory(deep, &error));
    g_assert_true(g_file_test(deep, G_FILE_TEST_IS_DIR));
    g_assert_false(cg_file_make_directory(below, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
    g_clear_error(&error);
    g_assert_false(cg_file_make_directory(file, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
}

static void sha256_is_the_standard_one(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "abc", "abc", 3);
    g_autofree char *million = g_malloc(1000000);
    memset(million, 'a', 1000000);
    g_autofree char *large = cg_test_folder_file(dir, "large", million, 1000000);
    g_autofree char *digest = cg_file_sha256(path, &error);
    g_autofree char *large_digest = cg_file_sha256(large, &error);
    g_assert_cmpstr(digest, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    g_assert_cmpstr(large_digest, ==,
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    g_assert_null(cg_file_sha256(dir->path, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
}

static void sha256_stops_when_cancelled(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "abc", "abc", 3);
    cg_cancel();
    char *digest = cg_file_sha256(path, &error);
    cg_cancel_reset();
    g_assert_null(digest);
    g_assert_error(error, CG_ERROR, CG_ERROR_CANCELLED);
}

#define TEST(name) g_test_add_func("/file/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(small_file_is_read_whole);
    TEST(what_cannot_be_read_is_named);
    TEST(mapped_file_shows_the_bytes_until_the_last_reference);
    TEST(empty_file_maps_to_nothing);
    TEST(released_bytes_leave_memory_and_stay_readable);
    TEST(committed_file_replaces_the_old_one);
    TEST(pieces_of_all_sizes_arrive_in_order);
    TEST(aborted_file_leaves_the_old_one);
    TEST(unfinished_files_are_removed_and_no_others);
    TEST(permissions_follow_the_umask_or_the_old_file);
    TEST(link_stays_a_link);
    TEST(places_where_no_file_can_be_are_refused_at_once);
    TEST(failed_write_leaves_nothing);
    TEST(full_disk_leaves_nothing);
    TEST(folders_are_made_with_their_parents);
    TEST(sha256_is_the_standard_one);
    TEST(sha256_stops_when_cancelled);
    return g_test_run();
}
