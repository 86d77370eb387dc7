#include "pipeline/augment.h"

#include "base/error.h"
#include "base/system.h"
#include "pipeline/objects.h"
#include "pipeline/pictures.h"
#include "pipeline/rows.h"
#include "synthesis/crop_paste.h"
#include "synthesis/cutpaste.h"
#include "synthesis/draem.h"
#include "synthesis/memseg.h"
#include "synthesis/nsa.h"

#include <string.h>

#define CACHE_BYTES ((gsize)512 << 20)

/* The inputs of one image; NULL what its method does not need. */
typedef struct {
    CgPicture *normal, *texture, *source, *source_mask;
    const char *normal_path, *texture_path, *source_path, *source_mask_path;
    CgImage *object, *source_object; /* NULL also where all of the picture is object */
    CgImage *fitted;                 /* the source in the normal image's size, where that differs */
    const CgAugmentOptions *options;
} Inputs;

static void inputs_clear(Inputs *in)
{
    cg_picture_unref(in->normal);
    cg_picture_unref(in->texture);
    cg_picture_unref(in->source);
    cg_picture_unref(in->source_mask);
    cg_image_free(in->object);
    cg_image_free(in->source_object);
    cg_image_free(in->fitted);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Inputs, inputs_clear)

static void make_cutpaste(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_cutpaste(in->normal->image, rng, out);
}

static void make_scar(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_cutpaste_scar(in->normal->image, rng, out);
}

static void make_union(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_cutpaste_union(in->normal->image, rng, out);
}

static void make_draem(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_draem(in->normal->image, in->texture->image, rng, out);
}

static void make_nsa(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    const CgImage *source = in->fitted ? in->fitted : in->source->image;
    cg_nsa(in->normal->image, in->object, source, in->source_object,
           in->options->blend == CG_AUGMENT_BLEND_MIXED, rng, out);
}

static void make_memseg(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_memseg(in->normal->image, in->object, in->texture ? in->texture->image : NULL, rng, out);
}

static void make_crop_paste(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    const CgPasteMode blend =
        in->options->blend == CG_AUGMENT_BLEND_EXACT ? CG_PASTE_EXACT : CG_PASTE_POISSON;
    cg_crop_paste(in->normal->image, in->object, in->source->image, in->source_mask->image, blend,
                  rng, out);
}

typedef enum {
    TEXTURES = 1,     /* needs them */
    TEXTURES_TOO = 2, /* takes one half of the time if there are any */
    DEFECTS = 4,
    OTHER_NORMAL = 8,
    OBJECT = 16,
    BLEND_EXACT = 32,
    BLEND_MIXED = 64,
} Use;

typedef struct {
    const char *name;
    void (*make)(const Inputs *in, CgRng *rng, CgSynthesis *out);
    int uses; /* of Use */
} Method;

static const Method methods[] = {
    {"cutpaste", make_cutpaste, 0},
    {"scar", make_scar, 0},
    {"cutpaste-union", make_union, 0},
    {"draem", make_draem, TEXTURES},
    {"nsa", make_nsa, OTHER_NORMAL | OBJECT | BLEND_MIXED},
    {"memseg", make_memseg, TEXTURES_TOO | OBJECT},
    {"crop-paste", make_crop_paste, DEFECTS | OBJECT | BLEND_EXACT},
};

static const char *const blend_names[] = {"poisson", "exact", "mixed"};

gboolean cg_augment_blend_parse(const char *text, CgAugmentBlend *blend)
{
    for (gsize i = 0; i < G_N_ELEMENTS(blend_names); i++)
        if (g_str_equal(text, blend_names[i])) {
            *blend = (CgAugmentBlend)i;
            return TRUE;
        }
    return FALSE;
}

const char *cg_augment_method_name(guint index)
{
    return index < G_N_ELEMENTS(methods) ? methods[index].name : NULL;
}

typedef struct {
    char *category, *defect;
} Item;

typedef struct {
    const CgAugmentOptions *options;
    const Method *method;
    CgPictures *pictures;
    CgObjects *objects; /* NULL where the method does not look at them */
    CgManifest *manifest;
    CgOutput *outputs;
    Item *items; /* [count] */
} Run;

static void run_clear(Run *r)
{
    for (guint i = 0; r->items && i < r->options->count; i++) {
        g_free(r->items[i].category);
        g_free(r->items[i].defect);
    }
    g_free(r->items);
    cg_outputs_free(r->outputs, r->options->count);
    cg_pictures_free(r->pictures);
    cg_objects_free(r->objects);
    cg_manifest_close(r->manifest);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static const char *normal_path(const Run *r, guint i)
{
    return g_ptr_array_index(r->options->normals, i % r->options->normals->len);
}

static gboolean check_textures(const Run *r, GError **error)
{
    const gboolean given = r->options->textures != NULL;
    if (given ? r->method->uses & (TEXTURES | TEXTURES_TOO) : !(r->method->uses & TEXTURES))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                given ? "--method %s uses no --textures; leave them out"
                      : "--method %s needs a folder of --textures",
                r->method->name);
    return FALSE;
}

static gboolean check_blend(const Run *r, GError **error)
{
    const CgAugmentBlend blend = r->options->blend;
    const int uses = r->method->uses;
    if (blend == CG_AUGMENT_BLEND_POISSON ||
        (blend == CG_AUGMENT_BLEND_EXACT ? uses & BLEND_EXACT : uses & BLEND_MIXED))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--method %s knows no --blend %s", r->method->name,
                blend_names[blend]);
    return FALSE;
}

static gboolean check_foreground(const Run *r, GError **error)
{
    if (!r->options->foreground || r->method->uses & OBJECT)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--method %s uses no --foreground; leave it out",
                r->method->name);
    return FALSE;
}

/* Whether MASK is named after the picture DEFECT. */
static gboolean belongs(const char *defect, const char *mask)
{
    g_autofree char *defect_name = g_path_get_basename(defect);
    g_autofree char *mask_name = g_path_get_basename(mask);
    char *defect_end = strrchr(defect_name, '.'), *mask_end = strrchr(mask_name, '.');
    if (defect_end)
        *defect_end = '\0';
    if (mask_end)
        *mask_end = '\0';
    g_autofree char *with = g_strconcat(defect_name, "_mask", NULL);
    return g_str_equal(mask_name, defect_name) || g_str_equal(mask_name, with);
}

static gboolean check_defects(const Run *r, GError **error)
{
    const GPtrArray *defects = r->options->defects, *masks = r->options->defect_masks;
    const gboolean wanted = (r->method->uses & DEFECTS) != 0;
    if (wanted != (defects != NULL) || wanted != (masks != NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    wanted ? "--method %s needs --defects and --defect-masks"
                           : "--method %s uses no --defects and no --defect-masks",
                    r->method->name);
        return FALSE;
    }
    for (guint i = 0; wanted && i < MAX(defects->len, masks->len); i++) {
        const char *defect = i < defects->len ? g_ptr_array_index(defects, i) : NULL;
        const char *mask = i < masks->len ? g_ptr_array_index(masks, i) : NULL;
        const gboolean single = defects->len == 1 && masks->len == 1;
        if (defect && mask && (single || belongs(defect, mask)))
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: has no partner; the mask of 000.png is 000_mask.png or 000.png",
                    defect ? defect : mask);
        return FALSE;
    }
    return TRUE;
}

static gboolean find_method(Run *r, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (g_str_equal(methods[i].name, r->options->method))
            r->method = &methods[i];
    if (r->method)
        return check_textures(r, error) && check_defects(r, error) && check_blend(r, error) &&
               check_foreground(r, error);
    g_autoptr(GString) names = g_string_new(methods[0].name);
    for (size_t i = 1; i < G_N_ELEMENTS(methods); i++)
        g_string_append_printf(names, ", %s", methods[i].name);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown method \"%s\"; there are %s",
                r->options->method, names->str);
    return FALSE;
}

static gboolean name_outputs(Run *r, GError **error)
{
    const guint count = r->options->count;
    g_autofree const char **categories = g_new(const char *, count);
    g_autofree const char **defects = g_new(const char *, count);
    r->items = g_new0(Item, count);
    for (guint i = 0; i < count; i++) {
        Item *item = &r->items[i];
        item->category = g_strdup(r->options->category);
        item->defect = g_strdup(r->options->defect);
        if (!cg_output_folders(normal_path(r, i), r->method->name, &item->category, &item->defect,
                               error))
            return FALSE;
        categories[i] = item->category;
        defects[i] = item->defect;
    }
    r->outputs = cg_outputs_new(categories, defects, count);
    return TRUE;
}

static json_t *absolute(const char *path)
{
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    return json_string(full);
}

/* What tells one result from another. */
static char *item_key(const Run *r, guint i, const Inputs *in)
{
    g_autofree char *text = g_strdup_printf(
        "%s\n%" G_GINT64_FORMAT "\n%u\n%s\n%s\n%s\n%s\n%d\n%s\n%s", r->method->name,
        r->options->seed, i, in->normal->sha256, in->texture ? in->texture->sha256 : "-",
        in->source ? in->source->sha256 : "-", in->source_mask ? in->source_mask->sha256 : "-",
        (int)r->options->blend, r->objects ? cg_objects_name(r->objects) : "-", CAGEN_VERSION);
    return cg_output_key(text);
}

static json_t *make_row(const Run *r, guint i, const Inputs *in, const char *key, CgSynthesis *made)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "image", r->outputs[i].image,
                            "mask", r->outputs[i].mask, "category", r->items[i].category, "defect",
                            r->items[i].defect, "method", r->method->name, "seed",
                            (json_int_t)r->options->seed, "sample", (json_int_t)i);
    json_object_set_new(row, "normal", absolute(in->normal_path));
    json_object_set_new(row, "normal_sha256", json_string(in->normal->sha256));
    if (in->texture) {
        json_object_set_new(row, "texture", absolute(in->texture_path));
        json_object_set_new(row, "texture_sha256", json_string(in->texture->sha256));
    }
    if (in->source) {
        json_object_set_new(row, "source", absolute(in->source_path));
        json_object_set_new(row, "source_sha256", json_string(in->source->sha256));
    }
    if (in->source_mask) {
        json_object_set_new(row, "source_mask", absolute(in->source_mask_path));
        json_object_set_new(row, "source_mask_sha256", json_string(in->source_mask->sha256));
    }
    if (r->objects)
        json_object_set_new(row, "foreground", json_string(cg_objects_name(r->objects)));
    json_object_set(row, "parameters", made->parameters);
    json_object_set_new(row, "version", json_string(CAGEN_VERSION));
    json_object_set_new(row, "kept", json_true());
    json_object_set_new(row, "scores", json_object());
    json_object_set_new(row, "key", json_string(key));
    return row;
}

static gboolean check_size(const char *path, const CgImage *image, GError **error)
{
    if (MIN(image->width, image->height) >= CG_SYNTHESIS_MIN_SIDE)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: a picture of %dx%d is too small; at least %dx%d is needed", path, image->width,
                image->height, CG_SYNTHESIS_MIN_SIDE, CG_SYNTHESIS_MIN_SIDE);
    return FALSE;
}

static gboolean load_defect(const Run *r, CgRng *rng, Inputs *in, GError **error)
{
    const guint k = (guint)cg_rng_int(rng, 0, (int)r->options->defects->len - 1);
    in->source_path = g_ptr_array_index(r->options->defects, k);
    in->source_mask_path = g_ptr_array_index(r->options->defect_masks, k);
    in->source = cg_pictures_get(r->pictures, in->source_path, FALSE, error);
    in->source_mask =
        in->source ? cg_pictures_get(r->pictures, in->source_mask_path, TRUE, error) : NULL;
    if (!in->source_mask)
        return FALSE;
    const CgImage *defect = in->source->image, *mask = in->source_mask->image;
    if (defect->width != mask->width || defect->height != mask->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s is %dx%d",
                    in->source_mask_path, mask->width, mask->height, in->source_path, defect->width,
                    defect->height);
        return FALSE;
    }
    if (cg_mask_area(mask) > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: the mask is empty: nothing to cut out",
                in->source_mask_path);
    return FALSE;
}

static gboolean load_texture(const Run *r, CgRng *rng, Inputs *in, GError **error)
{
    const GPtrArray *textures = r->options->textures;
    if (!textures || (r->method->uses & TEXTURES_TOO && cg_rng_int(rng, 0, 1)))
        return TRUE;
    in->texture_path = g_ptr_array_index(textures, cg_rng_int(rng, 0, (int)textures->len - 1));
    in->texture = cg_pictures_get(r->pictures, in->texture_path, FALSE, error);
    return in->texture != NULL;
}

/* Another normal image than the I-th; that one itself where it is the only one. */
static gboolean load_other(const Run *r, guint i, CgRng *rng, Inputs *in, GError **error)
{
    const int count = (int)r->options->normals->len;
    const int own = (int)(i % (guint)count), k = count > 1 ? cg_rng_int(rng, 0, count - 2) : 0;
    const int other = k + (count > 1 && k >= own);
    in->source_path = g_ptr_array_index(r->options->normals, other);
    in->source = cg_pictures_get(r->pictures, in->source_path, FALSE, error);
    if (!in->source || !check_size(in->source_path, in->source->image, error))
        return FALSE;
    return TRUE;
}

/* Which texture, defect or other image is drawn first of all, so that a finished image can be told
 * by its inputs. */
static gboolean load_inputs(const Run *r, guint i, CgRng *rng, Inputs *in, GError **error)
{
    in->options = r->options;
    in->normal_path = normal_path(r, i);
    in->normal = cg_pictures_get(r->pictures, in->normal_path, FALSE, error);
    if (!in->normal || !check_size(in->normal_path, in->normal->image, error))
        return FALSE;
    if (r->method->uses & DEFECTS)
        return load_defect(r, rng, in, error);
    if (r->method->uses & OTHER_NORMAL)
        return load_other(r, i, rng, in, error);
    return load_texture(r, rng, in, error);
}

static gboolean find_object(const Run *r, const char *path, const CgImage *image, CgImage **object,
                            GError **error)
{
    if (!cg_objects_find(r->objects, path, image, object, error))
        return FALSE;
    if (!*object || cg_mask_area(*object) > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: the mask of the object is empty", path);
    return FALSE;
}

/* The objects in the pictures, and another normal image as large as the normal image. */
static gboolean prepare_inputs(const Run *r, Inputs *in, GError **error)
{
    const CgImage *normal = in->normal->image;
    if (r->objects && !find_object(r, in->normal_path, normal, &in->object, error))
        return FALSE;
    if (!(r->method->uses & OTHER_NORMAL))
        return TRUE;
    const CgImage *source = in->source->image;
    if (!find_object(r, in->source_path, source, &in->source_object, error))
        return FALSE;
    if (source->width == normal->width && source->height == normal->height)
        return TRUE;
    in->fitted = cg_image_resize(source, normal->width, normal->height);
    if (in->source_object) {
        CgImage *object = cg_image_resize_nearest(in->source_object, normal->width, normal->height);
        cg_image_free(in->source_object);
        in->source_object = object;
    }
    return TRUE;
}

/* Image I, its pictures written and its row made; any thread. */
static gboolean make_item(const void *run, guint i, CgRowMade *result, GError **error)
{
    const Run *r = run;
    g_auto(CgSynthesis) made = {0};
    g_auto(Inputs) in = {0};
    CgRng rng = cg_rng((uint64_t)r->options->seed, CG_STREAM(CG_STREAM_AUGMENT, i));
    if (!cg_cancel_check(error) || !load_inputs(r, i, &rng, &in, error))
        return FALSE;
    g_autofree char *key = item_key(r, i, &in);
    if (!cg_output_is_done(r->options->out, r->manifest, &r->outputs[i], key, &result->done, error))
        return FALSE;
    if (result->done)
        return TRUE;
    if (!prepare_inputs(r, &in, error))
        return FALSE;
    r->method->make(&in, &rng, &made);
    if (!cg_output_write_pictures(r->options->out, &r->outputs[i], made.image, made.mask, error))
        return FALSE;
    result->row = make_row(r, i, &in, key, &made);
    return TRUE;
}

static gboolean write_sheet(const Run *r, GError **error)
{
    const guint count = r->options->count;
    g_autofree const char **normals = g_new(const char *, count);
    g_autofree const char **captions = g_new(const char *, count);
    for (guint i = 0; i < count; i++) {
        normals[i] = normal_path(r, i);
        captions[i] = r->method->name;
    }
    return cg_outputs_sheet(r->options->out, r->outputs, normals, captions, count,
                            r->options->sheet, error);
}

gboolean cg_augment_run(const CgAugmentOptions *options, CgRowFunction row_done, void *data,
                        CgBatchSummary *summary, GError **error)
{
    g_auto(Run) r = {.options = options};
    *summary = (CgBatchSummary){0};
    if (!cg_image_init(error) || !find_method(&r, error) || !name_outputs(&r, error) ||
        !(r.manifest = cg_manifest_open(options->out, error)) ||
        !cg_outputs_check(options->out, r.manifest, r.outputs, options->count, error))
        return FALSE;
    if (r.method->uses & OBJECT &&
        !(r.objects = cg_objects_new(options->foreground, options->normals, error)))
        return FALSE;
    r.pictures = cg_pictures_new(CACHE_BYTES);
    const CgRows rows = {.out = options->out,
                         .manifest = r.manifest,
                         .outputs = r.outputs,
                         .count = options->count,
                         .make = make_item,
                         .run = &r,
                         .row_done = row_done,
                         .data = data};
    if (!cg_rows_run(&rows, summary, error))
        return FALSE;
    return !options->sheet || write_sheet(&r, error);
}
