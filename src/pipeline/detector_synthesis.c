/* The anomalies of a detector's training samples. */
#include "pipeline/detector_samples-private.h"

#include "image/paste.h"
#include "pipeline/pictures.h"
#include "synthesis/cutpaste.h"
#include "synthesis/draem.h"
#include "synthesis/memseg.h"
#include "synthesis/nsa.h"
#include "synthesis/perlin.h"
#include "synthesis/warp.h"

#include <string.h>

#define BETA_MAX      0.8                /* of the picture that shows through a texture */
#define TEXTURE_BYTES ((gsize)512 << 20) /* of textures that are kept */

/* ---- the parts of a sample */

CgImage *cg_detector_load_rgb(const char *path, int size, GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return NULL;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    return cg_image_resize_linear(rgb, size, size);
}

CgImage *cg_detector_turned(const CgImage *image, double degrees)
{
    return degrees == 0 ? cg_image_copy(image) : cg_warp_rotate(image, degrees);
}

/* Another normal image than the sample's, if there is one. */
static guint draw_other(CgDetectorSample *s)
{
    const int count = (int)s->from->count;
    if (count == 1)
        return 0;
    return (s->index + (guint)cg_rng_int(&s->rng, 1, count - 1)) % (guint)count;
}

/* A texture from the folder; kept while there is room. */
static CgImage *load_texture(CgDetectorSamples *d, guint i, GError **error)
{
    const gsize bytes = (gsize)d->options.size * (gsize)d->options.size * 3;
    CgImage *kept = g_atomic_pointer_get(&d->textures[i]);
    if (kept)
        return cg_image_copy(kept);
    CgImage *texture =
        cg_detector_load_rgb(g_ptr_array_index(d->texture_paths, i), d->options.size, error);
    if (!texture || i >= TEXTURE_BYTES / bytes)
        return texture;
    CgImage *mine = cg_image_copy(texture);
    if (!g_atomic_pointer_compare_and_exchange(&d->textures[i], NULL, mine))
        cg_image_free(mine);
    return texture;
}

/* Another normal image with its cells in disorder. */
static CgImage *own_texture(CgDetectorSample *s)
{
    int order[CG_MEMSEG_CELLS * CG_MEMSEG_CELLS];
    const guint other = draw_other(s);
    for (int i = 0; i < CG_MEMSEG_CELLS * CG_MEMSEG_CELLS; i++)
        order[i] = i;
    for (int i = CG_MEMSEG_CELLS * CG_MEMSEG_CELLS - 1; i > 0; i--) {
        const int k = cg_rng_int(&s->rng, 0, i), kept = order[k];
        order[k] = order[i];
        order[i] = kept;
    }
    return cg_memseg_shuffle(s->from->normals[other], order);
}

static CgImage *draw_texture(CgDetectorSample *s, GError **error)
{
    const GPtrArray *paths = s->from->texture_paths;
    if (!paths)
        return own_texture(s);
    return load_texture(s->from, (guint)cg_rng_int(&s->rng, 0, (int)paths->len - 1), error);
}

/* The object in normal image I, turned like the sample; *OBJECT stays NULL where all is object. */
static gboolean find_object(const CgDetectorSample *s, guint i, double degrees, CgImage **object,
                            GError **error)
{
    const CgDetectorSamples *d = s->from;
    g_autoptr(CgImage) found = NULL;
    if (!cg_objects_find(d->objects, g_ptr_array_index(d->paths, i), d->normals[i], &found, error))
        return FALSE;
    if (!found)
        return TRUE;
    *object = cg_detector_turned(found, degrees);
    for (gsize k = 0; k < (gsize)found->width * (gsize)found->height; k++)
        (*object)->pixels[k] = (*object)->pixels[k] > 127 ? 255 : 0;
    if (cg_mask_area(*object) == 0) /* turned out of the picture */
        g_clear_pointer(object, cg_image_free);
    return TRUE;
}

/* ---- syntheses: each fills over, beta and mask */

static gboolean make_draem(CgDetectorSample *s, GError **error)
{
    const CgPerlin perlin = CG_PERLIN_DRAEM;
    const int size = s->from->options.size;
    g_autoptr(json_t) drawn = json_array();
    g_autoptr(CgImage) texture = draw_texture(s, error);
    if (!texture)
        return FALSE;
    s->over = cg_draem_texture(texture, size, size, &s->rng, drawn);
    s->mask = cg_perlin_mask(&perlin, &s->rng, size, size);
    s->beta = cg_rng_uniform(&s->rng, 0, BETA_MAX);
    return TRUE;
}

static gboolean take(CgDetectorSample *s, CgSynthesis *made)
{
    s->over = g_steal_pointer(&made->image);
    s->mask = g_steal_pointer(&made->mask);
    return TRUE;
}

static gboolean make_cutpaste(CgDetectorSample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_scar(CgDetectorSample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste_scar(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_union(CgDetectorSample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste_union(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_nsa(CgDetectorSample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    g_autoptr(CgImage) object = NULL, source_object = NULL;
    const guint other = draw_other(s);
    if (!find_object(s, s->index, s->degrees, &object, error) ||
        !find_object(s, other, 0, &source_object, error))
        return FALSE;
    cg_nsa(s->clean, object, s->from->normals[other], source_object, FALSE, &s->rng, &made);
    return take(s, &made);
}

/* A texture in one half of the anomalies, if there are any. */
static gboolean make_memseg(CgDetectorSample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    g_autoptr(CgImage) object = NULL, texture = NULL;
    const gboolean textured = s->from->texture_paths && cg_rng_uniform(&s->rng, 0, 1) < 0.5;
    if (!find_object(s, s->index, s->degrees, &object, error))
        return FALSE;
    if (textured && !(texture = draw_texture(s, error)))
        return FALSE;
    cg_memseg(s->clean, object, texture, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_none(CgDetectorSample *s, GError **error)
{
    (void)s, (void)error;
    return TRUE;
}

static const CgDetectorSynthesis syntheses[] = {
    {"draem", make_draem, TRUE, FALSE}, {"cutpaste", make_cutpaste, FALSE, FALSE},
    {"scar", make_scar, FALSE, FALSE},  {"cutpaste-union", make_union, FALSE, FALSE},
    {"nsa", make_nsa, FALSE, TRUE},     {"memseg", make_memseg, TRUE, TRUE},
    {"none", make_none, FALSE, FALSE},
};

const char *cg_detector_synthesis_name(guint index)
{
    return index < G_N_ELEMENTS(syntheses) ? syntheses[index].name : NULL;
}

const CgDetectorSynthesis *cg_detector_synthesis_find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(syntheses); i++)
        if (g_str_equal(syntheses[i].name, name))
            return &syntheses[i];
    return NULL;
}

gboolean cg_detector_synthesis_takes_textures(const char *name)
{
    const CgDetectorSynthesis *synthesis = cg_detector_synthesis_find(name);
    return synthesis && synthesis->takes_textures;
}
