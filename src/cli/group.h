/* group: a command that stands for several, "cagen dataset" say. */
#ifndef CG_CLI_GROUP_H
#define CG_CLI_GROUP_H

#include <stddef.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} CgCliCommand;

/* Runs the command that ARGV[1] names; NAME is that of the group. --help lists the COUNT of them.
 */
int cg_cli_group(const char *name, const CgCliCommand *commands, size_t count, int argc,
                 char **argv);

#endif
