/* cagen classify: finds the sub-command and hands over. */
#include "cli/classify.h"

#include "base/log.h"
#include "cli/commands.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} Command;

static const Command commands[] = {
    {"train", "learn to tell a category's defect types apart", cg_cli_classify_train},
    {"test", "count what a data set's images are taken for", cg_cli_classify_test},
    {"run", "classify new images, or write the features that describe them", cg_cli_classify_run},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: cagen classify COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(to, "  %-6s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\ncagen classify COMMAND --help tells a command's options.\n");
}

int cg_cli_classify(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    cg_log_error("classify: unknown command \"%s\"; cagen classify --help lists them", argv[1]);
    return 2;
}
