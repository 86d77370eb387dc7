/* Whether change appears inside the mask and only there. */
#include "base/error.h"
#include "base/rng.h"
#include "metrics/obedience.h"

#include <math.h>
#include <string.h>

#define SIDE 64
#define LOW  24 /* the mask: a square of 16 x 16 pixels */
#define HIGH 40

static CgImage *flat(int channels, guint8 value)
{
    CgImage *image = cg_image_new(SIDE, SIDE, channels);
    memset(image->pixels, value, (gsize)(SIDE * SIDE * channels));
    return image;
}

static void fill(CgImage *image, int x, int y, int width, int height, guint8 value)
{
    for (int v = y; v < y + height; v++)
        memset(image->pixels + (v * SIDE + x) * image->channels, value,
               (gsize)(width * image->channels));
}

static CgImage *square_mask(void)
{
    CgImage *mask = flat(1, 0);
    fill(mask, LOW, LOW, HIGH - LOW, HIGH - LOW, 255);
    return mask;
}

static CgObedience measured(const CgImage *reference, const CgImage *generated, double noise)
{
    g_autoptr(CgImage) mask = square_mask();
    g_autoptr(GError) error = NULL;
    CgObedience o;
    cg_obedience_measure(reference, mask, generated, CG_OBEDIENCE_MARGIN, noise, &o, &error);
    g_assert_no_error(error);
    return o;
}

static void change_inside_alone_is_full_obedience(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) made = flat(3, 100);
    fill(made, LOW, LOW, 16, 16, 180);
    CgObedience o = measured(normal, made, 0);
    g_assert_cmpfloat(o.obedience, ==, 1);
    g_assert_cmpfloat(o.share, ==, 1);
    g_assert_cmpfloat(o.coverage, ==, 1);
    g_assert_cmpfloat(o.outside_rms, ==, 0);
    g_assert_true(isinf(o.ratio));
}

static void change_near_the_mask_is_within_the_margin(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) near = flat(3, 100);
    fill(near, LOW - 8, LOW, 24, 16, 180);
    g_assert_cmpfloat(measured(normal, near, 0).share, ==, 1);
    g_autoptr(CgImage) far = flat(3, 100);
    fill(far, LOW - 10, LOW, 26, 16, 180); /* two columns beyond it */
    g_assert_cmpfloat_with_epsilon(measured(normal, far, 0).share, 24.0 / 26.0, 1e-12);
}

static void no_change_is_no_obedience(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    CgObedience o = measured(normal, normal, 0);
    g_assert_cmpfloat(o.obedience, ==, 0);
    g_assert_cmpfloat(o.coverage, ==, 0);
    g_assert_true(isnan(o.share));
    g_assert_true(isnan(o.ratio));
}

static void change_everywhere_is_no_obedience(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) other = flat(3, 160);
    CgObedience o = measured(normal, other, 0);
    g_assert_cmpfloat_with_epsilon(o.obedience, 0, 1e-12);
    g_assert_cmpfloat_with_epsilon(o.share, o.area, 1e-12);
    g_assert_cmpfloat(o.ratio, ==, 1);
    g_assert_cmpfloat(o.outside_rms, ==, 60);
}

static void change_elsewhere_is_no_obedience(void)
{
    g_autoptr(CgImage) normal = flat(1, 100);
    g_autoptr(CgImage) made = flat(1, 100);
    fill(made, 0, 0, 10, 10, 0);
    CgObedience o = measured(normal, made, 0);
    g_assert_cmpfloat(o.obedience, ==, 0);
    g_assert_cmpfloat(o.share, ==, 0);
}

static void half_of_the_mask_is_enough(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) half = flat(3, 100);
    fill(half, LOW, LOW, 16, 8, 180);
    g_assert_cmpfloat(measured(normal, half, 0).obedience, ==, 1);
    g_autoptr(CgImage) eighth = flat(3, 100);
    fill(eighth, LOW, LOW, 16, 2, 180);
    CgObedience o = measured(normal, eighth, 0);
    g_assert_cmpfloat(o.coverage, ==, 0.125);
    g_assert_cmpfloat(o.obedience, ==, 0.25);
}

/* IMAGE with normal noise of DEVIATION added to each value. */
static void add_noise(CgImage *image, double deviation, guint64 stream)
{
    CgRng rng = cg_rng(7, stream);
    const size_t count = (size_t)(SIDE * SIDE * image->channels);
    for (size_t i = 0; i < count; i++)
        image->pixels[i] =
            (guint8)CLAMP(lrint(image->pixels[i] + deviation * cg_rng_normal(&rng)), 0, 255);
}

static void reconstruction_error_is_not_taken_for_change(void)
{
    g_autoptr(CgImage) normal = flat(3, 120);
    g_autoptr(CgImage) rebuilt = flat(3, 120);
    g_autoptr(CgImage) made = flat(3, 120);
    add_noise(rebuilt, 6, 1);
    fill(made, LOW, LOW, 16, 16, 190);
    add_noise(made, 6, 2);
    double noise = cg_image_rms(normal, rebuilt, NULL);
    g_assert_cmpfloat_with_epsilon(noise, 6, 0.1);
    /* Without being told about the noise much of it counts as change outside. */
    CgObedience told = measured(normal, made, noise), untold = measured(normal, made, 0);
    g_assert_cmpfloat(told.obedience, >, 0.99);
    g_assert_cmpfloat(untold.obedience, <, told.obedience - 0.02);
    /* And noise alone is no defect. */
    g_assert_cmpfloat(measured(normal, rebuilt, noise).coverage, <, 0.01);
    g_assert_cmpfloat(measured(normal, rebuilt, noise).obedience, <, 0.05);
}

static void grey_and_colour_go_together(void)
{
    g_autoptr(CgImage) grey = flat(1, 100);
    g_autoptr(CgImage) colour = flat(3, 100);
    fill(colour, LOW, LOW, 16, 16, 180);
    g_assert_cmpfloat(measured(grey, colour, 0).obedience, ==, 1);
    g_autoptr(CgImage) plain = flat(3, 103);
    g_assert_cmpfloat(cg_image_rms(grey, plain, NULL), ==, 3);
}

static void difference_is_taken_of_the_mask_alone(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) made = flat(3, 107);
    g_autoptr(CgImage) mask = flat(1, 0);
    fill(made, LOW, LOW, 16, 16, 120);
    g_assert_cmpfloat(cg_image_rms(normal, made, mask), ==, 0);
    fill(mask, LOW, LOW, 16, 16, 1);
    g_assert_cmpfloat(cg_image_rms(normal, made, mask), ==, 20);
}

static void masks_without_inside_or_outside_are_refused(void)
{
    g_autoptr(CgImage) normal = flat(3, 100);
    g_autoptr(CgImage) empty = flat(1, 0);
    g_autoptr(CgImage) full = flat(1, 255);
    g_autoptr(CgImage) small = cg_image_new(8, 9, 1);
    CgObedience o;
    const CgImage *masks[] = {empty, full, small};
    const char *parts[] = {"is empty", "covers the whole picture", "64x64, 8x9 and 64x64"};
    for (int i = 0; i < 3; i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(cg_obedience_measure(normal, masks[i], normal, 8, 0, &o, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
        g_assert_nonnull(strstr(error->message, parts[i]));
    }
}

static void summary_has_means_with_intervals(void)
{
    CgObedience values[40];
    for (int i = 0; i < 40; i++)
        values[i] = (CgObedience){
            .obedience = i % 2 ? 1 : 0.5, .share = i ? 0.9 : NAN, .coverage = 0.25, .ratio = i};
    CgObedienceSummary s = cg_obedience_summarise(values, 40, 1);
    g_assert_cmpfloat(s.obedience.mean, ==, 0.75);
    g_assert_cmpuint(s.share.count, ==, 39);
    g_assert_cmpfloat(s.coverage.low, ==, 0.25);
    g_assert_cmpfloat(s.coverage.high, ==, 0.25);
    g_assert_cmpfloat(s.ratio, ==, 19.5);
    /* Normal theory: 0.75 +- 1.96 * 0.25 / sqrt(40) = 0.6725..0.8275. */
    g_assert_cmpfloat_with_epsilon(s.obedience.low, 0.6725, 0.02);
    g_assert_cmpfloat_with_epsilon(s.obedience.high, 0.8275, 0.02);
    CgObedienceSummary again = cg_obedience_summarise(values, 40, 1);
    g_assert_cmpfloat(again.obedience.low, ==, s.obedience.low);
    CgObedienceSummary none = cg_obedience_summarise(values, 0, 1);
    g_assert_true(isnan(none.obedience.mean) && isnan(none.ratio));
    g_assert_cmpuint(none.obedience.count, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/obedience/" #name, name)
    TEST(change_inside_alone_is_full_obedience);
    TEST(change_near_the_mask_is_within_the_margin);
    TEST(no_change_is_no_obedience);
    TEST(change_everywhere_is_no_obedience);
    TEST(change_elsewhere_is_no_obedience);
    TEST(half_of_the_mask_is_enough);
    TEST(reconstruction_error_is_not_taken_for_change);
    TEST(grey_and_colour_go_together);
    TEST(difference_is_taken_of_the_mask_alone);
    TEST(masks_without_inside_or_outside_are_refused);
    TEST(summary_has_means_with_intervals);
    return g_test_run();
}
