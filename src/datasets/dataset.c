#include "datasets/dataset-private.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

static void problem_free(gpointer data)
{
    CgProblem *p = data;
    g_free(p->path);
    g_free(p->text);
    g_free(p);
}

/* "dir/" and "dir//" are "dir"; "/" stays. */
static char *without_slash(const char *path)
{
    gsize n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return g_strndup(path, n);
}

CgDataset *cg_dataset_new(const char *path)
{
    CgDataset *d = g_new0(CgDataset, 1);
    d->root = without_slash(path);
    d->samples = g_array_new(FALSE, FALSE, sizeof(CgSample));
    d->categories = g_ptr_array_new();
    d->problems = g_ptr_array_new_with_free_func(problem_free);
    d->strings = g_string_chunk_new(1 << 16);
    return d;
}

void cg_dataset_free(CgDataset *d)
{
    if (!d)
        return;
    g_free(d->root);
    g_array_unref(d->samples);
    g_ptr_array_unref(d->categories);
    g_ptr_array_unref(d->problems);
    g_string_chunk_free(d->strings);
    g_free(d);
}

gboolean cg_sample_is_good(const CgSample *sample)
{
    return g_str_equal(sample->defect, CG_DEFECT_GOOD);
}

const char *cg_dataset_split_name(CgDatasetSplit split)
{
    static const char *const names[] = {"train", "validation", "test"};
    return names[split];
}

const char *cg_problem_kind_name(CgProblemKind kind)
{
    static const char *const names[CG_PROBLEM_COUNT] = {
        [CG_PROBLEM_UNPAIRED_MASK] = "unpaired-mask",
        [CG_PROBLEM_MISSING_MASK] = "missing-mask",
        [CG_PROBLEM_STRAY] = "stray",
        [CG_PROBLEM_UNREADABLE] = "unreadable",
        [CG_PROBLEM_REFERENCE] = "reference",
        [CG_PROBLEM_NAME] = "name",
        [CG_PROBLEM_SIZE] = "size",
        [CG_PROBLEM_MASK_VALUES] = "mask-values",
        [CG_PROBLEM_MASK_CONTENT] = "mask-content",
        [CG_PROBLEM_CHANNELS] = "channels",
        [CG_PROBLEM_DUPLICATE] = "duplicate",
    };
    return names[kind];
}

const char *cg_dataset_choose_category(const CgDataset *d, const char *name, GError **error)
{
    for (guint i = 0; i < d->categories->len; i++) {
        const char *category = g_ptr_array_index(d->categories, i);
        if (name ? g_str_equal(category, name) : d->categories->len == 1)
            return category;
    }
    g_autofree char *quoted = name ? cg_json_quote(name) : NULL;
    if (name)
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no category %s; cagen dataset info lists them", d->root, quoted);
    else
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s has several categories; choose one with --category", d->root);
    return NULL;
}

const char *cg_dataset_relative(const CgDataset *d, const char *path)
{
    const gsize n = strlen(d->root);
    if (strncmp(path, d->root, n) != 0)
        return path;
    path += n;
    while (*path == '/')
        path++;
    return path;
}

char *cg_dataset_base_name(const CgDataset *d)
{
    g_autofree char *full = g_canonicalize_filename(d->root, NULL);
    return g_path_get_basename(full);
}

char *cg_sample_stem(const CgSample *sample)
{
    const char *slash = strrchr(sample->image, '/'), *name = slash ? slash + 1 : sample->image;
    return g_strndup(name, cg_name_stem(name));
}

void cg_dataset_add(CgDataset *d, const char *category, const char *defect, CgDatasetSplit split,
                    const CgFolder *folder, const char *image, const char *mask, CgMaskRule rule)
{
    g_autofree char *path = cg_folder_path(d, folder, image);
    const CgSample sample = {
        .category = g_string_chunk_insert_const(d->strings, category),
        .defect = g_string_chunk_insert_const(d->strings, defect),
        .image = g_string_chunk_insert(d->strings, path),
        .mask = mask ? g_string_chunk_insert(d->strings, mask) : NULL,
        .split = split,
        .mask_rule = rule,
    };
    g_array_append_val(d->samples, sample);
}

const char *cg_dataset_reason(const GError *error, const char *path)
{
    const gsize n = strlen(path);
    const char *text = error->message;
    return !strncmp(text, path, n) && !strncmp(text + n, ": ", 2) ? text + n + 2 : text;
}

void cg_dataset_problem_at(CgDataset *d, CgProblemKind kind, char *path, char *text)
{
    CgProblem *p = g_new(CgProblem, 1);
    *p = (CgProblem){kind, path, text};
    g_ptr_array_add(d->problems, p);
}

void cg_dataset_problem(CgDataset *d, CgProblemKind kind, const CgFolder *folder, const char *name,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    cg_dataset_problem_at(d, kind, cg_folder_path(d, folder, name), text);
}

static gboolean is_company(const char *name)
{
    return g_ascii_strncasecmp(name, "readme", 6) == 0 ||
           g_ascii_strncasecmp(name, "license", 7) == 0 ||
           g_ascii_strncasecmp(name, "licence", 7) == 0;
}

void cg_dataset_strays(CgDataset *d, const CgFolder *folder, gboolean only_other)
{
    for (guint i = 0; i < folder->files->len; i++) {
        const char *name = g_ptr_array_index(folder->files, i);
        const gboolean image = cg_name_is_image(name);
        if (is_company(name) || (only_other && image))
            continue;
        cg_dataset_problem(d, CG_PROBLEM_STRAY, folder, name,
                           image ? "a picture where none belongs; other programs would read it as "
                                   "data, so move it away"
                                 : "no picture, and nothing that belongs here; move it away");
    }
}

void cg_dataset_stray_folder(CgDataset *d, const CgFolder *folder)
{
    cg_dataset_problem(d, CG_PROBLEM_STRAY, folder, NULL,
                       "a folder that this layout does not know; move it away");
}

/* Normal first: it is what the others are compared with. */
static int compare_samples(gconstpointer a, gconstpointer b)
{
    const CgSample *x = a, *y = b;
    int order = x->category == y->category ? 0 : strcmp(x->category, y->category);
    if (order == 0)
        order = (int)x->split - (int)y->split;
    if (order == 0 && x->defect != y->defect) {
        const int good = (int)cg_sample_is_good(y) - (int)cg_sample_is_good(x);
        order = good ? good : strcmp(x->defect, y->defect);
    }
    return order ? order : strcmp(x->image, y->image);
}

static int compare_problems(gconstpointer a, gconstpointer b)
{
    const CgProblem *x = *(CgProblem *const *)a, *y = *(CgProblem *const *)b;
    const int order = strcmp(x->path, y->path);
    return order ? order : (int)x->kind - (int)y->kind;
}

void cg_dataset_sort(CgDataset *d)
{
    g_array_sort(d->samples, compare_samples);
    g_ptr_array_sort(d->problems, compare_problems);
    g_ptr_array_set_size(d->categories, 0);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (i == 0 || cg_dataset_sample(d, i - 1)->category != s->category)
            g_ptr_array_add(d->categories, (gpointer)s->category);
    }
}
