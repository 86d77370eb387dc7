/* The program: finds the command and hands over. */
#include "cli/commands.h"

#include "base/log.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} Command;

static const Command commands[] = {
    {"generate", "make anomalous images from normal ones, masks and a prompt", cg_cli_generate},
    {"mask", "draw masks: where defects shall be", cg_cli_mask},
    {"sheet", "draw normal images, masks and results of a run in rows", cg_cli_sheet},
    {"dataset", "look at data sets", cg_cli_dataset},
    {"augment", "make anomalous images from normal ones, without a model", cg_cli_augment},
    {"dataset", "look at and check data sets", cg_cli_dataset},
    {"info", "tell what a model consists of, and what is wrong with it", cg_cli_info},
    {"doctor", "tell what this machine can do", cg_cli_doctor},
    {"tokenize", "show the tokens that a prompt becomes", cg_cli_tokenize},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: cagen COMMAND [OPTION...]\n\n"
                "Controllable anomaly generator: defects where you want them, with exact masks.\n\n"
                "commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\ncagen COMMAND --help tells a command's options; cagen --version the version.\n");
}

/* Results that did not arrive (a full disk behind a redirection) are a failure too. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    cg_log_error("standard output: %s", g_strerror(errno));
    return code ? code : 1;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("cagen %s\n", CAGEN_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name))
            return finish(commands[i].run(argc - 1, argv + 1));
    fprintf(stderr, "cagen: unknown command \"%s\"; cagen --help lists them\n", argv[1]);
    return 2;
}
