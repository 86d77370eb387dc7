#include "pipeline/controlnet_watch.h"

#include "base/rng.h"
#include "pipeline/objects.h"
#include "pipeline/sample_sheet.h"
#include "pipeline/score.h"
#include "synthesis/shapes.h"

#define SHEET_SIDE 192

/* One picture to be generated again and again. */
typedef struct {
    CgImage *normal, *mask;
    const char *prompt;
} Subject;

struct CgControlnetWatch {
    const CgModel *model;
    const CgShots *shots;
    const CgTrainControlnetOptions *options;
    GArray *subjects; /* of Subject */
};

static void subject_clear(gpointer data)
{
    Subject *s = data;
    cg_image_free(s->normal);
    cg_image_free(s->mask);
}

void cg_controlnet_watch_free(CgControlnetWatch *w)
{
    if (!w)
        return;
    g_array_unref(w->subjects);
    g_free(w);
}

/* The masks of one kind of defect, to be bent and moved. */
static CgMaskLibrary *library_of(const CgShots *shots, const CgShotImage *kind)
{
    CgMaskLibrary *library = cg_mask_library_new();
    for (guint i = 0; i < cg_shots_count(shots); i++) {
        const CgShotImage *shot = cg_shots_nth(shots, i);
        if (g_str_equal(shot->category, kind->category) && g_str_equal(shot->defect, kind->defect))
            cg_mask_library_add(library, shot->mask);
    }
    return library;
}

/* Whether NORMALS show objects; found out once for a CATEGORY. */
static CgObjects *objects_of(GHashTable *known, const char *category, const GPtrArray *normals,
                             GError **error)
{
    CgObjects *objects = g_hash_table_lookup(known, category);
    if (!objects && (objects = cg_objects_new(NULL, normals, error)))
        g_hash_table_insert(known, (char *)(guintptr)category, objects);
    return objects;
}

static CgImage *draw_mask(const CgControlnetWatch *w, const CgShotImage *kind, CgObjects *objects,
                          const CgImage *normal, guint number, GError **error)
{
    const int side = cg_shots_size(w->shots);
    g_autoptr(CgMaskShapes) shapes = cg_mask_shapes_parse("perlin|library", error);
    g_autoptr(CgMaskLibrary) library = library_of(w->shots, kind);
    CgImage *object = NULL, *mask = NULL;
    if (cg_objects_find(objects, NULL, normal, &object, error)) {
        const CgMaskRules rules = {.shapes = shapes,
                                   .library = library,
                                   .foreground = object,
                                   .latent_side =
                                       side / cg_vae_factor(cg_vae_config(w->model->vae))};
        CgRng rng = cg_rng(w->options->train.seed, CG_STREAM(CG_STREAM_MASK, number));
        mask = cg_mask_draw(&rules, &rng, side, side, error);
    }
    cg_image_free(object);
    return mask;
}

static gboolean add_subject(CgControlnetWatch *w, const CgShotImage *kind, GHashTable *known,
                            guint number, GError **error)
{
    const int side = cg_shots_size(w->shots);
    g_autoptr(GPtrArray) normals = cg_shots_normals(w->shots, kind->category);
    Subject s = {.prompt = kind->prompts[0]};
    if (normals->len == 0)
        return TRUE; /* nothing to look at in this category */
    CgRng rng = cg_rng(w->options->train.seed, CG_STREAM(CG_STREAM_SPLIT, number));
    const char *path =
        g_ptr_array_index(normals, (guint)cg_rng_int(&rng, 0, (int)normals->len - 1));
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return FALSE;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    s.normal = cg_image_resize(rgb, side, side);
    CgObjects *objects = objects_of(known, kind->category, normals, error);
    s.mask = objects ? draw_mask(w, kind, objects, s.normal, number, error) : NULL;
    if (!s.mask) {
        subject_clear(&s);
        return FALSE;
    }
    g_array_append_val(w->subjects, s);
    return TRUE;
}

/* The kinds of defects in turn, evenly over all where there are more kinds than subjects. */
static gboolean choose(CgControlnetWatch *w, GError **error)
{
    g_autoptr(GPtrArray) kinds = g_ptr_array_new();
    g_autoptr(GHashTable) known =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)cg_objects_free);
    for (guint i = 0; i < cg_shots_count(w->shots); i++) {
        const CgShotImage *shot = cg_shots_nth(w->shots, i);
        const CgShotImage *last = kinds->len ? g_ptr_array_index(kinds, kinds->len - 1) : NULL;
        if (!last || !g_str_equal(last->category, shot->category) ||
            !g_str_equal(last->defect, shot->defect))
            g_ptr_array_add(kinds, (gpointer)(guintptr)shot);
    }
    const guint count = (guint)w->options->sample_count;
    for (guint i = 0; i < count; i++) {
        const guint k = kinds->len > count ? i * kinds->len / count : i % kinds->len;
        if (!add_subject(w, g_ptr_array_index(kinds, k), known, i, error))
            return FALSE;
    }
    return TRUE;
}

CgControlnetWatch *cg_controlnet_watch_new(const CgModel *model, const CgShots *shots,
                                           const CgTrainControlnetOptions *options, GError **error)
{
    g_autoptr(CgControlnetWatch) w = g_new0(CgControlnetWatch, 1);
    w->model = model;
    w->shots = shots;
    w->options = options;
    w->subjects = g_array_new(FALSE, TRUE, sizeof(Subject));
    g_array_set_clear_func(w->subjects, subject_clear);
    return choose(w, error) ? g_steal_pointer(&w) : NULL;
}

/* Picture I: *GENERATED before fusion, *FUSED after it, *UNMASKED without a mask. */
static gboolean generate(const CgControlnetWatch *w, CgDenoiser *denoiser, guint i,
                         CgImage **generated, CgImage **fused, CgImage **unmasked, GError **error)
{
    const CgTrainControlnetOptions *o = w->options;
    const Subject *s = &g_array_index(w->subjects, Subject, i);
    CgGenerateSettings settings;
    CgGenerateResult result = {0};
    const CgGenerateInput input = {.normal = s->normal, .mask = s->mask};
    cg_generate_settings_default(&settings);
    settings.seed = o->train.seed;
    settings.sample = i;
    settings.window = CG_WINDOW_FULL;
    settings.size = cg_shots_size(w->shots);
    settings.denoise.prompt = s->prompt;
    settings.denoise.negative_prompt = "";
    settings.denoise.steps = o->sample_steps;
    settings.denoise.guidance = o->guidance;
    const gboolean ok =
        cg_generate(denoiser, w->model, &settings, &input, NULL, NULL, &result, error);
    if (ok)
        *fused = g_steal_pointer(&result.image);
    const gboolean scored =
        ok && cg_score_pictures(denoiser, w->model, &settings, &result, generated, unmasked, error);
    cg_generate_result_clear(&result);
    return scored;
}

static gboolean look(CgControlnetWatch *w, CgDenoiser *denoiser, guint i, CgSheetRow *row,
                     CgObedience *obedience, GError **error)
{
    Subject *s = &g_array_index(w->subjects, Subject, i);
    CgImage *generated = NULL, *fused = NULL, *unmasked = NULL;
    const gboolean ok =
        generate(w, denoiser, i, &generated, &fused, &unmasked, error) &&
        cg_obedience_measure(unmasked, s->mask, generated,
                             cg_vae_factor(cg_vae_config(w->model->vae)), 0, obedience, error);
    *row = (CgSheetRow){s->normal, s->mask, generated, fused, s->prompt};
    cg_image_free(unmasked);
    return ok;
}

gboolean cg_controlnet_watch_run(CgControlnetWatch *w, guint64 step, double *obedience,
                                 GError **error)
{
    const guint count = w->subjects->len;
    cg_model_rest(w->model);
    /* A new one each time: it keeps what was made of the prompts with the weights of its day. */
    g_autoptr(CgDenoiser) denoiser = cg_denoiser_new(w->model);
    g_autofree CgSheetRow *rows = g_new0(CgSheetRow, count + 1);
    g_autofree char *path = cg_sample_sheet_path(w->options->train.out, step, error);
    gboolean ok = path != NULL;
    double sum = 0;
    for (guint i = 0; ok && i < count; i++) {
        CgObedience one = {0};
        ok = look(w, denoiser, i, &rows[i], &one, error);
        sum += one.obedience;
    }
    ok = ok && (count == 0 || cg_sample_sheet_save(rows, (int)count, SHEET_SIDE, path, error));
    for (guint i = 0; i < count; i++) {
        cg_image_free((CgImage *)(guintptr)rows[i].generated);
        cg_image_free((CgImage *)(guintptr)rows[i].fused);
    }
    if (ok && count)
        *obedience = sum / count;
    cg_model_rest(w->model);
    return ok;
}
