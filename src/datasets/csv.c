#include "datasets/csv.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>

typedef struct {
    const char *path;
    const char *at, *end;
    guint line; /* of the row that comes next */
} Reader;

/* A quoted field after its first quote; the text without quotes is appended to FIELD. */
static gboolean read_quoted(Reader *r, GString *field, GError **error)
{
    const guint line = r->line;
    for (; r->at < r->end && field->len <= CG_CSV_MAX_ROW; r->at++) {
        if (*r->at == '"') {
            if (r->at + 1 == r->end || r->at[1] != '"') {
                r->at++;
                return TRUE;
            }
            r->at++;
        }
        r->line += *r->at == '\n';
        g_string_append_c(field, *r->at);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: line %u: a quote is not closed", r->path,
                line);
    return FALSE;
}

static gboolean too_long(const Reader *r, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: line %u: longer than %u bytes; is this a table with commas?", r->path, r->line,
                CG_CSV_MAX_ROW);
    return FALSE;
}

/* One row into FIELDS. */
static gboolean read_row(Reader *r, GPtrArray *fields, GError **error)
{
    const char *begin = r->at;
    g_ptr_array_set_size(fields, 0);
    for (;;) {
        g_autoptr(GString) field = g_string_new(NULL);
        if (r->at < r->end && *r->at == '"') {
            r->at++;
            if (!read_quoted(r, field, error))
                return FALSE;
        }
        while (r->at < r->end && *r->at != ',' && *r->at != '\n') {
            if (r->at - begin > CG_CSV_MAX_ROW)
                return too_long(r, error);
            if (*r->at == '\0') {
                g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                            "%s: line %u: a zero byte; this is not a text file", r->path, r->line);
                return FALSE;
            }
            g_string_append_c(field, *r->at++);
        }
        if (field->len && field->str[field->len - 1] == '\r')
            g_string_truncate(field, field->len - 1);
        g_ptr_array_add(fields, g_strdup(field->str));
        if (r->at == r->end || *r->at == '\n')
            break;
        r->at++;
        if (r->at - begin > CG_CSV_MAX_ROW)
            return too_long(r, error);
    }
    r->at += r->at < r->end;
    r->line++;
    return TRUE;
}

/* The place of each of COLUMNS in the first row. */
static gboolean find_columns(const Reader *r, const GPtrArray *header, const char *const *columns,
                             guint *places, GError **error)
{
    for (guint i = 0; columns[i]; i++) {
        guint k = 0;
        while (k < header->len &&
               g_ascii_strcasecmp(g_strstrip(g_ptr_array_index(header, k)), columns[i]) != 0)
            k++;
        if (k == header->len) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: the first line names no column \"%s\"", r->path, columns[i]);
            return FALSE;
        }
        places[i] = k;
    }
    return TRUE;
}

gboolean cg_csv_read(const char *path, const char *const *columns, CgCsvRow row, gpointer data,
                     GError **error)
{
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(path, error);
    if (!file)
        return FALSE;
    const char *text = (const char *)file->data;
    const gsize mark = file->size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    Reader r = {path, text ? text + mark : "", text ? text + file->size : "", 1};
    g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
    const guint count = g_strv_length((char **)columns);
    g_autofree guint *places = g_new(guint, count + 1);
    g_autofree const char **values = g_new0(const char *, count + 1);
    if (!text)
        r.end = r.at;
    if (!read_row(&r, fields, error) || !find_columns(&r, fields, columns, places, error))
        return FALSE;
    while (r.at < r.end) {
        const guint line = r.line;
        if (!read_row(&r, fields, error))
            return FALSE;
        if (fields->len == 1 && *(const char *)g_ptr_array_index(fields, 0) == '\0')
            continue;
        for (guint i = 0; i < count; i++)
            values[i] = places[i] < fields->len ? g_ptr_array_index(fields, places[i]) : "";
        if (!row(data, values, line, error))
            return FALSE;
    }
    return TRUE;
}
