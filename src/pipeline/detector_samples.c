#include "pipeline/detector_samples.h"

#include "base/error.h"
#include "base/rng.h"
#include "image/paste.h"
#include "pipeline/generated.h"
#include "pipeline/objects.h"
#include "pipeline/pictures.h"
#include "synthesis/cutpaste.h"
#include "synthesis/draem.h"
#include "synthesis/memseg.h"
#include "synthesis/nsa.h"
#include "synthesis/perlin.h"
#include "synthesis/warp.h"

#include <math.h>
#include <string.h>

#define ROTATED       0.3                /* share of samples that are turned .. */
#define ROTATION      90                 /* .. by at most so many degrees */
#define ANOMALOUS     0.5                /* share of samples that get an anomaly */
#define BETA_MAX      0.8                /* of the picture that shows through a texture */
#define TEXTURE_BYTES ((gsize)512 << 20) /* of textures that are kept */

typedef struct {
    CgImage *normal, *image; /* RGB, size x size */
    CgImage *mask;           /* grey */
} Generated;

struct CgDetectorSamples {
    CgDetectorSamplesOptions options;
    char *category;
    GPtrArray *paths;         /* of the normal images */
    CgImage **normals;        /* [paths], RGB, size x size */
    GPtrArray *texture_paths; /* NULL: none */
    CgImage **textures;       /* [texture_paths]; NULL: not read yet, or not kept */
    CgObjects *objects;       /* NULL: the synthesis does not look at them */
    Generated *generated;
    guint generated_count;
    gint32 *replaced; /* [paths]: the generated image in its place, or -1; NULL: none are */
};

/* A sample under construction. */
typedef struct {
    CgDetectorSamples *from;
    CgRng rng;
    guint index;    /* of the normal image */
    double degrees; /* 0: not turned */
    CgImage *clean;
    CgImage *over;  /* what is seen where the mask is .. */
    double beta;    /* .. and how much of the clean image through it */
    gboolean whole; /* over replaces all of the picture */
    CgImage *mask;  /* NULL: empty */
} Sample;

static void sample_clear(Sample *s)
{
    cg_image_free(s->clean);
    cg_image_free(s->over);
    cg_image_free(s->mask);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sample, sample_clear)

/* ---- the parts of a sample */

static CgImage *load_rgb(const char *path, int size, GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return NULL;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    return cg_image_resize_linear(rgb, size, size);
}

static CgImage *turned(const CgImage *image, double degrees)
{
    return degrees == 0 ? cg_image_copy(image) : cg_warp_rotate(image, degrees);
}

/* Another normal image than the sample's, if there is one. */
static guint draw_other(Sample *s)
{
    const int count = (int)s->from->paths->len;
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
    CgImage *texture = load_rgb(g_ptr_array_index(d->texture_paths, i), d->options.size, error);
    if (!texture || i >= TEXTURE_BYTES / bytes)
        return texture;
    CgImage *mine = cg_image_copy(texture);
    if (!g_atomic_pointer_compare_and_exchange(&d->textures[i], NULL, mine))
        cg_image_free(mine);
    return texture;
}

/* Another normal image with its cells in disorder. */
static CgImage *own_texture(Sample *s)
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

static CgImage *draw_texture(Sample *s, GError **error)
{
    const GPtrArray *paths = s->from->texture_paths;
    if (!paths)
        return own_texture(s);
    return load_texture(s->from, (guint)cg_rng_int(&s->rng, 0, (int)paths->len - 1), error);
}

/* The object in normal image I, turned like the sample; *OBJECT stays NULL where all is object. */
static gboolean find_object(const Sample *s, guint i, double degrees, CgImage **object,
                            GError **error)
{
    const CgDetectorSamples *d = s->from;
    g_autoptr(CgImage) found = NULL;
    if (!cg_objects_find(d->objects, g_ptr_array_index(d->paths, i), d->normals[i], &found, error))
        return FALSE;
    if (!found)
        return TRUE;
    *object = turned(found, degrees);
    for (gsize k = 0; k < (gsize)found->width * (gsize)found->height; k++)
        (*object)->pixels[k] = (*object)->pixels[k] > 127 ? 255 : 0;
    if (cg_mask_area(*object) == 0) /* turned out of the picture */
        g_clear_pointer(object, cg_image_free);
    return TRUE;
}

/* ---- syntheses: each fills over, beta and mask */

static gboolean make_draem(Sample *s, GError **error)
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

static gboolean take(Sample *s, CgSynthesis *made)
{
    s->over = g_steal_pointer(&made->image);
    s->mask = g_steal_pointer(&made->mask);
    return TRUE;
}

static gboolean make_cutpaste(Sample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_scar(Sample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste_scar(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_union(Sample *s, GError **error)
{
    g_auto(CgSynthesis) made = {0};
    (void)error;
    cg_cutpaste_union(s->clean, &s->rng, &made);
    return take(s, &made);
}

static gboolean make_nsa(Sample *s, GError **error)
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
static gboolean make_memseg(Sample *s, GError **error)
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

static gboolean make_none(Sample *s, GError **error)
{
    (void)s, (void)error;
    return TRUE;
}

static const struct {
    const char *name;
    gboolean (*make)(Sample *s, GError **error);
    gboolean takes_textures, takes_objects;
} syntheses[] = {
    {"draem", make_draem, TRUE, FALSE}, {"cutpaste", make_cutpaste, FALSE, FALSE},
    {"scar", make_scar, FALSE, FALSE},  {"cutpaste-union", make_union, FALSE, FALSE},
    {"nsa", make_nsa, FALSE, TRUE},     {"memseg", make_memseg, TRUE, TRUE},
    {"none", make_none, FALSE, FALSE},
};

const char *cg_detector_synthesis_name(guint index)
{
    return index < G_N_ELEMENTS(syntheses) ? syntheses[index].name : NULL;
}

static guint find_synthesis(const char *name)
{
    guint i = 0;
    while (i < G_N_ELEMENTS(syntheses) && !g_str_equal(syntheses[i].name, name))
        i++;
    return i;
}

static const char *const replace_names[] = {"set", "draw", "anomalous"};

gboolean cg_replace_parse(const char *text, CgReplace *replace)
{
    for (guint i = 0; i < G_N_ELEMENTS(replace_names); i++)
        if (g_str_equal(text, replace_names[i])) {
            *replace = (CgReplace)i;
            return TRUE;
        }
    return FALSE;
}

const char *cg_replace_name(CgReplace replace)
{
    return replace_names[replace];
}

/* ---- opening */

/* The category asked for, or the only one. */
static gboolean choose_category(CgDetectorSamples *s, const CgDataset *d, GError **error)
{
    const char *wanted = s->options.category;
    for (guint i = 0; wanted && i < d->categories->len; i++)
        if (g_str_equal(g_ptr_array_index(d->categories, i), wanted)) {
            s->category = g_strdup(wanted);
            return TRUE;
        }
    if (!wanted && d->categories->len == 1) {
        s->category = g_strdup(g_ptr_array_index(d->categories, 0));
        return TRUE;
    }
    g_autofree char *quoted = wanted ? cg_json_quote(wanted) : NULL;
    if (wanted)
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no category %s; cagen dataset info lists them", d->root, quoted);
    else
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s has several categories; choose one with --category", d->root);
    return FALSE;
}

static gboolean list_normals(CgDetectorSamples *s, GError **error)
{
    CgLayout layout = CG_LAYOUT_AUTO;
    if (s->options.layout && !cg_layout_parse(s->options.layout, &layout, error))
        return FALSE;
    g_autoptr(CgDataset) d = cg_dataset_open(s->options.data, layout, error);
    if (!d || !choose_category(s, d, error))
        return FALSE;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *sample = cg_dataset_sample(d, i);
        if (sample->split == CG_DATASET_TRAIN && cg_sample_is_good(sample) &&
            g_str_equal(sample->category, s->category))
            g_ptr_array_add(s->paths, g_strdup(sample->image));
    }
    if (s->paths->len)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: category \"%s\" has no normal images to train with", d->root, s->category);
    return FALSE;
}

/* The first of N errors goes to ERROR; TRUE when there is none. */
static gboolean first_error(GError **errors, guint n, GError **error)
{
    gboolean ok = TRUE;
    for (guint i = 0; i < n; i++) {
        if (!errors[i])
            continue;
        if (ok)
            g_propagate_error(error, errors[i]);
        else
            g_error_free(errors[i]);
        ok = FALSE;
    }
    return ok;
}

static gboolean load_normals(CgDetectorSamples *s, GError **error)
{
    const guint count = s->paths->len;
    g_autofree GError **errors = g_new0(GError *, count);
    s->normals = g_new0(CgImage *, count);
#pragma omp parallel for schedule(dynamic)
    for (guint i = 0; i < count; i++)
        s->normals[i] = load_rgb(g_ptr_array_index(s->paths, i), s->options.size, &errors[i]);
    return first_error(errors, count, error);
}

/* The mask counts where at least half of what a pixel shrinks from does. */
static gboolean load_generated(Generated *to, const CgGenerated *from, int size, GError **error)
{
    g_autoptr(CgImage) mask = cg_image_load_mask(from->mask, error);
    if (!mask)
        return FALSE;
    to->image = load_rgb(from->image, size, error);
    to->normal = to->image ? load_rgb(from->normal, size, error) : NULL;
    if (!to->normal) {
        g_prefix_error(error, "made from it, %s: ", from->image);
        return FALSE;
    }
    to->mask = cg_image_resize(mask, size, size);
    for (gsize i = 0; i < (gsize)size * (gsize)size; i++)
        to->mask->pixels[i] = to->mask->pixels[i] > 127 ? 255 : 0;
    return TRUE;
}

/* Which normal images are replaced: the first of a shuffled order. */
static void choose_replaced(CgDetectorSamples *s)
{
    const guint n = s->paths->len, count = (guint)lround(s->options.ratio * n);
    g_autofree guint *order = g_new(guint, n);
    CgRng rng = cg_rng(s->options.seed, CG_STREAM(CG_STREAM_SPLIT, 0));
    s->replaced = g_new(gint32, n);
    for (guint i = 0; i < n; i++) {
        order[i] = i;
        s->replaced[i] = -1;
    }
    for (guint i = 0; i < count; i++) {
        const guint k = (guint)cg_rng_int(&rng, (int)i, (int)n - 1), kept = order[k];
        order[k] = order[i];
        order[i] = kept;
        s->replaced[kept] = (gint32)(i % s->generated_count);
    }
}

static gboolean open_generated(CgDetectorSamples *s, GError **error)
{
    if (!s->options.synthetic)
        return TRUE;
    g_autoptr(GArray) list = cg_generated_list(s->options.synthetic, s->category, error);
    if (!list)
        return FALSE;
    s->generated = g_new0(Generated, list->len);
    s->generated_count = list->len;
    for (guint i = 0; i < list->len; i++)
        if (!load_generated(&s->generated[i], &g_array_index(list, CgGenerated, i), s->options.size,
                            error))
            return FALSE;
    if (s->options.replace == CG_REPLACE_SET)
        choose_replaced(s);
    return TRUE;
}

static gboolean open_textures(CgDetectorSamples *s, GError **error)
{
    const guint kind = find_synthesis(s->options.synthesis);
    if (syntheses[kind].takes_objects && !(s->objects = cg_objects_new(NULL, s->paths, error)))
        return FALSE;
    if (!s->options.textures)
        return TRUE;
    if (!syntheses[kind].takes_textures) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--synthesis %s uses no --textures; leave them out", syntheses[kind].name);
        return FALSE;
    }
    s->texture_paths = cg_pictures_list(s->options.textures, TRUE, error);
    if (!s->texture_paths)
        return FALSE;
    s->textures = g_new0(CgImage *, s->texture_paths->len);
    return TRUE;
}

CgDetectorSamples *cg_detector_samples_open(const CgDetectorSamplesOptions *o, GError **error)
{
    g_autoptr(CgDetectorSamples) s = g_new0(CgDetectorSamples, 1);
    s->options = *o;
    s->paths = g_ptr_array_new_with_free_func(g_free);
    if (find_synthesis(o->synthesis) == G_N_ELEMENTS(syntheses)) {
        g_set_error(
            error, CG_ERROR, CG_ERROR_USAGE,
            "unknown --synthesis \"%s\"; draem, cutpaste, scar, cutpaste-union, nsa, memseg "
            "or none",
            o->synthesis);
        return NULL;
    }
    if (!cg_image_init(error) || !list_normals(s, error))
        return NULL;
    if (!load_normals(s, error) || !open_textures(s, error) || !open_generated(s, error))
        return NULL;
    return g_steal_pointer(&s);
}

void cg_detector_samples_free(CgDetectorSamples *s)
{
    if (!s)
        return;
    for (guint i = 0; s->normals && i < s->paths->len; i++)
        cg_image_free(s->normals[i]);
    for (guint i = 0; s->textures && i < s->texture_paths->len; i++)
        cg_image_free(s->textures[i]);
    for (guint i = 0; i < s->generated_count; i++) {
        cg_image_free(s->generated[i].normal);
        cg_image_free(s->generated[i].image);
        cg_image_free(s->generated[i].mask);
    }
    g_free(s->normals);
    g_free(s->textures);
    g_free(s->generated);
    g_free(s->replaced);
    g_free(s->category);
    cg_objects_free(s->objects);
    g_ptr_array_unref(s->paths);
    if (s->texture_paths)
        g_ptr_array_unref(s->texture_paths);
    g_free(s);
}

guint cg_detector_samples_count(const CgDetectorSamples *s)
{
    return s->paths->len;
}

guint cg_detector_samples_generated(const CgDetectorSamples *s)
{
    return s->generated_count;
}

const char *cg_detector_samples_category(const CgDetectorSamples *s)
{
    return s->category;
}

/* ---- drawing */

/* The generated image that this sample is, or NULL. */
static const Generated *draw_generated(Sample *s, gboolean anomalous)
{
    const CgDetectorSamples *d = s->from;
    if (d->generated_count == 0)
        return NULL;
    if (d->replaced)
        return d->replaced[s->index] < 0 ? NULL : &d->generated[d->replaced[s->index]];
    const gboolean drawn = cg_rng_uniform(&s->rng, 0, 1) < d->options.ratio;
    const int which = cg_rng_int(&s->rng, 0, (int)d->generated_count - 1);
    return drawn && (anomalous || d->options.replace == CG_REPLACE_DRAW) ? &d->generated[which]
                                                                         : NULL;
}

static void take_generated(Sample *s, const Generated *g)
{
    s->clean = turned(g->normal, s->degrees);
    s->over = turned(g->image, s->degrees);
    s->mask = turned(g->mask, s->degrees);
    s->whole = TRUE;
    for (gsize i = 0; i < (gsize)s->mask->width * (gsize)s->mask->height; i++)
        s->mask->pixels[i] = s->mask->pixels[i] > 127 ? 255 : 0;
}

static gboolean draw_sample(Sample *s, CgDetectorSamples *from, guint64 number, GError **error)
{
    *s = (Sample){.from = from,
                  .rng = cg_rng(from->options.seed, CG_STREAM(CG_STREAM_DETECT, number))};
    s->index = (guint)cg_rng_int(&s->rng, 0, (int)from->paths->len - 1);
    const gboolean anomalous = cg_rng_uniform(&s->rng, 0, 1) < ANOMALOUS;
    const gboolean rotated = cg_rng_uniform(&s->rng, 0, 1) < ROTATED;
    const double degrees = cg_rng_uniform(&s->rng, -ROTATION, ROTATION);
    const Generated *generated = draw_generated(s, anomalous);
    s->degrees = rotated ? degrees : 0;
    if (generated) {
        take_generated(s, generated);
        return TRUE;
    }
    s->clean = turned(from->normals[s->index], s->degrees);
    return !anomalous || syntheses[find_synthesis(from->options.synthesis)].make(s, error);
}

/* Blue, green, red. */
static void put_sample(const Sample *s, float *clean, float *picture, float *mask)
{
    const gsize count = (gsize)s->clean->width * (gsize)s->clean->height;
    const float beta = (float)s->beta;
    for (gsize i = 0; i < count; i++) {
        const gboolean inside = s->mask && s->mask->pixels[i];
        mask[i] = inside ? 1 : 0;
        for (gsize k = 0; k < 3; k++) {
            const float below = (float)s->clean->pixels[3 * i + 2 - k] / 255;
            float seen = below;
            if (inside || s->whole)
                seen = (1 - beta) * ((float)s->over->pixels[3 * i + 2 - k] / 255) + beta * below;
            clean[3 * i + k] = below;
            picture[3 * i + k] = seen;
        }
    }
}

gboolean cg_detector_samples_batch(CgDetectorSamples *s, const guint64 *numbers, int n,
                                   CgTensor **clean, CgTensor **picture, CgTensor **mask,
                                   GError **error)
{
    const size_t side = (size_t)s->options.size, count = side * side;
    const int64_t size = s->options.size;
    g_autofree GError **errors = g_new0(GError *, n);
    *clean = cg_tensor_new(CG_F32, CG_SHAPE(n, size, size, 3));
    *picture = cg_tensor_new(CG_F32, CG_SHAPE(n, size, size, 3));
    *mask = cg_tensor_new(CG_F32, CG_SHAPE(n, size, size, 1));
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)i * count;
        g_auto(Sample) sample = {0};
        if (draw_sample(&sample, s, numbers[i], &errors[i]))
            put_sample(&sample, cg_tensor_f32(*clean) + 3 * at, cg_tensor_f32(*picture) + 3 * at,
                       cg_tensor_f32(*mask) + at);
    }
    return first_error(errors, (guint)n, error);
}
