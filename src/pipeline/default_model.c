#include "pipeline/default_model.h"

#include "base/error.h"

#define SELF "/proc/self/exe"

/* PLACE, a path that begins at the program's folder, when a model is there. */
static char *beside_program(const char *place)
{
    g_autofree char *self = g_file_read_link(SELF, NULL);
    g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *joined = folder ? g_build_filename(folder, place, NULL) : NULL;
    g_autofree char *model = joined ? g_canonicalize_filename(joined, NULL) : NULL;
    g_autofree char *index = model ? g_build_filename(model, "model_index.json", NULL) : NULL;
    return index && g_file_test(index, G_FILE_TEST_EXISTS) ? g_steal_pointer(&model) : NULL;
}

char *cg_default_model(GError **error)
{
    static const char *const places[] = {"../share/cagen/models/mini", "../../models/mini"};
    const char *named = g_getenv("CAGEN_MODEL");
    if (named && *named)
        return g_strdup(named);
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        char *model = beside_program(places[i]);
        if (model)
            return model;
    }
    g_set_error(
        error, CG_ERROR, CG_ERROR_USAGE,
        "--model DIR is missing: there is no models/mini beside the program, and CAGEN_MODEL "
        "names no other");
    return NULL;
}

char *cg_model_own_controlnet(const char *model)
{
    char *path = g_build_filename(model, "controlnet", NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return path;
    g_free(path);
    return NULL;
}
