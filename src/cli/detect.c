/* cagen detect: finds the sub-command and hands over. */
#include "cli/detect.h"

#include "base/file.h"
#include "cli/commands.h"
#include "cli/group.h"
#include "metrics/resample.h"

static const CgCliCommand commands[] = {
    {"train", "train DRAEM on the normal images of a category", cg_cli_detect_train},
    {"test", "score a category's test images, with metrics, maps and overlays", cg_cli_detect_test},
    {"run", "score new images", cg_cli_detect_run},
};

int cg_cli_detect(int argc, char **argv)
{
    return cg_cli_group("detect", commands, G_N_ELEMENTS(commands), argc, argv);
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
