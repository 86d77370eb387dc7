/* manual: man page and shell completions, out of the same tables as --help.
 *
 * While a manual is collected, commands do not run: what they hand to cg_cli_parse is written down
 * instead.
 */
#ifndef CG_CLI_MANUAL_H
#define CG_CLI_MANUAL_H

#include "cli/group.h"

#include <glib.h>
#include <stdio.h>

typedef struct {
    char *name;       /* without the dashes */
    char letter;      /* 0: none */
    char *value;      /* what stands behind it, "DIR"; NULL: nothing */
    gboolean is_path; /* the value is a file or folder */
    char *help;
} CgCliOption;

typedef struct {
    char *name;                          /* "generate", "dataset make" */
    char *brief;                         /* one line of the list of commands */
    char *usage, *summary, *description; /* of --help; NULL for a group */
    GPtrArray *options;                  /* of CgCliOption */
} CgCliPage;

gboolean cg_cli_manual_is_collecting(void);
/* The pages of COMMANDS; those of groups stand before their own commands. */
void cg_cli_manual_collect(const CgCliCommand *commands, size_t count);
/* Called by cg_cli_parse while collecting. */
void cg_cli_manual_add(const char *usage, const char *summary, const char *description,
                       const GOptionEntry *entries);

/* Writes the manual of all COMMANDS as FORM, "man", "bash", "zsh" or "fish". FALSE: no such form.
 */
gboolean cg_cli_manual_print(const CgCliCommand *commands, size_t count, const char *form,
                             FILE *to);

/* The forms; PAGES of CgCliPage. */
void cg_cli_manual_man(const GPtrArray *pages, FILE *to);
void cg_cli_manual_bash(const GPtrArray *pages, FILE *to);
void cg_cli_manual_zsh(const GPtrArray *pages, FILE *to);
void cg_cli_manual_fish(const GPtrArray *pages, FILE *to);

#endif
