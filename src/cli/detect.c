/* cagen detect: finds the sub-command and hands over. */
#include "cli/detect.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "metrics/resample.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} Command;

static const Command commands[] = {
    {"train", "train DRAEM on the normal images of a category", cg_cli_detect_train},
    {"test", "score a category's test images, with metrics, maps and overlays", cg_cli_detect_test},
    {"run", "score new images", cg_cli_detect_run},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: cagen detect COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(to, "  %-6s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\ncagen detect COMMAND --help tells a command's options.\n");
}

int cg_cli_detect(int argc, char **argv)
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
    cg_log_error("detect: unknown command \"%s\"; cagen detect --help lists them", argv[1]);
    return 2;
}

/* FOLDER/NAME.ENDING, its folder made. */
static char *output_path(const char *folder, const char *name, const char *ending, GError **error)
{
    g_autofree char *file = g_strconcat(name, ending, NULL);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    return cg_file_make_directory(parent, error) ? g_steal_pointer(&path) : NULL;
}

gboolean cg_cli_detect_save(const char *maps, const char *overlays, const char *name,
                            const CgImage *image, const CgMap *map, GError **error)
{
    if (maps) {
        g_autofree char *path = output_path(maps, name, ".npy", error);
        if (!path || !cg_map_save_npy(map, path, error))
            return FALSE;
    }
    if (!overlays)
        return TRUE;
    g_autofree char *path = output_path(overlays, name, ".png", error);
    g_autoptr(CgMap) large = cg_map_resize(map, image->width, image->height);
    g_autoptr(CgImage) overlay = cg_detector_overlay(image, large);
    return path && cg_image_save_png(overlay, path, error);
}
