/* compared: the groups of pictures that a command holds against each other. */
#ifndef CG_CLI_COMPARED_H
#define CG_CLI_COMPARED_H

#include "pipeline/group.h"

typedef struct {
    char **groups;
    char *data, *good, *real, *category;
} CgCliCompared;

/* Entries for the above, to be copied among a command's own. */
#define CG_CLI_COMPARED_ENTRIES(c)                                                                 \
    {"group",                                                                                      \
     'g',                                                                                          \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME_ARRAY,                                                                  \
     &(c)->groups,                                                                                 \
     "a group of synthetic defects; again for each",                                               \
     "NAME=PATH"},                                                                                 \
        {"data",     'd',                                                                          \
         0,          G_OPTION_ARG_FILENAME,                                                        \
         &(c)->data, "data set: its good and its defective images are two groups more",            \
         "DIR"},                                                                                   \
        {"good", 0, 0, G_OPTION_ARG_FILENAME, &(c)->good, "or good ones from here", "PATH"},       \
        {"real", 0, 0, G_OPTION_ARG_FILENAME, &(c)->real, "or real defects from here", "PATH"},    \
    {                                                                                              \
        "category", 'c', 0, G_OPTION_ARG_FILENAME, &(c)->category, "only this category", "NAME"    \
    }

void cg_cli_compared_clear(CgCliCompared *c);

/* The groups of --group. NULL with CG_ERROR_USAGE when one is not NAME=PATH; COMMAND begins the
 * message. */
GPtrArray *cg_cli_compared_groups(const CgCliCompared *c, const char *command, GError **error);
/* The group of good or of defective pictures, "normal" or "real"; *GROUP NULL when none was given.
 */
gboolean cg_cli_compared_open(const CgCliCompared *c, CgGroupKind kind, CgGroup **group,
                              GError **error);
/* All of them: good ones first, then real ones, then those of --group. *GOOD and *REAL: which; -1:
 * none. Thinned out to COUNT each; pictures without masks are lent those of real ones. */
GPtrArray *cg_cli_compared_all(const CgCliCompared *c, const char *command, guint count, int *good,
                               int *real, GError **error);

#endif
