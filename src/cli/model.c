/* cagen model: finds the sub-command and hands over. */
#include "cli/model.h"

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
    {"fetch", "download a model from a hub", cg_cli_model_fetch},
    {"list", "tell which models were fetched", cg_cli_model_list},
    {"verify", "check fetched models against their hashes", cg_cli_model_verify},
    {"convert", "write a model in another form or number type", cg_cli_model_convert},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: cagen model COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\ncagen model COMMAND --help tells a command's options.\n");
}

int cg_cli_model(int argc, char **argv)
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
    cg_log_error("model: unknown command \"%s\"; cagen model --help lists them", argv[1]);
    return 2;
}
