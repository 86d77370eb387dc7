/* options: what commands have in common on the command line. */
#ifndef CG_CLI_OPTIONS_H
#define CG_CLI_OPTIONS_H

#include "engine/engine.h"

/* Prints the error as one line on standard error and returns the exit code for it. Frees ERROR. */
int cg_cli_fail(GError *error);

/* Replaces *PATH (NULL is fine) by the folder in the cache when nothing of that name is there and a
 * model of that name was fetched: "org/name". */
void cg_cli_find_model(char **path);

/* Parses ARGV by ENTRIES (GOption syntax in USAGE: "IMAGE..."), with SUMMARY above and DESCRIPTION
 * (nullable) below the list in --help. Bytes are taken as given, whatever the locale. What is left
 * over is an error unless ENTRIES have G_OPTION_REMAINING. What --model, --controlnet, --vae,
 * --tokenizer, --config and --from name may be a fetched model (cg_cli_find_model). */
gboolean cg_cli_parse(int *argc, char ***argv, const char *command, const char *usage,
                      const char *summary, const char *description, const GOptionEntry *entries,
                      GError **error);

/* Which of KNOWN (ended by NULL) TEXT names, with commas between, into CHOSEN, an element for each;
 * TEXT NULL: all of them. CG_ERROR_USAGE for another name: the message says COMMAND, OPTION
 * ("--view"), the name and what is known. */
gboolean cg_cli_choose(const char *command, const char *option, const char *text,
                       const char *const *known, gboolean *chosen, GError **error);
/* The same for --mode. */
gboolean cg_cli_choose_modes(const char *command, const char *text, gboolean *modes,
                             GError **error);

/* TEXT to the file PATH, or with NULL to standard output. */
gboolean cg_cli_write(const char *text, const char *path, GError **error);

/* --threads, --dtype, --verbose, --quiet, --json: for all that compute. */
typedef struct {
    int threads;
    char *dtype;
    gboolean verbose, quiet, json;
} CgCliCompute;

/* Entries for the above (7 with the terminator), to be copied behind a command's own. */
#define CG_CLI_COMPUTE_ENTRIES(c)                                                                  \
    {"threads",                                                                                    \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_INT,                                                                             \
     &(c)->threads,                                                                                \
     "threads to compute with; results do not depend on it (default: one per core)",               \
     "N"},                                                                                         \
        {"dtype",     0,                                                                           \
         0,           G_OPTION_ARG_STRING,                                                         \
         &(c)->dtype, "auto, f32 or bf16: what to compute in (default: auto, the fastest here)",   \
         "TYPE"},                                                                                  \
        {"json", 0, 0, G_OPTION_ARG_NONE, &(c)->json, "results and progress as JSON lines", NULL}, \
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &(c)->verbose, "say more", NULL},                   \
    {                                                                                              \
        "quiet", 'q', 0, G_OPTION_ARG_NONE, &(c)->quiet, "say only what is wrong", NULL            \
    }

/* The same without --dtype, for commands that run no network (5 with the terminator). */
#define CG_CLI_COMMON_ENTRIES(c)                                                                   \
    {"threads",                                                                                    \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_INT,                                                                             \
     &(c)->threads,                                                                                \
     "threads to work with; results do not depend on it (default: one per core)",                  \
     "N"},                                                                                         \
        {"json", 0, 0, G_OPTION_ARG_NONE, &(c)->json, "results and progress as JSON lines", NULL}, \
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &(c)->verbose, "say more", NULL},                   \
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &(c)->quiet, "say only what is wrong", NULL},         \
        G_OPTION_ENTRY_NULL

void cg_cli_compute_clear(CgCliCompute *c);
/* Sets logging, threads and cancellation. */
gboolean cg_cli_common_start(const CgCliCompute *c, GError **error);
/* The same; *ENGINE and *DTYPE as asked for and possible. */
gboolean cg_cli_compute_start(const CgCliCompute *c, CgEngine **engine, CgDType *dtype,
                              GError **error);

#endif
