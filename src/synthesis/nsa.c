#include "synthesis/nsa.h"

#include "image/membrane.h"
#include "image/paste.h"

#include <math.h>
#include <string.h>

#define HALF_MIN    0.03
#define HALF_MAX    0.4
#define GAMMA_SCALE 0.05 /* of a gamma distribution of shape 2 */
#define SCALE_SD    0.5
#define OBJECT_MIN  0.5  /* of a piece */
#define OVERLAP_MIN 0.25 /* of the object in a piece, on the object below */
#define PIECES      3
#define PIECES_FREE 4   /* without objects */
#define TRIES       200 /* to find a place */
#define ROUNDS      20  /* of all that, until something has changed */
#define TOLERANCE   1   /* mean change of the channels that is still none */
#define MEDIAN      2   /* pixels to each side */

/* What a sample is made of; objects are NULL for "everywhere". */
typedef struct {
    const CgImage *normal, *object, *source, *source_object;
    gboolean mixed;
    CgImage *made;                /* NORMAL with the pieces so far */
    guint8 *inside;               /* [height, width]: pieces that show an object, or lie on one */
    int left, top, right, bottom; /* around all pieces; the last two are outside */
} Nsa;

/* A piece: FROM in the source, then as large as TO in the picture. */
typedef struct {
    CgRect from, to;
} Piece;

static int clamp_int(double v, int low, int high)
{
    return (int)CLAMP(v, low, high);
}

/* Least and greatest half side; at least 2, so that something lies inside the frame. */
static int half_min(int side)
{
    return MAX(2, (int)lrint(HALF_MIN * side));
}

static int half_max(int side)
{
    return MAX(half_min(side), (int)lrint(HALF_MAX * side));
}

static int draw_half(CgRng *rng, int side)
{
    const double a = cg_rng_uniform(rng, 0, 1), b = cg_rng_uniform(rng, 0, 1);
    const double gamma = -GAMMA_SCALE * (log(1 - a) + log(1 - b));
    return clamp_int((HALF_MIN + gamma) * side, half_min(side), half_max(side));
}

/* Share of set pixels of MASK (NULL: all are) in R. */
static double share(const CgImage *mask, CgRect r)
{
    gsize set = 0;
    for (int y = r.y; mask && y < r.y + r.height; y++)
        for (int x = r.x; x < r.x + r.width; x++)
            set += mask->pixels[(gsize)y * (gsize)mask->width + (gsize)x] != 0;
    return mask ? (double)set / ((double)r.width * r.height) : 1;
}

/* A rectangle about a random place, cut off at the picture's edges. */
static CgRect draw_around(const CgImage *image, int half_x, int half_y, CgRng *rng)
{
    const int least_x = half_min(image->width), least_y = half_min(image->height);
    const int y = cg_rng_int(rng, least_y, image->height - least_y - 1);
    const int x = cg_rng_int(rng, least_x, image->width - least_x - 1);
    const int left = MAX(0, x - half_x), top = MAX(0, y - half_y);
    return (CgRect){left, top, MIN(image->width, x + half_x) - left,
                    MIN(image->height, y + half_y) - top};
}

static gboolean draw_source(const Nsa *n, CgRng *rng, CgRect *from)
{
    const int half_y = draw_half(rng, n->normal->height), half_x = draw_half(rng, n->normal->width);
    for (int i = 0; i < TRIES; i++) {
        *from = draw_around(n->source, half_x, half_y, rng);
        if (share(n->source_object, *from) > OBJECT_MIN)
            return TRUE;
    }
    return FALSE;
}

/* The piece's size in the picture: both sides by one factor as far as the limits let them. (In the
 * paper's code, half a side in the source and a whole one here have the same limits.) */
static void draw_size(const Nsa *n, CgRng *rng, Piece *p)
{
    const double low = n->object ? 0.7 : 0.5, high = n->object ? 1.3 : 2;
    const int w = n->normal->width, h = n->normal->height;
    const int least_w = MAX(3, half_min(w)), least_h = MAX(3, half_min(h));
    const double drawn = 1 + SCALE_SD * cg_rng_normal(rng), scale = CLAMP(drawn, low, high);
    const int height = clamp_int(scale * p->from.height, least_h, MAX(least_h, half_max(h)));
    p->to.width = clamp_int((double)height / p->from.height * p->from.width, least_w,
                            MAX(least_w, half_max(w)));
    p->to.height = clamp_int((double)p->to.width / p->from.width * p->from.height, least_h,
                             MAX(least_h, half_max(h)));
}

/* Share of the object in CUT (a piece's object) that lies on the object at (X, Y). */
static double overlap(const Nsa *n, const CgImage *cut, int x, int y)
{
    gsize both = 0, all = 0;
    for (int v = 0; cut && v < cut->height; v++)
        for (int u = 0; u < cut->width; u++) {
            const gboolean set = cut->pixels[(gsize)v * (gsize)cut->width + (gsize)u] != 0;
            const gsize at = (gsize)(y + v) * (gsize)n->normal->width + (gsize)(x + u);
            all += set;
            both += set && n->object->pixels[at];
        }
    return cut ? (double)both / (double)MAX(all, 1) : 1;
}

static gboolean draw_place(const Nsa *n, const CgImage *cut, CgRng *rng, CgRect *to)
{
    for (int i = 0; i < TRIES; i++) {
        to->y = cg_rng_int(rng, 1, n->normal->height - to->height - 1);
        to->x = cg_rng_int(rng, 1, n->normal->width - to->width - 1);
        if (overlap(n, cut, to->x, to->y) > OVERLAP_MIN)
            return TRUE;
    }
    return FALSE;
}

static guint8 to_byte(double v)
{
    return (guint8)CLAMP(v + 0.5, 0.0, 255.0);
}

/* The index of pixel (X, Y) of R's place in the picture. */
static gsize pixel(const Nsa *n, CgRect r, int x, int y)
{
    return (gsize)(r.y + y) * (gsize)n->normal->width + (gsize)(r.x + x);
}

/* PATCH with a membrane added that makes its frame the picture's. */
static void blend(const Nsa *n, const CgImage *patch, CgRect to)
{
    const gsize channels = (gsize)patch->channels, area = (gsize)to.width * (gsize)to.height;
    g_autofree float *shift = g_new0(float, channels *area);
    for (int y = 0; y < to.height; y++)
        for (int x = 0; x < to.width; x++) {
            const gsize i = (gsize)y * (gsize)to.width + (gsize)x, at = pixel(n, to, x, y);
            const gboolean frame = y == 0 || x == 0 || y == to.height - 1 || x == to.width - 1;
            for (gsize c = 0; frame && c < channels; c++)
                shift[c * area + i] =
                    (float)(n->made->pixels[at * channels + c] - patch->pixels[i * channels + c]);
        }
    cg_membrane_fill(shift, to.width, to.height, patch->channels);
    for (int y = 1; y < to.height - 1; y++)
        for (int x = 1; x < to.width - 1; x++) {
            const gsize i = (gsize)y * (gsize)to.width + (gsize)x, at = pixel(n, to, x, y);
            for (gsize c = 0; c < channels; c++)
                n->made->pixels[at * channels + c] =
                    to_byte((double)(patch->pixels[i * channels + c] + shift[c * area + i]));
        }
}

/* The stronger of two differences from a neighbour. */
static double stronger(double a, double b)
{
    return fabs(a) > fabs(b) ? a : b;
}

/* Of one channel: the picture's values in TO, and the differences that they shall have. */
static void mixed_source(const Nsa *n, const CgImage *patch, CgRect to, gsize c, double *values,
                         double *source)
{
    const gsize channels = (gsize)patch->channels, w = (gsize)to.width;
    const gsize neighbour[4] = {1, w, (gsize)-1, -w};
    for (int y = 0; y < to.height; y++)
        for (int x = 0; x < to.width; x++)
            values[(gsize)y * w + (gsize)x] = n->made->pixels[pixel(n, to, x, y) * channels + c];
    for (int y = 1; y < to.height - 1; y++)
        for (int x = 1; x < to.width - 1; x++) {
            const gsize i = (gsize)y * w + (gsize)x;
            source[i] = 0;
            for (int k = 0; k < 4; k++) {
                const gsize j = i + neighbour[k];
                source[i] += stronger((double)patch->pixels[i * channels + c] -
                                          patch->pixels[j * channels + c],
                                      values[i] - values[j]);
            }
        }
}

static void blend_mixed(const Nsa *n, const CgImage *patch, CgRect to)
{
    const gsize channels = (gsize)patch->channels, area = (gsize)to.width * (gsize)to.height;
    g_autofree guint8 *unknown = g_new0(guint8, area);
    g_autofree double *values = g_new(double, area);
    g_autofree double *source = g_new0(double, area);
    for (int y = 1; y < to.height - 1; y++)
        memset(unknown + (gsize)y * (gsize)to.width + 1, 1, (gsize)to.width - 2);
    g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, to.width, to.height);
    for (gsize c = 0; c < channels; c++) {
        mixed_source(n, patch, to, c, values, source);
        cg_membrane_solve_source(membrane, source, values);
        for (gsize i = 0; i < area; i++)
            if (unknown[i])
                n->made
                    ->pixels[pixel(n, to, (int)(i % (gsize)to.width), (int)(i / (gsize)to.width)) *
                                 channels +
                             c] = to_byte(values[i]);
    }
}

/* Marks what of the piece counts as anomalous if it changed. */
static void mark(Nsa *n, const CgImage *cut, CgRect to)
{
    n->left = MIN(n->left, to.x);
    n->top = MIN(n->top, to.y);
    n->right = MAX(n->right, to.x + to.width);
    n->bottom = MAX(n->bottom, to.y + to.height);
    for (int y = 0; y < to.height; y++)
        for (int x = 0; x < to.width; x++) {
            const gsize at = pixel(n, to, x, y), i = (gsize)y * (gsize)to.width + (gsize)x;
            if (!cut || cut->pixels[i] || n->object->pixels[at])
                n->inside[at] = 1;
        }
}

/* One piece more in N->made; FALSE when none was found. */
static gboolean add_piece(Nsa *n, CgRng *rng, json_t *pieces)
{
    Piece p;
    if (!draw_source(n, rng, &p.from))
        return FALSE;
    draw_size(n, rng, &p);
    g_autoptr(CgImage) cut = NULL;
    if (n->source_object) {
        g_autoptr(CgImage) part =
            cg_image_crop(n->source_object, p.from.x, p.from.y, p.from.width, p.from.height);
        cut = cg_image_resize_nearest(part, p.to.width, p.to.height);
    }
    if (!draw_place(n, cut, rng, &p.to))
        return FALSE;
    g_autoptr(CgImage) part =
        cg_image_crop(n->source, p.from.x, p.from.y, p.from.width, p.from.height);
    g_autoptr(CgImage) patch = cg_image_resize(part, p.to.width, p.to.height);
    if (n->mixed)
        blend_mixed(n, patch, p.to);
    else
        blend(n, patch, p.to);
    mark(n, cut, p.to);
    json_array_append_new(pieces, json_pack("{s:[i, i, i, i], s:[i, i, i, i]}", "source", p.from.x,
                                            p.from.y, p.from.width, p.from.height, "at", p.to.x,
                                            p.to.y, p.to.width, p.to.height));
    return TRUE;
}

/* OUT: 255 where the channels changed by more than the tolerance on average, inside of pieces. */
static void mark_changes(const Nsa *n, CgImage *out)
{
    const gsize channels = (gsize)n->normal->channels;
    for (int y = n->top; y < n->bottom; y++)
        for (int x = n->left; x < n->right; x++) {
            const gsize at = (gsize)y * (gsize)out->width + (gsize)x;
            const guint8 *a = n->made->pixels + at * channels;
            const guint8 *b = n->normal->pixels + at * channels;
            int sum = 0;
            for (gsize c = 0; n->inside[at] && c < channels; c++)
                sum += abs(a[c] - b[c]);
            out->pixels[at] = sum > TOLERANCE * (int)channels ? 255 : 0;
        }
}

/* The median of squares of MASK, its border pixels repeated, in OUT: what is set in most of them.
 * All that is set lies around the pieces. */
static void median(const Nsa *n, const CgImage *mask, CgImage *out)
{
    const int w = mask->width, h = mask->height, side = 2 * MEDIAN + 1;
    const int left = MAX(n->left - MEDIAN, 0), right = MIN(n->right + MEDIAN, w);
    const int bottom = MIN(n->bottom + MEDIAN, h);
    g_autofree guint8 *columns = g_malloc((gsize)w + 2 * MEDIAN); /* sums, border repeated */
    for (int y = MAX(n->top - MEDIAN, 0); y < bottom; y++) {
        memset(columns, 0, (gsize)w + 2 * MEDIAN);
        for (int v = y - MEDIAN; v <= y + MEDIAN; v++) {
            const guint8 *row = mask->pixels + (gsize)CLAMP(v, 0, h - 1) * (gsize)w;
            for (int x = left; x < right; x++)
                columns[x + MEDIAN] = (guint8)(columns[x + MEDIAN] + (row[x] & 1));
        }
        for (int k = 0; k < MEDIAN; k++) {
            columns[k] = columns[MEDIAN];
            columns[w + MEDIAN + k] = columns[w + MEDIAN - 1];
        }
        int sum = 0;
        for (int k = 0; k < side - 1; k++)
            sum += columns[left + k];
        for (int x = left; x < right; x++) {
            sum += columns[x + side - 1];
            out->pixels[(gsize)y * (gsize)w + (gsize)x] = 2 * sum > side * side ? 255 : 0;
            sum -= columns[x];
        }
    }
}

/* NORMAL's pixels in pieces where MASK is not set, or everywhere. */
static void put_back(const Nsa *n, const CgImage *mask)
{
    const gsize channels = (gsize)n->normal->channels;
    for (int y = n->top; y < n->bottom; y++)
        for (int x = n->left; x < n->right; x++) {
            const gsize at = (gsize)y * (gsize)n->normal->width + (gsize)x;
            for (gsize c = 0; (!mask || !mask->pixels[at]) && c < channels; c++)
                n->made->pixels[at * channels + c] = n->normal->pixels[at * channels + c];
        }
}

/* All pieces of a sample, and its mask; FALSE when that is empty. */
static gboolean make(Nsa *n, CgRng *rng, CgSynthesis *out)
{
    const int w = n->normal->width, h = n->normal->height;
    json_t *pieces = json_array();
    g_autoptr(CgImage) grainy = cg_image_new(w, h, 1);
    g_autoptr(CgImage) mask = cg_image_new(w, h, 1);
    n->left = w;
    n->top = h;
    n->right = n->bottom = 0;
    for (int i = 0; i < (n->object ? PIECES : PIECES_FREE); i++)
        if (i == 0 || cg_rng_int(rng, 0, 1))
            add_piece(n, rng, pieces);
    mark_changes(n, grainy);
    median(n, grainy, mask);
    if (memchr(mask->pixels, 255, (gsize)w * (gsize)h)) {
        put_back(n, mask);
        out->mask = g_steal_pointer(&mask);
        out->parameters =
            json_pack("{s:o, s:s}", "pieces", pieces, "blend", n->mixed ? "mixed" : "poisson");
        return TRUE;
    }
    put_back(n, NULL);
    memset(n->inside, 0, (gsize)w * (gsize)h);
    json_decref(pieces);
    return FALSE;
}

/* A picture of one colour: no piece of it shows. One is called anomalous all the same. */
static void give_up(const Nsa *n, CgRng *rng, CgSynthesis *out)
{
    const int half_x = half_min(n->normal->width), half_y = half_min(n->normal->height);
    const CgRect r = draw_around(n->normal, half_x, half_y, rng);
    out->mask = cg_image_new(n->normal->width, n->normal->height, 1);
    for (int y = 0; y < r.height; y++)
        memset(out->mask->pixels + pixel(n, r, 0, y), 255, (gsize)r.width);
    out->parameters = json_pack("{s:[]}", "pieces");
}

void cg_nsa(const CgImage *normal, const CgImage *object, const CgImage *source,
            const CgImage *source_object, gboolean mixed, CgRng *rng, CgSynthesis *out)
{
    g_autoptr(CgImage) same =
        normal->channels == 1 ? cg_image_to_grey(source) : cg_image_to_rgb(source);
    g_autofree guint8 *inside = g_malloc0((gsize)normal->width * (gsize)normal->height);
    Nsa n = {.normal = normal,
             .object = object,
             .source = same,
             .source_object = source_object,
             .mixed = mixed,
             .made = cg_image_copy(normal),
             .inside = inside};
    gboolean done = FALSE;
    g_assert(source->width == normal->width && source->height == normal->height);
    g_assert(!object == !source_object);
    for (int i = 0; i < ROUNDS && !done; i++)
        done = make(&n, rng, out);
    if (!done)
        give_up(&n, rng, out);
    out->image = n.made;
}
