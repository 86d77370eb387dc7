#include "pipeline/output.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/sheet.h"

#include <string.h>
#include <unistd.h>

#define KEY_DIGITS      24
#define MIN_STEM_DIGITS 3
#define MAX_STEM_DIGITS 10
#define MAX_NAME        100 /* bytes */
#define SHEET_ROWS      12
#define SHEET_CELL      256 /* pixels */

/* TEXT as a folder name: lower case letters, digits, '_' and '-'; NULL when nothing is left. */
static char *folder_name(const char *text)
{
    g_autofree char *lower = g_utf8_strdown(text, -1);
    g_autoptr(GString) name = g_string_new(NULL);
    for (const char *p = lower; *p && name->len < MAX_NAME; p = g_utf8_next_char(p)) {
        const gunichar c = g_utf8_get_char(p);
        if (g_unichar_isalnum(c) || c == '-')
            g_string_append_unichar(name, c);
        else if (name->len && name->str[name->len - 1] != '_')
            g_string_append_c(name, '_');
    }
    while (name->len && name->str[name->len - 1] == '_')
        g_string_truncate(name, name->len - 1);
    return name->len ? g_strdup(name->str) : NULL;
}

/* CATEGORY of ".../CATEGORY/(train|test)/<type>/file", or NULL. */
static char *category_of_path(const char *path)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *type = g_path_get_dirname(absolute);
    g_autofree char *split = g_path_get_dirname(type);
    g_autofree char *split_name = g_path_get_basename(split);
    g_autofree char *category = g_path_get_dirname(split);
    g_autofree char *name = g_path_get_basename(category);
    if (!g_str_equal(split_name, "train") && !g_str_equal(split_name, "test"))
        return NULL;
    return g_utf8_validate(name, -1, NULL) ? folder_name(name) : NULL;
}

static gboolean check_folder_name(const char *what, const char *name, GError **error)
{
    if (*name && *name != '.' && !strpbrk(name, "/\\") && strlen(name) <= MAX_NAME &&
        g_utf8_validate(name, -1, NULL))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "the %s \"%.40s\" becomes a folder's name: no slash, no leading dot, at most %d "
                "bytes",
                what, name, MAX_NAME);
    return FALSE;
}

gboolean cg_output_folders(const char *normal, const char *text, char **category, char **defect,
                           GError **error)
{
    if (!*category)
        *category = category_of_path(normal);
    if (!*category)
        *category = g_strdup("object");
    if (!*defect) {
        g_autofree char *slug = folder_name(text);
        g_autofree char *tail = g_strconcat("_", *category, NULL);
        if (slug && g_str_has_suffix(slug, tail))
            slug[strlen(slug) - strlen(tail)] = '\0';
        *defect = slug ? g_steal_pointer(&slug) : g_strdup("defect");
    }
    if (g_str_equal(*defect, "good")) {
        g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                            "a defect can't be called \"good\": that folder is for normal images");
        return FALSE;
    }
    return check_folder_name("category", *category, error) &&
           check_folder_name("defect", *defect, error);
}

static int digits(guint n)
{
    int count = 1;
    while (n >= 10) {
        n /= 10;
        count++;
    }
    return MAX(count, MIN_STEM_DIGITS);
}

char *cg_output_stem(guint number, guint count)
{
    return g_strdup_printf("%0*u", digits(count - 1), number);
}

/* All stems of one folder are as wide as the last one's: programs pair images and masks by sorted
 * position. */
CgOutput *cg_outputs_new(const char *const *categories, const char *const *defects, guint count)
{
    g_autoptr(GHashTable) totals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) next = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    CgOutput *outputs = g_new0(CgOutput, count);
    for (guint i = 0; i < count; i++) {
        char *folder = g_strconcat(categories[i], "/", defects[i], NULL);
        const guint total = GPOINTER_TO_UINT(g_hash_table_lookup(totals, folder));
        g_hash_table_replace(totals, folder, GUINT_TO_POINTER(total + 1));
    }
    for (guint i = 0; i < count; i++) {
        char *folder = g_strconcat(categories[i], "/", defects[i], NULL);
        const guint total = GPOINTER_TO_UINT(g_hash_table_lookup(totals, folder));
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(next, folder));
        g_autofree char *stem = cg_output_stem(n, total);
        outputs[i].image = g_strdup_printf("%s/test/%s/%s.png", categories[i], defects[i], stem);
        outputs[i].mask =
            g_strdup_printf("%s/ground_truth/%s/%s_mask.png", categories[i], defects[i], stem);
        g_hash_table_replace(next, folder, GUINT_TO_POINTER(n + 1));
    }
    return outputs;
}

void cg_output_clear(CgOutput *output)
{
    g_free(output->image);
    g_free(output->mask);
}

void cg_outputs_free(CgOutput *outputs, guint count)
{
    for (guint i = 0; outputs && i < count; i++)
        cg_output_clear(&outputs[i]);
    g_free(outputs);
}

/* Whether images of IMAGE's folder are numbered with more or fewer digits in the manifest. */
static gboolean has_other_width(const CgManifest *m, const char *image)
{
    g_autofree char *folder = g_path_get_dirname(image);
    g_autofree char *name = g_path_get_basename(image);
    const int width = (int)strcspn(name, ".");
    for (int w = MIN_STEM_DIGITS; w <= MAX_STEM_DIGITS; w++) {
        g_autofree char *other = g_strdup_printf("%s/%0*d.png", folder, w, 0);
        if (w != width && cg_manifest_find(m, other))
            return TRUE;
    }
    return FALSE;
}

/* NAME (nullable) below OUT. */
static char *path_below(const char *out, const char *name)
{
    return name ? g_build_filename(out, name, NULL) : NULL;
}

static gboolean exists(const char *path)
{
    return path && g_file_test(path, G_FILE_TEST_EXISTS);
}

/* A folder of results, seen for the first time: what a killed run left unfinished is removed. */
static gboolean check_folder(const CgManifest *m, const CgOutput *output, const char *image,
                             const char *mask, GError **error)
{
    g_autofree char *images = g_path_get_dirname(image);
    g_autofree char *masks = mask ? g_path_get_dirname(mask) : NULL;
    cg_atomic_file_clean(images);
    if (masks)
        cg_atomic_file_clean(masks);
    if (!has_other_width(m, output->image))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%s: the images in this folder are numbered with another count of digits; choose "
                "an empty --out",
                images);
    return FALSE;
}

gboolean cg_outputs_check(const char *out, const CgManifest *m, const CgOutput *outputs,
                          guint count, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < count; i++) {
        g_autofree char *image = path_below(out, outputs[i].image);
        g_autofree char *mask = path_below(out, outputs[i].mask);
        if (g_hash_table_add(seen, g_path_get_dirname(image)) &&
            !check_folder(m, &outputs[i], image, mask, error))
            return FALSE;
        if (!cg_manifest_is_new(m))
            continue;
        const gboolean taken = exists(image);
        if (!taken && !exists(mask))
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: is there already, and no manifest says that it was generated; choose an "
                    "empty --out",
                    taken ? image : mask);
        return FALSE;
    }
    return TRUE;
}

char *cg_output_key(const char *text)
{
    char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    key[KEY_DIGITS] = '\0';
    return key;
}

gboolean cg_output_is_done(const char *out, const CgManifest *m, const CgOutput *output,
                           const char *key, gboolean *done, GError **error)
{
    const json_t *row = cg_manifest_find(m, output->image);
    g_autofree char *image = path_below(out, output->image);
    g_autofree char *mask = path_below(out, output->mask);
    *done = FALSE;
    if (!row)
        return TRUE;
    if (g_strcmp0(cg_json_text(row, "key"), key) != 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: was made with other settings, inputs or weights; choose an empty --out",
                    image);
        return FALSE;
    }
    *done = exists(image) && (!mask || exists(mask));
    return TRUE;
}

static gboolean save_image(const char *out, const CgImage *image, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(out, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    return cg_file_make_directory(folder, error) && cg_image_save_png(image, path, error);
}

static void remove_pictures(const char *out, const CgOutput *output)
{
    g_autofree char *image = path_below(out, output->image);
    g_autofree char *mask = path_below(out, output->mask);
    unlink(image);
    if (mask)
        unlink(mask);
}

gboolean cg_output_write_pictures(const char *out, const CgOutput *output, const CgImage *image,
                                  const CgImage *mask, GError **error)
{
    if (save_image(out, image, output->image, error) &&
        (!output->mask || save_image(out, mask, output->mask, error)))
        return TRUE;
    remove_pictures(out, output);
    return FALSE;
}

gboolean cg_output_write_row(const char *out, CgManifest *m, const CgOutput *output,
                             const json_t *row, GError **error)
{
    if (cg_manifest_find(m, output->image) || cg_manifest_append(m, row, error))
        return TRUE;
    remove_pictures(out, output);
    return FALSE;
}

void cg_output_remove(const char *out, const CgManifest *m, const CgOutput *output)
{
    if (!cg_manifest_find(m, output->image))
        remove_pictures(out, output);
}

/* One row of the sheet: normal image, mask, result, and what changed. Images go to KEPT. */
static gboolean sheet_row(const char *out, const CgOutput *output, const char *normal_path,
                          const char *caption, GPtrArray *kept, CgSheetCell cells[4],
                          GError **error)
{
    g_autofree char *image_path = g_build_filename(out, output->image, NULL);
    g_autofree char *mask_path = g_build_filename(out, output->mask, NULL);
    CgImage *normal = cg_image_load(normal_path, NULL, error);
    CgImage *mask = normal ? cg_image_load(mask_path, NULL, error) : NULL;
    CgImage *made = mask ? cg_image_load(image_path, NULL, error) : NULL;
    CgImage *change = made ? cg_image_difference(normal, made, 1) : NULL;
    CgImage *const row[] = {normal, mask, made, change};
    const char *const captions[] = {"normal", "mask", caption, "difference"};
    for (int k = 0; k < 4; k++) {
        if (row[k])
            g_ptr_array_add(kept, row[k]);
        cells[k] = (CgSheetCell){row[k], captions[k]};
    }
    return change != NULL;
}

gboolean cg_outputs_sheet(const char *out, const CgOutput *outputs, const char *const *normals,
                          const char *const *captions, guint count, const char *path,
                          GError **error)
{
    CgSheetCell cells[4 * SHEET_ROWS];
    const int rows = (int)MIN(count, (guint)SHEET_ROWS);
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    for (int i = 0; i < rows; i++)
        if (!sheet_row(out, &outputs[i], normals[i], captions[i], kept, cells + 4 * i, error))
            return FALSE;
    g_autoptr(CgImage) sheet = cg_contact_sheet(cells, 4 * rows, 4, SHEET_CELL, error);
    return sheet && cg_image_save_png(sheet, path, error);
}
