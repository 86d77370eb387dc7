/* Any text as shapes to draw: refused, or a mask of 0 and 255 comes of it, or nothing that fits. */
#include "folder.h"
#include "synthesis/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { WIDTH = 40, HEIGHT = 33 };

static CgMaskLibrary *library(void)
{
    static CgMaskLibrary *made;
    if (!made) {
        g_autoptr(CgImage) mask = cg_image_new(WIDTH, HEIGHT, 1);
        for (int i = 0; i < WIDTH * HEIGHT; i += 3 + i % 5)
            mask->pixels[i] = 255;
        made = cg_mask_library_new();
        cg_mask_library_add(made, mask);
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autofree char *text = g_strndup((const char *)bytes, size);
    g_autoptr(GError) error = NULL, wrong = NULL;
    g_autoptr(CgMaskShapes) shapes = cg_mask_shapes_parse(text, &error);
    if (!fuzz_answered(shapes != NULL, error))
        return 0;
    const CgMaskRules rules = {
        .shapes = shapes, .library = library(), .latent_side = 8, .tries = 3};
    CgRng rng = cg_rng(1, CG_STREAM(CG_STREAM_MASK, size));
    g_autoptr(CgImage) mask = cg_mask_draw(&rules, &rng, WIDTH, HEIGHT, &wrong);
    if (fuzz_answered(mask != NULL, wrong))
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            require(mask->pixels[i] == 0 || mask->pixels[i] == 255);
    return 0;
}
