#include "base/json.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>

json_t *cg_json_parse(const char *text, size_t size, const char *where, GError **error)
{
    json_error_t at;

    /* Editors on Windows put a byte order mark in front; it carries nothing. */
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    if (size == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: empty, a JSON object was expected",
                    where);
        return NULL;
    }
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
    if (!root) {
        /* WHERE tells the line already when the text is one of many. */
        g_autofree char *line =
            memchr(text, '\n', size) ? g_strdup_printf("line %d, ", at.line) : g_strdup("");
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: not valid JSON: %scolumn %d: %s", where,
                    line, at.column, at.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: a JSON object { } was expected", where);
        json_decref(root);
        return NULL;
    }
    return root;
}

json_t *cg_json_load(const char *path, GError **error)
{
    size_t size;
    g_autofree char *text = cg_file_read(path, CG_JSON_MAX_FILE, &size, error);
    return text ? cg_json_parse(text, size, path, error) : NULL;
}

gboolean cg_json_save(const json_t *object, const char *path, GError **error)
{
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: a name is not UTF-8", path);
        return FALSE;
    }
    const gboolean ok = cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

static gboolean wrong(GError **error, const char *where, const char *key, const json_t *value,
                      const char *wanted)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" is %s, but must be %s", where, key,
                names[json_typeof(value)], wanted);
    return FALSE;
}

static gboolean in_range(gint64 value, gint64 min, gint64 max, const char *where, const char *key,
                         GError **error)
{
    if (value >= min && value <= max)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: \"%s\" holds %" G_GINT64_FORMAT ", but must be in %" G_GINT64_FORMAT
                "..%" G_GINT64_FORMAT,
                where, key, value, min, max);
    return FALSE;
}

/* The value of KEY; NULL when absent or null. */
static const json_t *lookup(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

gboolean cg_json_int(const json_t *object, const char *where, const char *key, gint64 fallback,
                     gint64 min, gint64 max, gint64 *out, GError **error)
{
    const json_t *value = lookup(object, key);
    if (value && !json_is_integer(value))
        return wrong(error, where, key, value, "an integer");
    if (value && !in_range(json_integer_value(value), min, max, where, key, error))
        return FALSE;
    *out = value ? json_integer_value(value) : fallback;
    return TRUE;
}

gboolean cg_json_double(const json_t *object, const char *where, const char *key, double fallback,
                        double *out, GError **error)
{
    const json_t *value = lookup(object, key);
    if (value && !json_is_number(value))
        return wrong(error, where, key, value, "a number");
    *out = value ? json_number_value(value) : fallback;
    return TRUE;
}

gboolean cg_json_bool(const json_t *object, const char *where, const char *key, gboolean fallback,
                      gboolean *out, GError **error)
{
    const json_t *value = lookup(object, key);
    if (value && !json_is_boolean(value))
        return wrong(error, where, key, value, "true or false");
    *out = value ? json_is_true(value) : fallback;
    return TRUE;
}

gboolean cg_json_string(const json_t *object, const char *where, const char *key,
                        const char *fallback, const char **out, GError **error)
{
    const json_t *value = lookup(object, key);
    if (value && !json_is_string(value))
        return wrong(error, where, key, value, "a string");
    *out = value ? json_string_value(value) : fallback;
    return TRUE;
}

gboolean cg_json_int_array(const json_t *object, const char *where, const char *key, int max_count,
                           gint64 min, gint64 max, int *out, int *count, GError **error)
{
    const json_t *array = lookup(object, key);
    if (!array && *count > 0)
        return TRUE;
    if (!array) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: \"%s\" is missing", where, key);
        return FALSE;
    }
    if (!json_is_array(array))
        return wrong(error, where, key, array, "an array of integers");

    size_t n = json_array_size(array);
    if (n < 1 || n > (size_t)max_count) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"%s\" has %zu elements, but must have 1..%d", where, key, n, max_count);
        return FALSE;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_integer(value))
            return wrong(error, where, key, value, "an array of integers only");
        if (!in_range(json_integer_value(value), MAX(min, G_MININT), MIN(max, G_MAXINT), where, key,
                      error))
            return FALSE;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (int)json_integer_value(json_array_get(array, i));
    *count = (int)n;
    return TRUE;
}

char *cg_json_quote(const char *text)
{
    /* File names need not be UTF-8, JSON must be. */
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(json_t) string = json_string(valid);
    char *dumped = json_dumps(string, JSON_ENCODE_ANY);
    char *quoted = g_strdup(dumped);
    free(dumped);
    return quoted;
}
