#include "synthesis/shapes-private.h"

#include "base/error.h"
#include "diffusion/fusion.h"
#include "synthesis/perlin.h"
#include "synthesis/region.h"

#include <math.h>
#include <string.h>

/* What a parameter may be. */
static const struct {
    const char *name;
    double low, high;
    gboolean whole, logarithmic;
} parameters[CG_MASK_PARAMETERS] = {
    [CG_MASK_COUNT] = {"count", 1, 100, TRUE, FALSE},
    [CG_MASK_AREA_SHARE] = {"area", 1e-6, 1, FALSE, FALSE},
    [CG_MASK_ASPECT] = {"aspect", 0.01, 100, FALSE, TRUE},
    [CG_MASK_ANGLE] = {"angle", -360, 360, FALSE, FALSE},
    [CG_MASK_WIDTH] = {"width", 0, 1, FALSE, FALSE},
    [CG_MASK_LENGTH] = {"length", 0, 2, FALSE, FALSE},
    [CG_MASK_POINTS] = {"points", 2, 64, TRUE, FALSE},
    [CG_MASK_BEND] = {"bend", 0, 180, FALSE, FALSE},
    [CG_MASK_ROUGH] = {"rough", 0, 1, FALSE, FALSE},
    [CG_MASK_SCALE] = {"scale", 0.01, 100, FALSE, TRUE},
    [CG_MASK_WARP] = {"warp", 0, 1, FALSE, FALSE},
    [CG_MASK_THRESHOLD] = {"threshold", -1, 1, FALSE, FALSE},
    [CG_MASK_LOW] = {"low", 0, CG_PERLIN_MAX_EXPONENT, TRUE, FALSE},
    [CG_MASK_HIGH] = {"high", 0, CG_PERLIN_MAX_EXPONENT, TRUE, FALSE},
    [CG_MASK_ROTATION] = {"rotation", 0, 180, FALSE, FALSE},
};

/* The kinds with their defaults. A parameter that is not named does not exist for the kind; real
 * ones that happen to be 0..0 do not occur. */
/* clang-format off */
static const struct {
    const char *name;
    CgMaskRange ranges[CG_MASK_PARAMETERS];
} kinds[CG_MASK_KINDS] = {
    [CG_MASK_KIND_PERLIN] = {"perlin", {
        [CG_MASK_THRESHOLD] = {0.5, 0.5}, [CG_MASK_HIGH] = {5, 5}, [CG_MASK_ROTATION] = {90, 90}}},
    [CG_MASK_KIND_RECTANGLE] = {"rectangle", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_AREA_SHARE] = {0.02, 0.15},
        [CG_MASK_ASPECT] = {0.3, 3.3}}},
    [CG_MASK_KIND_SCAR] = {"scar", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_WIDTH] = {0.008, 0.0625},
        [CG_MASK_LENGTH] = {0.04, 0.1}, [CG_MASK_ANGLE] = {-45, 45}}},
    [CG_MASK_KIND_LINE] = {"line", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_WIDTH] = {0.004, 0.012},
        [CG_MASK_LENGTH] = {0.1, 0.5}, [CG_MASK_ANGLE] = {0, 180}}},
    [CG_MASK_KIND_SCRATCH] = {"scratch", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_WIDTH] = {0.004, 0.012},
        [CG_MASK_LENGTH] = {0.1, 0.5}, [CG_MASK_ANGLE] = {0, 180}, [CG_MASK_POINTS] = {3, 7},
        [CG_MASK_BEND] = {25, 25}}},
    [CG_MASK_KIND_BLOB] = {"blob", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_AREA_SHARE] = {0.002, 0.03},
        [CG_MASK_ASPECT] = {0.5, 2}, [CG_MASK_ANGLE] = {0, 180}, [CG_MASK_ROUGH] = {0.3, 0.3}}},
    [CG_MASK_KIND_ELLIPSE] = {"ellipse", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_AREA_SHARE] = {0.002, 0.05},
        [CG_MASK_ASPECT] = {0.4, 2.5}, [CG_MASK_ANGLE] = {0, 180}}},
    [CG_MASK_KIND_LIBRARY] = {"library", {
        [CG_MASK_COUNT] = {1, 1}, [CG_MASK_SCALE] = {0.8, 1.25}, [CG_MASK_ANGLE] = {-180, 180},
        [CG_MASK_ASPECT] = {0.9, 1.1}, [CG_MASK_WARP] = {0.05, 0.05}}},
};
/* clang-format on */

static gboolean kind_has(CgMaskKind kind, CgMaskParameter parameter)
{
    /* Two whose default is 0. */
    if (kind == CG_MASK_KIND_RECTANGLE && parameter == CG_MASK_ANGLE)
        return TRUE;
    if (kind == CG_MASK_KIND_PERLIN && parameter == CG_MASK_LOW)
        return TRUE;
    const CgMaskRange *range = &kinds[kind].ranges[parameter];
    return range->low != 0 || range->high != 0;
}

double cg_mask_value(const CgMaskShape *shape, CgMaskParameter parameter, CgRng *rng)
{
    CgMaskRange range = shape->ranges[parameter];
    if (parameters[parameter].whole)
        return cg_rng_int(rng, (int)range.low, (int)range.high);
    if (parameters[parameter].logarithmic)
        return exp(cg_rng_uniform(rng, log(range.low), log(range.high)));
    return cg_rng_uniform(rng, range.low, range.high);
}

/* "3", "0.1..0.5" */
static gboolean parse_range(const char *text, CgMaskRange *range)
{
    char *end;
    const char *dots = strstr(text, "..");
    g_autofree char *first = dots ? g_strndup(text, (gsize)(dots - text)) : g_strdup(text);
    range->low = range->high = g_ascii_strtod(first, &end);
    if (end == first || *end)
        return FALSE;
    if (dots) {
        range->high = g_ascii_strtod(dots + 2, &end);
        if (end == dots + 2 || *end)
            return FALSE;
    }
    return isfinite(range->low) && isfinite(range->high) && range->low <= range->high;
}

static char *parameter_names(CgMaskKind kind)
{
    GString *names = g_string_new(NULL);
    for (int p = 0; p < CG_MASK_PARAMETERS; p++)
        if (kind_has(kind, (CgMaskParameter)p))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", parameters[p].name);
    return g_string_free(names, FALSE);
}

static gboolean parse_parameter(CgMaskShape *shape, const char *text, GError **error)
{
    const char *kind = kinds[shape->kind].name, *equals = strchr(text, '=');
    g_autofree char *name = equals ? g_strndup(text, (gsize)(equals - text)) : g_strdup(text);
    int p = 0;
    while (p < CG_MASK_PARAMETERS &&
           (strcmp(name, parameters[p].name) || !kind_has(shape->kind, (CgMaskParameter)p)))
        p++;
    if (p == CG_MASK_PARAMETERS) {
        g_autofree char *names = parameter_names(shape->kind);
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "shape \"%s\": no parameter \"%s\"; it has %s",
                    kind, name, names);
        return FALSE;
    }
    CgMaskRange *range = &shape->ranges[p];
    if (!equals || !parse_range(equals + 1, range) || range->low < parameters[p].low ||
        range->high > parameters[p].high ||
        (parameters[p].whole &&
         (range->low != floor(range->low) || range->high != floor(range->high)))) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "shape \"%s\": \"%s\"; %s is a%s number or LOW..HIGH, from %g to %g", kind,
                    text, name, parameters[p].whole ? " whole" : "", parameters[p].low,
                    parameters[p].high);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_shape(CgMaskShape *shape, const char *text, GError **error)
{
    const char *colon = strchr(text, ':');
    g_autofree char *name = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
    int kind = 0;
    while (kind < CG_MASK_KINDS && strcmp(name, kinds[kind].name))
        kind++;
    if (kind == CG_MASK_KINDS) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "no shape \"%s\"; there are perlin, rectangle, scar, line, scratch, blob, "
                    "ellipse and library",
                    name);
        return FALSE;
    }
    shape->kind = (CgMaskKind)kind;
    memcpy(shape->ranges, kinds[kind].ranges, sizeof shape->ranges);
    g_auto(GStrv) list = g_strsplit(colon ? colon + 1 : "", ",", -1);
    for (char **item = list; *item; item++)
        if (!parse_parameter(shape, *item, error))
            return FALSE;
    if (shape->ranges[CG_MASK_LOW].high > shape->ranges[CG_MASK_HIGH].low) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "shape \"%s\": low is above high", text);
        return FALSE;
    }
    return TRUE;
}

CgMaskShapes *cg_mask_shapes_parse(const char *text, GError **error)
{
    g_autoptr(CgMaskShapes) shapes = g_new0(CgMaskShapes, 1);
    shapes->alternatives = g_array_new(FALSE, FALSE, sizeof(CgMaskShape));
    g_auto(GStrv) list = g_strsplit(*text ? text : "(none)", "|", -1);
    for (char **item = list; *item; item++) {
        CgMaskShape shape = {0};
        if (!parse_shape(&shape, *item, error))
            return NULL;
        g_array_append_val(shapes->alternatives, shape);
    }
    return g_steal_pointer(&shapes);
}

void cg_mask_shapes_free(CgMaskShapes *shapes)
{
    if (!shapes)
        return;
    g_array_unref(shapes->alternatives);
    g_free(shapes);
}

gboolean cg_mask_shapes_need_library(const CgMaskShapes *shapes)
{
    for (guint i = 0; i < shapes->alternatives->len; i++)
        if (g_array_index(shapes->alternatives, CgMaskShape, i).kind == CG_MASK_KIND_LIBRARY)
            return TRUE;
    return FALSE;
}

static void example_clear(gpointer data)
{
    cg_image_free(((CgMaskExample *)data)->mask);
}

CgMaskLibrary *cg_mask_library_new(void)
{
    CgMaskLibrary *library = g_new0(CgMaskLibrary, 1);
    library->examples = g_array_new(FALSE, FALSE, sizeof(CgMaskExample));
    g_array_set_clear_func(library->examples, example_clear);
    return library;
}

gboolean cg_mask_library_add(CgMaskLibrary *library, const CgImage *mask)
{
    int left = mask->width, right = -1, top = mask->height, bottom = -1;
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++)
            if (mask->pixels[(gsize)y * (gsize)mask->width + (gsize)x]) {
                left = MIN(left, x);
                right = MAX(right, x);
                top = MIN(top, y);
                bottom = y;
            }
    if (right < 0)
        return FALSE;
    CgMaskExample example = {cg_image_crop(mask, left, top, right - left + 1, bottom - top + 1),
                             MIN(mask->width, mask->height)};
    g_array_append_val(library->examples, example);
    return TRUE;
}

int cg_mask_library_size(const CgMaskLibrary *library)
{
    return (int)library->examples->len;
}

void cg_mask_library_free(CgMaskLibrary *library)
{
    if (!library)
        return;
    g_array_unref(library->examples);
    g_free(library);
}

/* Where defects may lie: 255 or 0; *AREA its pixels. */
static guint8 *permitted(const CgMaskRules *rules, int width, int height, gsize *area)
{
    gsize count = (gsize)width * (gsize)height;
    guint8 *region = g_malloc(count);
    memset(region, 255, count);
    for (gsize i = 0; i < count; i++)
        if ((rules->foreground && !rules->foreground->pixels[i]) ||
            (rules->allowed && !rules->allowed->pixels[i]) ||
            (rules->forbidden && rules->forbidden->pixels[i]))
            region[i] = 0;
    *area = cg_region_area(region, count);
    return region;
}

static CgImage *draw_perlin(const CgMaskShape *shape, CgRng *rng, int width, int height)
{
    CgPerlin perlin = {
        (int)cg_mask_value(shape, CG_MASK_LOW, rng), (int)cg_mask_value(shape, CG_MASK_HIGH, rng),
        cg_mask_value(shape, CG_MASK_ROTATION, rng), cg_mask_value(shape, CG_MASK_THRESHOLD, rng)};
    return cg_perlin_mask(&perlin, rng, width, height);
}

/* A permitted point. Thrown until one hits, so that it is the same point at every size of the
 * image; where little is permitted, one of the pixels is counted out instead. */
static void draw_point(CgRng *rng, const guint8 *region, gsize area, int width, int height,
                       double *x, double *y)
{
    for (int n = 0; n < 500; n++) {
        *x = cg_rng_uniform(rng, 0, 1) * width;
        *y = cg_rng_uniform(rng, 0, 1) * height;
        int column = MIN((int)*x, width - 1), row = MIN((int)*y, height - 1);
        if (region[(gsize)row * (gsize)width + (gsize)column])
            return;
    }
    int number = cg_rng_int(rng, 0, (int)area - 1);
    gsize at = 0;
    while (!region[at] || number-- > 0)
        at++;
    *x = (double)(at % (gsize)width) + 0.5;
    *y = (double)(at / (gsize)width) + 0.5;
}

static CgImage *draw_once(const CgMaskRules *rules, CgRng *rng, const guint8 *region, gsize area,
                          int width, int height)
{
    const GArray *list = rules->shapes->alternatives;
    int which = list->len > 1 ? cg_rng_int(rng, 0, (int)list->len - 1) : 0;
    const CgMaskShape *shape = &g_array_index(list, CgMaskShape, which);
    CgImage *mask;
    if (shape->kind == CG_MASK_KIND_PERLIN) {
        mask = draw_perlin(shape, rng, width, height);
    } else {
        mask = cg_image_new(width, height, 1);
        for (int n = (int)cg_mask_value(shape, CG_MASK_COUNT, rng); n > 0; n--) {
            double x, y;
            draw_point(rng, region, area, width, height, &x, &y);
            cg_mask_shape_fill(shape, rules->library, rng, x, y, mask);
        }
    }
    for (gsize i = 0; i < (gsize)width * (gsize)height; i++)
        mask->pixels[i] &= region[i];
    return mask;
}

/* Cells of the latent grid that the mask touches. */
static gsize latent_cells(const CgImage *mask, int side)
{
    int longer = MAX(mask->width, mask->height);
    int w = CLAMP((int)((gint64)mask->width * side / longer), 1, mask->width);
    int h = CLAMP((int)((gint64)mask->height * side / longer), 1, mask->height);
    CgMaskFit fit;
    cg_tensor_unref(
        cg_mask_to_latent(mask->pixels, mask->height, mask->width, h, w, CG_MASK_MAX, FALSE, &fit));
    return fit.cells;
}

CgImage *cg_mask_draw(const CgMaskRules *rules, CgRng *rng, int width, int height, GError **error)
{
    gsize count = (gsize)width * (gsize)height, area;
    double least = rules->min_area > 0 ? rules->min_area : 64.0 / (512 * 512);
    double most = rules->max_area > 0 ? rules->max_area : 1;
    int cells = rules->min_cells > 0 ? rules->min_cells : 2;
    int tries = rules->tries > 0 ? rules->tries : 200, small = 0, large = 0, coarse = 0;
    g_autofree guint8 *region = permitted(rules, width, height, &area);

    if (cg_mask_shapes_need_library(rules->shapes) &&
        (!rules->library || !cg_mask_library_size(rules->library))) {
        g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                            "the shape \"library\" needs masks that are not empty");
        return NULL;
    }
    for (int n = 0; area > 0 && n < tries; n++) {
        g_autoptr(CgImage) mask = draw_once(rules, rng, region, area, width, height);
        gsize pixels = cg_region_area(mask->pixels, count);
        double share = (double)pixels / (double)count;
        if (pixels == 0 || share < least)
            small++;
        else if (share > most)
            large++;
        else if (rules->latent_side > 0 && latent_cells(mask, rules->latent_side) < (gsize)cells)
            coarse++;
        else
            return g_steal_pointer(&mask);
    }
    if (area == 0)
        g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                            "no pixel is left for masks by the object, the allowed and the "
                            "forbidden region together");
    else
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "no mask fits in %d tries: %d were smaller than %.3g of the image, %d larger "
                    "than %.3g, %d below %d latent cells; masks may lie in %.2g of the image",
                    tries, small, least, large, most, coarse, cells, (double)area / (double)count);
    return NULL;
}
