#include "cli/manual.h"

#include <string.h>

static GPtrArray *pages; /* under collection; NULL: commands run */
static GString *above;   /* names of the groups around, "dataset " */

static void option_free(void *data)
{
    CgCliOption *o = data;
    g_free(o->name);
    g_free(o->value);
    g_free(o->help);
    g_free(o);
}

static void page_free(void *data)
{
    CgCliPage *p = data;
    g_free(p->name);
    g_free(p->brief);
    g_free(p->usage);
    g_free(p->summary);
    g_free(p->description);
    g_ptr_array_unref(p->options);
    g_free(p);
}

gboolean cg_cli_manual_is_collecting(void)
{
    return pages != NULL;
}

void cg_cli_manual_collect(const CgCliCommand *commands, size_t count)
{
    const size_t length = above->len;
    for (size_t i = 0; i < count; i++) {
        char *argv[] = {(char *)(guintptr)commands[i].name, NULL};
        CgCliPage *page = g_new0(CgCliPage, 1);
        page->name = g_strconcat(above->str, commands[i].name, NULL);
        page->brief = g_strdup(commands[i].summary);
        page->options = g_ptr_array_new_with_free_func(option_free);
        g_ptr_array_add(pages, page);
        g_string_append_printf(above, "%s ", commands[i].name);
        commands[i].run(1, argv);
        g_string_truncate(above, length);
    }
}

static void add_option(CgCliPage *page, const GOptionEntry *entry)
{
    if (!*entry->long_name || entry->flags & G_OPTION_FLAG_HIDDEN) /* the arguments */
        return;
    CgCliOption *o = g_new0(CgCliOption, 1);
    const gboolean takes = entry->arg != G_OPTION_ARG_NONE &&
                           !(entry->arg == G_OPTION_ARG_CALLBACK && !entry->arg_description);
    o->name = g_strdup(entry->long_name);
    o->letter = entry->short_name;
    o->value = takes ? g_strdup(entry->arg_description ? entry->arg_description : "VALUE") : NULL;
    o->is_path = entry->arg == G_OPTION_ARG_FILENAME || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
    o->help = g_strdup(entry->description ? entry->description : "");
    g_ptr_array_add(page->options, o);
}

void cg_cli_manual_add(const char *usage, const char *summary, const char *description,
                       const GOptionEntry *entries)
{
    CgCliPage *page = g_ptr_array_index(pages, pages->len - 1);
    page->usage = g_strdup(usage ? usage : "");
    page->summary = g_strdup(summary ? summary : "");
    page->description = g_strdup(description ? description : "");
    for (; entries->long_name; entries++)
        add_option(page, entries);
}

gboolean cg_cli_manual_print(const CgCliCommand *commands, size_t count, const char *form, FILE *to)
{
    static const struct {
        const char *name;
        void (*print)(const GPtrArray *pages, FILE *to);
    } forms[] = {{"man", cg_cli_manual_man},
                 {"bash", cg_cli_manual_bash},
                 {"zsh", cg_cli_manual_zsh},
                 {"fish", cg_cli_manual_fish}};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        if (strcmp(form, forms[i].name) != 0)
            continue;
        pages = g_ptr_array_new_with_free_func(page_free);
        above = g_string_new(NULL);
        cg_cli_manual_collect(commands, count);
        forms[i].print(pages, to);
        g_clear_pointer(&pages, g_ptr_array_unref);
        g_string_free(g_steal_pointer(&above), TRUE);
        return TRUE;
    }
    return FALSE;
}
