/* Any text as a configuration file: refused with a message that names it, or every getter gives a
 * value within its range. */
#include "base/error.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(gboolean condition)
{
    if (!condition)
        abort();
}

/* A getter's answer: fine, or an error that names the file. */
static gboolean answered(gboolean ok, GError **error)
{
    require(ok ? *error == NULL
               : *error && (*error)->domain == CG_ERROR &&
                     g_str_has_prefix((*error)->message, "fuzz.json: "));
    g_clear_error(error);
    return ok;
}

static void read_key(const json_t *object, const char *key)
{
    g_autoptr(GError) error = NULL;
    gint64 integer;
    double number;
    gboolean flag;
    const char *text;
    int list[4], count = 0;
    const char *where = "fuzz.json";

    if (answered(cg_json_int(object, where, key, 1, -5, 1000, &integer, &error), &error))
        require(integer >= -5 && integer <= 1000);
    answered(cg_json_double(object, where, key, 1, &number, &error), &error);
    if (answered(cg_json_bool(object, where, key, TRUE, &flag, &error), &error))
        require(flag == TRUE || flag == FALSE);
    if (answered(cg_json_string(object, where, key, "x", &text, &error), &error))
        require(g_utf8_validate(text, -1, NULL));
    if (answered(cg_json_int_array(object, where, key, 4, 1, G_MAXINT64, list, &count, &error),
                 &error)) {
        require(count >= 1 && count <= 4);
        for (int i = 0; i < count; i++)
            require(list[i] >= 1);
    }
    g_autofree char *quoted = cg_json_quote(key);
    g_autoptr(json_t) back = json_loads(quoted, JSON_DECODE_ANY, NULL);
    require(json_is_string(back) && g_str_equal(json_string_value(back), key));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) object = cg_json_parse((const char *)bytes, size, "fuzz.json", &error);
    const char *key;
    json_t *value;

    answered(object != NULL, &error);
    if (!object)
        return 0;
    json_object_foreach(object, key, value)
    {
        read_key(object, key);
    }
    read_key(object, "absent");
    return 0;
}
