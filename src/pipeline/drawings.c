#include "pipeline/drawings.h"

#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "datasets/prompt.h"
#include "pipeline/rows.h"

#include <string.h>

enum { SERIES_TRAIN, SERIES_TEST };

typedef struct {
    const CgDrawing *drawing;
    const char *defect_name; /* "good" for sound parts */
    int defect;
    guint series, number;
    char *twin; /* where the sound twin goes; NULL: nowhere */
} Item;

typedef struct {
    const CgDrawingsOptions *options;
    guint count;
    Item *items;       /* [count] */
    CgOutput *outputs; /* [count] */
    CgManifest *manifest;
    CgPrompts *prompts;
} Run;

static void run_clear(Run *r)
{
    for (guint i = 0; r->items && i < r->count; i++) {
        g_free(r->items[i].twin);
    }
    g_free(r->items);
    cg_outputs_free(r->outputs, r->count);
    cg_manifest_close(r->manifest);
    cg_prompts_free(r->prompts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static guint defect_count(const CgDrawing *drawing)
{
    guint count = 0;
    while (cg_drawing_defect(drawing, count))
        count++;
    return count;
}

guint cg_drawings_count(const CgDrawingsOptions *o)
{
    guint count = 0;
    for (guint i = 0; i < o->categories->len; i++)
        count += o->train + o->test_good +
                 o->per_defect * defect_count(g_ptr_array_index(o->categories, i));
    return count;
}

/* The COUNT images of one folder, from *AT on. */
static void add_items(Run *r, guint *at, const CgDrawing *drawing, guint series, int defect,
                      guint count)
{
    const CgDrawingsOptions *o = r->options;
    const char *category = cg_drawing_category(drawing);
    const gboolean sound = defect == CG_DRAWING_SOUND;
    const char *name = sound ? "good" : cg_drawing_defect(drawing, (guint)defect);
    for (guint number = 0; number < count; number++, (*at)++) {
        g_autofree char *stem = cg_output_stem(number, count);
        g_autofree char *file = g_strconcat(stem, ".png", NULL);
        r->items[*at] = (Item){
            .drawing = drawing,
            .defect_name = name,
            .defect = defect,
            .series = series,
            .number = number,
            .twin =
                o->twins && !sound ? g_build_filename(o->twins, category, name, file, NULL) : NULL,
        };
        r->outputs[*at].image =
            g_build_filename(category, series == SERIES_TRAIN ? "train" : "test", name, file, NULL);
        if (!sound)
            r->outputs[*at].mask =
                g_strdup_printf("%s/ground_truth/%s/%s_mask.png", category, name, stem);
    }
}

static void plan(Run *r)
{
    const CgDrawingsOptions *o = r->options;
    guint at = 0;
    r->count = cg_drawings_count(o);
    r->items = g_new0(Item, r->count);
    r->outputs = g_new0(CgOutput, r->count);
    for (guint i = 0; i < o->categories->len; i++) {
        const CgDrawing *drawing = g_ptr_array_index(o->categories, i);
        add_items(r, &at, drawing, SERIES_TRAIN, CG_DRAWING_SOUND, o->train);
        add_items(r, &at, drawing, SERIES_TEST, CG_DRAWING_SOUND, o->test_good);
        for (guint d = 0; d < defect_count(drawing); d++)
            add_items(r, &at, drawing, SERIES_TEST, (int)d, o->per_defect);
    }
}

static char *twin_path(const Item *item)
{
    return item->twin ? g_canonicalize_filename(item->twin, NULL) : NULL;
}

static char *item_key(const Run *r, const Item *item)
{
    g_autofree char *twin = twin_path(item);
    g_autofree char *text = g_strdup_printf("%s\n%s\n%u\n%u\n%d\n%" G_GUINT64_FORMAT "\n%s\n%s",
                                            cg_drawing_category(item->drawing), item->defect_name,
                                            item->series, item->number, r->options->size,
                                            r->options->seed, twin ? twin : "-", CAGEN_VERSION);
    return cg_output_key(text);
}

static json_t *make_row(const Run *r, guint i, const char *key)
{
    const Item *item = &r->items[i];
    const char *category = cg_drawing_category(item->drawing);
    const gboolean sound = item->defect == CG_DRAWING_SOUND;
    g_auto(GStrv) prompts = sound ? NULL : cg_prompts_make(r->prompts, category, item->defect_name);
    g_autofree char *words = g_strdelimit(g_strdup(category), "_", ' ');
    g_autofree char *twin = twin_path(item);
    json_t *row = json_object();
    json_object_set_new(row, "image", json_string(r->outputs[i].image));
    json_object_set_new(row, "mask", sound ? json_null() : json_string(r->outputs[i].mask));
    if (twin)
        json_object_set_new(row, "normal", json_string(twin));
    json_object_set_new(row, "category", json_string(category));
    json_object_set_new(row, "defect", json_string(item->defect_name));
    json_object_set_new(row, "split", json_string(item->series == SERIES_TRAIN ? "train" : "test"));
    json_object_set_new(row, "prompt", json_string(sound ? words : prompts[0]));
    json_object_set_new(row, "method", json_string("drawn"));
    json_object_set_new(row, "seed", json_integer((json_int_t)r->options->seed));
    json_object_set_new(row, "sample", json_integer(item->number));
    json_object_set_new(row, "size", json_integer(r->options->size));
    json_object_set_new(row, "version", json_string(CAGEN_VERSION));
    json_object_set_new(row, "kept", json_true());
    json_object_set_new(row, "scores", json_object());
    json_object_set_new(row, "key", json_string(key));
    return row;
}

static gboolean write_twin(const Item *item, const CgImage *normal, GError **error)
{
    g_autofree char *folder = item->twin ? g_path_get_dirname(item->twin) : NULL;
    return !item->twin ||
           (cg_file_make_directory(folder, error) && cg_image_save_png(normal, item->twin, error));
}

/* Image I, its pictures written and its row made; any thread. */
static gboolean make_item(const void *run, guint i, CgRowMade *result, GError **error)
{
    const Run *r = run;
    const CgDrawingsOptions *o = r->options;
    const Item *item = &r->items[i];
    g_auto(CgDrawn) drawn = {0};
    g_autofree char *key = item_key(r, item);
    if (!cg_cancel_check(error) ||
        !cg_output_is_done(o->out, r->manifest, &r->outputs[i], key, &result->done, error))
        return FALSE;
    result->done = result->done && (!item->twin || g_file_test(item->twin, G_FILE_TEST_EXISTS));
    if (result->done)
        return TRUE;
    cg_drawing_make(item->drawing, item->defect, o->seed, item->series, item->number, o->size,
                    &drawn);
    const gboolean sound = item->defect == CG_DRAWING_SOUND;
    if (!write_twin(item, drawn.normal, error) ||
        !cg_output_write_pictures(o->out, &r->outputs[i], sound ? drawn.normal : drawn.image,
                                  drawn.mask, error))
        return FALSE;
    result->row = make_row(r, i, key);
    return TRUE;
}

static const char readme[] =
    "Pictures of parts and materials that exist nowhere, drawn by cagen " CAGEN_VERSION
    " (cagen dataset make).\n"
    "\n"
    "No photograph and nobody's work went into them. They may be used, changed and passed on by\n"
    "anybody for any purpose, without conditions (CC0 1.0,\n"
    "https://creativecommons.org/publicdomain/zero/1.0/).\n"
    "\n"
    "The layout is that of MVTec AD. Masks are exact: where a mask is 0, the picture is the sound\n"
    "part's, bit for bit. manifest.jsonl has one row for each picture: from its seed, sample and\n"
    "size it can be drawn again. prompts.json has the words for each defect\n"
    "(cagen dataset split --aliases prompts.json).\n";

static const char prompts[] =
    "{\n"
    "  \"phrasings\": [\"{defect} {category}\", \"{category} with {defect}\"]\n"
    "}\n";

static gboolean write_text(const Run *r, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(r->options->out, name, NULL);
    return cg_file_write(path, text, strlen(text), error);
}

/* Sound twins in OUT would look like a category. */
static gboolean check_twins(const CgDrawingsOptions *o, GError **error)
{
    if (!o->twins)
        return TRUE;
    g_autofree char *out = g_canonicalize_filename(o->out, NULL);
    g_autofree char *twins = g_canonicalize_filename(o->twins, NULL);
    const gsize length = strlen(out);
    if (strncmp(twins, out, length) != 0 || (twins[length] && twins[length] != '/'))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%s: lies in %s, where readers would take it for a category; choose another "
                "--twins",
                o->twins, o->out);
    return FALSE;
}

gboolean cg_drawings_run(const CgDrawingsOptions *options, CgRowFunction row_done, void *data,
                         CgBatchSummary *summary, GError **error)
{
    g_auto(Run) r = {.options = options};
    *summary = (CgBatchSummary){0};
    plan(&r);
    if (!cg_image_init(error) || !check_twins(options, error) ||
        !(r.prompts = cg_prompts_load(NULL, error)) ||
        !(r.manifest = cg_manifest_open(options->out, error)) ||
        !cg_outputs_check(options->out, r.manifest, r.outputs, r.count, error))
        return FALSE;
    const CgRows rows = {.out = options->out,
                         .manifest = r.manifest,
                         .outputs = r.outputs,
                         .count = r.count,
                         .make = make_item,
                         .run = &r,
                         .row_done = row_done,
                         .data = data};
    if (!cg_rows_run(&rows, summary, error))
        return FALSE;
    return write_text(&r, "README.txt", readme, error) &&
           write_text(&r, "prompts.json", prompts, error);
}
