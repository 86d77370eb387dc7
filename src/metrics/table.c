#include "metrics/table.h"

#include <math.h>
#include <string.h>

void cg_table_init(CgTable *t, guint left)
{
    t->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    t->reasons = g_ptr_array_new_with_free_func(g_free);
    t->notes = g_ptr_array_new_with_free_func(g_free);
    t->left = left;
}

void cg_table_clear(CgTable *t)
{
    g_ptr_array_unref(t->rows);
    g_ptr_array_unref(t->reasons);
    g_ptr_array_unref(t->notes);
}

void cg_table_take_row(CgTable *t, GPtrArray *cells)
{
    g_ptr_array_add(cells, NULL);
    g_ptr_array_add(t->rows, g_ptr_array_free(cells, FALSE));
}

char *cg_table_undefined(CgTable *t, const char *reason)
{
    guint index;
    if (!g_ptr_array_find_with_equal_func(t->reasons, reason, g_str_equal, &index)) {
        index = t->reasons->len;
        g_ptr_array_add(t->reasons, g_strdup(reason));
    }
    return g_strdup_printf("- (%u)", index + 1);
}

void cg_table_note(CgTable *t, const char *text)
{
    g_ptr_array_add(t->notes, g_strdup(text));
}

char *cg_table_show(const char *name)
{
    char *valid = g_utf8_make_valid(name, -1);
    for (char *p = valid; *p; p++)
        if ((guchar)*p < ' ' || *p == 127)
            *p = '?';
    return valid;
}

/* Reasons and notes, each line between BEFORE and AFTER. */
static void print_notes(const CgTable *t, GString *out, const char *before, const char *after)
{
    for (guint i = 0; i < t->reasons->len; i++) {
        g_autofree char *reason = cg_table_show(g_ptr_array_index(t->reasons, i));
        g_string_append_printf(out, "%s(%u) undefined: %s%s", before, i + 1, reason, after);
    }
    for (guint i = 0; i < t->notes->len; i++) {
        g_autofree char *note = cg_table_show(g_ptr_array_index(t->notes, i));
        g_string_append_printf(out, "%s%s%s", before, note, after);
    }
}

char *cg_table_text(const CgTable *t)
{
    GString *out = g_string_new(NULL);
    const guint columns = g_strv_length(g_ptr_array_index(t->rows, 0));
    g_autofree glong *widths = g_new0(glong, columns);
    for (guint i = 0; i < t->rows->len; i++)
        for (guint c = 0; c < columns; c++) {
            char **cells = g_ptr_array_index(t->rows, i);
            widths[c] = MAX(widths[c], g_utf8_strlen(cells[c], -1));
        }
    for (guint i = 0; i < t->rows->len; i++) {
        char **cells = g_ptr_array_index(t->rows, i);
        for (guint c = 0; c < columns; c++) {
            const int pad = (int)(widths[c] - g_utf8_strlen(cells[c], -1));
            g_string_append_printf(out, "%s%s", c ? "  " : "", cells[c]);
            if (c + 1 < columns)
                g_string_append_printf(out, "%*s", pad, "");
        }
        g_string_append_c(out, '\n');
    }
    print_notes(t, out, "", "\n");
    return g_string_free(out, FALSE);
}

char *cg_table_markdown(const CgTable *t)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < t->rows->len; i++) {
        char **cells = g_ptr_array_index(t->rows, i);
        for (char **c = cells; *c; c++) {
            g_auto(GStrv) parts = g_strsplit(*c, "|", -1);
            g_autofree char *safe = g_strjoinv("\\|", parts);
            g_string_append_printf(out, "| %s ", safe);
        }
        g_string_append(out, "|\n");
        for (char **c = cells; i == 0 && *c; c++)
            g_string_append(out, "|---");
        g_string_append(out, i == 0 ? "|\n" : "");
    }
    print_notes(t, out, "\n", "\n");
    return g_string_free(out, FALSE);
}

static void append_latex(GString *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (strchr("&%$#_{}", *p))
            g_string_append_printf(out, "\\%c", *p);
        else if (*p == '\\')
            g_string_append(out, "\\textbackslash{}");
        else if (*p == '~' || *p == '^')
            g_string_append_printf(out, "\\%c{}", *p);
        else
            g_string_append_c(out, *p);
    }
}

char *cg_table_latex(const CgTable *t)
{
    GString *out = g_string_new("\\begin{tabular}{");
    const guint columns = g_strv_length(g_ptr_array_index(t->rows, 0));
    for (guint c = 0; c < columns; c++)
        g_string_append_c(out, c < t->left ? 'l' : 'r');
    g_string_append(out, "}\n\\toprule\n");
    for (guint i = 0; i < t->rows->len; i++) {
        char **cells = g_ptr_array_index(t->rows, i);
        for (char **c = cells; *c; c++) {
            g_string_append(out, c == cells ? "" : " & ");
            append_latex(out, *c);
        }
        g_string_append(out, i == 0 ? " \\\\\n\\midrule\n" : " \\\\\n");
    }
    g_string_append(out, "\\bottomrule\n\\end{tabular}\n");
    print_notes(t, out, "% ", "\n");
    return g_string_free(out, FALSE);
}

void cg_csv_field(GString *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        g_string_append(out, text);
        return;
    }
    g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
    g_autofree char *doubled = g_strjoinv("\"\"", parts);
    g_string_append_printf(out, "\"%s\"", doubled);
}

void cg_csv_number(GString *out, double v)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append_c(out, ',');
    if (!isnan(v))
        g_string_append(out, g_ascii_dtostr(text, sizeof text, v));
}
