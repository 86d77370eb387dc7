#include "datasets/prompt.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

struct CgPrompts {
    json_t *file; /* NULL: no aliases */
};

/* Whether VALUE is a string or an array of strings, none empty. */
static gboolean is_text_list(const json_t *value)
{
    size_t i;
    const json_t *one;
    if (json_is_string(value))
        return *json_string_value(value) != '\0';
    if (!json_is_array(value) || json_array_size(value) == 0)
        return FALSE;
    json_array_foreach(value, i, one)
    {
        if (!json_is_string(one) || !*json_string_value(one))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_names(const json_t *file, const char *path, const char *section,
                            gboolean several, GError **error)
{
    json_t *names = json_object_get(file, section), *value;
    const char *key;
    if (names && !json_is_object(names)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" must be an object of names", path,
                    section);
        return FALSE;
    }
    json_object_foreach(names, key, value)
    {
        if (!is_text_list(value) || (!several && !json_is_string(value))) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" in \"%s\" must be a text%s",
                        path, key, section, several ? " or a list of texts" : "");
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_phrasings(const json_t *file, const char *path, GError **error)
{
    const json_t *phrasings = json_object_get(file, "phrasings"), *one;
    size_t i;
    if (!phrasings)
        return TRUE;
    if (!json_is_array(phrasings) || !is_text_list(phrasings)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"phrasings\" must be a list of texts",
                    path);
        return FALSE;
    }
    json_array_foreach(phrasings, i, one)
    {
        if (!strstr(json_string_value(one), "{defect}")) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: the phrasing \"%s\" does not say {defect}, so that all defects would "
                        "be called the same",
                        path, json_string_value(one));
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_keys(json_t *file, const char *path, GError **error)
{
    const char *key;
    json_t *value;
    json_object_foreach(file, key, value)
    {
        if (!g_str_equal(key, "categories") && !g_str_equal(key, "defects") &&
            !g_str_equal(key, "phrasings")) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: unknown key \"%s\"; there are categories, defects and phrasings", path,
                        key);
            return FALSE;
        }
    }
    return TRUE;
}

CgPrompts *cg_prompts_load(const char *path, GError **error)
{
    g_autoptr(CgPrompts) prompts = g_new0(CgPrompts, 1);
    if (!path)
        return g_steal_pointer(&prompts);
    prompts->file = cg_json_load(path, error);
    if (!prompts->file || !check_keys(prompts->file, path, error) ||
        !check_names(prompts->file, path, "categories", FALSE, error) ||
        !check_names(prompts->file, path, "defects", TRUE, error) ||
        !check_phrasings(prompts->file, path, error))
        return NULL;
    return g_steal_pointer(&prompts);
}

void cg_prompts_free(CgPrompts *prompts)
{
    if (!prompts)
        return;
    json_decref(prompts->file);
    g_free(prompts);
}

/* A folder's name as words. */
static char *words(const char *name)
{
    char *text = g_utf8_make_valid(name, -1);
    for (char *p = text; *p; p++)
        if (*p == '_' || (guchar)*p < ' ')
            *p = ' ';
    return text;
}

/* Appends the text or texts of VALUE; FALSE when there are none. */
static gboolean append_texts(GPtrArray *list, const json_t *value)
{
    size_t i;
    const json_t *one;
    if (json_is_string(value))
        g_ptr_array_add(list, g_strdup(json_string_value(value)));
    json_array_foreach(value, i, one) g_ptr_array_add(list, g_strdup(json_string_value(one)));
    return value != NULL;
}

static char *fill(const char *phrasing, const char *category, const char *defect)
{
    g_autoptr(GString) text = g_string_new(NULL);
    while (*phrasing) {
        if (g_str_has_prefix(phrasing, "{defect}")) {
            g_string_append(text, defect);
            phrasing += strlen("{defect}");
        } else if (g_str_has_prefix(phrasing, "{category}")) {
            g_string_append(text, category);
            phrasing += strlen("{category}");
        } else {
            g_string_append_c(text, *phrasing++);
        }
    }
    return g_strdup(text->str);
}

char **cg_prompts_make(const CgPrompts *prompts, const char *category, const char *defect)
{
    const json_t *names = json_object_get(prompts->file, "defects");
    const json_t *called = json_object_get(json_object_get(prompts->file, "categories"), category);
    g_autofree char *both = g_strdup_printf("%s/%s", category, defect);
    g_autofree char *subject = called ? g_strdup(json_string_value(called)) : words(category);
    g_autoptr(GPtrArray) defects = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) phrasings = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *out = g_ptr_array_new();
    if (!append_texts(defects, json_object_get(names, both)) &&
        !append_texts(defects, json_object_get(names, defect)))
        g_ptr_array_add(defects, words(defect));
    if (!append_texts(phrasings, json_object_get(prompts->file, "phrasings")))
        g_ptr_array_add(phrasings, g_strdup("{defect} {category}"));
    for (guint i = 0; i < phrasings->len; i++)
        for (guint k = 0; k < defects->len; k++)
            g_ptr_array_add(
                out, fill(g_ptr_array_index(phrasings, i), subject, g_ptr_array_index(defects, k)));
    g_ptr_array_add(out, NULL);
    return (char **)g_ptr_array_free(out, FALSE);
}
