/* Perlin noise and masks: the reference's values, and the statistics of DRAEM's masks. */
#include "synthesis/perlin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_values(const float *found, const double *expected, int count)
{
    for (int i = 0; i < count; i++)
        g_assert_cmpfloat_with_epsilon((double)found[i], expected[i], 6e-7);
}

/* Angle (3 i + 5 j) mod 8 eighths of a turn at lattice point (i, j). */
static float *field_of(int width, int height, int cells_x, int cells_y)
{
    g_autofree double *angles = g_new(double, (cells_x + 1) * (cells_y + 1));
    for (int i = 0; i <= cells_y; i++)
        for (int j = 0; j <= cells_x; j++)
            angles[i * (cells_x + 1) + j] = 2 * G_PI * ((3 * i + 5 * j) % 8) / 8;
    float *field = g_new(float, width *height);
    cg_perlin_field(width, height, cells_x, cells_y, angles, field);
    return field;
}

static void field_equals_the_reference(void)
{
    /* clang-format off */
    static const double expected[64] = {
         0.000000,  0.077637,  0.250000,  0.224121,  0.000000, -0.333916, -0.603553, -0.394592,
         0.394592,  0.411980,  0.280338, -0.049546, -0.333916, -0.582628, -0.643337, -0.295511,
         0.603553,  0.629478,  0.250000, -0.327720, -0.603553, -0.643337, -0.353553,  0.076409,
         0.333916,  0.467462,  0.219662, -0.226380, -0.394592, -0.295511,  0.076409,  0.320149,
         0.000000,  0.224121,  0.250000,  0.077637,  0.000000,  0.077637,  0.250000,  0.224121,
        -0.224121,  0.000000,  0.246879,  0.365580,  0.394592,  0.411980,  0.280338, -0.049546,
        -0.250000, -0.246879,  0.000000,  0.387058,  0.603553,  0.629478,  0.250000, -0.327720,
        -0.077637, -0.365580, -0.387058,  0.000000,  0.333916,  0.467462,  0.219662, -0.226380,
    };
    /* clang-format on */
    g_autofree float *field = field_of(8, 8, 2, 2);
    assert_values(field, expected, 64);
}

static void cells_may_be_narrow(void)
{
    static const double rows[2][8] = {
        {0.394592, 0.280338, -0.333916, -0.643337, 0.077637, 0.629478, 0.224121, -0.246879},
        {0.603553, 0.250000, -0.603553, -0.353553, 0.250000, 0.250000, 0.250000, 0.000000},
    };
    g_autofree float *field = field_of(8, 4, 4, 1);
    assert_values(field + 8, rows[0], 8);
    assert_values(field + 16, rows[1], 8);
}

static void sizes_need_not_be_multiples_of_the_cells(void)
{
    /* Every third pixel of a field three times as large, which is a multiple. */
    g_autofree float *small = field_of(7, 5, 3, 3);
    g_autofree float *large = field_of(21, 15, 3, 3);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 7; j++)
            g_assert_cmpfloat_with_epsilon((double)small[i * 7 + j],
                                           (double)large[3 * i * 21 + 3 * j], 1e-6);
}

static void more_cells_than_pixels_do_no_harm(void)
{
    g_autofree float *field = field_of(3, 2, 8, 8);
    for (int i = 0; i < 6; i++)
        g_assert_true(fabsf(field[i]) < 1);
}

static void rotation_by_quarters_moves_pixels(void)
{
    static const float in[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const double right[9] = {7, 4, 1, 8, 5, 2, 9, 6, 3};
    static const double left[9] = {3, 6, 9, 2, 5, 8, 1, 4, 7};
    float out[9];
    cg_perlin_rotate(in, 3, 3, 90, out);
    assert_values(out, right, 9);
    cg_perlin_rotate(in, 3, 3, -90, out);
    assert_values(out, left, 9);
}

static void rotation_fades_to_zero_at_the_border(void)
{
    /* Turned by 45 degrees the corner (0, 0) comes from (1 - sqrt(2), 1): 0.414 pixels outside. */
    static const float in[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float out[9];
    cg_perlin_rotate(in, 3, 3, 45, out);
    g_assert_cmpfloat_with_epsilon((double)out[0], 2 - G_SQRT2, 1e-6);
    g_assert_cmpfloat_with_epsilon((double)out[4], 1, 1e-6);

    static float wide[64 * 4];
    float turned[64 * 4];
    for (int i = 0; i < 64 * 4; i++)
        wide[i] = 1;
    cg_perlin_rotate(wide, 64, 4, 90, turned);
    g_assert_true(turned[0] == 0 && turned[63] == 0);
}

static void masks_follow_from_seed_and_stream(void)
{
    CgRng a = cg_rng(1, CG_STREAM(CG_STREAM_MASK, 7)), b = a;
    CgRng other = cg_rng(1, CG_STREAM(CG_STREAM_MASK, 8));
    g_autoptr(CgImage) first = cg_perlin_mask(&CG_PERLIN_DRAEM, &a, 64, 48);
    g_autoptr(CgImage) again = cg_perlin_mask(&CG_PERLIN_DRAEM, &b, 64, 48);
    g_autoptr(CgImage) third = cg_perlin_mask(&CG_PERLIN_DRAEM, &other, 64, 48);
    g_assert_cmpint(first->channels, ==, 1);
    g_assert_cmpmem(first->pixels, 64 * 48, again->pixels, 64 * 48);
    g_assert_true(memcmp(first->pixels, third->pixels, 64 * 48) != 0);
    g_assert_cmpuint(a.next, ==, b.next);
}

static void size_does_not_change_the_draw(void)
{
    CgRng a = cg_rng(5, 0), b = a;
    float small[32 * 32], large[64 * 64];
    cg_perlin_noise(&CG_PERLIN_DRAEM, &a, 32, 32, small);
    cg_perlin_noise(&CG_PERLIN_DRAEM, &b, 64, 64, large);
    g_assert_cmpuint(a.next, ==, b.next);
}

static void soft_masks_cross_128_where_hard_ones_begin(void)
{
    CgRng a = cg_rng(2, 3), b = a;
    CgPerlin perlin = CG_PERLIN_DRAEM;
    perlin.threshold = 0.1;
    perlin.exponent_high = 2;
    g_autoptr(CgImage) hard = cg_perlin_mask(&perlin, &a, 96, 96);
    g_autoptr(CgImage) soft = cg_perlin_soft_mask(&perlin, &b, 96, 96, 0.2);
    int between = 0;
    for (int i = 0; i < 96 * 96; i++) {
        g_assert_cmpint(soft->pixels[i] >= 128, ==, hard->pixels[i] == 255);
        between += soft->pixels[i] > 0 && soft->pixels[i] < 255;
    }
    g_assert_cmpint(between, >, 100);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Against 20,000 draws of another implementation. CAGEN_PERLIN_DRAWS=20000 in the environment
 * draws as many here; the limits shrink with the sampling error of both. */
static void masks_have_the_statistics_of_draem(void)
{
    static const struct {
        double share, area; /* the share of all draws with less area, in per cent */
    } quantiles[] = {{.1, 1.8}, {.25, 3.7}, {.5, 4.6}, {.75, 5.5}, {.9, 7.3}, {.99, 17.1}};
    const char *text = g_getenv("CAGEN_PERLIN_DRAWS");
    int draws = text ? atoi(text) : 1500;
    g_assert_cmpint(draws, >=, 100);
    double error = sqrt(1.0 / draws + 1.0 / 20000);
    g_autofree double *areas = g_new(double, draws);
    int empty = 0;
    double sum = 0;

#pragma omp parallel for reduction(+ : empty, sum)
    for (int n = 0; n < draws; n++) {
        CgRng rng = cg_rng(0, CG_STREAM(CG_STREAM_MASK, n));
        g_autoptr(CgImage) mask = cg_perlin_mask(&CG_PERLIN_DRAEM, &rng, 256, 256);
        int pixels = 0;
        for (int i = 0; i < 256 * 256; i++)
            pixels += mask->pixels[i] == 255;
        areas[n] = pixels * 100.0 / (256 * 256);
        empty += pixels == 0;
        sum += areas[n];
    }
    qsort(areas, (size_t)draws, sizeof *areas, compare);
    g_test_message("%d draws: mean area %.3f %%, empty %.2f %%", draws, sum / draws,
                   empty * 100.0 / draws);
    g_assert_cmpfloat_with_epsilon(sum / draws, 4.84, 4 * 3.2 * error + 0.005);
    g_assert_cmpfloat_with_epsilon((double)empty / draws, 0.052,
                                   4 * sqrt(.052 * .948) * error + 0.0005);
    for (gsize q = 0; q < G_N_ELEMENTS(quantiles); q++) {
        double p = quantiles[q].share, limit = 4 * sqrt(p * (1 - p)) * error;
        /* The area is known to 0.05: somewhere within, the share must fit. */
        int low = 0, high = 0;
        for (int n = 0; n < draws; n++) {
            low += areas[n] < quantiles[q].area - 0.05;
            high += areas[n] <= quantiles[q].area + 0.05;
        }
        g_test_message("%g %% quantile: %.2f, expected %.1f", p * 100,
                       areas[(int)(p * (draws - 1))], quantiles[q].area);
        g_assert_cmpfloat((double)low / draws, <=, p + limit);
        g_assert_cmpfloat((double)high / draws, >=, p - limit);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/perlin/" #name, name)
    TEST(field_equals_the_reference);
    TEST(cells_may_be_narrow);
    TEST(sizes_need_not_be_multiples_of_the_cells);
    TEST(more_cells_than_pixels_do_no_harm);
    TEST(rotation_by_quarters_moves_pixels);
    TEST(rotation_fades_to_zero_at_the_border);
    TEST(masks_follow_from_seed_and_stream);
    TEST(size_does_not_change_the_draw);
    TEST(soft_masks_cross_128_where_hard_ones_begin);
    TEST(masks_have_the_statistics_of_draem);
    return g_test_run();
}
