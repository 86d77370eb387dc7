#include "pipeline/cell.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "pipeline/cell_settings.h"
#include "pipeline/test_detector.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static char *cell_place(const CgCellOptions *o, const CgCell *cell, const char *below,
                        const char *ending)
{
    g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT "%s", cell->seed, ending);
    return g_build_filename(o->out, below, cell->category, cell->method->name, name, NULL);
}

char *cg_cell_path(const CgCellOptions *o, const CgCell *cell)
{
    return cell_place(o, cell, "cells", ".json");
}

const char *cg_cell_textures(const CgCellOptions *o, const CgCell *cell)
{
    return cg_detector_synthesis_takes_textures(cell->method->base) ? o->textures : NULL;
}

static CgTrainDetectorOptions training_options(const CgCellOptions *o, const CgCell *cell)
{
    CgTrainDetectorOptions d = o->detector;
    d.samples.data = o->data;
    d.samples.layout = o->layout;
    d.samples.category = cell->category;
    d.samples.textures = cg_cell_textures(o, cell);
    d.samples.synthesis = cell->method->base;
    d.samples.synthetic = cell->synthetic;
    d.samples.ratio = cell->method->ratio;
    d.samples.seed = d.train.seed = cell->seed;
    return d;
}

gboolean cg_cell_plan(const CgCellOptions *o, const CgCell *cell, CgEngine *engine,
                      CgTrainResult *plan, GError **error)
{
    const CgTrainDetectorOptions d = training_options(o, cell);
    return cg_train_detector(engine, o->dtype, &d, TRUE, plan, error);
}

/* *SAME: the file at PATH is there with settings WANTED. With redo other ones are no error. */
static gboolean compare_settings(const CgCellOptions *o, const char *path, const json_t *were,
                                 const json_t *wanted, gboolean *same, GError **error)
{
    g_autoptr(GError) other = NULL;
    *same = cg_cell_settings_check(were, wanted, path, &other);
    if (*same || o->redo)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&other));
    return FALSE;
}

gboolean cg_cell_is_done(const CgCellOptions *o, const CgCell *cell, gboolean *done, GError **error)
{
    g_autofree char *path = cg_cell_path(o, cell);
    *done = FALSE;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(json_t) settings = cg_cell_settings(o, cell, error);
    g_autoptr(json_t) were = settings ? cg_result_load_settings(path, error) : NULL;
    return were && compare_settings(o, path, were, settings, done, error);
}

/* ---- the training's folder */

/* Its files; it has no folders. */
static void empty_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
}

/* Held until the file descriptor is closed; -1: somebody else is there. */
static int lock_folder(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "lock", NULL);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: %s", folder,
                errno == EWOULDBLOCK ? "another cagen is at this cell" : g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static gboolean has_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Makes FOLDER one of a training with SETTINGS: the same that was begun there, or a new one. */
static gboolean prepare_folder(const CgCellOptions *o, const char *folder, const json_t *settings,
                               GError **error)
{
    g_autofree char *path = g_build_filename(folder, "settings.json", NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        gboolean same;
        g_autoptr(json_t) were = cg_json_load(path, error);
        if (!were || !compare_settings(o, path, were, settings, &same, error))
            return FALSE;
        if (same)
            return TRUE;
        empty_folder(folder);
    }
    char *text = json_dumps(settings, JSON_INDENT(1) | JSON_SORT_KEYS);
    const gboolean ok = cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

static gboolean train(const CgCellOptions *o, const CgCell *cell, const char *folder,
                      const json_t *settings, CgEngine *engine, GError **error)
{
    CgTrainDetectorOptions d = training_options(o, cell);
    CgTrainResult result;
    g_autoptr(json_t) training =
        json_pack("{s:O, s:O}", "version", json_object_get(settings, "version"), "training",
                  json_object_get(settings, "training"));
    if (!prepare_folder(o, folder, training, error))
        return FALSE;
    if (has_file(folder, "config.json")) /* written last */
        return TRUE;
    d.train.out = folder;
    d.train.resume = has_file(folder, "state.safetensors");
    d.train.no_curve = !o->keep_models;
    return cg_train_detector(engine, o->dtype, &d, FALSE, &result, error);
}

static gboolean test(const CgCellOptions *o, const CgCell *cell, const char *folder,
                     json_t *settings, CgEngine *engine, GError **error)
{
    CgEvaluationOptions options = o->evaluation;
    options.keep_draws = TRUE;
    options.seed = cg_rng_named_seed(0, cell->category);
    g_autoptr(CgDetector) detector = cg_detector_open(engine, o->dtype, folder, error);
    if (!detector)
        return FALSE;
    g_autoptr(CgEvaluation) evaluation = cg_evaluation_new(&options);
    const CgDetectorTest t = {
        .detector = detector, .dataset = o->dataset, .category = cell->category, .split = o->split};
    if (!cg_detector_test(&t, evaluation, error))
        return FALSE;
    g_autofree char *path = cg_cell_path(o, cell), *parent = g_path_get_dirname(path);
    return cg_file_make_directory(parent, error) &&
           cg_result_save(path, cell->category, cell->method->name, cell->seed, settings,
                          g_steal_pointer(&evaluation), error);
}

/* The folder, and those above it that are empty then; or, of a model that is kept, its state. */
static void clean_up(const CgCellOptions *o, const char *folder)
{
    g_autofree char *state = g_build_filename(folder, "state.safetensors", NULL);
    g_autofree char *method = g_path_get_dirname(folder);
    g_autofree char *category = g_path_get_dirname(method);
    g_autofree char *all = g_path_get_dirname(category);
    g_unlink(state);
    if (o->keep_models)
        return;
    empty_folder(folder);
    g_rmdir(folder);
    g_rmdir(method);
    g_rmdir(category);
    g_rmdir(all);
}

gboolean cg_cell_run(const CgCellOptions *o, const CgCell *cell, CgEngine *engine, GError **error)
{
    gboolean done;
    g_autofree char *folder = cell_place(o, cell, "trainings", "");
    g_autoptr(json_t) settings = cg_cell_settings(o, cell, error);
    if (!settings || !cg_cell_is_done(o, cell, &done, error))
        return FALSE;
    if (done)
        return TRUE;
    if (!cg_file_make_directory(folder, error))
        return FALSE;
    const int lock = lock_folder(folder, error);
    if (lock < 0)
        return FALSE;
    const gboolean ok = train(o, cell, folder, settings, engine, error) &&
                        test(o, cell, folder, settings, engine, error);
    if (ok)
        clean_up(o, folder);
    close(lock);
    return ok;
}
