#include "hub/fetch.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "hub/blob.h"
#include "hub/cache.h"
#include "hub/hash.h"
#include "hub/settings.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LISTING (64u << 20)

void cg_hub_fetch_options_default(CgHubFetchOptions *o)
{
    *o = (CgHubFetchOptions){.timeout = 30, .retries = 5, .pause = 0.5};
}

void cg_hub_fetched_clear(CgHubFetched *f)
{
    g_clear_pointer(&f->folder, g_free);
    g_clear_pointer(&f->commit, g_free);
}

/* What belongs together while fetching. */
typedef struct {
    const CgHubFetchOptions *options;
    const char *revision;
    char *endpoint, *cache, *repository;
    char *folder; /* the model's */
    CgHttp *http;
    CgHubListing *listing;
    GPtrArray *files; /* chosen */
} Job;

static void job_clear(Job *j)
{
    g_free(j->endpoint);
    g_free(j->cache);
    g_free(j->repository);
    g_free(j->folder);
    cg_http_free(j->http);
    cg_hub_listing_free(j->listing);
    if (j->files)
        g_ptr_array_unref(j->files);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Job, job_clear)

static gboolean read_listing(Job *j, GError **error)
{
    const CgHubFetchOptions *o = j->options;
    size_t size;
    g_autofree char *revision = g_uri_escape_string(j->revision, NULL, FALSE);
    g_autofree char *url =
        g_strdup_printf("%s/api/models/%s/revision/%s?blobs=true", j->endpoint, o->id, revision);
    g_autofree char *text = cg_http_get(j->http, url, MAX_LISTING, &size, error);
    j->listing = text ? cg_hub_listing_parse(text, size, url, error) : NULL;
    if (!j->listing)
        return FALSE;
    j->files = cg_hub_select(j->listing, &o->selection, o->id, error);
    return j->files != NULL;
}

/* Where FILE's contents go. */
static char *target_of(const Job *j, const CgHubFile *file)
{
    return j->options->out ? g_build_filename(j->folder, file->path, NULL)
                           : g_build_filename(j->repository, "blobs", file->hash, NULL);
}

/* Whether the file of this size is there; contents in a folder of somebody's own may be others. */
static gboolean is_there(const Job *j, const CgHubFile *file, const char *target)
{
    struct stat st;
    return stat(target, &st) == 0 && S_ISREG(st.st_mode) && (guint64)st.st_size == file->size &&
           (!j->options->out || cg_hub_hash_check(target, file->hash, NULL));
}

/* The snapshot's link to FILE's blob. */
static gboolean link_file(const Job *j, const CgHubFile *file, GError **error)
{
    g_autofree char *link = g_build_filename(j->folder, file->path, NULL);
    g_autofree char *folder = g_path_get_dirname(link);
    g_autoptr(GString) to = g_string_new("../../");
    for (const char *p = file->path; *p; p++)
        if (*p == '/')
            g_string_append(to, "../");
    g_string_append_printf(to, "blobs/%s", file->hash);
    g_autofree char *old = g_file_read_link(link, NULL);
    if (g_strcmp0(old, to->str) == 0)
        return TRUE;
    if (!cg_file_make_directory(folder, error))
        return FALSE;
    unlink(link);
    if (symlink(to->str, link) == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_IO,
                "%s: cannot make a link: %s; --out DIR does without links", link,
                g_strerror(errno));
    return FALSE;
}

static gboolean check_disk(const char *folder, guint64 need, GError **error)
{
    const guint64 have = cg_disk_free(folder);
    if (have == 0 || need <= have)
        return TRUE;
    g_autofree char *needed = g_format_size(need);
    g_autofree char *left = g_format_size(have);
    g_set_error(error, CG_ERROR, CG_ERROR_IO,
                "%s: %s are to be fetched, but the disk has %s left; make room, or name another "
                "folder with --out or HF_HOME",
                folder, needed, left);
    return FALSE;
}

static char *file_url(const Job *j, const CgHubFile *file)
{
    g_autofree char *path = g_uri_escape_string(file->path, "/", FALSE);
    return g_strdup_printf("%s/%s/resolve/%s/%s", j->endpoint, j->options->id, j->listing->commit,
                           path);
}

/* The file that is locked while TARGET is written, as huggingface_hub does it. */
static char *lock_of(const Job *j, const CgHubFile *file, const char *target, GError **error)
{
    if (j->options->out)
        return g_strconcat(target, ".incomplete", NULL);
    g_autofree char *name = g_path_get_basename(j->repository);
    g_autofree char *folder = g_build_filename(j->cache, ".locks", name, NULL);
    g_autofree char *file_name = g_strconcat(file->hash, ".lock", NULL);
    return cg_file_make_directory(folder, error) ? g_build_filename(folder, file_name, NULL) : NULL;
}

static gboolean fetch_file(const Job *j, const CgHubFile *file, CgProgress *progress,
                           guint64 before, GError **error)
{
    g_autofree char *target = target_of(j, file);
    g_autofree char *folder = g_path_get_dirname(target);
    g_autofree char *url = file_url(j, file);
    if (!cg_file_make_directory(folder, error))
        return FALSE;
    g_autofree char *lock = lock_of(j, file, target, error);
    return lock && cg_hub_blob_fetch(j->http, url, file, target, lock, progress, before, error);
}

/* Fetches the files that are not THERE. */
static gboolean fetch_files(const Job *j, const gboolean *there, guint64 total, guint64 begun,
                            GError **error)
{
    g_autoptr(CgProgress) progress = cg_progress_new("fetching", total);
    guint64 before = 0;
    cg_progress_show_bytes(progress);
    cg_progress_resume(progress, begun);
    for (guint i = 0; i < j->files->len; i++) {
        const CgHubFile *file = g_ptr_array_index(j->files, i);
        if (!there[i]) {
            if (!fetch_file(j, file, progress, before, error))
                return FALSE;
            before += file->size;
        }
        if (!j->options->out && !link_file(j, file, error))
            return FALSE;
    }
    return TRUE;
}

/* Names the snapshot: the model is whole. */
static gboolean write_ref(const Job *j, GError **error)
{
    if (j->options->out || g_str_equal(j->revision, j->listing->commit))
        return TRUE;
    g_autofree char *path = g_build_filename(j->repository, "refs", j->revision, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    return cg_file_make_directory(folder, error) &&
           cg_file_write(path, j->listing->commit, strlen(j->listing->commit), error);
}

static gboolean fetch(Job *j, CgHubFetched *fetched, GError **error)
{
    guint64 begun = 0;
    if (!read_listing(j, error))
        return FALSE;
    j->folder = j->options->out
                    ? g_strdup(j->options->out)
                    : g_build_filename(j->repository, "snapshots", j->listing->commit, NULL);
    g_autofree gboolean *there = g_new0(gboolean, j->files->len + 1);
    for (guint i = 0; i < j->files->len; i++) {
        const CgHubFile *file = g_ptr_array_index(j->files, i);
        g_autofree char *target = target_of(j, file);
        there[i] = is_there(j, file, target);
        fetched->bytes += file->size;
        fetched->fetched += there[i] ? 0 : file->size;
        begun += there[i] ? 0 : cg_hub_blob_have(file, target);
    }
    if (!cg_cancel_check(error) || !cg_file_make_directory(j->folder, error) ||
        !check_disk(j->folder, fetched->fetched - begun, error) ||
        !fetch_files(j, there, fetched->fetched, begun, error) || !write_ref(j, error))
        return FALSE;
    fetched->files = j->files->len;
    fetched->commit = g_strdup(j->listing->commit);
    fetched->folder = g_strdup(j->folder);
    return TRUE;
}

static gboolean find_offline(const Job *j, CgHubFetched *fetched, GError **error)
{
    fetched->folder =
        j->options->out ? NULL : cg_hub_snapshot(j->cache, j->options->id, j->revision);
    if (fetched->folder)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: not in the cache %s, and HF_HUB_OFFLINE forbids the network", j->options->id,
                j->cache);
    return FALSE;
}

gboolean cg_hub_fetch(const CgHubFetchOptions *o, CgHubFetched *fetched, GError **error)
{
    g_auto(Job) j = {.options = o, .revision = o->revision ? o->revision : "main"};
    g_autofree char *token = cg_hub_token();
    *fetched = (CgHubFetched){0};
    if (!cg_hub_is_id(o->id) || strstr(j.revision, "..") || *j.revision == '/') {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "\"%s\" in revision \"%s\" cannot be a model on a hub; its name is like "
                    "org/name",
                    o->id, j.revision);
        return FALSE;
    }
    j.endpoint = cg_hub_endpoint();
    j.cache = cg_hub_cache_folder();
    j.repository = cg_hub_repository(j.cache, o->id);
    if (cg_hub_is_offline())
        return find_offline(&j, fetched, error);
    const CgHttpSettings settings = {j.endpoint, token, o->timeout, o->retries, o->pause};
    j.http = cg_http_new(&settings);
    return fetch(&j, fetched, error);
}
