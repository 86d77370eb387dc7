/* The program: finds the command and hands over. */
#include "cli/commands.h"

#include "base/log.h"
#include "cli/group.h"
#include "cli/manual.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const CgCliCommand commands[] = {
    {"generate", "make anomalous images from normal ones, masks and a prompt", cg_cli_generate},
    {"train", "learn defects from a few images of each type", cg_cli_train},
    {"mask", "draw masks: where defects shall be", cg_cli_mask},
    {"sheet", "draw normal images, masks and results of a run in rows", cg_cli_sheet},
    {"augment", "make anomalous images from normal ones, without a model", cg_cli_augment},
    {"dataset", "look at, check and split data sets", cg_cli_dataset},
    {"metrics", "score anomaly maps of any program against a data set", cg_cli_metrics},
    {"detect", "train a detector, test it, score images with it", cg_cli_detect},
    {"classify", "train a classifier of defect types, test it, classify images with it",
     cg_cli_classify},
    {"model", "fetch, check and convert models", cg_cli_model},
    {"evaluate", "train and test detectors with several methods, and compare them",
     cg_cli_evaluate},
    {"figure", "draw methods side by side, or as points with their distances", cg_cli_figure},
    {"quality", "measure synthetic pictures: distances, Inception score, IC-LPIPS", cg_cli_quality},
    {"report", "write one HTML page of what was made and measured", cg_cli_report},
    {"reproduce", "the paper's experiment, from raw data to its table", cg_cli_reproduce},
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
    fprintf(to, "\ncagen COMMAND --help tells a command's options; cagen --version the version;\n"
                "cagen help --as man|bash|zsh|fish writes the man page and shell completions.\n");
}

/* Below us everything aborts when there is no memory; the user gets one line, not a core dump. */
static void on_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
    if (!(level & G_LOG_FLAG_FATAL)) {
        g_log_default_handler(domain, level, text, data);
        return;
    }
    fprintf(stderr, "cagen: %s\n", text);
    _exit(1);
}

/* Results that did not arrive (a full disk behind a redirection) are a failure too. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    cg_log_error("standard output: %s", g_strerror(errno));
    return code ? code : 1;
}

static const CgCliCommand *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "cagen: unknown command \"%s\"; cagen --help lists them\n", name);
    return 2;
}

/* "cagen help COMMAND" is "cagen COMMAND --help"; "cagen help --as man" writes the manual. ARGV is
 * what comes behind "help". */
static int help(int argc, char **argv)
{
    if (argc == 0) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(argv[0], "--as")) {
        if (argc > 1 && cg_cli_manual_print(commands, G_N_ELEMENTS(commands), argv[1], stdout))
            return 0;
        cg_log_error("help: --as is man, bash, zsh or fish");
        return 2;
    }
    const CgCliCommand *command = find_command(argv[0]);
    if (!command)
        return unknown_command(argv[0]);
    char option[] = "--help";
    g_autofree char **all = g_new0(char *, argc + 2);
    memcpy(all, argv, (size_t)argc * sizeof *argv);
    all[argc] = option;
    return command->run(argc + 1, all);
}

/* GNU's OpenMP lets threads that wait spin for milliseconds, which on a machine with other work
 * takes most of everybody's time, and reads what it shall do before main: so the program begins
 * once more. A user's own word is left alone. */
static void wait_passively(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    char path[4096];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1) != 0)
        return;
    path[length] = 0;
    execv(path, argv); /* comes back only when that failed, and then the threads spin */
}

int main(int argc, char **argv)
{
    wait_passively(argv);
    setlocale(LC_CTYPE, "");
    g_log_set_default_handler(on_log, NULL);
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return finish(help(argc - 2, argv + 2));
    if (!strcmp(argv[1], "--version")) {
        printf("cagen %s\n", CAGEN_VERSION);
        return finish(0);
    }
    const CgCliCommand *command = find_command(argv[1]);
    if (command)
        return finish(command->run(argc - 1, argv + 1));
    return unknown_command(argv[1]);
}
