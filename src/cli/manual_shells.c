/* Completions for bash, zsh and fish: commands, their options, files behind those that take one. */
#include "cli/manual.h"

#include <string.h>

/* TEXT in single quotes as a shell reads them: ' as QUOTE. */
static void put_quoted(FILE *to, const char *text, const char *quote)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'')
            fputs(quote, to);
        else if (*text != '\n')
            fputc(*text, to);
        else
            fputc(' ', to);
    }
    fputc('\'', to);
}

/* The last word of "dataset make", and how much stands before it (with the space). */
static const char *last_word(const char *name, size_t *before)
{
    const char *space = strrchr(name, ' ');
    *before = space ? (size_t)(space + 1 - name) : 0;
    return name + *before;
}

/* Whether PAGE is a command right below GROUP ("" or "dataset "). */
static gboolean is_below(const CgCliPage *page, const char *group)
{
    size_t before;
    last_word(page->name, &before);
    return before == strlen(group) && strncmp(page->name, group, before) == 0;
}

/* The groups: "" and those of pages without options; each with a space behind it. */
static GPtrArray *find_groups(const GPtrArray *pages)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(groups, g_strdup(""));
    for (guint i = 0; i < pages->len; i++) {
        const CgCliPage *page = g_ptr_array_index(pages, i);
        if (!page->usage)
            g_ptr_array_add(groups, g_strconcat(page->name, " ", NULL));
    }
    return groups;
}

/* ---- bash */

static void bash_page(FILE *to, const CgCliPage *p)
{
    fprintf(to, "    '%s')\n        options='", p->name);
    for (guint i = 0; i < p->options->len; i++) {
        const CgCliOption *o = g_ptr_array_index(p->options, i);
        fprintf(to, "--%s%s ", o->name, o->value ? "=" : "");
    }
    fputs("--help'\n        values='", to);
    for (guint i = 0; i < p->options->len; i++) {
        const CgCliOption *o = g_ptr_array_index(p->options, i);
        if (o->value && !o->is_path)
            fprintf(to, " --%s ", o->name);
        if (o->value && !o->is_path && o->letter)
            fprintf(to, " -%c ", o->letter);
    }
    fputs("' ;;\n", to);
}

void cg_cli_manual_bash(const GPtrArray *pages, FILE *to)
{
    g_autoptr(GPtrArray) groups = find_groups(pages);
    fputs("# bash completion for cagen, made by cagen help --as bash\n"
          "_cagen() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} options='' values='' i=1\n"
          "    [ \"$before\" = = ] && before=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    [ \"$word\" = = ] && word=''\n"
          "    case $command in\n",
          to);
    for (guint i = 1; i < groups->len; i++) {
        g_autofree char *name = g_strchomp(g_strdup(g_ptr_array_index(groups, i)));
        fprintf(to, "    %s) command=\"%s ${COMP_WORDS[2]}\" i=2 ;;\n", name, name);
    }
    fputs("    esac\n"
          "    if [ \"$COMP_CWORD\" -le $i ]; then\n"
          "        [ \"$COMP_CWORD\" = 1 ] && command=''\n"
          "        case $command in\n",
          to);
    for (guint g = 0; g < groups->len; g++) {
        const char *group = g_ptr_array_index(groups, g);
        size_t before;
        if (*group)
            fprintf(to, "        '%s'*) options='", group);
        else
            fputs("        '') options='", to);
        for (guint i = 0; i < pages->len; i++) {
            const CgCliPage *page = g_ptr_array_index(pages, i);
            if (is_below(page, group))
                fprintf(to, "%s ", last_word(page->name, &before));
        }
        fputs("--help' ;;\n", to);
    }
    fputs("        esac\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case $command in\n",
          to);
    for (guint i = 0; i < pages->len; i++) {
        const CgCliPage *page = g_ptr_array_index(pages, i);
        if (page->usage)
            bash_page(to, page);
    }
    fputs("    esac\n"
          "    case $values in *\" $before \"*) COMPREPLY=() && return ;; esac\n"
          "    case $word in\n"
          "    -*)\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "        case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac ;;\n"
          "    *)\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _cagen cagen\n",
          to);
}

/* ---- zsh */

/* HELP for a specification of _arguments or _describe, where brackets and colons have meanings. */
static void zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            fputc('\\', to);
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fputc(*text == '\n' ? ' ' : *text, to);
    }
}

static void zsh_option(FILE *to, const CgCliOption *o)
{
    fputs("            ", to);
    if (o->letter)
        fprintf(to, "{-%c%s,--%s%s}", o->letter, o->value ? "+" : "", o->name, o->value ? "=" : "");
    else
        fprintf(to, "--%s%s", o->name, o->value ? "=" : "");
    fputs("'[", to);
    zsh_text(to, o->help);
    fputc(']', to);
    if (o->value) {
        fputc(':', to);
        zsh_text(to, o->value);
        fputs(o->is_path ? ":_files" : ": ", to);
    }
    fputs("' \\\n", to);
}

static void zsh_group(FILE *to, const GPtrArray *pages, const char *group)
{
    size_t before;
    fputs("        commands=(\n", to);
    for (guint i = 0; i < pages->len; i++) {
        const CgCliPage *page = g_ptr_array_index(pages, i);
        if (!is_below(page, group))
            continue;
        fprintf(to, "            '%s:", last_word(page->name, &before));
        zsh_text(to, page->brief);
        fputs("'\n", to);
    }
    fputs("        )\n        _describe command commands ;;\n", to);
}

void cg_cli_manual_zsh(const GPtrArray *pages, FILE *to)
{
    g_autoptr(GPtrArray) groups = find_groups(pages);
    fputs("#compdef cagen\n"
          "# zsh completion for cagen, made by cagen help --as zsh\n"
          "_cagen() {\n"
          "    local -a commands\n"
          "    local command=$words[2] depth=2\n"
          "    case $command in\n    (",
          to);
    for (guint i = 1; i < groups->len; i++) {
        g_autofree char *name = g_strchomp(g_strdup(g_ptr_array_index(groups, i)));
        fprintf(to, "%s%s", i > 1 ? "|" : "", name);
    }
    fputs(") (( CURRENT > 2 )) && command=\"$command $words[3]\" && depth=3 ;;\n"
          "    esac\n"
          "    if (( CURRENT <= depth )); then\n"
          "        (( CURRENT == 2 )) && command=''\n"
          "        case $command in\n",
          to);
    for (guint g = 0; g < groups->len; g++) {
        const char *group = g_ptr_array_index(groups, g);
        if (*group)
            fprintf(to, "        ('%s'*)\n", group);
        else
            fputs("        ('')\n", to);
        zsh_group(to, pages, group);
    }
    fputs("        esac\n"
          "        return\n"
          "    fi\n"
          "    shift $(( depth - 1 )) words\n"
          "    (( CURRENT -= depth - 1 ))\n"
          "    case $command in\n",
          to);
    for (guint i = 0; i < pages->len; i++) {
        const CgCliPage *page = g_ptr_array_index(pages, i);
        if (!page->usage)
            continue;
        fprintf(to, "    ('%s')\n        _arguments -S \\\n", page->name);
        for (guint k = 0; k < page->options->len; k++)
            zsh_option(to, g_ptr_array_index(page->options, k));
        fputs("            '--help[show all options]' \\\n            '*:file:_files' ;;\n", to);
    }
    fputs("    esac\n}\n_cagen \"$@\"\n", to);
}

/* ---- fish */

static void fish_option(FILE *to, const char *command, const CgCliOption *o)
{
    fprintf(to, "complete -c cagen -n '__cagen_is \"%s\"' -l %s", command, o->name);
    if (o->letter)
        fprintf(to, " -s %c", o->letter);
    if (o->value)
        fputs(o->is_path ? " -rF" : " -x", to);
    fputs(" -d ", to);
    put_quoted(to, o->help, "\\'");
    fputc('\n', to);
}

void cg_cli_manual_fish(const GPtrArray *pages, FILE *to)
{
    size_t before;
    fputs("# fish completion for cagen, made by cagen help --as fish\n"
          "# Whether the words so far begin with this command, or are nothing but it.\n"
          "function __cagen_is\n"
          "    string match -q -- \"cagen $argv[1] *\" (commandline -opc | string join ' ')\" \"\n"
          "end\n"
          "function __cagen_awaits\n"
          "    test (commandline -opc | string join ' ') = (string trim \"cagen $argv[1]\")\n"
          "end\n",
          to);
    for (guint i = 0; i < pages->len; i++) {
        const CgCliPage *page = g_ptr_array_index(pages, i);
        const char *word = last_word(page->name, &before);
        g_autofree char *group = g_strchomp(g_strndup(page->name, before));
        fprintf(to, "complete -c cagen -f -n '__cagen_awaits \"%s\"' -a %s -d ", group, word);
        put_quoted(to, page->brief, "\\'");
        fputc('\n', to);
        for (guint k = 0; k < page->options->len; k++)
            fish_option(to, page->name, g_ptr_array_index(page->options, k));
    }
}
