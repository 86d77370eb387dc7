#include "hub/cache.h"

#include "hub/settings.h"

#include <string.h>
#include <sys/stat.h>

#define PREFIX    "models--"
#define MAX_DEPTH 8

char *cg_hub_repository(const char *cache, const char *id)
{
    g_auto(GStrv) parts = g_strsplit(id, "/", -1);
    g_autofree char *name = g_strjoinv("--", parts);
    g_autofree char *folder = g_strconcat(PREFIX, name, NULL);
    return g_build_filename(cache, folder, NULL);
}

/* The commit in the file REFS/REVISION, or NULL. */
static char *read_ref(const char *repository, const char *revision)
{
    g_autofree char *path = g_build_filename(repository, "refs", revision, NULL);
    char *commit = NULL;
    if (!g_file_get_contents(path, &commit, NULL, NULL))
        return NULL;
    return g_strstrip(commit);
}

char *cg_hub_snapshot(const char *cache, const char *id, const char *revision)
{
    g_autofree char *repository = cg_hub_repository(cache, id);
    g_autofree char *commit = strstr(revision, "..") ? NULL : read_ref(repository, revision);
    g_autofree char *folder =
        g_build_filename(repository, "snapshots", commit ? commit : revision, NULL);
    const gboolean plain = !strpbrk(commit ? commit : revision, "/.");
    return plain && g_file_test(folder, G_FILE_TEST_IS_DIR) ? g_steal_pointer(&folder) : NULL;
}

static void cached_file_free(void *data)
{
    CgHubCachedFile *file = data;
    g_free(file->path);
    g_free(file->blob);
    g_free(file);
}

void cg_hub_cached_free(CgHubCached *c)
{
    if (!c)
        return;
    g_free(c->id);
    g_free(c->commit);
    g_free(c->revisions);
    g_free(c->folder);
    g_ptr_array_unref(c->files);
    g_free(c);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in FOLDER in order; none when it is not there. */
static GPtrArray *names_in(const char *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return names;
}

/* Where the link PATH points to; PATH itself when it is none. */
static char *link_target(const char *path)
{
    g_autofree char *to = g_file_read_link(path, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    return to ? g_canonicalize_filename(to, folder) : g_strdup(path);
}

static void add_files(CgHubCached *c, const char *below, int depth)
{
    g_autofree char *folder = g_build_filename(c->folder, below, NULL);
    g_autoptr(GPtrArray) names = names_in(folder);
    for (guint i = 0; i < names->len && depth < MAX_DEPTH; i++) {
        g_autofree char *path = *below ? g_build_filename(below, g_ptr_array_index(names, i), NULL)
                                       : g_strdup(g_ptr_array_index(names, i));
        g_autofree char *full = g_build_filename(c->folder, path, NULL);
        struct stat st = {0};
        if (g_file_test(full, G_FILE_TEST_IS_DIR)) {
            add_files(c, path, depth + 1);
            continue;
        }
        CgHubCachedFile *file = g_new0(CgHubCachedFile, 1);
        file->path = g_steal_pointer(&path);
        file->blob = link_target(full);
        file->missing = stat(full, &st) != 0;
        file->size = file->missing ? 0 : (guint64)st.st_size;
        c->bytes += file->size;
        g_ptr_array_add(c->files, file);
    }
}

/* Revisions below refs/ (they may have slashes) that are COMMIT, into NAMES. */
static void add_revisions(const char *repository, const char *below, const char *commit,
                          GPtrArray *found, int depth)
{
    g_autofree char *folder = g_build_filename(repository, "refs", below, NULL);
    g_autoptr(GPtrArray) names = names_in(folder);
    for (guint i = 0; i < names->len && depth < MAX_DEPTH; i++) {
        g_autofree char *name = *below ? g_build_filename(below, g_ptr_array_index(names, i), NULL)
                                       : g_strdup(g_ptr_array_index(names, i));
        g_autofree char *full = g_build_filename(repository, "refs", name, NULL);
        g_autofree char *its = read_ref(repository, name);
        if (g_file_test(full, G_FILE_TEST_IS_DIR))
            add_revisions(repository, name, commit, found, depth + 1);
        else if (g_strcmp0(its, commit) == 0)
            g_ptr_array_add(found, g_steal_pointer(&name));
    }
}

static guint64 incomplete_bytes(const char *repository)
{
    g_autofree char *folder = g_build_filename(repository, "blobs", NULL);
    g_autoptr(GPtrArray) names = names_in(folder);
    guint64 bytes = 0;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(folder, g_ptr_array_index(names, i), NULL);
        struct stat st;
        if (g_str_has_suffix(path, ".incomplete") && stat(path, &st) == 0)
            bytes += (guint64)st.st_size;
    }
    return bytes;
}

static void add_repository(const char *repository, const char *id, GPtrArray *list)
{
    g_autofree char *snapshots = g_build_filename(repository, "snapshots", NULL);
    g_autoptr(GPtrArray) commits = names_in(snapshots);
    for (guint i = 0; i < commits->len; i++) {
        g_autoptr(GPtrArray) revisions = g_ptr_array_new_with_free_func(g_free);
        CgHubCached *c = g_new0(CgHubCached, 1);
        c->id = g_strdup(id);
        c->commit = g_strdup(g_ptr_array_index(commits, i));
        c->folder = g_build_filename(snapshots, c->commit, NULL);
        c->files = g_ptr_array_new_with_free_func(cached_file_free);
        c->incomplete = incomplete_bytes(repository);
        add_files(c, "", 0);
        add_revisions(repository, "", c->commit, revisions, 0);
        g_ptr_array_add(revisions, NULL);
        c->revisions = g_strjoinv(", ", (char **)revisions->pdata);
        g_ptr_array_add(list, c);
    }
}

GPtrArray *cg_hub_cache_list(const char *cache, const char *id)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)cg_hub_cached_free);
    g_autoptr(GPtrArray) names = names_in(cache);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_auto(GStrv) parts = g_strsplit(name, "--", -1);
        if (!g_str_has_prefix(name, PREFIX))
            continue;
        g_autofree char *its = g_strjoinv("/", parts + 1);
        g_autofree char *repository = g_build_filename(cache, name, NULL);
        if (!id || g_str_equal(id, its))
            add_repository(repository, its, list);
    }
    return list;
}
