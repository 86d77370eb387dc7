#include "cli/group.h"

#include "base/log.h"
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

static void print_help(FILE *to, const char *name, const CgCliCommand *commands, size_t count)
{
    fprintf(to, "usage: cagen %s COMMAND [OPTION...]\n\ncommands:\n", name);
    for (size_t i = 0; i < count; i++)
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\ncagen %s COMMAND --help tells a command's options.\n", name);
}

int cg_cli_group(const char *name, const CgCliCommand *commands, size_t count, int argc,
                 char **argv)
{
    if (cg_cli_manual_is_collecting()) {
        cg_cli_manual_collect(commands, count);
        return 0;
    }
    if (argc < 2) {
        print_help(stderr, name, commands, count);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout, name, commands, count);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    cg_log_error("%s: unknown command \"%s\"; cagen %s --help lists them", name, argv[1], name);
    return 2;
}
