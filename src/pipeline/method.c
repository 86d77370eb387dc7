#include "pipeline/method.h"

#include "base/error.h"
#include "pipeline/detector_samples.h"

#include <string.h>

#define LONGEST_NAME 64

void cg_method_free(CgMethod *m)
{
    if (!m)
        return;
    g_free(m->name);
    g_free(m->base);
    g_free(m->source);
    g_free(m);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMethod, cg_method_free)

gboolean cg_method_is_name(const char *text)
{
    if (!g_ascii_isalpha(*text) || strlen(text) > LONGEST_NAME)
        return FALSE;
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("-_.", *p))
            return FALSE;
    return TRUE;
}

static gboolean is_synthesis(const char *name)
{
    for (guint i = 0; cg_detector_synthesis_name(i); i++)
        if (g_str_equal(cg_detector_synthesis_name(i), name))
            return TRUE;
    return FALSE;
}

static gboolean wrong(const char *text, const char *why, GError **error)
{
    g_autofree char *shown = g_utf8_make_valid(text, -1);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "method \"%s\": %s; a method is BASE, BASE+SOURCE or BASE+SOURCE:RATIO, as in "
                "draem+cagen:0.3",
                shown, why);
    return FALSE;
}

static gboolean parse_ratio(const char *text, double *ratio)
{
    char *end;
    *ratio = g_ascii_strtod(text, &end);
    return end != text && *end == '\0' && *ratio > 0 && *ratio <= 1;
}

/* The three parts of TEXT; RATIO stays negative when there is none. */
static gboolean split(const char *text, char **base, char **source, double *ratio, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "+", 2);
    char *colon = parts[0] && parts[1] ? strchr(parts[1], ':') : NULL;
    *ratio = -1;
    if (!parts[0] || !is_synthesis(parts[0]))
        return wrong(text,
                     "it must begin with draem, cutpaste, scar, cutpaste-union, nsa, memseg "
                     "or none",
                     error);
    if (colon && !parse_ratio(colon + 1, ratio))
        return wrong(text, "a ratio is above 0 and at most 1", error);
    if (colon)
        *colon = '\0';
    if (parts[1] && !cg_method_is_name(parts[1]))
        return wrong(text, "a source's name is letters, digits, \"-\", \"_\" and \".\"", error);
    *base = g_strdup(parts[0]);
    *source = g_strdup(parts[1]);
    return TRUE;
}

static void add(GPtrArray *all, const char *base, const char *source, double ratio)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    g_autoptr(CgMethod) m = g_new0(CgMethod, 1);
    m->base = g_strdup(base);
    m->source = ratio > 0 ? g_strdup(source) : NULL;
    m->ratio = m->source ? ratio : 0;
    g_ascii_formatd(number, sizeof number, "%g", ratio);
    m->name = m->source ? g_strconcat(base, "+", source, ":", number, NULL) : g_strdup(base);
    for (guint i = 0; i < all->len; i++)
        if (g_str_equal(((const CgMethod *)g_ptr_array_index(all, i))->name, m->name))
            return;
    g_ptr_array_add(all, g_steal_pointer(&m));
}

GPtrArray *cg_methods_parse(const char *list, const double *ratios, guint count, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)cg_method_free);
    g_auto(GStrv) texts = g_strsplit(list, ",", -1);
    for (char **text = texts; *text; text++) {
        g_autofree char *base = NULL, *source = NULL;
        double ratio;
        if (!split(*text, &base, &source, &ratio, error))
            return NULL;
        if (!source || ratio > 0)
            add(all, base, source, source ? ratio : 0);
        for (guint i = 0; source && ratio < 0 && i < count; i++)
            add(all, base, source, ratios[i]);
    }
    if (all->len)
        return g_steal_pointer(&all);
    wrong(list, "there is none", error);
    return NULL;
}
