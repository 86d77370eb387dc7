/* The object's mask: on drawn pictures, and on photographs against outlines drawn by hand. */
#include "base/rng.h"
#include "support/fixture.h"
#include "synthesis/foreground.h"
#include "synthesis/region.h"

#include <math.h>
#include <string.h>

#define SIDE 200

typedef enum { PLAIN, UNEVEN, SHADOW } Ground;

/* A grey picture with a disc of RADIUS (0: none) and of LEVEL, grain on all of it. */
static CgImage *disc_on(Ground ground, double radius, int level)
{
    CgImage *image = cg_image_new(SIDE, SIDE, 1);
    CgRng rng = cg_rng(3, 0);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double value = 200, r = hypot(x - 100, y - 90);
            if (ground == UNEVEN)
                value = 120 + 0.5 * x;
            if (ground == SHADOW)
                value -= 40 * exp(-pow(hypot(x - 112, y - 102) / radius, 4));
            if (r < radius)
                value = level;
            value += cg_rng_uniform(&rng, -4, 4);
            image->pixels[y * SIDE + x] = (guint8)CLAMP(value, 0, 255);
        }
    return image;
}

static double overlap(const CgImage *a, const CgImage *b)
{
    gsize both = 0, any = 0;
    g_assert_cmpint(a->width, ==, b->width);
    g_assert_cmpint(a->height, ==, b->height);
    for (gsize i = 0; i < (gsize)a->width * (gsize)a->height; i++) {
        both += a->pixels[i] && b->pixels[i];
        any += a->pixels[i] || b->pixels[i];
    }
    return (double)both / (double)MAX(any, 1);
}

static CgImage *disc(double radius, double hole)
{
    CgImage *mask = cg_image_new(SIDE, SIDE, 1);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double r = hypot(x - 100, y - 90);
            mask->pixels[y * SIDE + x] = r < radius && r >= hole ? 255 : 0;
        }
    return mask;
}

static void assert_object(const CgImage *image, const CgImage *expected, double least)
{
    CgForegroundPolicy policy = CG_FOREGROUND_AUTO;
    g_autoptr(CgImage) found = cg_foreground(image, &policy, NULL);
    g_assert_cmpint(policy, ==, CG_FOREGROUND_OBJECT);
    g_test_message("intersection over union %.3f", overlap(found, expected));
    g_assert_cmpfloat(overlap(found, expected), >, least);
}

static void assert_whole(const CgImage *image)
{
    CgForegroundPolicy policy = CG_FOREGROUND_AUTO;
    g_autoptr(CgImage) found = cg_foreground(image, &policy, NULL);
    g_assert_cmpint(policy, ==, CG_FOREGROUND_TEXTURE);
    g_assert_cmpuint(cg_region_area(found->pixels, (gsize)found->width * (gsize)found->height), ==,
                     (gsize)found->width * (gsize)found->height);
}

static void dark_and_bright_objects_are_found(void)
{
    g_autoptr(CgImage) expected = disc(50, 0);
    g_autoptr(CgImage) dark = disc_on(PLAIN, 50, 40);
    assert_object(dark, expected, 0.97);
    for (int i = 0; i < SIDE * SIDE; i++)
        dark->pixels[i] = (guint8)(255 - dark->pixels[i]);
    assert_object(dark, expected, 0.97);
}

static void uneven_light_does_no_harm(void)
{
    g_autoptr(CgImage) expected = disc(50, 0);
    g_autoptr(CgImage) image = disc_on(UNEVEN, 50, 40);
    assert_object(image, expected, 0.97);
}

static void soft_shadows_are_ground(void)
{
    g_autoptr(CgImage) expected = disc(50, 0);
    g_autoptr(CgImage) image = disc_on(SHADOW, 50, 60);
    assert_object(image, expected, 0.95);
}

static void shadows_on_coloured_ground_are_ground(void)
{
    g_autoptr(CgImage) expected = disc(50, 0);
    g_autoptr(CgImage) image = cg_image_new(SIDE, SIDE, 3);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double away = hypot(i % SIDE - 115, i / SIDE - 105.0), light = away < 50 ? 0.6 : 1;
        guint8 *p = image->pixels + 3 * i;
        if (expected->pixels[i]) {
            memset(p, 170, 3);
        } else {
            p[0] = (guint8)(220 * light);
            p[1] = (guint8)(205 * light);
            p[2] = (guint8)(60 * light);
        }
    }
    assert_object(image, expected, 0.95);
}

static void holes_show_the_ground_or_belong_to_the_object(void)
{
    g_autoptr(CgImage) image = disc_on(PLAIN, 70, 40);
    g_autoptr(CgImage) ring = disc(70, 30), solid = disc(70, 0);
    for (int i = 0; i < SIDE * SIDE; i++)
        if (solid->pixels[i] && !ring->pixels[i])
            image->pixels[i] = 201;
    assert_object(image, ring, 0.95);
    for (int i = 0; i < SIDE * SIDE; i++)
        if (solid->pixels[i] && !ring->pixels[i])
            image->pixels[i] = 150;
    assert_object(image, solid, 0.95);
}

static void objects_may_run_through_the_picture(void)
{
    g_autoptr(CgImage) image = disc_on(PLAIN, 0, 0);
    g_autoptr(CgImage) expected = cg_image_new(SIDE, SIDE, 1);
    for (int y = 0; y < SIDE; y++) {
        memset(image->pixels + y * SIDE + 40, 60, 110);
        memset(expected->pixels + y * SIDE + 40, 255, 110);
    }
    assert_object(image, expected, 0.97);
}

static void textures_are_whole(void)
{
    g_autoptr(CgImage) plain = disc_on(PLAIN, 0, 0);
    assert_whole(plain);
    g_autoptr(CgImage) image = cg_image_new(SIDE, SIDE, 1);
    for (int i = 0; i < SIDE * SIDE; i++) /* squares */
        image->pixels[i] = (i % SIDE / 12 + i / SIDE / 12) % 2 ? 200 : 50;
    assert_whole(image);
    CgRng rng = cg_rng(0, 1);
    for (int i = 0; i < SIDE * SIDE; i++) /* noise */
        image->pixels[i] = (guint8)cg_rng_int(&rng, 0, 255);
    assert_whole(image);
    for (int i = 0; i < SIDE * SIDE; i++) /* stripes */
        image->pixels[i] = (guint8)(128 + 100 * sin(i % SIDE / 5.0));
    assert_whole(image);
}

static void every_size_is_accepted(void)
{
    static const int sizes[][2] = {{1, 1}, {3, 2}, {1, 500}, {700, 4}, {5, 5}, {300, 400}};
    for (gsize k = 0; k < G_N_ELEMENTS(sizes); k++)
        for (int p = CG_FOREGROUND_AUTO; p <= CG_FOREGROUND_TEXTURE; p++) {
            CgForegroundPolicy policy = (CgForegroundPolicy)p;
            g_autoptr(CgImage) image = cg_image_new(sizes[k][0], sizes[k][1], 3);
            g_autoptr(CgImage) found = cg_foreground(image, &policy, NULL);
            gsize count = (gsize)found->width * (gsize)found->height;
            g_assert_cmpint(found->width, ==, sizes[k][0]);
            g_assert_cmpint(found->height, ==, sizes[k][1]);
            g_assert_cmpuint(cg_region_area(found->pixels, count), ==, count);
        }
}

static void the_majority_decides(void)
{
    g_autoptr(CgImage) object = disc_on(PLAIN, 50, 40);
    g_autoptr(CgImage) texture = disc_on(PLAIN, 0, 0);
    const CgImage *images[] = {object, texture, object};
    g_assert_cmpint(cg_foreground_decide(images, 3), ==, CG_FOREGROUND_OBJECT);
    g_assert_cmpint(cg_foreground_decide(images, 2), ==, CG_FOREGROUND_TEXTURE);
}

static void masks_are_as_large_as_the_image(void)
{
    g_autoptr(CgImage) small = disc_on(PLAIN, 50, 40);
    g_autoptr(CgImage) image = cg_image_resize(small, 900, 900);
    g_autoptr(CgImage) shape = disc(50, 0);
    g_autoptr(CgImage) grown = cg_image_resize(shape, 900, 900);
    for (int i = 0; i < 900 * 900; i++)
        grown->pixels[i] = grown->pixels[i] >= 128 ? 255 : 0;
    assert_object(image, grown, 0.97);
}

/* Outlines drawn by hand over the photographs, in pixels of a 256 x 256 picture. */
typedef struct {
    const char *path; /* below the folder of test data */
    double least;     /* intersection over union; a screw's thread is all edge */
    double hole[3];   /* a disc that is no object: x, y, radius */
    int points[40][2];
} Outline;

/* clang-format off */
static const Outline outlines[] = {
    {"mvtec-256/hazelnut/test/good/000.png", 0.9, {0},
     {{115,38},{129,40},{145,45},{160,52},{180,63},{197,76},{209,90},{217,105},{220,120},{220,140},
      {217,162},{212,177},{195,189},{175,207},{155,216},{135,218},{112,215},{92,206},{75,194},
      {60,182},{48,170},{41,159},{36,150},{37,140},{40,125},{41,112},{46,88},{52,75},{65,61},
      {80,50},{97,43}}},
    {"mvtec-256/metal_nut/test/good/004.png", 0.9, {128.5, 127.5, 29.5},
     {{105,20},{118,16},{134,16},{153,19},{172,26},{193,37},{196,55},{200,80},{204,102},{211,105},
      {225,107},{235,104},{239,128},{235,150},{228,173},{217,192},{190,197},{155,203},{149,213},
      {149,230},{151,235},{140,240},{120,239},{100,236},{80,228},{64,219},{59,190},{53,155},
      {49,148},{35,149},{19,150},{15,138},{16,110},{22,85},{35,64},{60,60},{104,53},{109,49},
      {110,35}}},
    {"mvtec-256/screw/test/good/000.png", 0.8, {0},
     {{34,92},{35,88},{78,41},{83,41},{83,55},{91,79},{136,119},{150,128},{163,138},{175,149},
      {188,160},{199,173},{210,187},{216,201},{222,214},{217,215},{201,208},{188,199},{173,189},
      {160,178},{148,166},{136,155},{123,143},{122,139},{75,97},{60,93},{37,95}}},
    {"mvtec-256/capsule/test/good/001.png", 0.9, {0},
     {{20,127},{22,115},{27,105},{35,97},{48,92},{131,92},{132,94},{211,94},{222,97},{232,107},
      {238,120},{239,128},{238,136},{232,150},{223,157},{211,160},{132,160},{131,162},{50,162},
      {38,157},{28,149},{22,139}}},
    {"mvtec-256/toothbrush/train/good/000.png", 0.9, {0},
     {{128,12},{141,15},{153,22},{161,33},{164,45},{165,55},{171,72},{175,95},{176,120},{175,155},
      {171,185},{163,210},{153,230},{148,240},{147,256},{108,256},{108,238},{99,224},{88,200},
      {83,175},{80,145},{80,110},{83,85},{90,60},{92,50},{92,40},{98,28},{107,19},{117,14}}},
    {"hazelnut-toy/hazelnut/train/good/00.jpg", 0.9, {0},
     {{100,75},{115,72},{130,71},{150,73},{170,79},{185,88},{195,98},{200,108},{201,120},{197,134},
      {190,148},{178,165},{165,178},{150,187},{130,193},{115,197},{100,196},{85,194},{68,192},
      {56,185},{48,175},{42,162},{37,145},{37,128},{41,112},{50,102},{62,90},{80,83}}},
};
/* clang-format on */

static gboolean inside(const Outline *outline, double x, double y)
{
    const int(*p)[2] = outline->points;
    int count = 0;
    while (count < 40 && p[count][0])
        count++;
    gboolean odd = FALSE;
    for (int i = 0, j = count - 1; i < count; j = i++)
        if ((p[i][1] > y) != (p[j][1] > y) &&
            x < p[i][0] + (y - p[i][1]) * (p[j][0] - p[i][0]) / (p[j][1] - p[i][1]))
            odd = !odd;
    return odd && hypot(x - outline->hole[0], y - outline->hole[1]) >= outline->hole[2];
}

static void photographs_agree_with_outlines_drawn_by_hand(void)
{
    const char *data = test_data_or_skip();
    if (!data)
        return;
    for (gsize k = 0; k < G_N_ELEMENTS(outlines); k++) {
        g_autofree char *path = g_build_filename(data, outlines[k].path, NULL);
        GError *error = NULL;
        g_autoptr(CgImage) image = cg_image_load(path, NULL, &error);
        g_assert_no_error(error);
        g_autoptr(CgImage) expected = cg_image_new(image->width, image->height, 1);
        for (int y = 0; y < image->height; y++)
            for (int x = 0; x < image->width; x++)
                expected->pixels[y * image->width + x] = inside(
                    &outlines[k], (x + 0.5) * 256 / image->width, (y + 0.5) * 256 / image->height);
        g_test_message("%s", outlines[k].path);
        assert_object(image, expected, outlines[k].least);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/foreground/" #name, name)
    TEST(dark_and_bright_objects_are_found);
    TEST(uneven_light_does_no_harm);
    TEST(soft_shadows_are_ground);
    TEST(shadows_on_coloured_ground_are_ground);
    TEST(holes_show_the_ground_or_belong_to_the_object);
    TEST(objects_may_run_through_the_picture);
    TEST(textures_are_whole);
    TEST(every_size_is_accepted);
    TEST(the_majority_decides);
    TEST(masks_are_as_large_as_the_image);
    TEST(photographs_agree_with_outlines_drawn_by_hand);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
