#include "metrics/obedience.h"

#include "base/error.h"
#include "image/distance.h"

#include <math.h>

/* Squared difference of pixel I, mean over the channels; grey counts as three equal ones. */
static double pixel_difference(const CgImage *a, const CgImage *b, size_t i)
{
    double sum = 0;
    for (int c = 0; c < 3; c++) {
        const int x = a->pixels[a->channels == 3 ? 3 * i + (size_t)c : i];
        const int y = b->pixels[b->channels == 3 ? 3 * i + (size_t)c : i];
        sum += (double)((x - y) * (x - y));
    }
    return sum / 3;
}

static gboolean same_size(const CgImage *a, const CgImage *b)
{
    return a->width == b->width && a->height == b->height;
}

double cg_image_rms(const CgImage *a, const CgImage *b, const CgImage *mask)
{
    g_assert(same_size(a, b) && (!mask || (mask->channels == 1 && same_size(a, mask))));
    const size_t count = (size_t)a->width * (size_t)a->height;
    double sum = 0;
    size_t looked_at = 0;
    for (size_t i = 0; i < count; i++) {
        if (mask && !mask->pixels[i])
            continue;
        looked_at++;
        sum += pixel_difference(a, b, i);
    }
    return looked_at ? sqrt(sum / (double)looked_at) : 0;
}

/* What the pixels add up to. */
typedef struct {
    size_t mask, inside, outside;       /* pixels */
    size_t mask_changed;                /* pixels */
    double mask_sum, outside_sum;       /* of d^2 */
    double inside_energy, total_energy; /* of d^2 over changed pixels */
} Sums;

static Sums add_up(const CgImage *reference, const CgImage *mask, const CgImage *generated,
                   int margin, double threshold)
{
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    g_autofree guint32 *squares = g_new(guint32, count);
    cg_distance_squared(mask->pixels, mask->width, mask->height, squares);
    Sums s = {0};
    for (size_t i = 0; i < count; i++) {
        const double d = pixel_difference(reference, generated, i);
        const gboolean changed = d > threshold * threshold;
        const gboolean inside = squares[i] <= (guint32)(margin * margin);
        const double energy = changed ? d : 0;
        if (squares[i] == 0) {
            s.mask++;
            s.mask_sum += d;
            s.mask_changed += changed != 0;
        }
        if (inside) {
            s.inside++;
            s.inside_energy += energy;
        } else {
            s.outside++;
            s.outside_sum += d;
        }
        s.total_energy += energy;
    }
    return s;
}

gboolean cg_obedience_measure(const CgImage *reference, const CgImage *mask,
                              const CgImage *generated, int margin, double noise, CgObedience *out,
                              GError **error)
{
    g_assert(mask->channels == 1 && margin >= 0 && margin <= CG_IMAGE_MAX_SIDE && noise >= 0);
    if (!same_size(reference, mask) || !same_size(reference, generated)) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "mask obedience needs pictures of one size, but reference, mask and generated "
                    "are %dx%d, %dx%d and %dx%d",
                    reference->width, reference->height, mask->width, mask->height,
                    generated->width, generated->height);
        return FALSE;
    }
    const Sums s = add_up(reference, mask, generated, margin, MAX(3 * noise, CG_OBEDIENCE_VISIBLE));
    if (s.mask == 0 || s.outside == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "mask obedience needs an inside and an outside, but the mask %s",
                    s.mask == 0 ? "is empty" : "covers the whole picture");
        return FALSE;
    }
    const double inside_mean = s.mask_sum / (double)s.mask;
    const double outside_mean = s.outside_sum / (double)s.outside;
    out->area = (double)s.inside / (double)(s.inside + s.outside);
    out->coverage = (double)s.mask_changed / (double)s.mask;
    out->outside_rms = sqrt(outside_mean);
    out->ratio = inside_mean / outside_mean; /* 0 / 0: NaN, as said */
    out->share = s.total_energy > 0 ? s.inside_energy / s.total_energy : NAN;
    out->obedience = 0;
    if (s.total_energy > 0)
        out->obedience = MAX((out->share - out->area) / (1 - out->area), 0) *
                         MIN(out->coverage / CG_OBEDIENCE_ENOUGH, 1);
    return TRUE;
}

static int compare(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ratio(const CgObedience *values, guint count)
{
    g_autoptr(GArray) ratios = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < count; i++)
        if (!isnan(values[i].ratio))
            g_array_append_val(ratios, values[i].ratio);
    if (ratios->len == 0)
        return NAN;
    g_array_sort(ratios, compare);
    const double low = g_array_index(ratios, double, (ratios->len - 1) / 2);
    const double high = g_array_index(ratios, double, ratios->len / 2);
    return low == high ? low : (low + high) / 2; /* also where both are infinite */
}

CgObedienceSummary cg_obedience_summarise(const CgObedience *values, guint count, guint64 seed)
{
    g_autofree double *column = g_new(double, count + 1);
    CgObedienceSummary s = {.ratio = median_ratio(values, count)};
    for (guint i = 0; i < count; i++)
        column[i] = values[i].obedience;
    s.obedience = cg_mean_interval(column, count, seed);
    for (guint i = 0; i < count; i++)
        column[i] = values[i].share;
    s.share = cg_mean_interval(column, count, seed);
    for (guint i = 0; i < count; i++)
        column[i] = values[i].coverage;
    s.coverage = cg_mean_interval(column, count, seed);
    return s;
}
