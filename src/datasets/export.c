#include "datasets/export-private.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "image/format.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FILE   "export.json"
#define MANIFEST     "manifest.jsonl"
#define MAX_MANIFEST ((size_t)1 << 30)
#define STEM_DIGITS  3

static const CgExportRules *const all_rules[CG_EXPORT_COUNT] = {
    [CG_EXPORT_MVTEC] = &cg_export_mvtec,     [CG_EXPORT_BTAD] = &cg_export_btad,
    [CG_EXPORT_FOLDER] = &cg_export_folder,   [CG_EXPORT_TEXTURE_BANK] = &cg_export_texture_bank,
    [CG_EXPORT_TRIPLET] = &cg_export_triplet, [CG_EXPORT_PAIRS] = &cg_export_pairs,
    [CG_EXPORT_COCO] = &cg_export_coco,       [CG_EXPORT_YOLO_SEG] = &cg_export_yolo_seg,
};

const char *cg_export_format_name(CgExportFormat format)
{
    return all_rules[format]->name;
}

gboolean cg_export_format_parse(const char *name, CgExportFormat *format, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);
    for (int i = 0; i < CG_EXPORT_COUNT; i++) {
        if (strcmp(name, all_rules[i]->name) == 0) {
            *format = (CgExportFormat)i;
            return TRUE;
        }
        g_string_append_printf(known, "%s%s", i ? ", " : "", all_rules[i]->name);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown format \"%s\"; there are %s", name,
                known->str);
    return FALSE;
}

char *cg_export_path(const CgExport *e, const char *relative)
{
    return g_build_filename(e->options->out, relative, NULL);
}

gboolean cg_export_make_parent(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    return cg_file_make_directory(folder, error);
}

gboolean cg_export_write_text(const CgExport *e, const char *relative, const char *text,
                              GError **error)
{
    g_autofree char *path = cg_export_path(e, relative);
    return cg_export_make_parent(path, error) && cg_file_write(path, text, strlen(text), error);
}

gboolean cg_export_write_row(CgAtomicFile *file, json_t *row, GError **error)
{
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(10));
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(row);
    return cg_atomic_file_write(file, line, strlen(line), error);
}

char *cg_export_name(const char *name)
{
    char *clean = g_strdup(name);
    for (char *p = clean; *p; p++)
        if (*p == '/' || g_ascii_iscntrl(*p))
            *p = '_';
    return clean;
}

CgImage *cg_export_load_mask(const CgExportItem *item, GError **error)
{
    const char *image = item->sample->image;
    int width, height, channels;
    g_autoptr(CgImage) mask = cg_sample_load_mask(item->sample, error);
    if (!mask || !cg_image_probe(image, &width, &height, &channels, error))
        return NULL;
    if (mask->width == width && mask->height == height)
        return g_steal_pointer(&mask);
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: %dx%d, but its image %s is %dx%d; repair the data set, or take the pair out",
                item->sample->mask, mask->width, mask->height, image, width, height);
    return NULL;
}

static char *class_name(const CgExport *e, const CgSample *sample)
{
    if (e->dataset->categories->len == 1)
        return g_strdup(sample->defect);
    return g_strconcat(sample->category, "/", sample->defect, NULL);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *find_classes(const CgExport *e)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *classes = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        g_autofree char *name = class_name(e, item->sample);
        if (cg_export_item_is_good(item) || g_hash_table_contains(seen, name))
            continue;
        g_hash_table_add(seen, name);
        g_ptr_array_add(classes, g_steal_pointer(&name));
    }
    g_ptr_array_sort(classes, compare_names);
    return classes;
}

guint cg_export_class(const CgExport *e, const CgExportItem *item)
{
    g_autofree char *name = class_name(e, item->sample);
    guint i = 0;
    while (i + 1 < e->classes->len && strcmp(g_ptr_array_index(e->classes, i), name) != 0)
        i++;
    return i;
}

static void item_clear(void *data)
{
    CgExportItem *item = data;
    g_free(item->image);
    g_free(item->mask);
    g_free(item->normal);
    g_free(item->normal_source);
    g_free(item->prompt);
}

/* Rows of the manifest in FOLDER, by image with PREFIX cut off. None is fine. */
static gboolean read_origin(CgExport *e, const char *folder, const char *prefix, GError **error)
{
    g_autofree char *path = g_build_filename(folder, MANIFEST, NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return TRUE;
    size_t size = 0;
    g_autofree char *text = cg_file_read(path, MAX_MANIFEST, &size, error);
    if (!text)
        return FALSE;
    int number = 0;
    for (char *line = text, *end; (end = memchr(line, '\n', size - (size_t)(line - text)));
         line = end + 1) {
        g_autofree char *where = g_strdup_printf("%s line %d", path, ++number);
        g_autoptr(json_t) row = cg_json_parse(line, (size_t)(end - line), where, error);
        if (!row)
            return FALSE;
        const char *image = cg_json_text(row, "image");
        if (image && g_str_has_prefix(image, prefix)) {
            json_object_set_new(row, "folder", json_string(folder));
            g_hash_table_insert(e->origin, g_strdup(image + strlen(prefix)), g_steal_pointer(&row));
        }
    }
    return TRUE;
}

/* The data set's manifest lies in its root, or beside it when the root is one category. */
static gboolean find_origin(CgExport *e, GError **error)
{
    g_autofree char *root = g_canonicalize_filename(e->dataset->root, NULL);
    g_autofree char *parent = g_path_get_dirname(root);
    g_autofree char *name = g_path_get_basename(root);
    g_autofree char *prefix = g_strconcat(name, "/", NULL);
    if (!read_origin(e, root, "", error))
        return FALSE;
    return g_hash_table_size(e->origin) > 0 || read_origin(e, parent, prefix, error);
}

static char *default_prompt(const CgSample *sample)
{
    char *prompt = cg_sample_is_good(sample)
                       ? g_strdup(sample->category)
                       : g_strdup_printf("%s %s", sample->defect, sample->category);
    return g_strdelimit(prompt, "_", ' ');
}

/* What the manifest says of ITEM. FALSE for a dropped one. */
static gboolean describe(const CgExport *e, CgExportItem *item)
{
    const json_t *row =
        g_hash_table_lookup(e->origin, cg_dataset_relative(e->dataset, item->sample->image));
    const char *prompt = cg_json_text(row, "prompt");
    const char *normal = cg_json_text(json_object_get(row, "job"), "normal");
    const char *folder = cg_json_text(row, "folder");
    if (!normal)
        normal = cg_json_text(row, "normal");
    item->prompt = prompt && *prompt ? g_strdup(prompt) : default_prompt(item->sample);
    if (normal)
        item->normal_source =
            g_path_is_absolute(normal) ? g_strdup(normal) : g_build_filename(folder, normal, NULL);
    return !json_is_false(json_object_get(row, "kept"));
}

static gboolean choose_items(CgExport *e, const CgExportRules *rules, GError **error)
{
    const CgDataset *d = e->dataset;
    for (guint i = 0; i < d->samples->len; i++) {
        CgExportItem item = {.sample = cg_dataset_sample(d, i)};
        item.split = item.sample->split;
        for (int s = 0; e->options->split && s <= CG_DATASET_TEST; s++)
            if (strcmp(e->options->split, cg_dataset_split_name((CgDatasetSplit)s)) == 0)
                item.split = (CgDatasetSplit)s;
        gboolean wanted = describe(e, &item);
        if (!wanted)
            e->summary->dropped++;
        else if (!cg_export_item_is_good(&item) && !item.sample->mask) {
            e->summary->without_mask++;
            wanted = FALSE;
        } else
            wanted = rules->accepts(e, &item);
        if (wanted)
            g_array_append_val(e->items, item);
        else
            item_clear(&item);
    }
    if (e->items->len > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: nothing to export as %s: of %u images %u have no mask, %u no known normal "
                "image, %u no place in this format, %u were dropped",
                d->root, rules->name, d->samples->len, e->summary->without_mask,
                e->summary->without_normal, e->summary->not_in_layout, e->summary->dropped);
    return FALSE;
}

static int digits(guint n)
{
    int count = 1;
    while (n /= 10)
        count++;
    return MAX(count, STEM_DIGITS);
}

/* Names the outputs: numbered within each group, all stems of a group as wide as the last one's,
 * because programs pair images and masks by their sorted places. */
static void name_outputs(CgExport *e, const CgExportRules *rules)
{
    g_autoptr(GHashTable) totals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) next = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < e->items->len; i++) {
        char *group = rules->group(e, cg_export_item(e, i));
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(totals, group));
        g_hash_table_replace(totals, group, GUINT_TO_POINTER(n + 1));
    }
    for (guint i = 0; i < e->items->len; i++) {
        CgExportItem *item = cg_export_item(e, i);
        char *group = rules->group(e, item);
        const guint total = GPOINTER_TO_UINT(g_hash_table_lookup(totals, group));
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(next, group));
        g_autofree char *stem = g_strdup_printf("%0*u", digits(total - 1), n);
        rules->place(e, item, stem);
        g_hash_table_replace(next, group, GUINT_TO_POINTER(n + 1));
    }
}

static void hash_file(GChecksum *sum, const char *path)
{
    struct stat st = {0};
    const gboolean exists = path && stat(path, &st) == 0;
    g_autofree char *line = g_strdup_printf("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld\n",
                                            path ? path : "-", exists ? (gint64)st.st_size : -1,
                                            (gint64)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    g_checksum_update(sum, (const guchar *)line, -1);
}

/* Tells one export from another: the format, and which state of which files goes where. */
static char *export_key(const CgExport *e)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)cg_export_format_name(e->options->format), -1);
    for (guint i = 0; i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        g_autofree char *line =
            g_strdup_printf("%s %s %s %d %s\n", item->image, item->mask ? item->mask : "-",
                            item->normal ? item->normal : "-", item->split, item->prompt);
        g_checksum_update(sum, (const guchar *)line, -1);
        hash_file(sum, item->sample->image);
        hash_file(sum, item->sample->mask);
        if (item->normal)
            hash_file(sum, item->normal_source);
    }
    return g_strdup(g_checksum_get_string(sum));
}

static gboolean write_state(const CgExport *e, const char *key, gboolean done, GError **error)
{
    g_autoptr(json_t) state = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:b, s:s}", "format", cg_export_format_name(e->options->format),
        "source", e->dataset->root, "key", key, "images", (int)e->summary->images, "masks",
        (int)e->summary->masks, "done", (int)done, "version", CAGEN_VERSION);
    if (!state) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: the path is not UTF-8",
                    e->dataset->root);
        return FALSE;
    }
    char *text = json_dumps(state, JSON_INDENT(2));
    g_autofree char *lines = g_strconcat(text, "\n", NULL);
    free(text);
    return cg_export_write_text(e, STATE_FILE, lines, error);
}

/* OUT is new, empty, or holds a part of this very export. */
static gboolean open_out(const CgExport *e, const char *key, GError **error)
{
    const char *out = e->options->out;
    g_autofree char *path = cg_export_path(e, STATE_FILE);
    if (!cg_file_make_directory(out, error))
        return FALSE;
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autoptr(json_t) state = cg_json_load(path, error);
        if (!state)
            return FALSE;
        if (g_strcmp0(cg_json_text(state, "key"), key) == 0)
            return TRUE;
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: holds another export (of other files, or as another format); choose "
                    "another --out",
                    out);
        return FALSE;
    }
    g_autoptr(GDir) dir = g_dir_open(out, 0, NULL);
    if (!dir || !g_dir_read_name(dir))
        return write_state(e, key, FALSE, error);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: is not empty; choose another --out", out);
    return FALSE;
}

gboolean cg_export_copy_picture(const char *source, const char *path, gboolean link,
                                gboolean *linked, GError **error)
{
    CgFormat format;
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(source, error);
    if (!file || !cg_format_sniff(file->data, file->size, source, &format, error))
        return FALSE;
    if (format != CG_FORMAT_PNG) {
        g_autoptr(CgImage) image = cg_image_load(source, NULL, error);
        return image && cg_image_save_png(image, path, error);
    }
    if (link && linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
        *linked = TRUE;
        return TRUE;
    }
    return cg_file_write(path, file->data, file->size, error);
}

static gboolean is_there(const CgExport *e, const char *relative)
{
    g_autofree char *path = cg_export_path(e, relative);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean write_picture(CgExport *e, const char *source, const char *relative, GError **error)
{
    g_autofree char *path = cg_export_path(e, relative);
    gboolean linked = FALSE;
    if (is_there(e, relative))
        return TRUE;
    if (!cg_export_make_parent(path, error) ||
        !cg_export_copy_picture(source, path, e->options->link, &linked, error))
        return FALSE;
    e->summary->linked += linked;
    return TRUE;
}

static gboolean write_mask(const CgExport *e, const CgExportItem *item, GError **error)
{
    g_autofree char *path = cg_export_path(e, item->mask);
    if (is_there(e, item->mask))
        return TRUE;
    g_autoptr(CgImage) mask = cg_export_load_mask(item, error);
    return mask && cg_export_make_parent(path, error) && cg_image_save_png(mask, path, error);
}

/* The image comes last: where it is, its mask is too. */
static gboolean write_item(CgExport *e, const CgExportRules *rules, const CgExportItem *item,
                           GError **error)
{
    const gboolean present = is_there(e, item->image);
    if ((item->mask && !write_mask(e, item, error)) ||
        (rules->write && !rules->write(e, item, error)) ||
        (item->normal && !write_picture(e, item->normal_source, item->normal, error)) ||
        !write_picture(e, item->sample->image, item->image, error))
        return FALSE;
    e->summary->images++;
    e->summary->masks += item->mask != NULL;
    e->summary->present += present;
    return TRUE;
}

static json_t *text_or_null(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

static gboolean write_manifest(const CgExport *e, GError **error)
{
    g_autofree char *path = cg_export_path(e, MANIFEST);
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, error);
    for (guint i = 0; file && i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        const CgSample *s = item->sample;
        json_t *row = json_object();
        g_autofree char *source = g_canonicalize_filename(s->image, NULL);
        json_object_set_new(row, "image", text_or_null(item->image));
        json_object_set_new(row, "mask", text_or_null(item->mask));
        json_object_set_new(row, "category", text_or_null(s->category));
        json_object_set_new(row, "defect", text_or_null(s->defect));
        json_object_set_new(row, "split", json_string(cg_dataset_split_name(item->split)));
        json_object_set_new(row, "prompt", text_or_null(item->prompt));
        json_object_set_new(row, "source", text_or_null(source));
        if (item->normal_source)
            json_object_set_new(row, "normal", text_or_null(item->normal_source));
        if (!cg_export_write_row(file, row, error))
            return FALSE;
    }
    return file && cg_atomic_file_commit(g_steal_pointer(&file), error);
}

static gboolean check_split(const CgExportOptions *o, GError **error)
{
    if (!o->split)
        return TRUE;
    const gboolean free_splits = o->format == CG_EXPORT_COCO || o->format == CG_EXPORT_YOLO_SEG;
    gboolean known = FALSE;
    for (int s = 0; s <= CG_DATASET_TEST; s++)
        known |= strcmp(o->split, cg_dataset_split_name((CgDatasetSplit)s)) == 0;
    if (known && free_splits)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                known ? "--split %s: only coco and yolo-seg can have everything in one split"
                      : "unknown --split \"%s\"; train, validation or test",
                o->split);
    return FALSE;
}

static gboolean export_all(CgExport *e, const CgExportRules *rules, GError **error)
{
    if (!find_origin(e, error) || !choose_items(e, rules, error))
        return FALSE;
    name_outputs(e, rules);
    e->classes = find_classes(e);
    g_autofree char *key = export_key(e);
    if (!open_out(e, key, error))
        return FALSE;
    CgProgress *progress = cg_progress_new("exporting", e->items->len);
    gboolean ok = TRUE;
    for (guint i = 0; i < e->items->len && ok; i++) {
        ok = cg_cancel_check(error) && write_item(e, rules, cg_export_item(e, i), error);
        cg_progress_update(progress, i + 1, NULL);
    }
    cg_progress_free(progress);
    return ok && (!rules->finish || rules->finish(e, error)) && write_manifest(e, error) &&
           write_state(e, key, TRUE, error);
}

gboolean cg_dataset_export(const CgDataset *dataset, const CgExportOptions *options,
                           CgExportSummary *summary, GError **error)
{
    *summary = (CgExportSummary){0};
    if (!check_split(options, error))
        return FALSE;
    CgExport e = {.dataset = dataset, .options = options, .summary = summary};
    e.items = g_array_new(FALSE, TRUE, sizeof(CgExportItem));
    g_array_set_clear_func(e.items, item_clear);
    e.origin = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_decref);
    const gboolean ok = export_all(&e, all_rules[options->format], error);
    g_array_unref(e.items);
    g_hash_table_unref(e.origin);
    g_clear_pointer(&e.classes, g_ptr_array_unref);
    return ok;
}
