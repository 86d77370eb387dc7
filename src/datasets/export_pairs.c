/* Exports for training generators and syntheses: triplets, pairs for ControlNet, texture banks. */
#include "datasets/export-private.h"
#include "image/polygon.h"

#include <string.h>

/* Around a defect this share of its size is kept; smaller pieces get MIN_TEXTURE pixels a side,
 * because texture readers scale them up to whole pictures. */
#define MARGIN      4 /* one quarter */
#define MIN_TEXTURE 64

static gboolean accepts_triplets(CgExport *e, const CgExportItem *item)
{
    if (cg_export_item_is_good(item)) {
        e->summary->not_in_layout++;
        return FALSE;
    }
    const gboolean known =
        item->normal_source && g_file_test(item->normal_source, G_FILE_TEST_IS_REGULAR);
    e->summary->without_normal += !known;
    return known;
}

static char *one_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    (void)item;
    return g_strdup("");
}

static void triplet_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    (void)e;
    item->image = g_strdup_printf("image/%s.png", stem);
    item->mask = g_strdup_printf("mask/%s.png", stem);
    item->normal = g_strdup_printf("normal/%s.png", stem);
}

typedef json_t *(*RowFunction)(const CgExportItem *item);

static gboolean write_rows(const CgExport *e, const char *relative, RowFunction make,
                           GError **error)
{
    g_autofree char *path = cg_export_path(e, relative);
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, error);
    for (guint i = 0; file && i < e->items->len; i++)
        if (!cg_export_write_row(file, make(cg_export_item(e, i)), error))
            return FALSE;
    return file && cg_atomic_file_commit(g_steal_pointer(&file), error);
}

/* TEXT as JSON, even where a file name is not UTF-8. */
static json_t *text(const char *bytes)
{
    g_autofree char *valid = g_utf8_make_valid(bytes, -1);
    return json_string(valid);
}

static json_t *triplet_row(const CgExportItem *item)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "image", item->image, "mask", item->mask,
                     "normal", item->normal, "category", text(item->sample->category), "defect",
                     text(item->sample->defect), "prompt", text(item->prompt));
}

static gboolean triplet_finish(CgExport *e, GError **error)
{
    return write_rows(e, "triplets.jsonl", triplet_row, error);
}

const CgExportRules cg_export_triplet = {.name = "triplet",
                                         .accepts = accepts_triplets,
                                         .group = one_group,
                                         .place = triplet_place,
                                         .finish = triplet_finish};

static gboolean accepts_defects(CgExport *e, const CgExportItem *item)
{
    e->summary->not_in_layout += cg_export_item_is_good(item);
    return !cg_export_item_is_good(item);
}

#define PAIRS_FOLDER "train/"

static void pairs_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    (void)e;
    item->image = g_strdup_printf(PAIRS_FOLDER "image/%s.png", stem);
    item->mask = g_strdup_printf(PAIRS_FOLDER "conditioning_image/%s.png", stem);
}

/* The columns image, conditioning_image and text, which train_controlnet.py expects by default:
 * NAME_file_name is how the image folders of the "datasets" library call several images of a row.
 */
static json_t *metadata_row(const CgExportItem *item)
{
    return json_pack("{s:s, s:s, s:o}", "image_file_name", item->image + strlen(PAIRS_FOLDER),
                     "conditioning_image_file_name", item->mask + strlen(PAIRS_FOLDER), "text",
                     text(item->prompt));
}

static json_t *prompt_row(const CgExportItem *item)
{
    return json_pack("{s:s, s:s, s:o}", "source", item->mask + strlen(PAIRS_FOLDER), "target",
                     item->image + strlen(PAIRS_FOLDER), "prompt", text(item->prompt));
}

static gboolean pairs_finish(CgExport *e, GError **error)
{
    return write_rows(e, PAIRS_FOLDER "metadata.jsonl", metadata_row, error) &&
           write_rows(e, PAIRS_FOLDER "prompt.json", prompt_row, error);
}

const CgExportRules cg_export_pairs = {.name = "pairs",
                                       .accepts = accepts_defects,
                                       .group = one_group,
                                       .place = pairs_place,
                                       .finish = pairs_finish};

/* Whole images count only where there are no defects to cut out. */
static gboolean accepts_textures(CgExport *e, const CgExportItem *item)
{
    const gboolean wanted =
        !cg_export_item_is_good(item) || e->dataset->layout == CG_LAYOUT_TEXTURES;
    e->summary->not_in_layout += !wanted;
    return wanted;
}

static char *texture_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    g_autofree char *category = cg_export_name(item->sample->category);
    g_autofree char *defect = cg_export_name(item->sample->defect);
    return cg_export_item_is_good(item) ? g_steal_pointer(&category)
                                        : g_strconcat(category, "_", defect, NULL);
}

static void texture_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    g_autofree char *group = texture_group(e, item);
    item->image = g_strdup_printf("%s/%s.png", group, stem);
}

/* From..from + size along one side of LENGTH pixels: the piece with its margin. */
static void surround(int at, int extent, int length, int *from, int *size)
{
    *size = MIN(MAX(extent + 2 * (extent / MARGIN), MIN_TEXTURE), length);
    *from = CLAMP(at + extent / 2 - *size / 2, 0, length - *size);
}

/* The largest piece with its surroundings. One texture per image keeps stems and rows in step. */
static gboolean texture_write(CgExport *e, const CgExportItem *item, GError **error)
{
    g_autofree char *path = cg_export_path(e, item->image);
    if (cg_export_item_is_good(item) || g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(CgImage) mask = cg_export_load_mask(item, error);
    g_autoptr(CgImage) image = mask ? cg_image_load(item->sample->image, NULL, error) : NULL;
    if (!image)
        return FALSE;
    g_autoptr(GPtrArray) pieces = cg_mask_trace(mask);
    const CgOutline *largest = NULL;
    for (guint i = 0; i < pieces->len; i++) {
        const CgOutline *o = g_ptr_array_index(pieces, i);
        if (!largest || o->area > largest->area)
            largest = o;
    }
    int x = 0, y = 0, width = image->width, height = image->height;
    if (largest) {
        surround(largest->x, largest->width, image->width, &x, &width);
        surround(largest->y, largest->height, image->height, &y, &height);
    }
    g_autoptr(CgImage) part = cg_image_crop(image, x, y, width, height);
    return cg_export_make_parent(path, error) && cg_image_save_png(part, path, error);
}

const CgExportRules cg_export_texture_bank = {.name = "texture-bank",
                                              .accepts = accepts_textures,
                                              .group = texture_group,
                                              .place = texture_place,
                                              .write = texture_write};
