/* cagen detect: finds the sub-command and hands over. */
#include "cli/detect.h"

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/group.h"
#include "metrics/resample.h"

static const CgCliCommand commands[] = {
    {"train", "train DRAEM or a U-Net on the normal images of a category", cg_cli_detect_train},
    {"test", "score a category's test images, with metrics, maps and overlays", cg_cli_detect_test},
    {"run", "score new images", cg_cli_detect_run},
};

int cg_cli_detect(int argc, char **argv)
{
    return cg_cli_group("detect", commands, G_N_ELEMENTS(commands), argc, argv);
}

static gboolean wrong(const char *command, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: %s; see cagen %s --help", command, what,
                command);
    return FALSE;
}

gboolean cg_cli_detect_check(const char *command, const char *network, CgTrainDetectorOptions *o,
                             GError **error)
{
    const int size = o->samples.size;
    if (!cg_detector_kind_parse(network ? network : "draem", &o->network))
        return wrong(command, "--network is draem or unet", error);
    if (o->width == CG_CLI_OWN_WIDTH)
        o->width = cg_detector_default_width(o->network);
    if (size < CG_DETECTOR_MULTIPLE || size > CG_DETECTOR_MAX_SIDE || size % CG_DETECTOR_MULTIPLE)
        return wrong(command, "--size must be a multiple of 32, 4096 at most", error);
    const gboolean in_range = o->width >= 1 && o->width <= CG_DETECTOR_MAX_WIDTH;
    if (o->network == CG_DETECTOR_DRAEM && (!in_range || o->width % 2))
        return wrong(command, "--width must be an even number, 2 to 1024", error);
    return in_range || wrong(command, "--width must be 1 to 1024", error);
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
