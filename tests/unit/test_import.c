/* Annotations of labelme and COCO as masks. */
#include "base/error.h"
#include "datasets/export.h"
#include "datasets/import.h"
#include "support/folder.h"

#include <glib/gstdio.h>
#include <string.h>

#define WIDTH  24
#define HEIGHT 16

static void put_picture(const CgTestFolder *dir, const char *name, const CgImage *image)
{
    g_autofree char *path = cg_test_folder_path(dir, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
    g_assert_true(cg_image_save_png(image, path, NULL));
}

static void put_flat(const CgTestFolder *dir, const char *name, guint8 value)
{
    g_autoptr(CgImage) image = cg_image_new(WIDTH, HEIGHT, 1);
    memset(image->pixels, value, WIDTH * HEIGHT);
    put_picture(dir, name, image);
}

static void put_text(const CgTestFolder *dir, const char *name, const char *text)
{
    g_free(cg_test_folder_file(dir, name, text, strlen(text)));
}

static GError *import_from(const CgTestFolder *dir, const char *name, const char *images,
                           const char *out, CgImportSummary *summary)
{
    GError *error = NULL;
    g_autofree char *path = cg_test_folder_path(dir, name);
    const CgImportOptions o = {.images = images, .out = out, .category = "bolt"};
    g_assert_cmpint(cg_dataset_import(path, &o, summary, &error), ==, error == NULL);
    return error;
}

static CgImage *mask_at(const char *out, const char *name)
{
    g_autofree char *path = g_build_filename(out, name, NULL);
    CgImage *mask = cg_image_load_mask(path, NULL);
    g_assert_nonnull(mask);
    return mask;
}

static int area(const CgImage *mask)
{
    int count = 0;
    for (int i = 0; i < mask->width * mask->height; i++)
        count += mask->pixels[i] != 0;
    return count;
}

static void labelme_shapes_become_masks(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    CgImportSummary s;
    put_flat(dir, "a.png", 1);
    put_flat(dir, "b.png", 2);
    put_flat(dir, "c.png", 3);
    put_flat(dir, "d.png", 4);
    put_text(dir, "a.json",
             "{\"imagePath\":\"a.png\",\"imageWidth\":24,\"imageHeight\":16,\"shapes\":["
             "{\"label\":\"dent\",\"points\":[[2,3],[8,3],[8,7.2],[2,7.2]]},"
             "{\"label\":\"dent\",\"shape_type\":\"rectangle\",\"points\":[[20,12],[18,10]]}]}");
    put_text(dir, "b.json",
             "{\"imagePath\":\"..\\\\elsewhere\\\\b.png\",\"shapes\":[{\"label\":\"hole\","
             "\"shape_type\":\"circle\",\"points\":[[12,8],[12,13]]}]}");
    put_text(dir, "c.json",
             "{\"imagePath\":\"c.png\",\"shapes\":["
             "{\"label\":\"hole\",\"points\":[[0,0],[3,0],[0,3]]},"
             "{\"label\":\"dent\",\"points\":[[9,9],[12,9],[12,12],[9,12]]}]}");
    put_text(dir, "d.json", "{\"imagePath\":\"d.png\",\"shapes\":[]}");
    g_autoptr(GError) error = import_from(dir, "", dir->path, out->path, &s);
    g_assert_no_error(error);
    g_assert_cmpuint(s.images, ==, 4);
    g_assert_cmpuint(s.masks, ==, 3);
    g_autoptr(CgImage) dent = mask_at(out->path, "bolt/ground_truth/dent/000_mask.png");
    g_autoptr(CgImage) hole = mask_at(out->path, "bolt/ground_truth/hole/000_mask.png");
    g_autoptr(CgImage) both = mask_at(out->path, "bolt/ground_truth/combined/000_mask.png");
    g_assert_cmpint(area(dent), ==, 6 * 4 + 2 * 2);
    g_assert_cmpint(dent->pixels[11 * WIDTH + 19], ==, 255);
    g_assert_cmpint(ABS(area(hole) - 79), <=, 3); /* pi 5^2 */
    g_assert_cmpint(area(both), ==, 3 + 9);
    g_autoptr(CgDataset) d = cg_dataset_open(out->path, CG_LAYOUT_MVTEC, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(d->samples->len, ==, 4);
    g_assert_cmpuint(d->problems->len, ==, 0);
    g_autofree char *good = cg_test_folder_path(out, "bolt/train/good/000.png");
    g_autoptr(CgImage) normal = cg_image_load(good, NULL, NULL);
    g_assert_cmpint(normal->pixels[0], ==, 4);
}

/* A mask with a hole and with parts that touch by corners. */
static CgImage *frame(void)
{
    CgImage *mask = cg_image_new(WIDTH, HEIGHT, 1);
    for (int y = 2; y < 12; y++)
        for (int x = 3; x < 15; x++)
            if (x < 6 || x >= 11 || y < 5 || y >= 9)
                mask->pixels[y * WIDTH + x] = 255;
    mask->pixels[12 * WIDTH + 15] = mask->pixels[0] = 255;
    return mask;
}

static void what_was_exported_as_coco_comes_back(void)
{
    static const char *const files[] = {"coco/annotations/instances_test.json",
                                        "coco/annotations/instances_test_rle.json"};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgImage) mask = frame();
    g_autoptr(GError) error = NULL;
    CgExportSummary e;
    CgImportSummary s;
    put_flat(dir, "bolt/test/good/000.png", 1);
    put_flat(dir, "bolt/test/hole/000.png", 2);
    put_picture(dir, "bolt/ground_truth/hole/000_mask.png", mask);
    g_autofree char *bolt = cg_test_folder_path(dir, "bolt");
    g_autofree char *coco = cg_test_folder_path(dir, "coco");
    g_autofree char *images = cg_test_folder_path(dir, "coco/images");
    g_autoptr(CgDataset) d = cg_dataset_open(bolt, CG_LAYOUT_MVTEC, &error);
    const CgExportOptions o = {.format = CG_EXPORT_COCO, .out = coco};
    g_assert_true(cg_dataset_export(d, &o, &e, &error));
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(CgTestFolder) out = cg_test_folder_new();
        g_autoptr(GError) wrong = import_from(dir, files[i], images, out->path, &s);
        g_assert_no_error(wrong);
        g_assert_cmpuint(s.images, ==, 2);
        g_autoptr(CgImage) back = mask_at(out->path, "bolt/ground_truth/hole/000_mask.png");
        g_assert_cmpmem(back->pixels, WIDTH * HEIGHT, mask->pixels, WIDTH * HEIGHT);
    }
}

#define COCO(annotation)                                                                           \
    "{\"images\":[{\"id\":7,\"file_name\":\"a.png\",\"width\":24,\"height\":16}],"                 \
    "\"categories\":[{\"id\":2,\"name\":\"dent\"}],\"annotations\":[{\"image_id\":7,"              \
    "\"category_id\":2," annotation "}]}"

static void coco_boxes_and_plain_runs_are_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) a = cg_test_folder_new();
    g_autoptr(CgTestFolder) b = cg_test_folder_new();
    CgImportSummary s;
    put_flat(dir, "a.png", 1);
    put_text(dir, "box.json", COCO("\"segmentation\":[],\"bbox\":[1,2,5,4]"));
    put_text(dir, "runs.json", COCO("\"segmentation\":{\"size\":[16,24],\"counts\":[17,3,364]}"));
    g_autoptr(GError) box = import_from(dir, "box.json", NULL, a->path, &s);
    g_assert_no_error(box);
    g_autoptr(CgImage) boxed = mask_at(a->path, "bolt/ground_truth/dent/000_mask.png");
    g_assert_cmpint(area(boxed), ==, 20);
    g_autoptr(GError) runs = import_from(dir, "runs.json", NULL, b->path, &s);
    g_assert_no_error(runs);
    g_autoptr(CgImage) run = mask_at(b->path, "bolt/ground_truth/dent/000_mask.png");
    g_assert_cmpint(area(run), ==, 3);
    g_assert_cmpint(run->pixels[1 * WIDTH + 1], ==, 255);
    g_assert_cmpint(run->pixels[3 * WIDTH + 1], ==, 255);
}

static void wrong_annotations_are_told_and_nothing_is_written(void)
{
#define LABELME(shape) "{\"imagePath\":\"a.png\",\"shapes\":[" shape "]}"
    static const struct {
        const char *text;
        CgErrorCode code;
    } cases[] = {
        {"{\"shapes\":3}", CG_ERROR_FORMAT},
        {"{\"imagePath\":\"lost.png\",\"shapes\":[]}", CG_ERROR_MISSING},
        {"{\"imagePath\":\"a.png\",\"imageWidth\":25,\"shapes\":[]}", CG_ERROR_SHAPE},
        {LABELME("7"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"x\",\"points\":[[1,2],[3,4]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"x\",\"points\":[[1,2],[3],[5,6]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"x\",\"points\":[[1,2],[3e300,4],[5,6]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"x\",\"points\":[[1,1],[1.1,1],[1,1.1]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"..\",\"points\":[[1,2],[3,4],[9,9]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"good\",\"points\":[[1,2],[3,4],[9,9]]}"), CG_ERROR_FORMAT},
        {LABELME("{\"label\":\"x\",\"shape_type\":\"line\",\"points\":[[1,2],[3,4],[9,9]]}"),
         CG_ERROR_UNSUPPORTED},
        {"{\"images\":[],\"annotations\":[]}", CG_ERROR_FORMAT},
        {"{\"images\":[3],\"annotations\":[]}", CG_ERROR_FORMAT},
        {COCO("\"segmentation\":[[1,2,3,4,5]]"), CG_ERROR_FORMAT},
        {COCO("\"segmentation\":[[1,2,3,\"4\",5,6]]"), CG_ERROR_FORMAT},
        {COCO("\"segmentation\":[]"), CG_ERROR_FORMAT},
        {COCO("\"segmentation\":{\"size\":[16,24],\"counts\":[17,3]}"), CG_ERROR_SHAPE},
        {COCO("\"segmentation\":{\"size\":[24,16],\"counts\":[17,3,364]}"), CG_ERROR_FORMAT},
        {COCO("\"segmentation\":{\"size\":[16,24],\"counts\":\"PPP\"}"), CG_ERROR_FORMAT},
    };
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *out = cg_test_folder_path(dir, "out");
    put_flat(dir, "a.png", 1);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        CgImportSummary s;
        put_text(dir, "x.json", cases[i].text);
        g_autoptr(GError) error = import_from(dir, "x.json", NULL, out, &s);
        g_test_message("%s: %s", cases[i].text, error ? error->message : "accepted");
        g_assert_error(error, CG_ERROR, (int)cases[i].code);
        g_assert_nonnull(strstr(error->message, "x.json"));
        g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
    }
}

static void folders_with_files_are_not_written_to(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    CgImportSummary s;
    put_flat(dir, "a.png", 1);
    put_text(dir, "a.json", LABELME(""));
    g_autoptr(GError) error = import_from(dir, "a.json", NULL, dir->path, &s);
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/import/" #name, name)
    TEST(labelme_shapes_become_masks);
    TEST(what_was_exported_as_coco_comes_back);
    TEST(coco_boxes_and_plain_runs_are_read);
    TEST(wrong_annotations_are_told_and_nothing_is_written);
    TEST(folders_with_files_are_not_written_to);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
