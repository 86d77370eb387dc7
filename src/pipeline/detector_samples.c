#include "pipeline/detector_samples-private.h"

#include "base/error.h"
#include "base/json.h"
#include "image/paste.h"
#include "pipeline/generated.h"
#include "pipeline/pictures.h"

#include <math.h>
#include <string.h>

#define ROTATED          0.3 /* share of samples that are turned .. */
#define ROTATION         90  /* .. by at most so many degrees */
#define ANOMALOUS        0.5 /* share of samples that get an anomaly */
#define HELD_OUT         1   /* number of the stream that draws them */
#define VALIDATION_TRIES 20

static void sample_clear(CgDetectorSample *s)
{
    cg_image_free(s->clean);
    cg_image_free(s->over);
    cg_image_free(s->mask);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgDetectorSample, sample_clear)

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

/* Moves the images that are held out to the end; all others keep their order. */
static void hold_out(CgDetectorSamples *s)
{
    const guint n = s->paths->len;
    s->count = n;
    if (s->options.hold_out <= 0 || n < 2)
        return;
    const guint held = CLAMP((guint)lround(s->options.hold_out * n), 1, n - 1);
    CgRng rng = cg_rng(s->options.seed, CG_STREAM(CG_STREAM_SPLIT, HELD_OUT));
    g_autofree gboolean *out = g_new0(gboolean, n);
    for (guint i = 0; i < held;) {
        const int k = cg_rng_int(&rng, 0, (int)n - 1);
        i += !out[k];
        out[k] = TRUE;
    }
    GPtrArray *sorted = g_ptr_array_new_full(n, g_free);
    for (int last = 0; last < 2; last++)
        for (guint i = 0; i < n; i++)
            if (out[i] == last)
                g_ptr_array_add(sorted, g_strdup(g_ptr_array_index(s->paths, i)));
    g_ptr_array_unref(s->paths);
    s->paths = sorted;
    s->count = n - held;
}

static gboolean list_normals(CgDetectorSamples *s, GError **error)
{
    CgLayout layout = CG_LAYOUT_AUTO;
    if (s->options.layout && !cg_layout_parse(s->options.layout, &layout, error))
        return FALSE;
    g_autoptr(CgDataset) d = cg_dataset_open(s->options.data, layout, error);
    const char *category = d ? cg_dataset_choose_category(d, s->options.category, error) : NULL;
    if (!category)
        return FALSE;
    s->category = g_strdup(category);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *sample = cg_dataset_sample(d, i);
        if (sample->split == CG_DATASET_TRAIN && cg_sample_is_good(sample) &&
            g_str_equal(sample->category, s->category))
            g_ptr_array_add(s->paths, g_strdup(sample->image));
    }
    hold_out(s);
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
        s->normals[i] =
            cg_detector_load_rgb(g_ptr_array_index(s->paths, i), s->options.size, &errors[i]);
    return first_error(errors, count, error);
}

/* The mask counts where at least half of what a pixel shrinks from does. */
static gboolean load_generated(CgGeneratedSample *to, const CgGenerated *from, int size,
                               GError **error)
{
    g_autoptr(CgImage) mask = cg_image_load_mask(from->mask, error);
    if (!mask)
        return FALSE;
    to->image = cg_detector_load_rgb(from->image, size, error);
    to->normal = to->image ? cg_detector_load_rgb(from->normal, size, error) : NULL;
    if (!to->normal) {
        g_prefix_error(error, "made from it, %s: ", from->image);
        return FALSE;
    }
    to->mask = cg_image_resize(mask, size, size);
    for (gsize i = 0; i < (gsize)size * (gsize)size; i++)
        to->mask->pixels[i] = to->mask->pixels[i] > 127 ? 255 : 0;
    return TRUE;
}

/* Which normal images are replaced: the first of a shuffled order. By what: by generated ones taken
 * evenly from all, for they often lie in the order of their defect types. */
static void choose_replaced(CgDetectorSamples *s)
{
    const guint n = s->count, count = (guint)lround(s->options.ratio * n);
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
        s->replaced[kept] =
            (gint32)(count < s->generated_count ? (guint64)i * s->generated_count / count
                                                : i % s->generated_count);
    }
}

/* Takes what was made from a held-out image out of LIST (CgGenerated). */
static void leave_out_held(const CgDetectorSamples *s, GArray *list)
{
    g_autoptr(GHashTable) held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = s->count; i < s->paths->len; i++)
        g_hash_table_add(held, g_canonicalize_filename(g_ptr_array_index(s->paths, i), NULL));
    for (guint i = list->len; i > 0; i--) {
        const char *from = g_array_index(list, CgGenerated, i - 1).normal;
        g_autofree char *full = g_canonicalize_filename(from, NULL);
        if (g_hash_table_contains(held, full))
            g_array_remove_index(list, i - 1);
    }
}

static gboolean open_generated(CgDetectorSamples *s, GError **error)
{
    if (!s->options.synthetic)
        return TRUE;
    g_autoptr(GArray) list = cg_generated_list(s->options.synthetic, s->category, error);
    if (!list)
        return FALSE;
    s->generated = g_new0(CgGeneratedSample, list->len);
    leave_out_held(s, list);
    s->generated_count = list->len;
    if (list->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: all of it was made from images that are held out; a smaller --validation "
                    "leaves some",
                    s->options.synthetic);
        return FALSE;
    }
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
    const CgDetectorSynthesis *synthesis = cg_detector_synthesis_find(s->options.synthesis);
    if (synthesis->takes_objects && !(s->objects = cg_objects_new(NULL, s->paths, error)))
        return FALSE;
    if (!s->options.textures)
        return TRUE;
    if (!synthesis->takes_textures) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--synthesis %s uses no --textures; leave them out", synthesis->name);
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
    if (!cg_detector_synthesis_find(o->synthesis)) {
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
    return s->count;
}

guint cg_detector_samples_held_out(const CgDetectorSamples *s)
{
    return s->paths->len - s->count;
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
static const CgGeneratedSample *draw_generated(CgDetectorSample *s, gboolean anomalous)
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

static void take_generated(CgDetectorSample *s, const CgGeneratedSample *g)
{
    s->clean = cg_detector_turned(g->normal, s->degrees);
    s->over = cg_detector_turned(g->image, s->degrees);
    s->mask = cg_detector_turned(g->mask, s->degrees);
    s->whole = TRUE;
    for (gsize i = 0; i < (gsize)s->mask->width * (gsize)s->mask->height; i++)
        s->mask->pixels[i] = s->mask->pixels[i] > 127 ? 255 : 0;
}

static gboolean draw_sample(CgDetectorSample *s, CgDetectorSamples *from, guint64 number,
                            GError **error)
{
    *s = (CgDetectorSample){.from = from,
                            .rng = cg_rng(from->options.seed, CG_STREAM(CG_STREAM_DETECT, number))};
    s->index = (guint)cg_rng_int(&s->rng, 0, (int)from->count - 1);
    const gboolean anomalous = cg_rng_uniform(&s->rng, 0, 1) < ANOMALOUS;
    const gboolean rotated = cg_rng_uniform(&s->rng, 0, 1) < ROTATED;
    const double degrees = cg_rng_uniform(&s->rng, -ROTATION, ROTATION);
    const CgGeneratedSample *generated = draw_generated(s, anomalous);
    s->degrees = rotated ? degrees : 0;
    if (generated) {
        take_generated(s, generated);
        return TRUE;
    }
    s->clean = cg_detector_turned(from->normals[s->index], s->degrees);
    return !anomalous || cg_detector_synthesis_find(from->options.synthesis)->make(s, error);
}

/* Blue, green, red. */
static void put_sample(const CgDetectorSample *s, float *clean, float *picture, float *mask)
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
        g_auto(CgDetectorSample) sample = {0};
        if (draw_sample(&sample, s, numbers[i], &errors[i]))
            put_sample(&sample, cg_tensor_f32(*clean) + 3 * at, cg_tensor_f32(*picture) + 3 * at,
                       cg_tensor_f32(*mask) + at);
    }
    return first_error(errors, (guint)n, error);
}

/* ---- what training never sees */

/* The sample as a picture. */
static CgImage *paint(const CgDetectorSample *s)
{
    CgImage *image = cg_image_copy(s->clean);
    for (gsize i = 0; i < 3 * (gsize)image->width * (gsize)image->height; i++)
        if (s->mask->pixels[i / 3])
            image->pixels[i] =
                (guint8)lround((1 - s->beta) * s->over->pixels[i] + s->beta * s->clean->pixels[i]);
    return image;
}

gboolean cg_detector_samples_validation(CgDetectorSamples *s, guint number, gboolean anomalous,
                                        CgImage **image, GError **error)
{
    const guint index = s->count + number % (s->paths->len - s->count);
    const guint64 seed = cg_rng_named_seed(s->options.seed, "validation");
    const CgDetectorSynthesis *synthesis = cg_detector_synthesis_find(s->options.synthesis);
    *image = anomalous ? NULL : cg_image_copy(s->normals[index]);
    CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_DETECT, number));
    for (guint i = 0; anomalous && !*image && i < VALIDATION_TRIES; i++) {
        g_auto(CgDetectorSample) sample = {.from = s, .rng = rng, .index = index};
        sample.clean = cg_image_copy(s->normals[index]);
        if (!synthesis->make(&sample, error))
            return FALSE;
        rng = sample.rng;
        if (sample.mask && cg_mask_area(sample.mask) > 0)
            *image = paint(&sample);
    }
    return TRUE;
}
