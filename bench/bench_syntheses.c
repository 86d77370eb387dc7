/* bench_syntheses: images per second of one core for masks and syntheses, from memory to memory.
 *
 *     bench_syntheses                   a table
 *     bench_syntheses --serve           answers "METHOD SIDE" on standard input with the processor
 *                                       seconds per image; bench/peer_syntheses.py is the other end
 */
#include "base/system.h"
#include "support/pictures.h"
#include "synthesis/crop_paste.h"
#include "synthesis/cutpaste.h"
#include "synthesis/draem.h"
#include "synthesis/foreground.h"
#include "synthesis/memseg.h"
#include "synthesis/nsa.h"
#include "synthesis/perlin.h"
#include "synthesis/shapes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS     0.5
#define LEAST       3
#define TEXTURE     300 /* sides of a texture of the Describable Textures Dataset, about */
#define DEFECT_SIDE 0.15

/* What a method may need, all of one size. */
typedef struct {
    CgImage *normal, *other, *texture, *object, *defect_mask;
    CgMaskShapes *scratch;
} Inputs;

static void run_cutpaste(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_cutpaste(in->normal, rng, out);
}

static void run_scar(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_cutpaste_scar(in->normal, rng, out);
}

static void run_draem(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_draem(in->normal, in->texture, rng, out);
}

static void run_nsa(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_nsa(in->normal, NULL, in->other, NULL, FALSE, rng, out);
}

static void run_memseg(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_memseg(in->normal, in->object, cg_rng_int(rng, 0, 1) ? in->texture : NULL, rng, out);
}

static void run_crop_paste(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    cg_crop_paste(in->normal, NULL, in->other, in->defect_mask, CG_PASTE_POISSON, rng, out);
}

static void run_perlin(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    const CgPerlin perlin = CG_PERLIN_DRAEM;
    out->mask = cg_perlin_mask(&perlin, rng, in->normal->width, in->normal->height);
}

static void run_scratch(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    const CgMaskRules rules = {.shapes = in->scratch};
    out->mask = cg_mask_draw(&rules, rng, in->normal->width, in->normal->height, NULL);
}

static void run_foreground(const Inputs *in, CgRng *rng, CgSynthesis *out)
{
    CgForegroundPolicy policy = CG_FOREGROUND_OBJECT;
    (void)rng;
    out->mask = cg_foreground(in->normal, &policy, NULL);
}

static const struct {
    const char *name;
    void (*run)(const Inputs *in, CgRng *rng, CgSynthesis *out);
} methods[] = {
    {"cutpaste", run_cutpaste},  {"scar", run_scar},
    {"draem", run_draem},        {"nsa", run_nsa},
    {"memseg", run_memseg},      {"crop-paste", run_crop_paste},
    {"perlin mask", run_perlin}, {"scratch mask", run_scratch},
    {"object", run_foreground},
};

/* Smooth colours: photographs have neighbours that are alike. */
static CgImage *picture(int side, uint64_t seed)
{
    g_autoptr(CgImage) noise = test_random_image(side / 8, side / 8, 3, seed);
    return cg_image_resize(noise, side, side);
}

static void inputs_init(Inputs *in, int side)
{
    const int defect = (int)(DEFECT_SIDE * side);
    *in = (Inputs){picture(side, 1),
                   picture(side, 2),
                   picture(TEXTURE, 3),
                   cg_image_new(side, side, 1),
                   cg_image_new(side, side, 1),
                   NULL};
    in->scratch = cg_mask_shapes_parse("scratch", NULL);
    for (int y = side / 6; y < side - side / 6; y++)
        memset(in->object->pixels + y * side + side / 6, 255, (size_t)(side - side / 3));
    for (int y = side / 3; y < side / 3 + defect; y++)
        memset(in->defect_mask->pixels + y * side + side / 3, 255, (size_t)defect);
}

static void inputs_clear(Inputs *in)
{
    cg_image_free(in->normal);
    cg_image_free(in->other);
    cg_image_free(in->texture);
    cg_image_free(in->object);
    cg_image_free(in->defect_mask);
    cg_mask_shapes_free(in->scratch);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Inputs, inputs_clear)

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Processor seconds per image; other images in every call. */
static double measure(size_t method, const Inputs *in)
{
    static uint64_t number;
    int count = 0;
    const double start = processor_seconds();
    double now = start;
    for (; count < LEAST || now - start < SECONDS; count++, now = processor_seconds()) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(1, number++);
        methods[method].run(in, &rng, &s);
    }
    return (now - start) / count;
}

static int serve(void)
{
    char line[128], name[64];
    while (fgets(line, sizeof line, stdin)) {
        int side;
        g_auto(Inputs) in = {0};
        if (sscanf(line, "%63[a-z -] %d", name, &side) != 2 || side < 64 || side > 8192)
            return 2;
        inputs_init(&in, side);
        g_strchomp(name);
        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
            if (!strcmp(methods[i].name, name))
                printf("%.9g\n", measure(i, &in));
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const int sides[] = {256, 1024};
    cg_threads_set(1);
    if (argc > 1)
        return !strcmp(argv[1], "--serve") ? serve() : 2;
    printf("%-16s %14s %14s\n", "images/s, 1 core", "256 x 256", "1024 x 1024");
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        printf("%-16s", methods[i].name);
        for (size_t k = 0; k < G_N_ELEMENTS(sides); k++) {
            g_auto(Inputs) in = {0};
            inputs_init(&in, sides[k]);
            printf(" %14.1f", 1 / measure(i, &in));
        }
        printf("\n");
    }
    return 0;
}
