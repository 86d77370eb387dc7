#include "datasets/check.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "datasets/dataset-private.h"

#include <string.h>

#define DIGEST_SIZE 32

/* What was seen of one sample. */
typedef struct {
    guint8 digest[DIGEST_SIZE]; /* SHA-256 of the image's file */
    gboolean hashed;
    int width, height, channels; /* 0 when the image does not decode */
    GPtrArray *problems;         /* CgProblem, NULL while there are none */
} Look;

static void G_GNUC_PRINTF(4, 5)
    add_problem(Look *look, CgProblemKind kind, const char *path, const char *format, ...)
{
    va_list args;
    CgProblem *p = g_new(CgProblem, 1);
    va_start(args, format);
    *p = (CgProblem){kind, g_strdup(path), g_strdup_vprintf(format, args)};
    va_end(args);
    if (!look->problems)
        look->problems = g_ptr_array_new();
    g_ptr_array_add(look->problems, p);
}

static void add_unreadable(Look *look, const char *path, const GError *error)
{
    add_problem(look, CG_PROBLEM_UNREADABLE, path, "%s", cg_dataset_reason(error, path));
}

static void look_at_image(Look *look, const CgSample *s)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgMappedFile) file = cg_mapped_file_open(s->image, &error);
    if (!file) {
        add_unreadable(look, s->image, error);
        return;
    }
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize size = DIGEST_SIZE;
    g_checksum_update(sum, file->data, (gssize)file->size);
    g_checksum_get_digest(sum, look->digest, &size);
    look->hashed = file->size > 0;
    g_autoptr(CgImage) image = cg_image_load(s->image, NULL, &error);
    if (!image) {
        add_unreadable(look, s->image, error);
        return;
    }
    look->width = image->width;
    look->height = image->height;
    look->channels = image->channels;
}

/* What the values of one mask file say. */
typedef struct {
    size_t defect;  /* pixels that count as defect */
    size_t between; /* pixels that are neither 0 nor 255 */
    int brightest;
} Values;

static Values count_values(const CgImage *mask, CgMaskRule rule)
{
    Values v = {0};
    const int threshold = rule == CG_MASK_NONZERO ? 1 : 128;
    const size_t pixels = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < pixels; i++) {
        int value = 0;
        for (int c = 0; c < mask->channels; c++)
            value = MAX(value, mask->pixels[i * (size_t)mask->channels + (size_t)c]);
        v.defect += value >= threshold;
        v.between += value != 0 && value != 255;
        v.brightest = MAX(v.brightest, value);
    }
    return v;
}

/* Adds the pixels of defect in one mask file to *DEFECT; FALSE when nothing can be said. */
static gboolean look_at_mask(Look *look, const CgSample *s, const char *path, size_t *defect)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) mask = cg_image_load(path, NULL, &error);
    if (!mask) {
        add_unreadable(look, path, error);
        return FALSE;
    }
    if (look->width && (mask->width != look->width || mask->height != look->height))
        add_problem(look, CG_PROBLEM_SIZE, path, "%dx%d, but its image is %dx%d; resize the mask",
                    mask->width, mask->height, look->width, look->height);
    if (mask->channels != 1)
        add_problem(look, CG_PROBLEM_CHANNELS, path, "a colour mask; write it as grey");
    const Values v = count_values(mask, s->mask_rule);
    *defect += v.defect;
    if (s->mask_rule != CG_MASK_NONZERO && v.defect == 0 && v.brightest > 0) {
        add_problem(look, CG_PROBLEM_MASK_VALUES, path,
                    "no value reaches 128 (the largest is %d), so the mask counts as empty; write "
                    "masks with 0 and 255",
                    v.brightest);
        return FALSE;
    }
    if (s->mask_rule == CG_MASK_BINARY && v.between > 0)
        add_problem(look, CG_PROBLEM_MASK_VALUES, path,
                    "%zu pixels are neither 0 nor 255; write binary masks", v.between);
    return TRUE;
}

static void look_at_masks(Look *look, const CgSample *s)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) files = cg_sample_mask_files(s, &error);
    gboolean known = TRUE;
    size_t defect = 0;
    if (!files) {
        add_unreadable(look, s->mask, error);
        return;
    }
    for (char **path = files; *path; path++)
        known = look_at_mask(look, s, *path, &defect) && known;
    if (!known || !s->mask)
        return;
    if (defect == 0 && !cg_sample_is_good(s))
        add_problem(look, CG_PROBLEM_MASK_CONTENT, s->mask,
                    "empty, but its image is called \"%s\"; draw the defect or move the image",
                    s->defect);
    if (defect > 0 && cg_sample_is_good(s))
        add_problem(look, CG_PROBLEM_MASK_CONTENT, s->mask,
                    "marks %zu pixels, but its image is called normal; one of both is wrong",
                    defect);
}

/* Looks at all samples, in any order. */
static gboolean look_at_all(const CgDataset *d, Look *looks, GError **error)
{
    const guint count = d->samples->len;
    guint done = 0;
    g_autoptr(CgProgress) progress = cg_progress_new("images", count);
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        if (cg_cancelled())
            continue;
        const CgSample *s = cg_dataset_sample(d, i);
        look_at_image(&looks[i], s);
        look_at_masks(&looks[i], s);
#pragma omp critical(dataset_check)
        cg_progress_update(progress, ++done, NULL);
    }
    return cg_cancel_check(error);
}

/* Grey among colour, or the other way round. Samples lie in order of category. */
static void compare_channels(const CgDataset *d, Look *looks)
{
    for (guint begin = 0, end; begin < d->samples->len; begin = end) {
        guint grey = 0, colour = 0;
        const char *category = cg_dataset_sample(d, begin)->category;
        for (end = begin; end < d->samples->len && cg_dataset_sample(d, end)->category == category;
             end++) {
            grey += looks[end].channels == 1;
            colour += looks[end].channels == 3;
        }
        const int usual = grey > colour ? 1 : 3;
        for (guint i = begin; i < end; i++)
            if (looks[i].channels && looks[i].channels != usual)
                add_problem(&looks[i], CG_PROBLEM_CHANNELS, cg_dataset_sample(d, i)->image,
                            "%s, but %u of %u images of its category are %s; convert it",
                            usual == 1 ? "colour" : "grey", MAX(grey, colour), grey + colour,
                            usual == 1 ? "grey" : "colour");
    }
}

static guint digest_hash(gconstpointer key)
{
    guint h;
    memcpy(&h, key, sizeof h);
    return h;
}

static gboolean digest_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, DIGEST_SIZE) == 0;
}

/* Samples lie in order of split, so that the first of equal files is the one in training. */
static void find_duplicates(const CgDataset *d, Look *looks)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(digest_hash, digest_equal);
    for (int pass = CG_DATASET_TRAIN; pass <= CG_DATASET_TEST; pass++)
        for (guint i = 0; i < d->samples->len; i++) {
            const CgSample *s = cg_dataset_sample(d, i);
            if ((int)s->split != pass || !looks[i].hashed)
                continue;
            const CgSample *first = g_hash_table_lookup(seen, looks[i].digest);
            if (!first)
                g_hash_table_insert(seen, looks[i].digest, (gpointer)s);
            else if (first->split != s->split)
                add_problem(&looks[i], CG_PROBLEM_DUPLICATE, s->image,
                            "in %s, but the same file as %s in %s; remove one",
                            cg_dataset_split_name(s->split), cg_dataset_relative(d, first->image),
                            cg_dataset_split_name(first->split));
            else if (cg_sample_is_good(first) != cg_sample_is_good(s))
                add_problem(&looks[i], CG_PROBLEM_DUPLICATE, s->image,
                            "called \"%s\", but the same file as %s, which is called \"%s\"",
                            s->defect, cg_dataset_relative(d, first->image), first->defect);
        }
}

gboolean cg_dataset_check(CgDataset *d, GError **error)
{
    if (!cg_image_init(error))
        return FALSE;
    g_autofree Look *looks = g_new0(Look, d->samples->len + 1);
    const gboolean ok = look_at_all(d, looks, error);
    if (ok) {
        /* Textures are taken from anywhere; grey ones are as good. */
        if (d->layout != CG_LAYOUT_TEXTURES)
            compare_channels(d, looks);
        find_duplicates(d, looks);
    }
    for (guint i = 0; i < d->samples->len; i++) {
        for (guint k = 0; looks[i].problems && k < looks[i].problems->len; k++)
            g_ptr_array_add(d->problems, g_ptr_array_index(looks[i].problems, k));
        if (looks[i].problems)
            g_ptr_array_unref(looks[i].problems);
    }
    cg_dataset_sort(d);
    return ok;
}
