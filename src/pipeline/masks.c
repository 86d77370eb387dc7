#include "pipeline/masks.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "image/sheet.h"
#include "pipeline/objects.h"
#include "synthesis/region.h"

#include <math.h>
#include <string.h>

#define GROUP 16 /* masks that are drawn at a time */
#define SHOWN 48 /* masks on the sheet */
#define CELL  192

typedef struct {
    const CgMasksOptions *options;
    CgObjects *objects;
    CgImage *allowed, *forbidden; /* nullable */
    GPtrArray *cells, *captions;  /* of the sheet */
    GString *jobs;
} Run;

static void run_clear(Run *r)
{
    cg_objects_free(r->objects);
    cg_image_free(r->allowed);
    cg_image_free(r->forbidden);
    g_clear_pointer(&r->cells, g_ptr_array_unref);
    g_clear_pointer(&r->captions, g_ptr_array_unref);
    if (r->jobs)
        g_string_free(r->jobs, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* A mask being made. */
typedef struct {
    const char *normal;
    char *path;
    double area;
    CgImage *shown; /* for the sheet */
    GError *error;
} Item;

static void item_clear(Item *item)
{
    g_free(item->path);
    cg_image_free(item->shown);
    g_clear_error(&item->error);
}

static gboolean load_region(const char *path, CgImage **region, GError **error)
{
    if (!path)
        return TRUE;
    *region = cg_image_load_mask(path, error);
    return *region != NULL;
}

/* IMAGE with what is not the object darkened and the mask in red. */
static CgImage *show(const CgImage *image, const CgImage *object, const CgImage *mask)
{
    CgImage *picture = image ? cg_image_to_rgb(image) : cg_image_new(mask->width, mask->height, 3);
    for (gsize i = 0; i < (gsize)mask->width * (gsize)mask->height; i++) {
        guint8 *p = picture->pixels + 3 * i;
        if (object && !object->pixels[i])
            for (int c = 0; c < 3; c++)
                p[c] = (guint8)(p[c] / 3);
        if (mask->pixels[i]) {
            p[0] = (guint8)(128 + p[0] / 2);
            p[1] /= 2;
            p[2] /= 2;
        }
    }
    int longer = MAX(mask->width, mask->height);
    if (longer > CELL) {
        CgImage *small = cg_image_resize(picture, MAX(mask->width * CELL / longer, 1),
                                         MAX(mask->height * CELL / longer, 1));
        cg_image_free(picture);
        picture = small;
    }
    return picture;
}

static gboolean make(const Run *r, guint number, Item *item, GError **error)
{
    const CgMasksOptions *o = r->options;
    g_autoptr(CgImage) image = NULL, object = NULL;
    if (item->normal && !(image = cg_image_load(item->normal, NULL, error)))
        return FALSE;
    int width = image ? image->width : o->width, height = image ? image->height : o->height;
    if (!cg_objects_find(r->objects, item->normal, image, &object, error) ||
        !cg_region_check_size(o->foreground, object, item->normal, width, height, error) ||
        !cg_region_check_size(o->allowed, r->allowed, item->normal, width, height, error) ||
        !cg_region_check_size(o->forbidden, r->forbidden, item->normal, width, height, error))
        return FALSE;

    CgMaskRules rules = {.shapes = o->shapes,
                         .library = o->library,
                         .foreground = object,
                         .allowed = r->allowed,
                         .forbidden = r->forbidden,
                         .min_area = o->min_area,
                         .max_area = o->max_area,
                         .latent_side = o->latent_side,
                         .min_cells = o->min_cells};
    CgRng rng = cg_rng((uint64_t)o->seed, CG_STREAM(CG_STREAM_MASK, number));
    g_autoptr(CgImage) mask = cg_mask_draw(&rules, &rng, width, height, error);
    if (!mask) {
        g_prefix_error(error, "mask %u%s%s: ", number, item->normal ? " for " : "",
                       item->normal ? item->normal : "");
        return FALSE;
    }
    gsize count = (gsize)width * (gsize)height;
    item->area = (double)cg_region_area(mask->pixels, count) / (double)count;
    if (o->sheet && number < SHOWN)
        item->shown = show(image, object, mask);
    return cg_image_save_png(mask, item->path, error);
}

static void add_job(GString *jobs, const Item *item)
{
    g_autofree char *mask = g_canonicalize_filename(item->path, NULL);
    g_autofree char *normal = g_canonicalize_filename(item->normal, NULL);
    g_autofree char *mask_text = cg_json_quote(mask);
    g_autofree char *normal_text = cg_json_quote(normal);
    g_string_append_printf(jobs, "{\"normal\":%s,\"mask\":%s}\n", normal_text, mask_text);
}

static void finish(Run *r, Item *item, void (*done)(void *data, const CgMasksRow *row), void *data)
{
    const CgMasksRow row = {item->path, item->normal, item->area, cg_objects_policy(r->objects)};
    done(data, &row);
    if (r->jobs)
        add_job(r->jobs, item);
    if (item->shown) {
        g_autofree char *name = g_path_get_basename(item->path);
        char *caption = g_strdup_printf("%s\n%.2f %%", name, item->area * 100);
        g_ptr_array_add(r->captions, caption);
        g_ptr_array_add(r->cells, g_steal_pointer(&item->shown));
    }
}

/* Masks FIRST .. FIRST + COUNT - 1, drawn at the same time and reported in order. */
static gboolean make_group(Run *r, guint first, guint count, int digits,
                           void (*done)(void *data, const CgMasksRow *row), void *data,
                           GError **error)
{
    const CgMasksOptions *o = r->options;
    Item items[GROUP] = {{0}};
    gboolean ok = TRUE;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        Item *item = &items[i];
        guint number = first + i;
        if (o->normals)
            item->normal = g_ptr_array_index(o->normals, number % o->normals->len);
        item->path = g_strdup_printf("%s/%0*u.png", o->out, digits, number);
        make(r, number, item, &item->error);
    }
    for (guint i = 0; i < count; i++) {
        if (ok && items[i].error) {
            g_propagate_error(error, g_steal_pointer(&items[i].error));
            ok = FALSE;
        }
        if (ok)
            finish(r, &items[i], done, data);
        item_clear(&items[i]);
    }
    return ok;
}

static gboolean write_sheet(const Run *r, GError **error)
{
    CgSheetCell cells[SHOWN] = {{NULL, NULL}};
    for (guint i = 0; i < r->cells->len; i++)
        cells[i] = (CgSheetCell){g_ptr_array_index(r->cells, i), g_ptr_array_index(r->captions, i)};
    g_autoptr(CgImage) sheet = cg_contact_sheet(cells, (int)r->cells->len, 8, CELL, error);
    return sheet && cg_image_save_png(sheet, r->options->sheet, error);
}

gboolean cg_masks_run(const CgMasksOptions *options,
                      void (*done)(void *data, const CgMasksRow *row), void *data, GError **error)
{
    g_auto(Run) r = {.options = options};
    r.cells = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    r.captions = g_ptr_array_new_with_free_func(g_free);
    r.jobs = options->jobs && options->normals ? g_string_new(NULL) : NULL;
    if (!cg_image_init(error) || !load_region(options->allowed, &r.allowed, error) ||
        !load_region(options->forbidden, &r.forbidden, error) ||
        !(r.objects = cg_objects_new(options->foreground, options->normals, error)) ||
        !cg_file_make_directory(options->out, error))
        return FALSE;

    int digits = 3;
    for (guint last = (options->count - 1) / 1000; last > 0; last /= 10)
        digits++;
    for (guint first = 0; first < options->count; first += GROUP)
        if (!cg_cancel_check(error) ||
            !make_group(&r, first, MIN(GROUP, options->count - first), digits, done, data, error))
            return FALSE;
    if (r.jobs && !cg_file_write(options->jobs, r.jobs->str, r.jobs->len, error))
        return FALSE;
    return !options->sheet || write_sheet(&r, error);
}
