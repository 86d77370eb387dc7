/* Pasting back, distances, the membrane and the window. */
#include "base/rng.h"
#include "base/system.h"
#include "image/distance.h"
#include "image/membrane.h"
#include "image/paste.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

static CgImage *random_image(int width, int height, int channels, uint64_t seed)
{
    CgImage *image = cg_image_new(width, height, channels);
    CgRng rng = cg_rng(seed, 1);
    for (int i = 0; i < width * height * channels; i++)
        image->pixels[i] = (guint8)cg_rng_int(&rng, 0, 255);
    return image;
}

static CgImage *flat_image(int width, int height, int channels, guint8 value)
{
    CgImage *image = cg_image_new(width, height, channels);
    memset(image->pixels, value, (gsize)(width * height * channels));
    return image;
}

static void draw_disc(CgImage *mask, double cx, double cy, double radius)
{
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++)
            if (hypot(x - cx, y - cy) <= radius)
                mask->pixels[y * mask->width + x] = 255;
}

static CgImage *disc(int width, int height, double cx, double cy, double radius)
{
    CgImage *mask = cg_image_new(width, height, 1);
    draw_disc(mask, cx, cy, radius);
    return mask;
}

/* Distance of (X, Y) to the mask, the slow way. */
static double slow_distance(const CgImage *mask, int x, int y)
{
    double best = INFINITY;
    for (int v = 0; v < mask->height; v++)
        for (int u = 0; u < mask->width; u++)
            if (mask->pixels[v * mask->width + u])
                best = MIN(best, hypot(u - x, v - y));
    return best;
}

static const guint8 *at(const CgImage *image, int x, int y)
{
    return image->pixels + (y * image->width + x) * image->channels;
}

static gboolean same_pixel(const CgImage *a, const CgImage *b, int x, int y)
{
    return memcmp(at(a, x, y), at(b, x, y), (gsize)a->channels) == 0;
}

static CgRect whole(const CgImage *image)
{
    return (CgRect){0, 0, image->width, image->height};
}

static void distances_are_exact(void)
{
    CgRng rng = cg_rng(4, 2);
    for (int round = 0; round < 60; round++) {
        int w = cg_rng_int(&rng, 1, 33), h = cg_rng_int(&rng, 1, 33);
        g_autoptr(CgImage) mask = cg_image_new(w, h, 1);
        for (int k = cg_rng_int(&rng, 0, 6); k > 0; k--)
            mask->pixels[cg_rng_int(&rng, 0, w * h - 1)] = 1;
        g_autofree guint32 *got = g_new(guint32, (gsize)(w * h));
        cg_distance_squared(mask->pixels, w, h, got);
        for (int i = 0; i < w * h; i++) {
            double want = slow_distance(mask, i % w, i / w);
            if (isinf(want))
                g_assert_cmpuint(got[i], ==, CG_DISTANCE_FAR);
            else
                g_assert_cmpuint(got[i], ==, (guint32)lrint(want * want));
        }
    }
}

/* Laplace's equation by very many plain sweeps. */
static void relax(const guint8 *unknown, int w, int h, double *v)
{
    for (int sweep = 0; sweep < 20000; sweep++)
        for (int i = 0; i < w * h; i++) {
            if (!unknown[i])
                continue;
            int x = i % w, y = i / w, n = 0;
            double sum = 0;
            if (x > 0)
                sum += v[i - 1], n++;
            if (x + 1 < w)
                sum += v[i + 1], n++;
            if (y > 0)
                sum += v[i - w], n++;
            if (y + 1 < h)
                sum += v[i + w], n++;
            v[i] = sum / n;
        }
}

static void membranes_equal_plain_relaxation(void)
{
    CgRng rng = cg_rng(5, 2);
    for (int round = 0; round < 12; round++) {
        int w = cg_rng_int(&rng, 1, 24), h = cg_rng_int(&rng, 2, 24);
        guint8 unknown[24 * 24];
        double slow[24 * 24], fast[24 * 24];
        for (int i = 0; i < w * h; i++) {
            gboolean chosen = cg_rng_uniform(&rng, 0, 1) < 0.3 + 0.05 * round;
            unknown[i] = i > 0 && (chosen || i == w * h - 1); /* at least one of either */
            slow[i] = fast[i] = cg_rng_uniform(&rng, -255, 255);
        }
        for (int i = 0; i < w * h; i++) /* a start, not an answer */
            slow[i] = unknown[i] ? 0 : slow[i];
        relax(unknown, w, h, slow);
        g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, w, h);
        cg_membrane_solve(membrane, fast);
        for (int i = 0; i < w * h; i++)
            g_assert_cmpfloat_with_epsilon(fast[i], slow[i], 0.01);
    }
}

static void filled_rectangles_equal_membranes(void)
{
    enum { LONGEST = 61 };
    CgRng rng = cg_rng(6, 2);
    for (int round = 0; round < 12; round++) {
        const int w = cg_rng_int(&rng, 3, LONGEST), h = cg_rng_int(&rng, 3, LONGEST);
        guint8 unknown[LONGEST * LONGEST] = {0};
        double slow[LONGEST * LONGEST];
        float fast[2 * LONGEST * LONGEST];
        for (int i = 0; i < w * h; i++) {
            unknown[i] = i % w > 0 && i % w < w - 1 && i / w > 0 && i / w < h - 1;
            slow[i] = cg_rng_uniform(&rng, -255, 255);
            fast[i] = (float)slow[i];
            fast[w * h + i] = (float)-slow[i];
        }
        g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, w, h);
        cg_membrane_solve(membrane, slow);
        cg_membrane_fill(fast, w, h, 2);
        for (int i = 0; i < w * h; i++) {
            g_assert_cmpfloat_with_epsilon((double)fast[i], slow[i], 0.01);
            g_assert_cmpfloat_with_epsilon((double)fast[w * h + i], -slow[i], 0.01);
        }
    }
}

/* The values asked for have the source that their own differences add up to. */
static void a_source_is_what_differences_add_up_to(void)
{
    enum { N = 20 };
    guint8 unknown[N * N];
    double wanted[N * N], source[N * N] = {0}, found[N * N];
    CgRng rng = cg_rng(7, 2);
    for (int i = 0; i < N * N; i++) {
        unknown[i] = i % N > 0 && i % N < N - 1 && i / N > 0 && i / N < N - 1;
        wanted[i] = cg_rng_uniform(&rng, 0, 255);
        found[i] = unknown[i] ? 0 : wanted[i];
    }
    for (int i = 0; i < N * N; i++)
        if (unknown[i])
            source[i] =
                4 * wanted[i] - wanted[i - 1] - wanted[i + 1] - wanted[i - N] - wanted[i + N];
    g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, N, N);
    cg_membrane_solve_source(membrane, source, found);
    for (int i = 0; i < N * N; i++)
        g_assert_cmpfloat_with_epsilon(found[i], wanted[i], 0.01);
}

static void membranes_converge_in_few_iterations_whatever_the_shape(void)
{
    enum { N = 300 };
    g_autofree guint8 *unknown = g_new(guint8, N * N);
    g_autofree double *values = g_new(double, N *N);
    for (int shape = 0; shape < 4; shape++) {
        for (int i = 0; i < N * N; i++) {
            int x = i % N, y = i / N;
            switch (shape) {
            case 0: /* a square, the boundary all around */
                unknown[i] = x > 0 && y > 0 && x < N - 1 && y < N - 1;
                break;
            case 1: /* all but one pixel */
                unknown[i] = i != N * 7 + 5;
                break;
            case 2: /* a winding scratch */
                unknown[i] = fabs(y - N / 2 - 100 * sin(x * 0.05)) < 2;
                break;
            default: /* a comb of thin teeth */
                unknown[i] = x % 3 != 0 || y < 4;
            }
            values[i] = unknown[i] ? 0 : (x * 7919 + y * 104729) % 511 - 255;
        }
        g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, N, N);
        g_assert_cmpint(cg_membrane_solve(membrane, values), <=, 40);
        for (int i = 0; i < N * N; i++) { /* no value leaves the range of the boundary */
            g_assert_cmpfloat(values[i], <=, 255.01);
            g_assert_cmpfloat(values[i], >=, -255.01);
        }
    }
}

/* Every mode but off leaves all pixels further than BAND from the mask alone. */
static void assert_untouched(const CgImage *source, const CgImage *result, const CgImage *mask,
                             double band)
{
    g_assert_cmpint(result->width, ==, source->width);
    g_assert_cmpint(result->height, ==, source->height);
    g_assert_cmpint(result->channels, ==, source->channels);
    for (int y = 0; y < source->height; y++)
        for (int x = 0; x < source->width; x++)
            if (!same_pixel(source, result, x, y))
                g_assert_cmpfloat(slow_distance(mask, x, y), <=, band);
}

static void pixels_outside_stay_identical(void)
{
    const CgPasteMode modes[] = {CG_PASTE_EXACT, CG_PASTE_FEATHER, CG_PASTE_POISSON};
    for (int channels = 1; channels <= 3; channels += 2)
        for (gsize m = 0; m < G_N_ELEMENTS(modes); m++) {
            g_autoptr(CgImage) source = random_image(61, 47, channels, 1);
            g_autoptr(CgImage) generated = random_image(40, 40, 3, 2);
            g_autoptr(CgImage) mask = disc(61, 47, 30, 20, 6.5);
            draw_disc(mask, 18, 12, 2); /* two spots */
            int band = modes[m] == CG_PASTE_EXACT ? 0 : 5;
            g_autoptr(CgImage) result =
                cg_paste(source, generated, mask, (CgRect){9, 3, 40, 40}, modes[m], band);
            assert_untouched(source, result, mask, band);
            g_assert_true(memcmp(result->pixels, source->pixels, (gsize)(61 * 47 * channels)) != 0);
        }
}

static void exact_takes_every_mask_pixel_from_the_generated_one(void)
{
    g_autoptr(CgImage) source = random_image(61, 47, 3, 1);
    g_autoptr(CgImage) generated = random_image(40, 40, 3, 2);
    g_autoptr(CgImage) mask = disc(61, 47, 30, 20, 6.5);
    g_autoptr(CgImage) result =
        cg_paste(source, generated, mask, (CgRect){9, 3, 40, 40}, CG_PASTE_EXACT, 0);
    for (int y = 0; y < 47; y++)
        for (int x = 0; x < 61; x++)
            if (*at(mask, x, y))
                g_assert_cmpmem(at(result, x, y), 3, at(generated, x - 9, y - 3), 3);
}

static void exact_with_a_full_mask_is_the_generated_picture(void)
{
    g_autoptr(CgImage) source = random_image(30, 20, 3, 1);
    g_autoptr(CgImage) generated = random_image(30, 20, 3, 2);
    g_autoptr(CgImage) mask = flat_image(30, 20, 1, 255);
    g_autoptr(CgImage) result = cg_paste(source, generated, mask, whole(source), CG_PASTE_EXACT, 0);
    g_assert_cmpmem(result->pixels, 1800, generated->pixels, 1800);
}

static void an_empty_mask_changes_nothing(void)
{
    g_autoptr(CgImage) source = random_image(30, 20, 3, 1);
    g_autoptr(CgImage) generated = random_image(30, 20, 3, 2);
    g_autoptr(CgImage) mask = cg_image_new(30, 20, 1);
    for (CgPasteMode mode = CG_PASTE_EXACT; mode <= CG_PASTE_POISSON; mode++) {
        g_autoptr(CgImage) result =
            cg_paste(source, generated, mask, whole(source), mode, G_MAXINT / 2);
        g_assert_cmpmem(result->pixels, 1800, source->pixels, 1800);
    }
}

static void off_puts_the_whole_window(void)
{
    g_autoptr(CgImage) source = random_image(30, 20, 1, 1);
    g_autoptr(CgImage) generated = random_image(9, 7, 3, 2);
    g_autoptr(CgImage) mask = cg_image_new(30, 20, 1);
    CgRect window = {21, 13, 9, 7};
    g_autoptr(CgImage) result = cg_paste(source, generated, mask, window, CG_PASTE_OFF, 0);
    g_autoptr(CgImage) grey = cg_image_to_grey(generated);
    for (int y = 0; y < 20; y++)
        for (int x = 0; x < 30; x++)
            g_assert_cmpint(*at(result, x, y), ==,
                            x >= 21 && y >= 13 ? *at(grey, x - 21, y - 13) : *at(source, x, y));
}

static void feather_falls_linearly_with_distance(void)
{
    enum { BAND = 8 };
    g_autoptr(CgImage) source = flat_image(64, 64, 1, 0);
    g_autoptr(CgImage) generated = flat_image(64, 64, 3, 240);
    g_autoptr(CgImage) mask = disc(64, 64, 31, 33, 9);
    g_autoptr(CgImage) result =
        cg_paste(source, generated, mask, whole(source), CG_PASTE_FEATHER, BAND);
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++) {
            double d = slow_distance(mask, x, y);
            double want = 240 * MAX(0, 1 - d / BAND);
            g_assert_cmpfloat_with_epsilon(*at(result, x, y), want, 0.51);
        }
    for (int x = 32; x < 64; x++) /* monotone along a ray */
        g_assert_cmpint(*at(result, x, 33), <=, *at(result, x - 1, 33));
}

static void feather_of_band_0_and_1_is_exact(void)
{
    g_autoptr(CgImage) source = random_image(30, 20, 3, 1);
    g_autoptr(CgImage) generated = random_image(30, 20, 3, 2);
    g_autoptr(CgImage) mask = disc(30, 20, 12, 9, 4);
    g_autoptr(CgImage) want = cg_paste(source, generated, mask, whole(source), CG_PASTE_EXACT, 0);
    for (int band = 0; band < 2; band++) {
        g_autoptr(CgImage) got =
            cg_paste(source, generated, mask, whole(source), CG_PASTE_FEATHER, band);
        g_assert_cmpmem(got->pixels, 1800, want->pixels, 1800);
    }
}

/* A generated picture that is the source in another light has the source's gradients. */
static void poisson_removes_a_constant_offset(void)
{
    g_autoptr(CgImage) source = cg_image_new(70, 50, 3);
    g_autoptr(CgImage) generated = cg_image_new(70, 50, 3);
    for (int i = 0; i < 70 * 50 * 3; i++) {
        source->pixels[i] = (guint8)(60 + (i * 37) % 90);
        generated->pixels[i] = (guint8)(source->pixels[i] + 20 * (i % 3 + 1));
    }
    static const double centres[][3] = {{35, 25, 12}, {0, 0, 15}, {69, 20, 9}, {35, 25, 34}};
    for (gsize i = 0; i < G_N_ELEMENTS(centres); i++) {
        g_autoptr(CgImage) mask = disc(70, 50, centres[i][0], centres[i][1], centres[i][2]);
        g_autoptr(CgImage) result =
            cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 3);
        g_assert_cmpmem(result->pixels, 70 * 50 * 3, source->pixels, 70 * 50 * 3);
    }
}

static void poisson_keeps_the_gradients_inside_and_meets_the_boundary(void)
{
    g_autoptr(CgImage) source = flat_image(80, 80, 1, 100);
    g_autoptr(CgImage) generated = flat_image(80, 80, 3, 30);
    g_autoptr(CgImage) spot = disc(80, 80, 40, 40, 5); /* a defect 40 brighter */
    for (int i = 0; i < 80 * 80; i++)
        if (spot->pixels[i])
            memset(generated->pixels + 3 * i, 70, 3);
    g_autoptr(CgImage) mask = disc(80, 80, 40, 40, 15);
    g_autoptr(CgImage) result =
        cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 2);
    for (int i = 0; i < 80 * 80; i++)
        g_assert_cmpint(result->pixels[i], ==, spot->pixels[i] ? 140 : 100);
}

static void poisson_with_slanted_light_leaves_no_step(void)
{
    g_autoptr(CgImage) source = cg_image_new(96, 96, 1);
    for (int i = 0; i < 96 * 96; i++)
        source->pixels[i] = (guint8)(50 + i % 96 + (i / 96) / 2);
    g_autoptr(CgImage) generated = flat_image(96, 96, 3, 200);
    g_autoptr(CgImage) mask = disc(96, 96, 50, 45, 25);
    g_autoptr(CgImage) result =
        cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 4);
    /* No gradients of its own: the membrane through a plane is the plane. */
    for (int i = 0; i < 96 * 96; i++)
        g_assert_cmpint(ABS(result->pixels[i] - source->pixels[i]), <=, 1);
}

static void poisson_with_a_full_mask_takes_the_mean_of_the_source(void)
{
    g_autoptr(CgImage) source = random_image(24, 18, 3, 1);
    g_autoptr(CgImage) generated = cg_image_new(24, 18, 3);
    for (int i = 0; i < 24 * 18 * 3; i++)
        generated->pixels[i] = (guint8)(source->pixels[i] / 4 + 60);
    g_autoptr(CgImage) mask = flat_image(24, 18, 1, 255);
    g_autoptr(CgImage) result =
        cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 8);
    for (int c = 0; c < 3; c++) {
        double of_source = 0, of_result = 0;
        int shift = result->pixels[c] - generated->pixels[c];
        for (int i = c; i < 24 * 18 * 3; i += 3) {
            of_source += source->pixels[i];
            of_result += result->pixels[i];
            g_assert_cmpint(result->pixels[i] - generated->pixels[i], ==, shift);
        }
        g_assert_cmpfloat_with_epsilon(of_source / 432, of_result / 432, 0.51);
    }
}

static void poisson_does_not_depend_on_threads(void)
{
    g_autoptr(CgImage) source = random_image(200, 180, 3, 1);
    g_autoptr(CgImage) generated = random_image(200, 180, 3, 2);
    g_autoptr(CgImage) mask = disc(200, 180, 90, 80, 70);
    cg_threads_set(1);
    g_autoptr(CgImage) one = cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 5);
    cg_threads_set(4);
    g_autoptr(CgImage) four = cg_paste(source, generated, mask, whole(source), CG_PASTE_POISSON, 5);
    cg_threads_set(0);
    g_assert_cmpmem(one->pixels, 200 * 180 * 3, four->pixels, 200 * 180 * 3);
}

static void masks_past_the_window_do_no_harm(void)
{
    g_autoptr(CgImage) source = random_image(61, 47, 3, 1);
    g_autoptr(CgImage) generated = random_image(20, 20, 3, 2);
    g_autoptr(CgImage) mask = disc(61, 47, 20, 20, 14);
    CgRect window = {20, 15, 20, 20};
    for (CgPasteMode mode = CG_PASTE_EXACT; mode <= CG_PASTE_OFF; mode++) {
        g_autoptr(CgImage) result = cg_paste(source, generated, mask, window, mode, 6);
        for (int y = 0; y < 47; y++)
            for (int x = 0; x < 61; x++)
                if (x < 20 || y < 15 || x >= 40 || y >= 35)
                    g_assert_true(same_pixel(source, result, x, y));
    }
}

static void single_pixels_can_be_pasted(void)
{
    for (int set = 0; set < 2; set++)
        for (CgPasteMode mode = CG_PASTE_EXACT; mode <= CG_PASTE_OFF; mode++) {
            g_autoptr(CgImage) source = flat_image(1, 1, 3, 10);
            g_autoptr(CgImage) generated = flat_image(1, 1, 3, 99);
            g_autoptr(CgImage) mask = flat_image(1, 1, 1, set ? 255 : 0);
            g_autoptr(CgImage) result =
                cg_paste(source, generated, mask, (CgRect){0, 0, 1, 1}, mode, 4);
            gboolean kept = mode != CG_PASTE_OFF && (!set || mode == CG_PASTE_POISSON);
            g_assert_cmpint(result->pixels[0], ==, kept ? 10 : 99);
        }
}

static void modes_have_names(void)
{
    for (CgPasteMode mode = CG_PASTE_EXACT; mode <= CG_PASTE_OFF; mode++) {
        CgPasteMode parsed;
        g_assert_true(cg_paste_mode_parse(cg_paste_mode_name(mode), &parsed));
        g_assert_cmpint(parsed, ==, mode);
    }
    CgPasteMode untouched = CG_PASTE_OFF;
    g_assert_false(cg_paste_mode_parse("Exact", &untouched));
    g_assert_cmpint(untouched, ==, CG_PASTE_OFF);
}

static void bounds_and_area_count_set_pixels(void)
{
    g_autoptr(CgImage) mask = cg_image_new(20, 10, 1);
    CgRect b;
    g_assert_false(cg_mask_bounds(mask, &b));
    g_assert_cmpfloat(cg_mask_area(mask), ==, 0.0);
    mask->pixels[3 * 20 + 7] = 1;
    mask->pixels[8 * 20 + 4] = 255;
    g_assert_true(cg_mask_bounds(mask, &b));
    g_assert_cmpint(b.x, ==, 4);
    g_assert_cmpint(b.y, ==, 3);
    g_assert_cmpint(b.width, ==, 4);
    g_assert_cmpint(b.height, ==, 6);
    g_assert_cmpfloat(cg_mask_area(mask), ==, 0.01);
}

static void set_rect(CgImage *mask, CgRect r)
{
    for (int y = r.y; y < r.y + r.height; y++)
        memset(mask->pixels + y * mask->width + r.x, 255, (gsize)r.width);
}

static gboolean holds(CgRect outer, CgRect inner)
{
    return inner.x >= outer.x && inner.y >= outer.y &&
           inner.x + inner.width <= outer.x + outer.width &&
           inner.y + inner.height <= outer.y + outer.height;
}

static void windows_hold_the_mask_and_lie_inside(void)
{
    CgRng rng = cg_rng(6, 2);
    for (int round = 0; round < 500; round++) {
        int w = cg_rng_int(&rng, 1, 120), h = cg_rng_int(&rng, 1, 120);
        int model = cg_rng_int(&rng, 1, 100);
        g_autoptr(CgImage) mask = cg_image_new(w, h, 1);
        CgRect b = {cg_rng_int(&rng, 0, w - 1), cg_rng_int(&rng, 0, h - 1), 1, 1};
        b.width = cg_rng_int(&rng, 1, w - b.x);
        b.height = cg_rng_int(&rng, 1, h - b.y);
        set_rect(mask, b);
        CgRect got = cg_window_around_mask(mask, model);
        int extent = MAX(b.width, b.height), shorter = MIN(w, h);
        g_assert_true(holds((CgRect){0, 0, w, h}, got));
        g_assert_true(holds(got, b));
        g_assert_cmpint(MAX(got.width, got.height), >=, MIN(model, shorter));
        if (extent <= shorter)
            g_assert_cmpint(got.width, ==, got.height);
        else /* as wide as the picture, as long as needed */
            g_assert_cmpint(MIN(got.width, got.height), ==, shorter);
    }
}

static void windows_of_common_cases(void)
{
    static const struct {
        int width, height, model;
        CgRect mask, want;
    } cases[] = {
        /* A small defect in a large picture: the model's own size around it. */
        {1024, 1024, 512, {500, 400, 20, 20}, {254, 154, 512, 512}},
        /* In the corner the window moves inside. */
        {1024, 1024, 512, {0, 1014, 10, 10}, {0, 512, 512, 512}},
        /* A large defect: a quarter of its extent on each side. */
        {2000, 2000, 512, {600, 800, 800, 400}, {400, 400, 1200, 1200}},
        /* A picture smaller than the model: all of it. */
        {300, 300, 512, {10, 10, 5, 5}, {0, 0, 300, 300}},
        /* A long picture: a square as wide as it is. */
        {500, 1250, 512, {200, 600, 40, 60}, {0, 380, 500, 500}},
        /* A scratch longer than the picture is wide: no square can hold it. */
        {500, 1250, 512, {200, 200, 10, 800}, {0, 0, 500, 1200}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CgImage) mask = cg_image_new(cases[i].width, cases[i].height, 1);
        set_rect(mask, cases[i].mask);
        CgRect got = cg_window_around_mask(mask, cases[i].model);
        g_assert_cmpmem(&got, sizeof got, &cases[i].want, sizeof got);
    }
}

static void the_window_of_an_empty_mask_is_the_centre(void)
{
    g_autoptr(CgImage) mask = cg_image_new(1000, 600, 1);
    CgRect got = cg_window_around_mask(mask, 512), want = {244, 44, 512, 512};
    g_assert_cmpint(ABS(got.x - want.x), <=, 1);
    g_assert_cmpint(ABS(got.y - want.y), <=, 1);
    g_assert_cmpint(got.width, ==, 512);
    g_assert_cmpint(got.height, ==, 512);
}

/* A real photograph and its real mask, the generated window being the photograph in other light. */
static void a_real_photograph_keeps_its_other_pixels(void)
{
    const char *data = test_data_or_skip();
    if (!data)
        return;
    g_autofree char *image = g_build_filename(data, "mvtec-subset/leather/test/cut/000.png", NULL);
    g_autofree char *label =
        g_build_filename(data, "mvtec-subset/leather/ground_truth/cut/000_mask.png", NULL);
    g_autoptr(CgImage) source = cg_image_load(image, NULL, NULL);
    g_autoptr(CgImage) mask = cg_image_load_mask(label, NULL);
    g_assert_true(source && mask);
    CgRect window = cg_window_around_mask(mask, 512);
    g_autoptr(CgImage) generated =
        cg_image_crop(source, window.x, window.y, window.width, window.height);
    for (int i = 0; i < window.width * window.height * 3; i++)
        generated->pixels[i] = (guint8)(generated->pixels[i] / 2 + 80);
    for (CgPasteMode mode = CG_PASTE_EXACT; mode <= CG_PASTE_POISSON; mode++) {
        int band = mode == CG_PASTE_EXACT ? 0 : 8, inside = 0;
        g_autoptr(CgImage) result = cg_paste(source, generated, mask, window, mode, band);
        g_autofree guint32 *d2 = g_new(guint32, (gsize)(mask->width * mask->height));
        cg_distance_squared(mask->pixels, mask->width, mask->height, d2);
        for (int y = 0; y < source->height; y++)
            for (int x = 0; x < source->width; x++) {
                guint32 d = d2[y * source->width + x];
                if (d > (guint32)(band * band))
                    g_assert_true(same_pixel(source, result, x, y));
                else
                    inside += !same_pixel(source, result, x, y);
            }
        g_assert_cmpint(inside, >, 100);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/paste/" #name, name)
    TEST(distances_are_exact);
    TEST(membranes_equal_plain_relaxation);
    TEST(filled_rectangles_equal_membranes);
    TEST(a_source_is_what_differences_add_up_to);
    TEST(membranes_converge_in_few_iterations_whatever_the_shape);
    TEST(pixels_outside_stay_identical);
    TEST(exact_takes_every_mask_pixel_from_the_generated_one);
    TEST(exact_with_a_full_mask_is_the_generated_picture);
    TEST(an_empty_mask_changes_nothing);
    TEST(off_puts_the_whole_window);
    TEST(feather_falls_linearly_with_distance);
    TEST(feather_of_band_0_and_1_is_exact);
    TEST(poisson_removes_a_constant_offset);
    TEST(poisson_keeps_the_gradients_inside_and_meets_the_boundary);
    TEST(poisson_with_slanted_light_leaves_no_step);
    TEST(poisson_with_a_full_mask_takes_the_mean_of_the_source);
    TEST(poisson_does_not_depend_on_threads);
    TEST(masks_past_the_window_do_no_harm);
    TEST(single_pixels_can_be_pasted);
    TEST(modes_have_names);
    TEST(bounds_and_area_count_set_pixels);
    TEST(windows_hold_the_mask_and_lie_inside);
    TEST(windows_of_common_cases);
    TEST(the_window_of_an_empty_mask_is_the_centre);
    TEST(a_real_photograph_keeps_its_other_pixels);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
