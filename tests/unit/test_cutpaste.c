/* CutPaste: its ranges, and that nothing else changes. */
#include "image/paste.h"
#include "support/pictures.h"
#include "synthesis/cutpaste.h"

#include <math.h>
#include <string.h>

#define DRAWS 2000

static double number(const CgSynthesis *s, const char *key, size_t index)
{
    return json_number_value(json_array_get(json_object_get(s->parameters, key), index));
}

static void mask_is_the_rectangle_and_outside_stays(void)
{
    g_autoptr(CgImage) normal = test_random_image(97, 61, 3, 3);
    for (int i = 0; i < 50; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRect bounds;
        CgRng rng = cg_rng(1, (uint64_t)i);
        cg_cutpaste(normal, &rng, &s);
        g_assert_true(cg_mask_bounds(s.mask, &bounds));
        g_assert_cmpint(bounds.x, ==, (int)number(&s, "at", 0));
        g_assert_cmpint(bounds.y, ==, (int)number(&s, "at", 1));
        g_assert_cmpint(bounds.width, ==, (int)number(&s, "source", 2));
        g_assert_cmpint(bounds.height, ==, (int)number(&s, "source", 3));
        g_assert_cmpfloat(cg_mask_area(s.mask), ==,
                          (double)(bounds.width * bounds.height) / (97 * 61));
        test_assert_only_mask_differs(normal, &s);
    }
}

static void pasted_is_the_jittered_source(void)
{
    g_autoptr(CgImage) normal = test_random_image(64, 64, 3, 4);
    g_auto(CgSynthesis) s = {0};
    CgRng rng = cg_rng(5, 6);
    cg_cutpaste(normal, &rng, &s);
    const json_t *j = json_object_get(s.parameters, "jitter");
    static const char *const names[] = {"brightness", "contrast", "saturation", "hue"};
    CgColourJitter jitter = {.brightness = json_number_value(json_object_get(j, names[0])),
                             .contrast = json_number_value(json_object_get(j, names[1])),
                             .saturation = json_number_value(json_object_get(j, names[2])),
                             .hue = json_number_value(json_object_get(j, names[3]))};
    for (size_t i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            if (!strcmp(names[k],
                        json_string_value(json_array_get(json_object_get(j, "order"), i))))
                jitter.order[i] = k;
    const int w = (int)number(&s, "source", 2), h = (int)number(&s, "source", 3);
    g_autoptr(CgImage) patch =
        cg_image_crop(normal, (int)number(&s, "source", 0), (int)number(&s, "source", 1), w, h);
    cg_colour_jitter_apply(&jitter, patch);
    g_autoptr(CgImage) pasted =
        cg_image_crop(s.image, (int)number(&s, "at", 0), (int)number(&s, "at", 1), w, h);
    g_assert_cmpmem(patch->pixels, (gsize)(w * h * 3), pasted->pixels, (gsize)(w * h * 3));
}

/* Kolmogorov-Smirnov: the largest distance of COUNT sorted VALUES in 0..1 from uniform. */
static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void assert_uniform(double *values, int count)
{
    double worst = 0;
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    for (int i = 0; i < count; i++)
        worst = MAX(worst, MAX(fabs(values[i] - (double)i / count),
                               fabs(values[i] - (double)(i + 1) / count)));
    g_assert_cmpfloat(worst * sqrt(count), <, 1.95); /* p = 0.001; the draws are fixed */
}

static void area_and_aspect_are_drawn_as_published(void)
{
    static double area[DRAWS], aspect[DRAWS], x[DRAWS];
    g_autoptr(CgImage) normal = cg_image_new(512, 512, 1);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(7, (uint64_t)i);
        cg_cutpaste(normal, &rng, &s);
        const double w = number(&s, "source", 2), h = number(&s, "source", 3);
        area[i] = (w * h / (512 * 512) - 0.02) / 0.13;
        aspect[i] = (log(w / h) / -log(0.3) + 1) / 2;
        x[i] = number(&s, "at", 0) / (512 - w);
        g_assert_cmpfloat(fabs(area[i] - 0.5), <, 0.51); /* sides are rounded */
        g_assert_cmpfloat(fabs(aspect[i] - 0.5), <, 0.51);
    }
    assert_uniform(area, DRAWS);
    assert_uniform(aspect, DRAWS);
    assert_uniform(x, DRAWS);
}

static void scars_are_drawn_as_published(void)
{
    static double angle[DRAWS];
    double w_min = 1e9, w_max = 0, h_min = 1e9, h_max = 0;
    g_autoptr(CgImage) normal = test_random_image(256, 256, 3, 9);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(8, (uint64_t)i);
        cg_cutpaste_scar(normal, &rng, &s);
        const double w = number(&s, "source", 2), h = number(&s, "source", 3);
        const double degrees = json_number_value(json_object_get(s.parameters, "angle"));
        w_min = MIN(w_min, w);
        w_max = MAX(w_max, w);
        h_min = MIN(h_min, h);
        h_max = MAX(h_max, h);
        angle[i] = (degrees + 45) / 90;
        /* As large as the strip, up to rounding at its outline. */
        g_assert_cmpfloat(fabs(cg_mask_area(s.mask) * 65536 - w * h), <=, w + h);
        if (i < 50)
            test_assert_only_mask_differs(normal, &s);
    }
    g_assert_cmpfloat(w_min, ==, 2);
    g_assert_cmpfloat(w_max, ==, 16);
    g_assert_cmpfloat(h_min, ==, 10);
    g_assert_cmpfloat(h_max, ==, 25);
    assert_uniform(angle, DRAWS);
}

static void scars_grow_with_the_picture(void)
{
    g_autoptr(CgImage) small = cg_image_new(256, 256, 1);
    g_autoptr(CgImage) large = cg_image_new(1024, 1024, 1);
    g_auto(CgSynthesis) a = {0}, b = {0};
    CgRng one = cg_rng(1, 2), two = cg_rng(1, 2);
    cg_cutpaste_scar(small, &one, &a);
    cg_cutpaste_scar(large, &two, &b);
    g_assert_cmpfloat(fabs(number(&b, "source", 3) - 4 * number(&a, "source", 3)), <=, 2);
}

static void union_takes_both_equally(void)
{
    int scars = 0;
    g_autoptr(CgImage) normal = test_random_image(32, 32, 1, 2);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(9, (uint64_t)i);
        cg_cutpaste_union(normal, &rng, &s);
        scars += !strcmp(json_string_value(json_object_get(s.parameters, "kind")), "scar");
    }
    g_assert_cmpint(abs(scars - DRAWS / 2), <, 120);
}

static void jitter_draws_every_order_and_range(void)
{
    int first[4] = {0};
    for (int i = 0; i < DRAWS; i++) {
        CgRng rng = cg_rng(10, (uint64_t)i);
        const CgColourJitter j = cg_colour_jitter_draw(&rng);
        first[j.order[0]]++;
        g_assert_cmpint(
            (1 << j.order[0]) + (1 << j.order[1]) + (1 << j.order[2]) + (1 << j.order[3]), ==, 15);
        g_assert_cmpfloat(fabs(j.brightness - 1), <=, 0.1);
        g_assert_cmpfloat(fabs(j.contrast - 1), <=, 0.1);
        g_assert_cmpfloat(fabs(j.saturation - 1), <=, 0.1);
        g_assert_cmpfloat(fabs(j.hue), <=, 0.1);
    }
    for (int k = 0; k < 4; k++)
        g_assert_cmpint(abs(first[k] - DRAWS / 4), <, 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cutpaste/mask_is_the_rectangle_and_outside_stays",
                    mask_is_the_rectangle_and_outside_stays);
    g_test_add_func("/cutpaste/pasted_is_the_jittered_source", pasted_is_the_jittered_source);
    g_test_add_func("/cutpaste/area_and_aspect_are_drawn_as_published",
                    area_and_aspect_are_drawn_as_published);
    g_test_add_func("/cutpaste/scars_are_drawn_as_published", scars_are_drawn_as_published);
    g_test_add_func("/cutpaste/scars_grow_with_the_picture", scars_grow_with_the_picture);
    g_test_add_func("/cutpaste/union_takes_both_equally", union_takes_both_equally);
    g_test_add_func("/cutpaste/jitter_draws_every_order_and_range",
                    jitter_draws_every_order_and_range);
    return g_test_run();
}
