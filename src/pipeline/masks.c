#include "pipeline/masks.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "image/sheet.h"
#include "synthesis/region.h"

#include <math.h>
#include <string.h>

#define DECIDE 9  /* images that tell the policy */
#define GROUP  16 /* masks that are drawn at a time */
#define SHOWN  48 /* masks on the sheet */
#define CELL   192

typedef struct {
    const CgMasksOptions *options;
    CgForegroundPolicy policy;
    CgImage *ready, *allowed, *forbidden; /* nullable */
    gboolean folder;                      /* of ready masks */
    GPtrArray *cells, *captions;          /* of the sheet */
    GString *jobs;
} Run;

static void run_clear(Run *r)
{
    cg_image_free(r->ready);
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
    CgForegroundPolicy policy;
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

/* The policy, decided on images taken evenly from all. */
static gboolean decide(Run *r, GError **error)
{
    const GPtrArray *normals = r->options->normals;
    r->policy = r->options->policy;
    if (!normals || r->policy != CG_FOREGROUND_AUTO || r->options->foreground)
        return TRUE;
    guint count = MIN(normals->len, DECIDE);
    CgForegroundPolicy votes[DECIDE] = {CG_FOREGROUND_AUTO};
    GError *errors[DECIDE] = {NULL};
    gboolean ok = TRUE;
    guint objects = 0;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        const char *path = g_ptr_array_index(normals, (guint)((guint64)i * normals->len / count));
        g_autoptr(CgImage) image = cg_image_load(path, NULL, &errors[i]);
        if (image)
            cg_image_free(cg_foreground(image, &votes[i], NULL));
    }
    for (guint i = 0; i < count; i++) {
        objects += votes[i] == CG_FOREGROUND_OBJECT;
        if (errors[i] && ok) {
            g_propagate_error(error, g_steal_pointer(&errors[i]));
            ok = FALSE;
        }
        g_clear_error(&errors[i]);
    }
    r->policy = 2 * objects > count ? CG_FOREGROUND_OBJECT : CG_FOREGROUND_TEXTURE;
    if (ok)
        cg_log_note("the images look like %s: %u of %u show an object before a plain ground",
                    r->policy == CG_FOREGROUND_OBJECT ? "objects" : "textures", objects, count);
    return ok;
}

static gboolean load_region(const char *path, CgImage **region, GError **error)
{
    if (!path)
        return TRUE;
    *region = cg_image_load_mask(path, error);
    return *region != NULL;
}

static gboolean check_size(const char *what, const CgImage *region, const char *normal, int width,
                           int height, GError **error)
{
    if (!region || (region->width == width && region->height == height))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s %s %dx%d; resize it", what,
                region->width, region->height, normal ? normal : "the masks", normal ? "is" : "are",
                width, height);
    return FALSE;
}

/* The ready mask in the folder for NORMAL: the same name as PNG, or with _mask behind it. */
static CgImage *load_ready(const char *folder, const char *normal, GError **error)
{
    g_autofree char *stem = g_path_get_basename(normal);
    char *dot = strrchr(stem, '.');
    if (dot)
        *dot = '\0';
    g_autofree char *plain = g_strconcat(folder, "/", stem, ".png", NULL);
    g_autofree char *suffixed = g_strconcat(folder, "/", stem, "_mask.png", NULL);
    gboolean is_suffixed = !g_file_test(plain, G_FILE_TEST_EXISTS);
    if (is_suffixed && !g_file_test(suffixed, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no mask of the object for %s; it is called %s.png or %s_mask.png", folder,
                    normal, stem, stem);
        return NULL;
    }
    return cg_image_load_mask(is_suffixed ? suffixed : plain, error);
}

/* The object in IMAGE; *OBJECT stays NULL when that is everything. */
static gboolean find_object(const Run *r, Item *item, const CgImage *image, CgImage **object,
                            GError **error)
{
    if (r->ready) {
        *object = cg_image_copy(r->ready);
    } else if (r->folder && item->normal) {
        *object = load_ready(r->options->foreground, item->normal, error);
        if (!*object)
            return FALSE;
    } else if (image) {
        item->policy = r->policy;
        *object = cg_foreground(image, &item->policy, NULL);
    }
    return TRUE;
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
    if (!find_object(r, item, image, &object, error) ||
        !check_size(o->foreground, object, item->normal, width, height, error) ||
        !check_size(o->allowed, r->allowed, item->normal, width, height, error) ||
        !check_size(o->forbidden, r->forbidden, item->normal, width, height, error))
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
    const CgMasksRow row = {item->path, item->normal, item->area, item->policy};
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
    g_auto(Run) r = {.options = options, .policy = options->policy};
    r.folder = options->foreground && g_file_test(options->foreground, G_FILE_TEST_IS_DIR);
    r.cells = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    r.captions = g_ptr_array_new_with_free_func(g_free);
    r.jobs = options->jobs && options->normals ? g_string_new(NULL) : NULL;
    if (!cg_image_init(error) ||
        (!r.folder && !load_region(options->foreground, &r.ready, error)) ||
        !load_region(options->allowed, &r.allowed, error) ||
        !load_region(options->forbidden, &r.forbidden, error) || !decide(&r, error) ||
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
