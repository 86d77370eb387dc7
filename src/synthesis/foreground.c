#include "synthesis/foreground.h"

#include "synthesis/region.h"

#include <math.h>
#include <string.h>

#define SIDE   256 /* the longer side of the picture that is looked at */
#define FRAME  4   /* pixels of the border */
#define BINS   256
#define SQUARE 6 /* closing and opening */

/* Brightness and two colour differences. */
typedef struct {
    float v[3];
} Colour;

/* Colour = a + b x + c y, for each component. */
typedef struct {
    double a[3], b[3], c[3];
} Plane;

typedef struct {
    int width, height;
    gsize count;
    Colour *colours; /* [height, width] */
    float *distance; /* [height, width], to the ground's colour */
} View;

static void view_clear(View *view)
{
    g_free(view->colours);
    g_free(view->distance);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

const char *cg_foreground_policy_name(CgForegroundPolicy policy)
{
    static const char *const names[] = {"auto", "object", "texture"};
    return names[policy];
}

gboolean cg_foreground_policy_parse(const char *text, CgForegroundPolicy *policy)
{
    for (int p = CG_FOREGROUND_AUTO; p <= CG_FOREGROUND_TEXTURE; p++)
        if (!strcmp(text, cg_foreground_policy_name((CgForegroundPolicy)p))) {
            *policy = (CgForegroundPolicy)p;
            return TRUE;
        }
    return FALSE;
}

static guint8 median_of_nine(guint8 v[9])
{
    for (int i = 1; i < 9; i++)
        for (int j = i; j > 0 && v[j - 1] > v[j]; j--) {
            guint8 t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
    return v[4];
}

/* 3 x 3 median of each channel: single bright or dark pixels are nobody's colour. */
static guint8 median_at(const CgImage *image, int x, int y, int channel)
{
    guint8 v[9];
    int n = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int u = CLAMP(x + dx, 0, image->width - 1), w = CLAMP(y + dy, 0, image->height - 1);
            v[n++] =
                image->pixels[((gsize)w * (gsize)image->width + (gsize)u) * (gsize)image->channels +
                              (gsize)channel];
        }
    return median_of_nine(v);
}

static void view_init(View *view, const CgImage *image)
{
    int longer = MAX(image->width, image->height);
    view->width = longer > SIDE ? MAX(image->width * SIDE / longer, 1) : image->width;
    view->height = longer > SIDE ? MAX(image->height * SIDE / longer, 1) : image->height;
    view->count = (gsize)view->width * (gsize)view->height;
    view->colours = g_new(Colour, view->count);
    view->distance = g_new(float, view->count);
    g_autoptr(CgImage) small =
        longer > SIDE ? cg_image_resize(image, view->width, view->height) : cg_image_copy(image);
    for (int y = 0; y < view->height; y++)
        for (int x = 0; x < view->width; x++) {
            float c[3];
            for (int k = 0; k < 3; k++)
                c[k] = median_at(small, x, y, MIN(k, small->channels - 1));
            float grey = 0.299f * c[0] + 0.587f * c[1] + 0.114f * c[2];
            /* Colour differences are small numbers, and light does not change them. */
            view->colours[(gsize)y * (gsize)view->width + (gsize)x] =
                (Colour){{grey, 1.5f * (c[0] - grey), 1.5f * (c[2] - grey)}};
        }
}

/* How far COLOUR is from the ground's at (X, Y). A shadow on coloured ground keeps its hue: there,
 * darkening alone counts little. On grey ground it looks like dark objects do, and counts fully. */
static double plane_distance(const Plane *plane, const Colour *colour, double x, double y)
{
    double ground[3], dot = 0, square = 0, sum = 0;
    for (int k = 0; k < 3; k++) {
        ground[k] = plane->a[k] + plane->b[k] * x + plane->c[k] * y;
        dot += ground[k] * (double)colour->v[k];
        square += ground[k] * ground[k];
    }
    double hue = hypot(ground[1], ground[2]), light = 1;
    if (hue > 0.4 * ground[0] && hue > 40)
        light = CLAMP(dot / square, 0.4, 1);
    for (int k = 0; k < 3; k++) {
        double d = (double)colour->v[k] - light * ground[k];
        sum += d * d;
    }
    return sqrt(sum) + 0.1 * (1 - light) * sqrt(square);
}

/* Least squares over the pixels in USE; coordinates in -1..1. FALSE when they lie on a line. */
static gboolean plane_fit(Plane *plane, const View *view, const guint8 *use)
{
    double s[6] = {0}, t[3][3] = {{0}}; /* 1 x y xx xy yy; sums of v, v x, v y */
    for (int i = 0; i < view->height; i++)
        for (int j = 0; j < view->width; j++) {
            gsize at = (gsize)i * (gsize)view->width + (gsize)j;
            if (!use[at])
                continue;
            double x = 2.0 * j / view->width - 1, y = 2.0 * i / view->height - 1;
            const double terms[6] = {1, x, y, x * x, x * y, y * y};
            for (int k = 0; k < 6; k++)
                s[k] += terms[k];
            for (int k = 0; k < 3; k++)
                for (int m = 0; m < 3; m++)
                    t[k][m] += (double)view->colours[at].v[k] * terms[m];
        }
    /* Cramer's rule on the symmetric 3 x 3 system. */
    double m00 = s[3] * s[5] - s[4] * s[4], m01 = s[1] * s[5] - s[4] * s[2],
           m02 = s[1] * s[4] - s[3] * s[2];
    double determinant = s[0] * m00 - s[1] * m01 + s[2] * m02;
    if (fabs(determinant) < 1e-6 * s[0] * s[0] * s[0])
        return FALSE;
    double m11 = s[0] * s[5] - s[2] * s[2], m12 = s[0] * s[4] - s[1] * s[2],
           m22 = s[0] * s[3] - s[1] * s[1];
    for (int k = 0; k < 3; k++) {
        plane->a[k] = (m00 * t[k][0] - m01 * t[k][1] + m02 * t[k][2]) / determinant;
        plane->b[k] = (-m01 * t[k][0] + m11 * t[k][1] - m12 * t[k][2]) / determinant;
        plane->c[k] = (m02 * t[k][0] - m12 * t[k][1] + m22 * t[k][2]) / determinant;
    }
    return TRUE;
}

static void measure(View *view, const Plane *plane)
{
    for (int i = 0; i < view->height; i++)
        for (int j = 0; j < view->width; j++) {
            gsize at = (gsize)i * (gsize)view->width + (gsize)j;
            view->distance[at] = (float)plane_distance(
                plane, &view->colours[at], 2.0 * j / view->width - 1, 2.0 * i / view->height - 1);
        }
}

/* The distance that a share of the pixels in USE does not exceed, in steps of one level. */
static double distance_quantile(const View *view, const guint8 *use, double share)
{
    gsize histogram[BINS] = {0}, total = 0, seen = 0;
    for (gsize i = 0; i < view->count; i++)
        if (use[i]) {
            histogram[MIN((int)view->distance[i], BINS - 1)]++;
            total++;
        }
    int bin = 0;
    for (; bin < BINS - 1; bin++) {
        seen += histogram[bin];
        if ((double)seen >= share * (double)total)
            break;
    }
    return bin + 1;
}

/* The four corners: what is nearer to the image's corner than a tenth of its shorter side. */
static void mark_corners(const View *view, guint8 *use)
{
    int reach = MAX(MIN(view->width, view->height) / 10, 1);
    for (int y = 0; y < view->height; y++)
        for (int x = 0; x < view->width; x++) {
            int dx = MIN(x, view->width - 1 - x), dy = MIN(y, view->height - 1 - y);
            use[(gsize)y * (gsize)view->width + (gsize)x] = dx + dy < reach;
        }
}

static gboolean on_frame(const View *view, int x, int y)
{
    return MIN(MIN(x, view->width - 1 - x), MIN(y, view->height - 1 - y)) < FRAME;
}

/* Fits the ground's colour: first to the corners, then to what of the border agrees. Returns the
 * spread of the corners, at least 2 levels; negative when there is no ground at all. */
static double fit_ground(View *view)
{
    g_autofree guint8 *corners = g_malloc(view->count);
    g_autofree guint8 *use = g_malloc(view->count);
    Plane plane;
    mark_corners(view, corners);
    memcpy(use, corners, view->count);
    for (int round = 0; round < 4; round++) {
        if (!plane_fit(&plane, view, use))
            return -1;
        measure(view, &plane);
        double limit = MAX(2.5 * distance_quantile(view, corners, 0.5), 4);
        for (int y = 0; y < view->height; y++)
            for (int x = 0; x < view->width; x++) {
                gsize at = (gsize)y * (gsize)view->width + (gsize)x;
                use[at] = (corners[at] || (round && on_frame(view, x, y))) &&
                          (double)view->distance[at] < limit;
            }
    }
    /* One of four corners may be covered by the object. */
    return MAX(distance_quantile(view, corners, 0.7), 2);
}

/* Otsu's threshold on the distances. */
static double otsu(const View *view)
{
    double histogram[BINS] = {0}, mean = 0, q = 0, below = 0, best = 0;
    for (gsize i = 0; i < view->count; i++)
        histogram[MIN((int)view->distance[i], BINS - 1)] += 1.0 / (double)view->count;
    for (int i = 0; i < BINS; i++)
        mean += i * histogram[i];
    int threshold = 0;
    for (int i = 0; i < BINS - 1; i++) {
        q += histogram[i];
        below += i * histogram[i];
        if (q < 1e-7 || q > 1 - 1e-7)
            continue;
        double gap = below / q - (mean - below) / (1 - q);
        double between = q * (1 - q) * gap * gap;
        if (between > best) {
            best = between;
            threshold = i;
        }
    }
    return threshold + 1;
}

/* Closes, opens, fills holes and drops crumbs. A hole through which the ground is seen stays: it is
 * large, and of the ground's very colour. */
static void clean(const View *view, guint8 *mask, double ground)
{
    int w = view->width, h = view->height;
    g_autofree gint32 *labels = g_new(gint32, view->count);
    g_autofree double *seen = NULL;

    cg_region_close(mask, w, h, SQUARE);
    for (gsize i = 0; i < view->count; i++)
        mask[i] = (guint8)~mask[i];
    g_autoptr(GArray) holes = cg_region_label(mask, w, h, FALSE, labels);
    seen = g_new0(double, holes->len + 1);
    for (gsize i = 0; i < view->count; i++)
        seen[labels[i]] += (double)view->distance[i] < ground;
    for (gsize i = 0; i < view->count; i++) {
        const CgRegion *hole = labels[i] ? &g_array_index(holes, CgRegion, labels[i] - 1) : NULL;
        gboolean open = hole && (hole->at_frame || (hole->area * 100 > view->count &&
                                                    seen[labels[i]] > 0.8 * (double)hole->area));
        mask[i] = open ? 0 : 255;
    }
    cg_region_open(mask, w, h, SQUARE);

    g_autoptr(GArray) parts = cg_region_label(mask, w, h, TRUE, labels);
    gsize largest = 0;
    for (guint i = 0; i < parts->len; i++)
        largest = MAX(largest, g_array_index(parts, CgRegion, i).area);
    for (gsize i = 0; i < view->count; i++)
        if (labels[i] && g_array_index(parts, CgRegion, labels[i] - 1).area * 10 < largest)
            mask[i] = 0;
}

static void weigh(const View *view, const guint8 *mask, double threshold, CgForegroundFacts *facts)
{
    gsize frame = 0, framed = 0, litter = 0;
    for (int y = 0; y < view->height; y++)
        for (int x = 0; x < view->width; x++) {
            gsize at = (gsize)y * (gsize)view->width + (gsize)x;
            litter += (double)view->distance[at] > threshold && !mask[at];
            if (on_frame(view, x, y)) {
                frame++;
                framed += mask[at] != 0;
            }
        }
    gsize area = cg_region_area(mask, view->count);
    facts->contrast = distance_quantile(view, mask, 0.5);
    facts->area = (double)area / (double)view->count;
    facts->framed = (double)framed / (double)frame;
    facts->litter = (double)litter / (double)MAX(view->count - area, 1);
}

/* How steeply the distance rises where MASK ends: its mean difference over two pixels. */
static double edge_strength(const View *view, const guint8 *mask)
{
    double sum = 0;
    gsize edges = 0;
    for (int y = 1; y < view->height - 1; y++)
        for (int x = 1; x < view->width - 1; x++) {
            gsize at = (gsize)y * (gsize)view->width + (gsize)x, row = (gsize)view->width;
            if (!mask[at] || (mask[at - 1] && mask[at + 1] && mask[at - row] && mask[at + row]))
                continue;
            const float *d = view->distance + at;
            sum += hypot((double)(d[1] - d[-1]), (double)(d[row] - *(d - row)));
            edges++;
        }
    return edges ? sum / (double)edges : 0;
}

/* The object at one threshold. */
static guint8 *cut(const View *view, double threshold)
{
    guint8 *mask = g_malloc(view->count);
    for (gsize i = 0; i < view->count; i++)
        mask[i] = (double)view->distance[i] > threshold ? 255 : 0;
    clean(view, mask, threshold);
    return mask;
}

/* The object at the threshold that gives the steepest outline, among some around Otsu's: that one
 * would take soft shadows in, or leave dim parts of the object out. Steeper by a little is not
 * worth a higher threshold. */
static guint8 *cut_steepest(const View *view, double spread, double *threshold)
{
    double middle = MAX(otsu(view), 2 * spread), best = 0;
    guint8 *chosen = NULL;
    for (int step = 0; step < 10; step++) {
        double t = MAX((0.4 + 0.15 * step) * middle, 2 * spread);
        guint8 *mask = cut(view, t);
        double strength = edge_strength(view, mask);
        if (!chosen || strength > 1.05 * best) {
            g_free(chosen);
            chosen = mask;
            best = strength;
            *threshold = t;
        } else {
            g_free(mask);
        }
    }
    return chosen;
}

static gboolean looks_like_object(const CgForegroundFacts *facts)
{
    return facts->spread > 0 && facts->area > 0.03 && facts->area < 0.9 && facts->framed < 0.6 &&
           facts->contrast > 11 * facts->spread && facts->contrast > 25 && facts->litter < 0.05;
}

static CgImage *whole(int width, int height)
{
    CgImage *mask = cg_image_new(width, height, 1);
    memset(mask->pixels, 255, (gsize)width * (gsize)height);
    return mask;
}

/* MASK, in the view's size, as an image of the other size with smooth edges cut in the middle. */
static CgImage *enlarge(const View *view, const guint8 *mask, int width, int height)
{
    g_autoptr(CgImage) small = cg_image_new(view->width, view->height, 1);
    memcpy(small->pixels, mask, view->count);
    CgImage *large = cg_image_resize(small, width, height);
    for (gsize i = 0; i < (gsize)width * (gsize)height; i++)
        large->pixels[i] = large->pixels[i] >= 128 ? 255 : 0;
    return large;
}

CgImage *cg_foreground(const CgImage *image, CgForegroundPolicy *policy, CgForegroundFacts *facts)
{
    CgForegroundFacts unused;
    facts = facts ? facts : &unused;
    *facts = (CgForegroundFacts){0};
    if (*policy == CG_FOREGROUND_TEXTURE)
        return whole(image->width, image->height);

    g_auto(View) view = {0};
    view_init(&view, image);
    facts->spread = fit_ground(&view);
    g_autofree guint8 *mask = NULL;
    if (facts->spread > 0) {
        double threshold = 0;
        mask = cut_steepest(&view, facts->spread, &threshold);
        weigh(&view, mask, threshold, facts);
    }
    if (*policy == CG_FOREGROUND_AUTO)
        *policy = looks_like_object(facts) ? CG_FOREGROUND_OBJECT : CG_FOREGROUND_TEXTURE;
    if (*policy == CG_FOREGROUND_TEXTURE || facts->area == 0)
        return whole(image->width, image->height);
    return enlarge(&view, mask, image->width, image->height);
}

CgForegroundPolicy cg_foreground_decide(const CgImage *const *images, int count)
{
    int objects = 0;
    for (int i = 0; i < count; i++) {
        CgForegroundPolicy policy = CG_FOREGROUND_AUTO;
        cg_image_free(cg_foreground(images[i], &policy, NULL));
        objects += policy == CG_FOREGROUND_OBJECT;
    }
    return 2 * objects > count ? CG_FOREGROUND_OBJECT : CG_FOREGROUND_TEXTURE;
}
