/* json: reading configuration files with errors that name file and key.
 *
 * jansson parses (strict, depth-limited, duplicate keys rejected); these helpers add types, ranges
 * and defaults. Every getter takes WHERE, the file's path, for its messages.
 */
#ifndef CG_BASE_JSON_H
#define CG_BASE_JSON_H

#include <glib.h>
#include <jansson.h>

#define CG_JSON_MAX_FILE (64u << 20)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* The JSON object in the file PATH (at most CG_JSON_MAX_FILE bytes). Free with json_decref. */
json_t *cg_json_load(const char *path, GError **error);
/* The same from memory; WHERE names it in messages. */
json_t *cg_json_parse(const char *text, size_t size, const char *where, GError **error);

/* Writes OBJECT to PATH, indented, keys in order. CG_ERROR_UNSUPPORTED when a string in it is not
 * UTF-8. */
gboolean cg_json_save(const json_t *object, const char *path, GError **error);

/* KEY of OBJECT as an integer in MIN..MAX. An absent or null key gives FALLBACK. */
gboolean cg_json_int(const json_t *object, const char *where, const char *key, gint64 fallback,
                     gint64 min, gint64 max, gint64 *out, GError **error);
gboolean cg_json_double(const json_t *object, const char *where, const char *key, double fallback,
                        double *out, GError **error);
gboolean cg_json_bool(const json_t *object, const char *where, const char *key, gboolean fallback,
                      gboolean *out, GError **error);
/* *OUT is borrowed from OBJECT (or is FALLBACK). */
gboolean cg_json_string(const json_t *object, const char *where, const char *key,
                        const char *fallback, const char **out, GError **error);
/* An array of 1..MAX_COUNT integers in MIN..MAX into OUT, *COUNT gets its length. An absent key is
 * CG_ERROR_MISSING when *COUNT is 0 on entry; otherwise OUT and *COUNT hold the default already. */
gboolean cg_json_int_array(const json_t *object, const char *where, const char *key, int max_count,
                           gint64 min, gint64 max, int *out, int *count, GError **error);

/* The string KEY of OBJECT, borrowed; NULL where it is absent, not a string, or OBJECT no object.
 */
static inline const char *cg_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* TEXT as a JSON string literal with quotes, for building lines by hand. Free with g_free. */
char *cg_json_quote(const char *text);

#endif
