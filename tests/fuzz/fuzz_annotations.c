/* Any text as outlines of labelme or a COCO file beside a picture: refused, and
 * nothing is written; or imported, and what was written is a data set. */
#include "datasets/dataset.h"
#include "datasets/import.h"
#include "folder.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void draw_picture(void)
{
    static gboolean drawn;
    if (drawn)
        return;
    g_autoptr(CgImage) picture = cg_image_new(24, 16, 1);
    g_autofree char *path = fuzz_path("in/a.png");
    fuzz_write("in/a.png", "", 0);
    require(cg_image_save_png(picture, path, NULL));
    drawn = TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    draw_picture();
    fuzz_write("in/a.json", bytes, size);
    g_autofree char *in = fuzz_path("in/a.json");
    g_autofree char *images = fuzz_path("in");
    g_autofree char *out = fuzz_path("out");
    const CgImportOptions options = {
        .images = images, .out = out, .category = "part", .link = TRUE};
    CgImportSummary summary = {0};
    g_autoptr(GError) error = NULL;
    if (fuzz_answered(cg_dataset_import(in, &options, &summary, &error), error) && summary.images) {
        g_autoptr(CgDataset) made = cg_dataset_open(out, CG_LAYOUT_AUTO, NULL);
        require(made && made->samples->len == summary.images);
    }
    fuzz_remove(out);
    return 0;
}
