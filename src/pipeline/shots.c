#include "pipeline/shots.h"

#include "base/log.h"
#include "base/rng.h"
#include "pipeline/generate.h"

#include <string.h>

#define VARIANTS 8

struct CgShots {
    const CgModel *model;
    CgShotsOptions options;
    int size;
    CgSplit *split;
    CgDataset *others;
    GPtrArray *images; /* of CgShotImage */
    GPtrArray
        *normals; /* of CgShotImage, the normal image that goes with each; NULL: there is none */
    CgTensor **moments; /* [2 * count * VARIANTS], images, then normals; NULL until needed */
    GHashTable *text;   /* prompt -> states [1, t, width] */
};

static void shot_image_free(gpointer data)
{
    CgShotImage *image = data;
    if (!image)
        return;
    g_free(image->category);
    g_free(image->defect);
    g_free(image->path);
    g_strfreev(image->prompts);
    cg_image_free(image->picture);
    cg_image_free(image->mask);
    g_free(image);
}

void cg_shots_free(CgShots *s)
{
    if (!s)
        return;
    for (guint i = 0; s->moments && i < 2 * s->images->len * VARIANTS; i++)
        cg_tensor_unref(s->moments[i]);
    g_free(s->moments);
    g_clear_pointer(&s->images, g_ptr_array_unref);
    g_clear_pointer(&s->normals, g_ptr_array_unref);
    g_clear_pointer(&s->text, g_hash_table_unref);
    cg_split_free(s->split);
    cg_dataset_free(s->others);
    g_free(s);
}

/* The part of the picture to learn from: a square where one holds the mask. */
static CgRect window_of(const CgShots *s, const CgImage *mask)
{
    if (s->options.whole)
        return (CgRect){0, 0, mask->width, mask->height};
    return cg_window_around_mask(mask, s->size);
}

static CgImage *cut(const CgImage *image, CgRect r, int size,
                    CgImage *(*resize)(const CgImage *, int, int))
{
    g_autoptr(CgImage) part = cg_image_crop(image, r.x, r.y, r.width, r.height);
    if (part->width == size && part->height == size)
        return g_steal_pointer(&part);
    return resize(part, size, size);
}

/* The mask scaled down so that what it marks stays marked: a scratch of three pixels would vanish
 * between nearest ones. */
static CgImage *cut_mask(const CgImage *mask, CgRect r, int size)
{
    g_autoptr(CgImage) part = cg_image_crop(mask, r.x, r.y, r.width, r.height);
    if (r.width <= size && r.height <= size)
        return cg_image_resize_nearest(part, size, size);
    CgImage *small = cg_image_new(size, size, 1);
    for (int y = 0; y < r.height; y++)
        for (int x = 0; x < r.width; x++)
            if (part->pixels[(size_t)y * (size_t)r.width + (size_t)x])
                small->pixels[(size_t)((gint64)y * size / r.height) * (size_t)size +
                              (size_t)((gint64)x * size / r.width)] = 255;
    return small;
}

static CgShotImage *load_shot(const CgShots *s, const CgSample *sample, const CgPrompts *prompts,
                              GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(sample->image, NULL, error);
    g_autoptr(CgImage) mask = image ? cg_sample_load_mask(sample, error) : NULL;
    CgRect bounds;
    if (!mask)
        return NULL;
    if (mask->width != image->width || mask->height != image->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: %dx%d, but its image %s is %dx%d; give both one size", sample->mask,
                    mask->width, mask->height, sample->image, image->width, image->height);
        return NULL;
    }
    if (!cg_mask_bounds(mask, &bounds)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: the mask is empty: mark the defect with white, or leave the image out",
                    sample->mask);
        return NULL;
    }
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    const CgRect window = window_of(s, mask);
    CgShotImage *shot = g_new0(CgShotImage, 1);
    *shot = (CgShotImage){.category = g_strdup(sample->category),
                          .defect = g_strdup(sample->defect),
                          .path = g_strdup(sample->image),
                          .prompts = cg_prompts_make(prompts, sample->category, sample->defect),
                          .window = window,
                          .width = image->width,
                          .height = image->height,
                          .picture = cut(rgb, window, s->size, cg_image_resize),
                          .mask = cut_mask(mask, window, s->size)};
    return shot;
}

static void warn_of_few(const CgShots *s)
{
    GPtrArray *images = s->split->images;
    for (guint i = 0, end; i < images->len; i = end) {
        const CgShot *first = g_ptr_array_index(images, i);
        for (end = i + 1; end < images->len; end++) {
            const CgShot *shot = g_ptr_array_index(images, end);
            if (!g_str_equal(shot->category, first->category) ||
                !g_str_equal(shot->defect, first->defect))
                break;
        }
        if (end - i < s->split->shots)
            cg_log_warning("%s/%s: %u image%s with a mask instead of %u", first->category,
                           first->defect, end - i, end - i == 1 ? "" : "s", s->split->shots);
    }
}

GPtrArray *cg_shots_normals(const CgShots *s, const char *category)
{
    const CgDataset *d = s->others;
    GPtrArray *paths = g_ptr_array_new();
    for (int train = 1; train >= 0 && paths->len == 0; train--)
        for (guint i = 0; i < d->samples->len; i++) {
            const CgSample *sample = cg_dataset_sample(d, i);
            if (cg_sample_is_good(sample) && g_str_equal(sample->category, category) &&
                (sample->split == CG_DATASET_TRAIN) == train)
                g_ptr_array_add(paths, (gpointer)(guintptr)sample->image);
        }
    return paths;
}

/* The normal image at PATH, cut where SHOT was cut if it has the same size. */
static CgShotImage *load_normal(const CgShots *s, const CgShotImage *shot, const char *path,
                                GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return NULL;
    const gboolean same = image->width == shot->width && image->height == shot->height;
    const CgRect window = same ? shot->window : (CgRect){0, 0, image->width, image->height};
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    CgShotImage *normal = g_new0(CgShotImage, 1);
    *normal = (CgShotImage){.category = g_strdup(shot->category),
                            .defect = g_strdup(CG_DEFECT_GOOD),
                            .path = g_strdup(path),
                            .prompts = g_strdupv(shot->prompts),
                            .window = window,
                            .width = image->width,
                            .height = image->height,
                            .picture = cut(rgb, window, s->size, cg_image_resize),
                            .mask = cg_image_new(s->size, s->size, 1)};
    return normal;
}

/* The shots of a category, which stand together, take its normal images in turn. */
static gboolean load_normals(CgShots *s, GError **error)
{
    g_autoptr(GPtrArray) paths = NULL;
    const char *category = NULL;
    for (guint i = 0; s->options.empty > 0 && i < s->images->len; i++) {
        const CgShotImage *shot = g_ptr_array_index(s->images, i);
        CgShotImage *normal = NULL;
        if (g_strcmp0(category, shot->category) != 0) {
            g_clear_pointer(&paths, g_ptr_array_unref);
            category = shot->category;
            paths = cg_shots_normals(s, category);
        }
        if (paths->len &&
            !(normal = load_normal(s, shot, g_ptr_array_index(paths, i % paths->len), error)))
            return FALSE;
        g_ptr_array_add(s->normals, normal);
    }
    return TRUE;
}

static CgDataset *open_data(const CgShotsOptions *o, GError **error)
{
    CgLayout layout = CG_LAYOUT_AUTO;
    if (o->layout && !cg_layout_parse(o->layout, &layout, error))
        return NULL;
    return cg_dataset_open(o->data, layout, error);
}

static gboolean load_all(CgShots *s, GError **error)
{
    const CgShotsOptions *o = &s->options;
    g_autoptr(CgPrompts) prompts = cg_prompts_load(o->aliases, error);
    g_autoptr(CgDataset) d = prompts ? open_data(o, error) : NULL;
    if (!d)
        return FALSE;
    s->split =
        o->split ? cg_split_load(o->split, error) : cg_split_draw(d, o->shots, o->seed, error);
    s->others = s->split ? open_data(o, error) : NULL;
    if (!s->others || !cg_split_separate(s->split, d, TRUE, error) ||
        !cg_split_separate(s->split, s->others, FALSE, error))
        return FALSE;
    warn_of_few(s);
    for (guint i = 0; i < d->samples->len; i++) {
        CgShotImage *shot = load_shot(s, cg_dataset_sample(d, i), prompts, error);
        if (!shot)
            return FALSE;
        g_ptr_array_add(s->images, shot);
    }
    return load_normals(s, error);
}

CgShots *cg_shots_open(const CgModel *model, const CgShotsOptions *options, GError **error)
{
    g_autoptr(CgShots) s = g_new0(CgShots, 1);
    const int cell = cg_vae_factor(cg_vae_config(model->vae));
    s->model = model;
    s->options = *options;
    s->size = options->size ? options->size : cg_model_size(model);
    s->images = g_ptr_array_new_with_free_func(shot_image_free);
    s->normals = g_ptr_array_new_with_free_func(shot_image_free);
    s->text =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cg_tensor_unref);
    const int unit = cell * cg_unet_min_side(&model->unet->config);
    if (s->size < unit || s->size % unit) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--size %d: the model needs a multiple of %d pixels", s->size, unit);
        return NULL;
    }
    if (!load_all(s, error))
        return NULL;
    s->moments = g_new0(CgTensor *, 2 * s->images->len * VARIANTS);
    return g_steal_pointer(&s);
}

guint cg_shots_count(const CgShots *s)
{
    return s->images->len;
}

const CgShotImage *cg_shots_nth(const CgShots *s, guint i)
{
    return g_ptr_array_index(s->images, i);
}

guint64 cg_shots_bytes(const CgShots *s)
{
    const CgVaeConfig *vae = cg_vae_config(s->model->vae);
    const guint64 pixels = (guint64)s->size * (guint64)s->size;
    const guint64 cells = pixels / (guint64)(cg_vae_factor(vae) * cg_vae_factor(vae));
    const guint64 turns = (s->options.changes.flip ? 4 : 1) * (s->options.changes.rotate ? 2 : 1);
    const guint64 latents = turns * cells * 2 * (guint64)vae->latent_channels * sizeof(float);
    guint64 texts = 1, pictures = s->images->len;
    for (guint i = 0; i < s->images->len; i++)
        texts += g_strv_length(cg_shots_nth(s, i)->prompts);
    for (guint i = 0; i < s->normals->len; i++)
        pictures += g_ptr_array_index(s->normals, i) != NULL;
    return pictures * (4 * pixels + latents) +
           texts * (guint64)cg_tokenizer_length(s->model->tokenizer) *
               (guint64)s->model->text->config.width * sizeof(float);
}

int cg_shots_size(const CgShots *s)
{
    return s->size;
}

const CgSplit *cg_shots_split(const CgShots *s)
{
    return s->split;
}

const CgDataset *cg_shots_others(const CgShots *s)
{
    return s->others;
}

CgShotDraw cg_shots_draw(const CgShots *s, guint index, guint64 number, double dropout)
{
    const CgShotChanges *c = &s->options.changes;
    const CgShotImage *shot = cg_shots_nth(s, index);
    CgRng variant = cg_rng(s->options.seed, CG_STREAM(CG_STREAM_VARIANT, number));
    CgRng words = cg_rng(s->options.seed, CG_STREAM(CG_STREAM_DROPOUT, number));
    CgRng empty = cg_rng(s->options.seed, CG_STREAM(CG_STREAM_EMPTY, number));
    CgShotDraw draw = {.index = index, .crop = {1, 0, 0}};
    if (s->normals->len && g_ptr_array_index(s->normals, index))
        draw.empty = cg_rng_uniform(&empty, 0, 1) < s->options.empty;
    if (c->flip)
        draw.variant = (guint)cg_rng_int(&variant, 0, 3);
    if (c->rotate) { /* a quarter turn is a transposition and a flip */
        const guint turn = (guint)cg_rng_int(&variant, 0, 3);
        draw.variant ^= turn == 0 ? 0 : turn == 1 ? 5 : turn == 2 ? 3 : 6;
    }
    if (c->crop > 0 && c->crop < 1) {
        draw.crop[0] = cg_rng_uniform(&variant, c->crop, 1);
        draw.crop[1] = cg_rng_uniform(&variant, 0, 1);
        draw.crop[2] = cg_rng_uniform(&variant, 0, 1);
    }
    const int phrasing = cg_rng_int(&words, 0, (int)g_strv_length(shot->prompts) - 1);
    draw.prompt = cg_rng_uniform(&words, 0, 1) < dropout ? "" : shot->prompts[phrasing];
    return draw;
}

static const CgShotImage *drawn(const CgShots *s, const CgShotDraw *d)
{
    return g_ptr_array_index(d->empty ? s->normals : s->images, d->index);
}

/* IMAGE (square) flipped and transposed as VARIANT says. */
static CgImage *turned(const CgImage *image, guint variant)
{
    const int side = image->width, c = image->channels;
    CgImage *out = cg_image_new(side, side, c);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const int a = variant & 4 ? y : x, b = variant & 4 ? x : y;
            const int from_x = variant & 1 ? side - 1 - a : a;
            const int from_y = variant & 2 ? side - 1 - b : b;
            memcpy(out->pixels + ((size_t)y * (size_t)side + (size_t)x) * (size_t)c,
                   image->pixels + ((size_t)from_y * (size_t)side + (size_t)from_x) * (size_t)c,
                   (size_t)c);
        }
    return out;
}

static CgRect crop_of(const CgShots *s, const CgShotDraw *d)
{
    const int side = MAX(1, (int)(d->crop[0] * s->size + 0.5));
    const int left = (int)(d->crop[1] * (s->size - side) + 0.5);
    const int top = (int)(d->crop[2] * (s->size - side) + 0.5);
    return (CgRect){left, top, side, side};
}

static CgImage *drawn_picture(const CgShots *s, const CgShotDraw *d)
{
    g_autoptr(CgImage) image = turned(drawn(s, d)->picture, d->variant);
    return cut(image, crop_of(s, d), s->size, cg_image_resize);
}

static CgImage *drawn_mask(const CgShots *s, const CgShotDraw *d)
{
    g_autoptr(CgImage) mask = turned(drawn(s, d)->mask, d->variant);
    return cut(mask, crop_of(s, d), s->size, cg_image_resize_nearest);
}

/* The frozen parts run without a tape. Their results are kept, and their memory is not. */
static CgContext frozen_begin(const CgShots *s)
{
    CgContext cx;
    cg_model_rest(s->model); /* the step's activations have not begun yet */
    cg_context_init(&cx, s->model->engine, s->model->dtype);
    return cx;
}

/* T's numbers, T let go. NULL when CX failed. */
static CgTensor *frozen_end(const CgShots *s, CgContext *cx, CgTensor *t, GError **error)
{
    CgTensor *copy = cg_context_ok(cx, error) ? cg_tensor_copy(t, CG_F32) : NULL;
    cg_tensor_unref(t);
    cg_model_rest(s->model);
    return copy;
}

static CgTensor *moments_of(CgShots *s, const CgShotDraw *d, GError **error)
{
    const guint source = d->index + (d->empty ? s->images->len : 0);
    const guint place = source * VARIANTS + d->variant;
    if (d->crop[0] == 1 && s->moments[place])
        return cg_tensor_ref(s->moments[place]);
    CgContext cx = frozen_begin(s);
    g_autoptr(CgImage) picture = drawn_picture(s, d);
    g_autoptr(CgTensor) image = cg_image_to_tensor(picture);
    g_autoptr(CgTensor) moments =
        frozen_end(s, &cx, cg_vae_encode(&cx, s->model->vae, image), error);
    if (moments && !cg_tensor_is_finite(moments)) {
        g_autofree char *why = cg_model_explain_not_finite(s->model);
        g_set_error_literal(error, CG_ERROR, CG_ERROR_NUMERIC, why);
        return NULL;
    }
    if (moments && d->crop[0] == 1)
        s->moments[place] = cg_tensor_ref(moments);
    return g_steal_pointer(&moments);
}

static CgTensor *text_of(CgShots *s, const char *prompt, GError **error)
{
    CgTensor *kept = g_hash_table_lookup(s->text, prompt);
    if (kept)
        return cg_tensor_ref(kept);
    const CgModel *m = s->model;
    const int length = cg_tokenizer_length(m->tokenizer);
    g_autofree gint32 *ids = g_new(gint32, length);
    size_t dropped;
    if (!cg_tokenizer_frame_text(m->tokenizer, prompt, ids, &dropped, error))
        return NULL;
    if (dropped)
        cg_log_warning("prompt \"%s\": the last %zu tokens do not fit and are left out", prompt,
                       dropped);
    CgContext cx = frozen_begin(s);
    CgTensor *states =
        frozen_end(s, &cx, cg_clip_text_forward(&cx, m->text, ids, 1, length, 0), error);
    if (states)
        g_hash_table_insert(s->text, g_strdup(prompt), cg_tensor_ref(states));
    return states;
}

/* T [1, ..] as sample I of *ALL [n, ..], which is made at the first. */
static void put(CgTensor **all, const CgTensor *t, int i, int n)
{
    CgShape shape = t->shape;
    shape.d[0] = n;
    if (!*all)
        *all = cg_tensor_new(CG_F32, shape);
    memcpy(cg_tensor_f32(*all) + (size_t)i * t->count, t->data, cg_tensor_bytes(t));
}

/* What stands for moments and text where nothing is computed. */
static CgTensor *no_moments(const CgShots *s)
{
    const CgVaeConfig *vae = cg_vae_config(s->model->vae);
    const int side = s->size / cg_vae_factor(vae);
    return cg_tensor_zeros(CG_F32, CG_SHAPE(1, side, side, 2 * vae->latent_channels));
}

static CgTensor *no_text(const CgShots *s)
{
    return cg_tensor_zeros(CG_F32, CG_SHAPE(1, cg_tokenizer_length(s->model->tokenizer),
                                            s->model->text->config.width));
}

gboolean cg_shots_batch(CgShots *s, const CgShotDraw *draws, int n, gboolean rehearsal,
                        CgTensor **moments, CgTensor **control, CgTensor **text, GError **error)
{
    g_autoptr(CgTensor) all_moments = NULL, all_controls = NULL, all_text = NULL;
    for (int i = 0; i < n; i++) {
        g_autoptr(CgTensor) m = rehearsal ? no_moments(s) : moments_of(s, &draws[i], error);
        g_autoptr(CgTensor) t = rehearsal ? no_text(s)
                                : m       ? text_of(s, draws[i].prompt, error)
                                          : NULL;
        if (!t)
            return FALSE;
        g_autoptr(CgImage) mask = drawn_mask(s, &draws[i]);
        g_autoptr(CgTensor) c = cg_image_to_control(mask);
        put(&all_moments, m, i, n);
        put(&all_controls, c, i, n);
        put(&all_text, t, i, n);
    }
    *moments = g_steal_pointer(&all_moments);
    *control = g_steal_pointer(&all_controls);
    *text = g_steal_pointer(&all_text);
    return TRUE;
}
