/* The list of all names below a data set's root. */
#include "datasets/dataset-private.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gsize cg_name_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (gsize)(dot - name) : strlen(name);
}

gboolean cg_name_is_image(const char *name)
{
    static const char *const extensions[] = {".png",  ".jpg",  ".jpeg", ".bmp", ".tif",
                                             ".tiff", ".webp", ".gif",  ".ppm", ".pgm"};
    const char *extension = name + cg_name_stem(name);
    if (*name == '.')
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (g_ascii_strcasecmp(extension, extensions[i]) == 0)
            return TRUE;
    return FALSE;
}

gboolean cg_name_is_good(const char *name)
{
    static const char *const names[] = {"good", "ok", "normal", "defect_free", "defect-free"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(name, names[i]) == 0)
            return TRUE;
    return FALSE;
}

static CgFolder *folder_new(CgFolder *parent, const char *name)
{
    CgFolder *f = g_new(CgFolder, 1);
    *f = (CgFolder){parent, name, g_ptr_array_new(),
                    g_ptr_array_new_with_free_func((GDestroyNotify)cg_folder_free)};
    return f;
}

void cg_folder_free(CgFolder *folder)
{
    if (!folder)
        return;
    g_ptr_array_unref(folder->files);
    g_ptr_array_unref(folder->folders);
    g_free(folder);
}

/* A folder on the way down: a link that leads to one of these would go in circles. */
typedef struct Ancestor Ancestor;
struct Ancestor {
    const Ancestor *up;
    dev_t device;
    ino_t inode;
    int depth;
};

typedef struct {
    CgDataset *dataset;
    guint64 entries;
} Scan;

typedef enum { ENTRY_FILE, ENTRY_FOLDER, ENTRY_OTHER } Entry;

/* What an entry is, links followed. Most file systems say it without another call. */
static Entry entry_kind(int fd, const struct dirent *e)
{
    struct stat st;
    if (e->d_type == DT_REG)
        return ENTRY_FILE;
    if (e->d_type == DT_DIR)
        return ENTRY_FOLDER;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
        return ENTRY_OTHER;
    if (fstatat(fd, e->d_name, &st, 0) != 0)
        return ENTRY_OTHER;
    return S_ISREG(st.st_mode) ? ENTRY_FILE : S_ISDIR(st.st_mode) ? ENTRY_FOLDER : ENTRY_OTHER;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_folders(gconstpointer a, gconstpointer b)
{
    return strcmp((*(CgFolder *const *)a)->name, (*(CgFolder *const *)b)->name);
}

static gboolean scan_folder(Scan *scan, CgFolder *folder, int fd, const Ancestor *up,
                            GError **error);

/* Opens NAME in the folder of FD and lists it. */
static gboolean scan_child(Scan *scan, CgFolder *folder, int fd, const char *name,
                           const Ancestor *up, GError **error)
{
    CgDataset *d = scan->dataset;
    int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (child < 0) {
        cg_dataset_problem(d, CG_PROBLEM_UNREADABLE, folder, name,
                           "the folder cannot be opened: %s", g_strerror(errno));
        return TRUE;
    }
    if (up->depth >= CG_TREE_MAX_DEPTH) {
        cg_dataset_problem(d, CG_PROBLEM_STRAY, folder, name,
                           "more than %d folders deep; not looked at", CG_TREE_MAX_DEPTH);
        close(child);
        return TRUE;
    }
    CgFolder *f = folder_new(folder, g_string_chunk_insert(d->strings, name));
    g_ptr_array_add(folder->folders, f);
    return scan_folder(scan, f, child, up, error);
}

static gboolean add_entry(Scan *scan, CgFolder *folder, int fd, const struct dirent *e,
                          GPtrArray *below, GError **error)
{
    CgDataset *d = scan->dataset;
    if (++scan->entries > CG_TREE_MAX_ENTRIES) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: more than %u files and folders; give the data set's own folder", d->root,
                    CG_TREE_MAX_ENTRIES);
        return FALSE;
    }
    switch (entry_kind(fd, e)) {
    case ENTRY_FILE:
        g_ptr_array_add(folder->files, g_string_chunk_insert(d->strings, e->d_name));
        break;
    case ENTRY_FOLDER:
        /* Hidden folders (.git, .cache) are nobody's data. */
        if (e->d_name[0] != '.')
            g_ptr_array_add(below, g_string_chunk_insert(d->strings, e->d_name));
        break;
    case ENTRY_OTHER:
        cg_dataset_problem(d, CG_PROBLEM_UNREADABLE, folder, e->d_name,
                           "neither a file nor a folder (a broken link, a pipe, ...)");
        break;
    }
    return TRUE;
}

static gboolean list_folder(Scan *scan, CgFolder *folder, DIR *dir, const Ancestor *self,
                            GError **error)
{
    g_autoptr(GPtrArray) below = g_ptr_array_new();
    for (struct dirent *e; (e = readdir(dir));) {
        if (g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, ".."))
            continue;
        if (!add_entry(scan, folder, dirfd(dir), e, below, error))
            return FALSE;
    }
    g_ptr_array_sort(folder->files, compare_names);
    for (guint i = 0; i < below->len; i++)
        if (!scan_child(scan, folder, dirfd(dir), g_ptr_array_index(below, i), self, error))
            return FALSE;
    g_ptr_array_sort(folder->folders, compare_folders);
    return TRUE;
}

/* Takes FD. */
static gboolean scan_folder(Scan *scan, CgFolder *folder, int fd, const Ancestor *up,
                            GError **error)
{
    struct stat st;
    DIR *dir = fstat(fd, &st) == 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        cg_dataset_problem(scan->dataset, CG_PROBLEM_UNREADABLE, folder, NULL,
                           "the folder cannot be read: %s", g_strerror(errno));
        close(fd);
        return TRUE;
    }
    const Ancestor self = {up, st.st_dev, st.st_ino, up ? up->depth + 1 : 0};
    gboolean circle = FALSE, ok = TRUE;
    for (const Ancestor *a = up; a && !circle; a = a->up)
        circle = a->device == self.device && a->inode == self.inode;
    if (circle)
        cg_dataset_problem(scan->dataset, CG_PROBLEM_STRAY, folder, NULL,
                           "a link to a folder above it; not followed, remove it");
    else
        ok = list_folder(scan, folder, dir, &self, error);
    closedir(dir);
    return ok;
}

CgFolder *cg_tree_scan(CgDataset *dataset, GError **error)
{
    Scan scan = {dataset, 0};
    int fd = open(dataset->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const int code = errno;
        g_set_error(error, CG_ERROR, code == ENOENT ? CG_ERROR_MISSING : CG_ERROR_IO,
                    "%s: cannot open the folder: %s", dataset->root,
                    code == ENOTDIR ? "it is a file" : g_strerror(code));
        return NULL;
    }
    g_autoptr(CgFolder) root = folder_new(NULL, "");
    return scan_folder(&scan, root, fd, NULL, error) ? g_steal_pointer(&root) : NULL;
}

static CgFolder *find_child(CgFolder *folder, const char *name, gsize length)
{
    guint low = 0, high = folder->folders->len;
    while (low < high) {
        const guint middle = (low + high) / 2;
        CgFolder *f = g_ptr_array_index(folder->folders, middle);
        int order = strncmp(f->name, name, length);
        if (order == 0)
            order = f->name[length] != '\0';
        if (order == 0)
            return f;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

CgFolder *cg_folder_find(CgFolder *folder, const char *path)
{
    while (folder && *path) {
        const gsize n = strcspn(path, "/");
        if (n == 2 && !strncmp(path, "..", 2))
            return NULL; /* tables may not lead out of the data set */
        if (n > 0 && !(n == 1 && *path == '.'))
            folder = find_child(folder, path, n);
        path += n + (path[n] == '/');
    }
    return folder;
}

gboolean cg_folder_has_file(const CgFolder *folder, const char *name)
{
    return folder->files->len > 0 && bsearch(&name, folder->files->pdata, folder->files->len,
                                             sizeof(gpointer), compare_names) != NULL;
}

gboolean cg_folder_has_path(CgFolder *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    g_autofree char *parent = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup("");
    const CgFolder *f = cg_folder_find(folder, parent);
    return f && *path != '/' && cg_folder_has_file(f, slash ? slash + 1 : path);
}

char *cg_folder_path(const CgDataset *dataset, const CgFolder *folder, const char *name)
{
    const char *parts[CG_TREE_MAX_DEPTH + 4];
    int n = 0;
    for (const CgFolder *f = folder; f->parent; f = f->parent)
        parts[n++] = f->name;
    GString *path = g_string_new(dataset->root);
    while (n > 0) {
        if (path->str[path->len - 1] != '/')
            g_string_append_c(path, '/');
        g_string_append(path, parts[--n]);
    }
    if (name) {
        if (path->str[path->len - 1] != '/')
            g_string_append_c(path, '/');
        g_string_append(path, name);
    }
    return g_string_free(path, FALSE);
}

gboolean cg_folder_has_images(const CgFolder *folder)
{
    for (guint i = 0; i < folder->files->len; i++)
        if (cg_name_is_image(g_ptr_array_index(folder->files, i)))
            return TRUE;
    return FALSE;
}
