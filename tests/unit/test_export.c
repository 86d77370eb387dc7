/* Exports read back equal: through the readers, or by the rules of the software they are for. */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "datasets/export.h"
#include "image/polygon.h"
#include "image/rle.h"
#include "support/folder.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define WIDTH  40
#define HEIGHT 30

static void make_parent(const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
}

static void put_image(const CgTestFolder *dir, const char *name, guint64 seed)
{
    g_autofree char *path = cg_test_folder_path(dir, name);
    g_autoptr(CgImage) image = cg_image_new(WIDTH, HEIGHT, 3);
    CgRng rng = cg_rng(seed, CG_STREAM_AUGMENT);
    make_parent(path);
    for (int i = 0; i < 3 * WIDTH * HEIGHT; i++)
        image->pixels[i] = (guint8)cg_rng_int(&rng, 0, 255);
    g_assert_true(cg_image_save_png(image, path, NULL));
}

/* A frame with a hole, and some pixels that touch by corners. */
static void put_mask(const CgTestFolder *dir, const char *name, int x0)
{
    g_autofree char *path = cg_test_folder_path(dir, name);
    g_autoptr(CgImage) mask = cg_image_new(WIDTH, HEIGHT, 1);
    make_parent(path);
    for (int y = 5; y < 17; y++)
        for (int x = x0; x < x0 + 14; x++)
            if (x < x0 + 4 || x >= x0 + 9 || y < 8 || y >= 12)
                mask->pixels[y * WIDTH + x] = 255;
    for (int i = 0; i < 6; i++)
        mask->pixels[(21 + i) * WIDTH + 3 + i] = 255;
    g_assert_true(cg_image_save_png(mask, path, NULL));
}

/* Two categories in MVTec's layout. */
static CgTestFolder *source(void)
{
    static const char *const images[] = {
        "bolt/train/good/000.png", "bolt/train/good/001.png", "bolt/test/good/000.png",
        "bolt/test/hole/000.png",  "bolt/test/hole/001.png",  "bolt/test/hole_large/000.png",
        "nut/train/good/000.png",  "nut/test/good/000.png",   "nut/test/long_scratch/000.png"};
    CgTestFolder *dir = cg_test_folder_new();
    for (guint i = 0; i < G_N_ELEMENTS(images); i++)
        put_image(dir, images[i], i);
    put_mask(dir, "bolt/ground_truth/hole/000_mask.png", 3);
    put_mask(dir, "bolt/ground_truth/hole/001_mask.png", 9);
    put_mask(dir, "bolt/ground_truth/hole_large/000_mask.png", 15);
    put_mask(dir, "nut/ground_truth/long_scratch/000_mask.png", 20);
    return dir;
}

static CgDataset *open_dataset(const char *path, CgLayout layout)
{
    g_autoptr(GError) error = NULL;
    CgDataset *d = cg_dataset_open(path, layout, &error);
    g_assert_no_error(error);
    return d;
}

static CgExportSummary export_to(const char *from, CgExportFormat format, const char *out,
                                 const char *split)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = open_dataset(from, CG_LAYOUT_AUTO);
    CgExportOptions o = {.format = format, .out = out, .split = split};
    CgExportSummary summary;
    cg_dataset_export(d, &o, &summary, &error);
    g_assert_no_error(error);
    return summary;
}

static char *digest(const CgImage *image)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, image->pixels,
                                       (gsize)image->width * (gsize)image->height *
                                           (gsize)image->channels);
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef enum { EVERYTHING, WITHOUT_SPLIT, WITHOUT_DEFECT } Detail;

/* What the data set at PATH holds, a line per image: category, split, defect, pixels. */
static char *content(const char *path, CgLayout layout, Detail detail)
{
    g_autoptr(CgDataset) d = open_dataset(path, layout);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_assert_cmpuint(d->problems->len, ==, 0);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        g_autoptr(CgImage) image = cg_image_load(s->image, NULL, NULL);
        g_autoptr(CgImage) mask = cg_sample_load_mask(s, NULL);
        g_autofree char *a = digest(image), *b = digest(mask);
        const char *split = detail == WITHOUT_SPLIT ? "" : cg_dataset_split_name(s->split);
        const char *defect = detail == WITHOUT_DEFECT && !cg_sample_is_good(s) ? "ko" : s->defect;
        g_ptr_array_add(lines, g_strjoin(" ", s->category, split, defect, a, b, "\n", NULL));
    }
    g_ptr_array_sort(lines, compare_texts);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("", (char **)lines->pdata);
}

static void assert_same_content(const char *before, const char *after, CgLayout layout,
                                Detail detail)
{
    g_autofree char *want = content(before, CG_LAYOUT_AUTO, detail);
    g_autofree char *found = content(after, layout, detail);
    g_assert_cmpstr(found, ==, want);
}

static void find_files(const char *root, const char *below, GPtrArray *found)
{
    g_autofree char *folder = g_build_filename(root, below, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *relative = *below ? g_build_filename(below, name, NULL) : g_strdup(name);
        g_autofree char *path = g_build_filename(root, relative, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            find_files(root, relative, found);
        else
            g_ptr_array_add(found, g_steal_pointer(&relative));
    }
}

/* The rules of anomalib and others for the tree of one category: nothing but PNG files; masks
 * (below MASKS) and defective images (below IMAGES, in no folder of NORMAL), each sorted by path,
 * belong together by position; stems are digits of one width and a part of the mask's. */
static void assert_pairs_by_position(const CgTestFolder *out, const char *category,
                                     const char *images, const char *normal, const char *masks)
{
    g_autofree char *root = cg_test_folder_path(out, category);
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) defects = g_ptr_array_new();
    g_autoptr(GPtrArray) marks = g_ptr_array_new();
    find_files(root, "", files);
    g_ptr_array_sort(files, compare_texts);
    for (guint i = 0; i < files->len; i++) {
        char *name = g_ptr_array_index(files, i);
        g_autofree char *parent = g_path_get_dirname(name), *kind = g_path_get_basename(parent);
        g_assert_true(g_str_has_suffix(name, ".png"));
        if (g_str_has_prefix(name, masks))
            g_ptr_array_add(marks, name);
        else if (g_str_has_prefix(name, images) && !strstr(normal, kind))
            g_ptr_array_add(defects, name);
    }
    g_assert_cmpuint(defects->len, ==, 3);
    g_assert_cmpuint(marks->len, ==, 3);
    for (guint i = 0; i < defects->len; i++) {
        g_autofree char *stem = g_path_get_basename(g_ptr_array_index(defects, i));
        g_autofree char *mask = g_path_get_basename(g_ptr_array_index(marks, i));
        *strchr(stem, '.') = '\0';
        g_assert_cmpuint(strlen(stem), ==, 3);
        g_assert_cmpuint(strspn(stem, "0123456789"), ==, 3);
        g_assert_nonnull(strstr(mask, stem));
    }
}

static void mvtec_reads_back_equal(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    const CgExportSummary s = export_to(dir->path, CG_EXPORT_MVTEC, out->path, NULL);
    g_assert_cmpuint(s.images, ==, 9);
    g_assert_cmpuint(s.masks, ==, 4);
    assert_pairs_by_position(out, "bolt", "test/", "good", "ground_truth/");
    assert_same_content(dir->path, out->path, CG_LAYOUT_MVTEC, EVERYTHING);
}

static void btad_reads_back_equal(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    export_to(dir->path, CG_EXPORT_BTAD, out->path, NULL);
    assert_pairs_by_position(out, "bolt", "test/", "ok", "ground_truth/");
    assert_same_content(dir->path, out->path, CG_LAYOUT_BTAD, WITHOUT_DEFECT);
    g_autofree char *mask = cg_test_folder_path(out, "bolt/ground_truth/ko/002.png");
    g_assert_true(g_file_test(mask, G_FILE_TEST_EXISTS));
}

static void folder_reads_back_equal(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    export_to(dir->path, CG_EXPORT_FOLDER, out->path, NULL);
    assert_pairs_by_position(out, "bolt", "", "good normal", "masks/");
    static const char *const categories[] = {"bolt", "nut"};
    for (guint i = 0; i < G_N_ELEMENTS(categories); i++) {
        g_autofree char *before = cg_test_folder_path(dir, categories[i]);
        g_autofree char *after = cg_test_folder_path(out, categories[i]);
        assert_same_content(before, after, CG_LAYOUT_FOLDER, WITHOUT_SPLIT);
    }
    g_autofree char *path = cg_test_folder_path(out, "bolt.yaml");
    g_autofree char *yaml = cg_file_read(path, 10000, NULL, NULL);
    g_autofree char *want = g_strdup_printf("class_path: anomalib.data.Folder\n"
                                            "init_args:\n"
                                            "  name: \"bolt\"\n"
                                            "  root: \"%s/bolt\"\n"
                                            "  normal_dir: good\n"
                                            "  normal_test_dir: normal\n"
                                            "  abnormal_dir:\n"
                                            "    - \"hole\"\n"
                                            "    - \"hole_large\"\n"
                                            "  mask_dir:\n"
                                            "    - \"masks/hole\"\n"
                                            "    - \"masks/hole_large\"\n",
                                            out->path);
    g_assert_cmpstr(yaml, ==, want);
}

/* The rows of a JSONL file. */
static GPtrArray *rows_of(const CgTestFolder *out, const char *name)
{
    g_autofree char *path = cg_test_folder_path(out, name);
    g_autofree char *text = cg_file_read(path, 1 << 20, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    for (char **line = lines; *line && **line; line++)
        g_ptr_array_add(rows, cg_json_parse(*line, strlen(*line), name, NULL));
    return rows;
}

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static void assert_same_pixels(const char *a, const char *b)
{
    g_autoptr(CgImage) x = cg_image_load(a, NULL, NULL);
    g_autoptr(CgImage) y = cg_image_load(b, NULL, NULL);
    g_autofree char *p = digest(x), *q = digest(y);
    g_assert_cmpstr(p, ==, q);
}

/* The mask that belongs to SOURCE, an image of the source tree. */
static char *source_mask(const char *source)
{
    g_autoptr(GString) path = g_string_new(source);
    g_string_replace(path, "/test/", "/ground_truth/", 0);
    g_string_replace(path, ".png", "_mask.png", 0);
    return g_strdup(path->str);
}

static void pairs_tell_which_mask_and_prompt_an_image_has(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    const CgExportSummary s = export_to(dir->path, CG_EXPORT_PAIRS, out->path, NULL);
    g_assert_cmpuint(s.not_in_layout, ==, 5);
    g_autoptr(GPtrArray) rows = rows_of(out, "train/metadata.jsonl");
    g_autoptr(GPtrArray) prompts = rows_of(out, "train/prompt.json");
    g_autoptr(GPtrArray) origin = rows_of(out, "manifest.jsonl");
    g_assert_cmpuint(rows->len, ==, 4);
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        const char *from = text_of(g_ptr_array_index(origin, i), "source");
        g_autofree char *train = cg_test_folder_path(out, "train");
        g_autofree char *image = g_build_filename(train, text_of(row, "image_file_name"), NULL);
        g_autofree char *mask =
            g_build_filename(train, text_of(row, "conditioning_image_file_name"), NULL);
        g_autofree char *want = source_mask(from);
        assert_same_pixels(image, from);
        assert_same_pixels(mask, want);
        const json_t *prompt = g_ptr_array_index(prompts, i);
        g_assert_cmpstr(text_of(prompt, "prompt"), ==, text_of(row, "text"));
        g_assert_cmpstr(text_of(prompt, "target"), ==, text_of(row, "image_file_name"));
    }
    g_assert_cmpstr(text_of(g_ptr_array_index(rows, 0), "text"), ==, "hole bolt");
    g_assert_cmpstr(text_of(g_ptr_array_index(rows, 3), "text"), ==, "long scratch nut");
}

/* The flat list X, Y, X, Y... as a ring, multiplied. */
static GArray *ring_of(const json_t *flat, double width, double height)
{
    GArray *ring = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    for (size_t i = 0; i + 1 < json_array_size(flat); i += 2) {
        const CgPoint p = {json_number_value(json_array_get(flat, i)) * width,
                           json_number_value(json_array_get(flat, i + 1)) * height};
        g_array_append_val(ring, p);
    }
    return ring;
}

/* Adds what ANNOTATION marks to MASK. */
static void draw_annotation(CgImage *mask, const json_t *annotation)
{
    const json_t *segmentation = json_object_get(annotation, "segmentation");
    if (json_is_array(segmentation)) {
        g_autoptr(GPtrArray) rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        g_ptr_array_add(rings, ring_of(json_array_get(segmentation, 0), 1, 1));
        cg_polygon_fill(mask, rings, 255);
        return;
    }
    g_autoptr(GArray) runs = cg_rle_from_string(text_of(segmentation, "counts"), NULL);
    g_autoptr(CgImage) piece = cg_rle_decode(runs, mask->width, mask->height, NULL);
    for (int i = 0; i < mask->width * mask->height; i++)
        mask->pixels[i] |= piece->pixels[i];
}

static void check_coco(const CgTestFolder *out, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(out, name);
    g_autoptr(json_t) coco = cg_json_load(path, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) origin = rows_of(out, "manifest.jsonl");
    const json_t *images = json_object_get(coco, "images"), *image, *annotation;
    const json_t *annotations = json_object_get(coco, "annotations");
    const json_t *categories = json_object_get(coco, "categories");
    size_t i, k;
    g_assert_cmpuint(json_array_size(images), ==, 6);
    g_assert_cmpuint(json_array_size(annotations), ==, 8);
    json_array_foreach(images, i, image)
    {
        g_autoptr(CgImage) mask = cg_image_new(WIDTH, HEIGHT, 1);
        const json_int_t id = json_integer_value(json_object_get(image, "id"));
        const json_t *row = g_ptr_array_index(origin, (guint)id - 1);
        json_array_foreach(annotations, k, annotation)
        {
            const json_int_t class = json_integer_value(json_object_get(annotation, "category_id"));
            if (json_integer_value(json_object_get(annotation, "image_id")) != id)
                continue;
            draw_annotation(mask, annotation);
            g_autofree char *want =
                g_strdup_printf("%s/%s", text_of(row, "category"), text_of(row, "defect"));
            g_assert_cmpstr(text_of(json_array_get(categories, (size_t) class - 1), "name"), ==,
                            want);
        }
        g_autofree char *from = source_mask(text_of(row, "source"));
        g_autoptr(CgImage) want = g_file_test(from, G_FILE_TEST_EXISTS)
                                      ? cg_image_load(from, NULL, NULL)
                                      : cg_image_new(WIDTH, HEIGHT, 1);
        g_assert_cmpmem(mask->pixels, WIDTH * HEIGHT, want->pixels, WIDTH * HEIGHT);
    }
}

static void coco_polygons_and_runs_are_the_masks(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    export_to(dir->path, CG_EXPORT_COCO, out->path, NULL);
    check_coco(out, "annotations/instances_test.json");
    check_coco(out, "annotations/instances_test_rle.json");
    g_autofree char *train = cg_test_folder_path(out, "annotations/instances_train.json");
    g_autofree char *validation = cg_test_folder_path(out, "annotations/instances_validation.json");
    g_assert_true(g_file_test(train, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(validation, G_FILE_TEST_EXISTS));
}

/* The mask that a label file describes. */
static CgImage *draw_labels(const char *path, guint *objects)
{
    CgImage *mask = cg_image_new(WIDTH, HEIGHT, 1);
    g_autofree char *text = cg_file_read(path, 1 << 20, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && **line; line++, ++*objects) {
        g_auto(GStrv) numbers = g_strsplit(*line, " ", -1);
        g_autoptr(json_t) flat = json_array();
        g_autoptr(GPtrArray) rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        for (char **number = numbers + 1; *number; number++)
            json_array_append_new(flat, json_real(g_ascii_strtod(*number, NULL)));
        g_ptr_array_add(rings, ring_of(flat, WIDTH, HEIGHT));
        cg_polygon_fill(mask, rings, 255);
    }
    return mask;
}

static void yolo_labels_are_the_masks(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    guint objects = 0;
    export_to(dir->path, CG_EXPORT_YOLO_SEG, out->path, "train");
    g_autoptr(GPtrArray) origin = rows_of(out, "manifest.jsonl");
    g_assert_cmpuint(origin->len, ==, 9);
    for (guint i = 0; i < origin->len; i++) {
        const json_t *row = g_ptr_array_index(origin, i);
        g_autofree char *name = g_strdup_printf("labels/train/%03u.txt", i);
        g_autofree char *labels = cg_test_folder_path(out, name);
        g_autofree char *from = source_mask(text_of(row, "source"));
        g_autoptr(CgImage) mask = draw_labels(labels, &objects);
        g_autoptr(CgImage) want =
            g_file_test(from, G_FILE_TEST_EXISTS) && strcmp(text_of(row, "defect"), "good") != 0
                ? cg_image_load(from, NULL, NULL)
                : cg_image_new(WIDTH, HEIGHT, 1);
        g_assert_cmpmem(mask->pixels, WIDTH * HEIGHT, want->pixels, WIDTH * HEIGHT);
    }
    g_assert_cmpuint(objects, ==, 8);
    g_autofree char *path = cg_test_folder_path(out, "data.yaml");
    g_autofree char *yaml = cg_file_read(path, 10000, NULL, NULL);
    g_assert_nonnull(strstr(yaml, "train: images/train\nval: images/train\nnames:\n"
                                  "  0: \"bolt/hole\"\n  1: \"bolt/hole_large\"\n"));
}

static void small_pictures_are_textures_as_they_are(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    const CgExportSummary s = export_to(dir->path, CG_EXPORT_TEXTURE_BANK, out->path, NULL);
    g_assert_cmpuint(s.images, ==, 4);
    /* Smaller than the least texture: the whole picture. */
    g_autofree char *texture = cg_test_folder_path(out, "bolt_hole/001.png");
    g_autofree char *image = cg_test_folder_path(dir, "bolt/test/hole/001.png");
    assert_same_pixels(texture, image);
}

static void textures_are_cut_around_the_largest_piece(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    g_autoptr(CgImage) image = cg_image_new(300, 200, 1);
    g_autoptr(CgImage) mask = cg_image_new(300, 200, 1);
    for (int y = 0; y < 200; y++)
        for (int x = 0; x < 300; x++) {
            image->pixels[y * 300 + x] = (guint8)(x ^ y);
            mask->pixels[y * 300 + x] =
                (x >= 100 && x < 180 && y >= 60 && y < 80) || (x < 5 && y < 5) ? 255 : 0;
        }
    g_autofree char *a = cg_test_folder_path(dir, "bolt/test/hole/000.png");
    g_autofree char *b = cg_test_folder_path(dir, "bolt/ground_truth/hole/000_mask.png");
    make_parent(a);
    make_parent(b);
    g_assert_true(cg_image_save_png(image, a, NULL) && cg_image_save_png(mask, b, NULL));
    export_to(dir->path, CG_EXPORT_TEXTURE_BANK, out->path, NULL);
    g_autofree char *path = cg_test_folder_path(out, "bolt_hole/000.png");
    g_autoptr(CgImage) texture = cg_image_load(path, NULL, NULL);
    /* A quarter of 80 pixels on both sides; 64 pixels high, around the middle of 60..80. */
    g_autoptr(CgImage) want = cg_image_crop(image, 80, 38, 120, 64);
    g_assert_cmpint(texture->width, ==, 120);
    g_assert_cmpint(texture->height, ==, 64);
    g_assert_cmpmem(texture->pixels, 120 * 64, want->pixels, 120 * 64);
}

/* The source with a manifest as `cagen generate` writes it: one normal image known, one lost, one
 * result dropped. */
static void add_manifest(const CgTestFolder *dir)
{
    g_autofree char *manifest = g_strdup_printf(
        "{\"image\":\"bolt/test/hole/000.png\",\"prompt\":\"drilled hole\",\"kept\":true,"
        "\"job\":{\"normal\":\"%s/bolt/train/good/001.png\"}}\n"
        "{\"image\":\"bolt/test/hole/001.png\",\"kept\":true,\"job\":{\"normal\":\"/lost.png\"}}\n"
        "{\"image\":\"bolt/test/hole_large/000.png\",\"kept\":false}\n",
        dir->path);
    g_free(cg_test_folder_file(dir, "manifest.jsonl", manifest, strlen(manifest)));
}

static void triplets_take_the_normal_image_of_the_manifest(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    add_manifest(dir);
    const CgExportSummary s = export_to(dir->path, CG_EXPORT_TRIPLET, out->path, NULL);
    g_assert_cmpuint(s.images, ==, 1);
    g_assert_cmpuint(s.dropped, ==, 1);
    g_assert_cmpuint(s.without_normal, ==, 2);
    g_autofree char *normal = cg_test_folder_path(out, "normal/000.png");
    g_autofree char *want = cg_test_folder_path(dir, "bolt/train/good/001.png");
    assert_same_pixels(normal, want);
    g_autoptr(GPtrArray) rows = rows_of(out, "triplets.jsonl");
    g_assert_cmpstr(text_of(g_ptr_array_index(rows, 0), "prompt"), ==, "drilled hole");
    g_assert_cmpstr(text_of(g_ptr_array_index(rows, 0), "normal"), ==, "normal/000.png");
}

static void a_category_finds_the_manifest_beside_it(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    g_autofree char *bolt = cg_test_folder_path(dir, "bolt");
    add_manifest(dir);
    const CgExportSummary s = export_to(bolt, CG_EXPORT_MVTEC, out->path, NULL);
    g_assert_cmpuint(s.images, ==, 5);
    g_assert_cmpuint(s.dropped, ==, 1);
}

static void an_interrupted_export_goes_on(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    export_to(dir->path, CG_EXPORT_MVTEC, out->path, NULL);
    g_autofree char *lost = cg_test_folder_path(out, "bolt/test/hole/001.png");
    g_autofree char *mask = cg_test_folder_path(out, "bolt/ground_truth/hole/001_mask.png");
    g_assert_cmpint(g_remove(lost) | g_remove(mask), ==, 0);
    const CgExportSummary s = export_to(dir->path, CG_EXPORT_MVTEC, out->path, NULL);
    g_assert_cmpuint(s.images, ==, 9);
    g_assert_cmpuint(s.present, ==, 8);
    assert_same_content(dir->path, out->path, CG_LAYOUT_MVTEC, EVERYTHING);
}

/* The error of an export that must not work. */
static GError *refusal(const char *from, const CgExportOptions *o)
{
    GError *error = NULL;
    CgExportSummary summary;
    g_autoptr(CgDataset) d = open_dataset(from, CG_LAYOUT_AUTO);
    g_assert_false(cg_dataset_export(d, o, &summary, &error));
    return error;
}

static void folders_with_other_things_are_refused(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    g_autoptr(CgTestFolder) full = cg_test_folder_new();
    export_to(dir->path, CG_EXPORT_MVTEC, out->path, NULL);
    CgExportOptions o = {.format = CG_EXPORT_BTAD, .out = out->path};
    g_autoptr(GError) other = refusal(dir->path, &o);
    g_assert_error(other, CG_ERROR, CG_ERROR_USAGE);
    /* The same files, but one has changed since. */
    put_image(dir, "bolt/test/hole/000.png", 99);
    o.format = CG_EXPORT_MVTEC;
    g_autoptr(GError) changed = refusal(dir->path, &o);
    g_assert_error(changed, CG_ERROR, CG_ERROR_USAGE);
    g_free(cg_test_folder_file(full, "notes.txt", "x", 1));
    o.out = full->path;
    g_autoptr(GError) foreign = refusal(dir->path, &o);
    g_assert_error(foreign, CG_ERROR, CG_ERROR_USAGE);
    g_assert_cmpuint(cg_test_folder_count(full), ==, 1);
}

static void links_are_second_names_of_the_images(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    g_autoptr(CgDataset) d = open_dataset(dir->path, CG_LAYOUT_AUTO);
    const CgExportOptions o = {.format = CG_EXPORT_MVTEC, .out = out->path, .link = TRUE};
    CgExportSummary s;
    g_assert_true(cg_dataset_export(d, &o, &s, &error));
    g_assert_cmpuint(s.linked, ==, 9);
    g_autofree char *a = cg_test_folder_path(dir, "nut/test/good/000.png");
    g_autofree char *b = cg_test_folder_path(out, "nut/test/good/000.png");
    struct stat x, y;
    g_assert_cmpint(stat(a, &x) | stat(b, &y), ==, 0);
    g_assert_cmpuint(x.st_ino, ==, y.st_ino);
}

static void masks_of_another_size_are_refused(void)
{
    g_autoptr(CgTestFolder) dir = source();
    g_autoptr(CgTestFolder) out = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "bolt/ground_truth/hole/000_mask.png");
    g_autoptr(CgImage) mask = cg_image_new(WIDTH - 1, HEIGHT, 1);
    g_assert_true(cg_image_save_png(mask, path, NULL));
    const CgExportOptions o = {.format = CG_EXPORT_MVTEC, .out = out->path};
    g_autoptr(GError) error = refusal(dir->path, &o);
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "000_mask.png"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/export/" #name, name)
    TEST(mvtec_reads_back_equal);
    TEST(btad_reads_back_equal);
    TEST(folder_reads_back_equal);
    TEST(pairs_tell_which_mask_and_prompt_an_image_has);
    TEST(coco_polygons_and_runs_are_the_masks);
    TEST(yolo_labels_are_the_masks);
    TEST(small_pictures_are_textures_as_they_are);
    TEST(textures_are_cut_around_the_largest_piece);
    TEST(triplets_take_the_normal_image_of_the_manifest);
    TEST(a_category_finds_the_manifest_beside_it);
    TEST(an_interrupted_export_goes_on);
    TEST(folders_with_other_things_are_refused);
    TEST(links_are_second_names_of_the_images);
    TEST(masks_of_another_size_are_refused);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
