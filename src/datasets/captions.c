#include "datasets/captions.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/prompt.h"

#include <string.h>

#define MAX_METADATA ((size_t)1 << 28)

static void caption_free(gpointer data)
{
    CgCaption *c = data;
    g_free(c->image);
    g_strfreev(c->texts);
    g_free(c);
}

static GPtrArray *captions_new(void)
{
    return g_ptr_array_new_with_free_func(caption_free);
}

/* TEXT without white space around it and with single spaces inside, or NULL. */
static char *tidy(const char *text, size_t size, const char *where, GError **error)
{
    if (!g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: the caption is not UTF-8 text", where);
        return NULL;
    }
    g_autofree char *copy = g_strndup(text, size);
    g_auto(GStrv) words = g_strsplit_set(copy, " \t\r\n", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    for (char **word = words; *word; word++)
        if (**word)
            g_string_append_printf(line, "%s%s", line->len ? " " : "", *word);
    if (line->len > 0 && line->len <= CG_CAPTION_MAX)
        return g_strdup(line->str);
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: %s", where,
                line->len ? "the caption is longer than 4096 bytes" : "the caption is empty");
    return NULL;
}

/* Takes IMAGE and TEXTS. */
static void add_all(GPtrArray *captions, char *image, char **texts)
{
    CgCaption *c = g_new(CgCaption, 1);
    *c = (CgCaption){image, texts};
    g_ptr_array_add(captions, c);
}

/* Takes IMAGE and TEXT. */
static void add(GPtrArray *captions, char *image, char *text)
{
    char **texts = g_new0(char *, 2);
    texts[0] = text;
    add_all(captions, image, texts);
}

static gboolean is_inside(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    gboolean inside = *name && !g_path_is_absolute(name);
    for (char **part = parts; *part; part++)
        inside = inside && strcmp(*part, "..") != 0;
    return inside;
}

static gboolean add_row(GPtrArray *captions, const char *folder, const char *line, size_t size,
                        const char *where, GError **error)
{
    const char *name, *text;
    g_autoptr(json_t) row = cg_json_parse(line, size, where, error);
    if (!row || !cg_json_string(row, where, "file_name", NULL, &name, error) ||
        !cg_json_string(row, where, "text", NULL, &text, error))
        return FALSE;
    if (!name || !text || !is_inside(name)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: a row is {\"file_name\": \"NAME.png\", \"text\": \"...\"} with a file "
                    "in this folder",
                    where);
        return FALSE;
    }
    char *caption = tidy(text, strlen(text), where, error);
    if (!caption)
        return FALSE;
    add(captions, g_build_filename(folder, name, NULL), caption);
    if (g_file_test(((CgCaption *)g_ptr_array_index(captions, captions->len - 1))->image,
                    G_FILE_TEST_IS_REGULAR))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: there is no picture %s", where, name);
    return FALSE;
}

static GPtrArray *read_metadata(const char *folder, const char *path, GError **error)
{
    size_t size;
    g_autofree char *text = cg_file_read(path, MAX_METADATA, &size, error);
    g_autoptr(GPtrArray) captions = captions_new();
    guint number = 0;
    if (!text)
        return NULL;
    for (const char *line = text; line < text + size;) {
        const char *end = memchr(line, '\n', (size_t)(text + size - line));
        const size_t length = (size_t)((end ? end : text + size) - line);
        g_autofree char *where = g_strdup_printf("%s, line %u", path, ++number);
        if (strspn(line, " \t\r") < length &&
            !add_row(captions, folder, line, length, where, error))
            return NULL;
        line += length + 1;
    }
    return g_steal_pointer(&captions);
}

static gboolean is_picture(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(lower, ends[i]))
            return TRUE;
    return FALSE;
}

/* The file with the text of the picture NAME. Free with g_free. */
static char *text_path(const char *folder, const char *name)
{
    g_autofree char *stem = g_strndup(name, (gsize)(strrchr(name, '.') - name));
    g_autofree char *file = g_strconcat(stem, ".txt", NULL);
    return g_build_filename(folder, file, NULL);
}

/* The pictures right in FOLDER, when at least one has a text; NULL without an error otherwise. */
static GPtrArray *read_texts(const char *folder, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    gboolean any = FALSE;
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        if (*name == '.' || !is_picture(name))
            continue;
        g_autofree char *path = text_path(folder, name);
        any = any || g_file_test(path, G_FILE_TEST_IS_REGULAR);
        g_ptr_array_add(names, g_strdup(name));
    }
    if (!any)
        return NULL;
    g_autoptr(GPtrArray) captions = captions_new();
    for (guint i = 0; i < names->len; i++) {
        size_t size;
        g_autofree char *path = text_path(folder, g_ptr_array_index(names, i));
        g_autofree char *text = cg_file_read(path, 1 << 20, &size, error);
        char *caption = text ? tidy(text, size, path, error) : NULL;
        if (!caption)
            return NULL;
        add(captions, g_build_filename(folder, g_ptr_array_index(names, i), NULL), caption);
    }
    return g_steal_pointer(&captions);
}

static GPtrArray *read_dataset(const char *path, const CgCaptionRules *rules, GError **error)
{
    g_autoptr(CgDataset) dataset = cg_dataset_open(path, rules->layout, error);
    g_autoptr(CgPrompts) prompts = dataset ? cg_prompts_load(rules->aliases, error) : NULL;
    g_autoptr(GPtrArray) captions = captions_new();
    if (!prompts)
        return NULL;
    for (guint i = 0; i < dataset->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(dataset, i);
        if (rules->train_only && s->split != CG_DATASET_TRAIN)
            continue;
        add_all(captions, g_strdup(s->image), cg_prompts_make(prompts, s->category, s->defect));
    }
    return g_steal_pointer(&captions);
}

static gint by_path(gconstpointer a, gconstpointer b)
{
    return strcmp((*(CgCaption *const *)a)->image, (*(CgCaption *const *)b)->image);
}

GPtrArray *cg_captions_open(const char *path, const CgCaptionRules *rules, GError **error)
{
    GError *cause = NULL;
    g_autofree char *metadata = g_build_filename(path, "metadata.jsonl", NULL);
    g_autoptr(GPtrArray) captions = NULL;
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no such folder; pictures with texts are needed", path);
        return NULL;
    }
    if (g_file_test(metadata, G_FILE_TEST_EXISTS))
        captions = read_metadata(path, metadata, &cause);
    else
        captions = read_texts(path, &cause);
    if (!captions && !cause)
        captions = read_dataset(path, rules, &cause);
    if (cause) {
        g_propagate_error(error, cause);
        return NULL;
    }
    if (captions->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no pictures to learn from", path);
        return NULL;
    }
    g_ptr_array_sort(captions, by_path);
    return g_steal_pointer(&captions);
}
