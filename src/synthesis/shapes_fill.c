#include "synthesis/shapes-private.h"

#include "synthesis/perlin.h"

#include <math.h>

/* Calls INSIDE for the centres of all pixels nearer than REACH to (X, Y), in coordinates about that
 * point turned back by DEGREES. */
typedef gboolean (*Inside)(const void *figure, double u, double v);

static void fill(CgImage *mask, double x, double y, double reach, double degrees, Inside inside,
                 const void *figure)
{
    double c = cos(degrees * (G_PI / 180)), s = sin(degrees * (G_PI / 180));
    int left = (int)MAX(floor(x - reach), 0), right = (int)MIN(ceil(x + reach), mask->width);
    int top = (int)MAX(floor(y - reach), 0), bottom = (int)MIN(ceil(y + reach), mask->height);
    for (int i = top; i < bottom; i++)
        for (int j = left; j < right; j++) {
            double dx = j + 0.5 - x, dy = i + 0.5 - y;
            if (inside(figure, c * dx + s * dy, c * dy - s * dx))
                mask->pixels[(gsize)i * (gsize)mask->width + (gsize)j] = 255;
        }
}

typedef struct {
    double a, b; /* half of the width and height */
} Box;

static gboolean in_rectangle(const void *figure, double u, double v)
{
    const Box *box = figure;
    return fabs(u) <= box->a && fabs(v) <= box->b;
}

static gboolean in_ellipse(const void *figure, double u, double v)
{
    const Box *box = figure;
    return u * u / (box->a * box->a) + v * v / (box->b * box->b) <= 1;
}

/* An outline r(angle) = 1 + a few waves, in an ellipse's coordinates. */
#define WAVES 7
typedef struct {
    Box box;
    double amplitude[WAVES], phase[WAVES];
} Blob;

static gboolean in_blob(const void *figure, double u, double v)
{
    const Blob *blob = figure;
    u /= blob->box.a;
    v /= blob->box.b;
    double angle = atan2(v, u), radius = 1;
    for (int k = 0; k < WAVES; k++)
        radius += blob->amplitude[k] * cos((k + 2) * angle + blob->phase[k]);
    return hypot(u, v) <= radius;
}

/* Half sides of a box (FORM times the product of which is the area), from area and aspect. A side
 * is never less than a pixel. */
static Box draw_box(const CgMaskShape *shape, CgRng *rng, const CgImage *mask, double form)
{
    double area = cg_mask_value(shape, CG_MASK_AREA_SHARE, rng) * mask->width * mask->height;
    double aspect = cg_mask_value(shape, CG_MASK_ASPECT, rng);
    return (Box){MAX(sqrt(area * aspect / form), 0.5), MAX(sqrt(area / aspect / form), 0.5)};
}

static void fill_blob(const CgMaskShape *shape, CgRng *rng, double x, double y, CgImage *mask)
{
    Blob blob = {.box = draw_box(shape, rng, mask, G_PI)};
    double angle = cg_mask_value(shape, CG_MASK_ANGLE, rng);
    double rough = cg_mask_value(shape, CG_MASK_ROUGH, rng), power = 1, reach = 1;
    for (int k = 0; k < WAVES; k++) {
        /* Fine waves are small ones. */
        blob.amplitude[k] = rough * cg_rng_uniform(rng, 0, 1) / (k + 1.5);
        blob.phase[k] = cg_rng_uniform(rng, 0, 2 * G_PI);
        power += blob.amplitude[k] * blob.amplitude[k] / 2;
        reach += blob.amplitude[k];
    }
    /* The area is that of the ellipse times the mean of the squared radius. */
    blob.box.a = MAX(blob.box.a / sqrt(power), 0.5);
    blob.box.b = MAX(blob.box.b / sqrt(power), 0.5);
    fill(mask, x, y, reach * MAX(blob.box.a, blob.box.b) + 1, angle, in_blob, &blob);
}

/* A polyline with a half-width at each point. */
#define MAX_POINTS 64
typedef struct {
    int count;
    double x[MAX_POINTS], y[MAX_POINTS], half[MAX_POINTS];
} Stroke;

static gboolean in_stroke(const void *figure, double u, double v)
{
    const Stroke *stroke = figure;
    for (int i = 0; i + 1 < stroke->count; i++) {
        double dx = stroke->x[i + 1] - stroke->x[i], dy = stroke->y[i + 1] - stroke->y[i];
        double square = dx * dx + dy * dy;
        double t = square > 0 ? ((u - stroke->x[i]) * dx + (v - stroke->y[i]) * dy) / square : 0;
        t = CLAMP(t, 0, 1);
        double away = hypot(u - stroke->x[i] - t * dx, v - stroke->y[i] - t * dy);
        if (away <= stroke->half[i] + t * (stroke->half[i + 1] - stroke->half[i]))
            return TRUE;
    }
    return FALSE;
}

static void fill_stroke(const CgMaskShape *shape, CgRng *rng, double x, double y, CgImage *mask)
{
    double unit = MIN(mask->width, mask->height);
    double width = cg_mask_value(shape, CG_MASK_WIDTH, rng) * unit;
    double length = cg_mask_value(shape, CG_MASK_LENGTH, rng) * unit;
    double angle = cg_mask_value(shape, CG_MASK_ANGLE, rng) * (G_PI / 180);
    gboolean scratch = shape->kind == CG_MASK_KIND_SCRATCH;
    Stroke stroke = {.count = 2};
    if (scratch)
        stroke.count = (int)cg_mask_value(shape, CG_MASK_POINTS, rng);
    double bend = scratch ? cg_mask_value(shape, CG_MASK_BEND, rng) * (G_PI / 180) : 0;

    double step = length / (stroke.count - 1), middle_x = 0, middle_y = 0, reach = 0;
    for (int i = 0; i < stroke.count; i++) {
        if (i > 0) {
            stroke.x[i] = stroke.x[i - 1] + step * cos(angle);
            stroke.y[i] = stroke.y[i - 1] + step * sin(angle);
            angle += cg_rng_uniform(rng, -bend, bend);
        }
        gboolean end = i == 0 || i == stroke.count - 1;
        double share = !scratch ? 1 : end ? 0.3 : cg_rng_uniform(rng, 0.6, 1);
        /* From half a pixel on, a line has no gaps. */
        stroke.half[i] = MAX(width * share / 2, 0.51);
        middle_x += stroke.x[i] / stroke.count;
        middle_y += stroke.y[i] / stroke.count;
    }
    for (int i = 0; i < stroke.count; i++) {
        stroke.x[i] -= middle_x;
        stroke.y[i] -= middle_y;
        reach = MAX(reach, hypot(stroke.x[i], stroke.y[i]) + stroke.half[i]);
    }
    fill(mask, x, y, reach + 1, 0, in_stroke, &stroke);
}

/* A real mask under a map: its pixel for each of ours, moved by smooth noise. */
#define WARP_SIDE 64
typedef struct {
    const CgImage *mask;
    double per_u, per_v;  /* its pixels for one of ours */
    double warp;          /* in its pixels */
    double reach;         /* of ours, where the noise ends */
    const float *noise_u; /* [WARP_SIDE, WARP_SIDE] */
    const float *noise_v;
} Bent;

static gboolean in_bent(const void *figure, double u, double v)
{
    const Bent *bent = figure;
    int i = (int)((v / bent->reach + 1) / 2 * WARP_SIDE);
    int j = (int)((u / bent->reach + 1) / 2 * WARP_SIDE);
    int at = CLAMP(i, 0, WARP_SIDE - 1) * WARP_SIDE + CLAMP(j, 0, WARP_SIDE - 1);
    double x = u * bent->per_u + bent->mask->width / 2.0 + bent->warp * (double)bent->noise_u[at];
    double y = v * bent->per_v + bent->mask->height / 2.0 + bent->warp * (double)bent->noise_v[at];
    if (!(x >= 0 && y >= 0 && x < bent->mask->width && y < bent->mask->height))
        return FALSE;
    return bent->mask->pixels[(gsize)y * (gsize)bent->mask->width + (gsize)x] != 0;
}

static void fill_example(const CgMaskShape *shape, const CgMaskLibrary *library, CgRng *rng,
                         double x, double y, CgImage *mask)
{
    static const CgPerlin waves = {2, 2, 0, 0};
    float noise[2][WARP_SIDE * WARP_SIDE];
    int number = cg_rng_int(rng, 0, (int)library->examples->len - 1);
    const CgMaskExample *example = &g_array_index(library->examples, CgMaskExample, number);
    double scale = cg_mask_value(shape, CG_MASK_SCALE, rng);
    double aspect = sqrt(cg_mask_value(shape, CG_MASK_ASPECT, rng));
    double angle = cg_mask_value(shape, CG_MASK_ANGLE, rng);
    double warp = cg_mask_value(shape, CG_MASK_WARP, rng);
    cg_perlin_noise(&waves, rng, WARP_SIDE, WARP_SIDE, noise[0]);
    cg_perlin_noise(&waves, rng, WARP_SIDE, WARP_SIDE, noise[1]);

    scale *= MIN(mask->width, mask->height) / example->shorter;
    double w = example->mask->width, h = example->mask->height;
    Bent bent = {.mask = example->mask,
                 .per_u = 1 / (scale * aspect),
                 .per_v = aspect / scale,
                 .warp = 2 * warp * MIN(w, h),
                 .noise_u = noise[0],
                 .noise_v = noise[1]};
    bent.reach =
        hypot(w / bent.per_u, h / bent.per_v) / 2 + bent.warp / MIN(bent.per_u, bent.per_v);
    fill(mask, x, y, bent.reach + 1, angle, in_bent, &bent);
}

void cg_mask_shape_fill(const CgMaskShape *shape, const CgMaskLibrary *library, CgRng *rng,
                        double x, double y, CgImage *mask)
{
    double unit = MIN(mask->width, mask->height), angle;
    Box box;
    switch (shape->kind) {
    case CG_MASK_KIND_RECTANGLE:
        box = draw_box(shape, rng, mask, 4);
        angle = cg_mask_value(shape, CG_MASK_ANGLE, rng);
        fill(mask, x, y, hypot(box.a, box.b) + 1, angle, in_rectangle, &box);
        break;
    case CG_MASK_KIND_ELLIPSE:
        box = draw_box(shape, rng, mask, G_PI);
        angle = cg_mask_value(shape, CG_MASK_ANGLE, rng);
        fill(mask, x, y, MAX(box.a, box.b) + 1, angle, in_ellipse, &box);
        break;
    case CG_MASK_KIND_SCAR:
        box.b = MAX(cg_mask_value(shape, CG_MASK_WIDTH, rng) * unit / 2, 0.51);
        box.a = MAX(cg_mask_value(shape, CG_MASK_LENGTH, rng) * unit / 2, 0.51);
        angle = cg_mask_value(shape, CG_MASK_ANGLE, rng);
        fill(mask, x, y, hypot(box.a, box.b) + 1, angle, in_rectangle, &box);
        break;
    case CG_MASK_KIND_BLOB:
        fill_blob(shape, rng, x, y, mask);
        break;
    case CG_MASK_KIND_LINE:
    case CG_MASK_KIND_SCRATCH:
        fill_stroke(shape, rng, x, y, mask);
        break;
    case CG_MASK_KIND_LIBRARY:
        fill_example(shape, library, rng, x, y, mask);
        break;
    case CG_MASK_KIND_PERLIN:
    case CG_MASK_KINDS:
        g_assert_not_reached();
    }
}
