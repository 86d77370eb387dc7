#include "metrics/evaluation.h"

#include "base/error.h"
#include "datasets/dataset.h"
#include "metrics/bootstrap.h"
#include "metrics/components.h"

#include <math.h>
#include <string.h>

#define FEWEST_FOR_INTERVAL 2

typedef struct {
    const char *defect; /* one pointer per type; NULL: good */
    const char *name;
    gboolean few_shot, no_mask;
} Image;

typedef struct {
    CgRanking *pixels, *images;
    guint vanished; /* masks that are empty at the map's size */
} ModeState;

struct CgEvaluationState {
    GStringChunk *strings;
    GArray *images; /* Image */
    ModeState modes[CG_MODE_COUNT];
};

const char *cg_value_name(CgValueKind kind)
{
    static const char *const names[CG_VALUE_COUNT] = {
        "image_auroc", "image_ap",  "image_f1",    "image_f1_threshold",
        "pixel_auroc", "pixel_ap",  "pixel_f1",    "pixel_f1_threshold",
        "pixel_aupro", "pixel_iou", "pixel_iou_at"};
    return names[kind];
}

gboolean cg_value_is_threshold(CgValueKind kind)
{
    return kind == CG_VALUE_IMAGE_THRESHOLD || kind == CG_VALUE_PIXEL_THRESHOLD;
}

/* From which ranking a value comes, and which measure it is. */
static const struct {
    gboolean pixels;
    CgMeasure measure;
} sources[CG_VALUE_COUNT] = {
    [CG_VALUE_IMAGE_AUROC] = {FALSE, CG_MEASURE_AUROC},
    [CG_VALUE_IMAGE_AP] = {FALSE, CG_MEASURE_AP},
    [CG_VALUE_IMAGE_F1] = {FALSE, CG_MEASURE_F1},
    [CG_VALUE_IMAGE_THRESHOLD] = {FALSE, CG_MEASURE_F1_THRESHOLD},
    [CG_VALUE_PIXEL_AUROC] = {TRUE, CG_MEASURE_AUROC},
    [CG_VALUE_PIXEL_AP] = {TRUE, CG_MEASURE_AP},
    [CG_VALUE_PIXEL_F1] = {TRUE, CG_MEASURE_F1},
    [CG_VALUE_PIXEL_THRESHOLD] = {TRUE, CG_MEASURE_F1_THRESHOLD},
    [CG_VALUE_PIXEL_AUPRO] = {TRUE, CG_MEASURE_AUPRO},
    [CG_VALUE_PIXEL_IOU] = {TRUE, CG_MEASURE_IOU},
    [CG_VALUE_PIXEL_IOU_AT] = {TRUE, CG_MEASURE_IOU_AT},
};

double cg_evaluation_row_draw(const CgEvaluationRow *row, CgValueKind kind, guint i)
{
    const CgMeasures *draws = row->draws[sources[kind].pixels];
    return draws ? draws[i].value[sources[kind].measure] : NAN;
}

CgEvaluation *cg_evaluation_new(const CgEvaluationOptions *options)
{
    CgEvaluation *e = g_new0(CgEvaluation, 1);
    e->options = *options;
    e->rows = g_array_new(FALSE, TRUE, sizeof(CgEvaluationRow));
    e->notes = g_ptr_array_new_with_free_func(g_free);
    e->state = g_new0(struct CgEvaluationState, 1);
    e->state->strings = g_string_chunk_new(4096);
    e->state->images = g_array_new(FALSE, FALSE, sizeof(Image));
    for (int m = 0; m < CG_MODE_COUNT; m++) {
        if (!options->modes[m])
            continue;
        e->state->modes[m].pixels = cg_ranking_new(options->threshold);
        e->state->modes[m].images = cg_ranking_new(NAN);
    }
    return e;
}

void cg_evaluation_drop_scores(CgEvaluation *e)
{
    for (int m = 0; m < CG_MODE_COUNT; m++) {
        g_clear_pointer(&e->state->modes[m].pixels, cg_ranking_free);
        g_clear_pointer(&e->state->modes[m].images, cg_ranking_free);
    }
}

void cg_evaluation_free(CgEvaluation *e)
{
    if (!e)
        return;
    cg_evaluation_drop_scores(e);
    g_string_chunk_free(e->state->strings);
    g_array_unref(e->state->images);
    g_free(e->state);
    for (guint i = 0; i < e->rows->len; i++) {
        CgEvaluationRow *row = &g_array_index(e->rows, CgEvaluationRow, i);
        g_free(row->draws[0]);
        g_free(row->draws[1]);
    }
    g_array_unref(e->rows);
    g_ptr_array_unref(e->notes);
    g_free(e);
}

/* ---- one image */

static gboolean add_pixels(CgRanking *r, const char *name, const CgMap *map, const CgImage *mask,
                           gboolean *empty, GError **error)
{
    const size_t count = (size_t)map->width * (size_t)map->height;
    g_autofree guint32 *regions = g_new(guint32, count);
    const guint32 region_count = cg_components(mask->pixels, map->width, map->height, regions);
    *empty = region_count == 0;
    return cg_ranking_add(r, name, map->values, regions, region_count, count, error);
}

static gboolean has_defect(const CgImage *mask)
{
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < count; i++)
        if (mask->pixels[i])
            return TRUE;
    return FALSE;
}

static gboolean add_to_mode(ModeState *state, CgMode mode, const CgEvaluated *image, GError **error)
{
    const float score = cg_mode_image_score(mode, image->map);
    const guint32 region = !g_str_equal(image->defect, CG_DEFECT_GOOD);
    gboolean empty;
    if (!image->mask) /* a unit without pixels: the numbers of units stay those of images */
        return cg_ranking_add(state->pixels, image->name, NULL, NULL, 0, 0, error) &&
               cg_ranking_add(state->images, image->name, &score, &region, region, 1, error);
    if (mode == CG_MODE_STRICT) {
        g_autoptr(CgMap) map = cg_map_resize(image->map, image->mask->width, image->mask->height);
        if (!add_pixels(state->pixels, image->name, map, image->mask, &empty, error))
            return FALSE;
    } else {
        g_autoptr(CgImage) mask =
            cg_mode_resize_mask(mode, image->mask, image->map->width, image->map->height);
        if (!add_pixels(state->pixels, image->name, image->map, mask, &empty, error))
            return FALSE;
        state->vanished += empty && has_defect(image->mask);
    }
    return cg_ranking_add(state->images, image->name, &score, &region, region, 1, error);
}

gboolean cg_evaluation_add(CgEvaluation *e, const CgEvaluated *image, GError **error)
{
    struct CgEvaluationState *s = e->state;
    const gboolean good = g_str_equal(image->defect, CG_DEFECT_GOOD);
    const size_t count = (size_t)image->map->width * (size_t)image->map->height;
    g_assert(!image->mask || image->mask->channels == 1);
    if (!cg_ranking_check(image->name, image->map->values, count, error))
        return FALSE;
    for (int m = 0; m < CG_MODE_COUNT; m++)
        if (s->modes[m].pixels && !add_to_mode(&s->modes[m], (CgMode)m, image, error))
            return FALSE;
    const Image entry = {.defect =
                             good ? NULL : g_string_chunk_insert_const(s->strings, image->defect),
                         .name = g_string_chunk_insert(s->strings, image->name),
                         .few_shot = image->few_shot,
                         .no_mask = !image->mask};
    g_array_append_val(s->images, entry);
    return TRUE;
}

/* ---- rows */

static const Image *nth_image(const CgEvaluation *e, guint i)
{
    return &g_array_index(e->state->images, Image, i);
}

static gboolean is_member(const CgEvaluationRow *row, const Image *image)
{
    return !(row->without_shots && image->few_shot) &&
           (!image->defect || !row->defect || image->defect == row->defect);
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Defect types in order of name; one alone is all types together already. */
static GPtrArray *list_defects(const CgEvaluation *e)
{
    GPtrArray *defects = g_ptr_array_new();
    for (guint i = 0; i < e->state->images->len; i++) {
        const char *defect = nth_image(e, i)->defect;
        if (defect && !g_ptr_array_find(defects, defect, NULL))
            g_ptr_array_add(defects, (gpointer)defect);
    }
    g_ptr_array_sort(defects, compare_strings);
    if (defects->len == 1)
        g_ptr_array_set_size(defects, 0);
    return defects;
}

static void add_row(CgEvaluation *e, CgMode mode, const char *defect, gboolean without_shots)
{
    CgEvaluationRow row = {.mode = mode, .defect = defect, .without_shots = without_shots};
    for (guint i = 0; i < e->state->images->len; i++) {
        const Image *image = nth_image(e, i);
        if (is_member(&row, image))
            *(image->defect ? &row.defective : &row.good) += 1;
    }
    g_array_append_val(e->rows, row);
}

static void list_rows(CgEvaluation *e, CgMode mode)
{
    g_autoptr(GPtrArray) defects = list_defects(e);
    int shots = 0;
    for (guint i = 0; i < e->state->images->len; i++)
        shots |= nth_image(e, i)->few_shot;
    for (int without = 0; without <= shots; without++) {
        add_row(e, mode, NULL, without);
        for (guint d = 0; d < defects->len; d++)
            add_row(e, mode, g_ptr_array_index(defects, d), without);
    }
}

/* [images]: 1 for those of ROW, 0 for the rest. */
static void row_weights(const CgEvaluation *e, const CgEvaluationRow *row, double *weights)
{
    for (guint i = 0; i < e->state->images->len; i++)
        weights[i] = is_member(row, nth_image(e, i));
}

/* Why nothing of ROW can be told from R, or NULL. */
static const char *explain(CgEvaluation *e, const CgEvaluationRow *row, gboolean pixels,
                           const CgRanking *r, const double *weights)
{
    guint missing = 0;
    const char *first = NULL;
    for (guint i = 0; i < e->state->images->len && pixels; i++) {
        const Image *image = nth_image(e, i);
        if (!is_member(row, image) || !image->no_mask)
            continue;
        first = missing++ ? first : image->name;
    }
    if (missing) {
        g_autofree char *text = g_strdup_printf("%u of %u images have no mask (the first: %s)",
                                                missing, row->good + row->defective, first);
        return g_string_chunk_insert_const(e->state->strings, text);
    }
    switch (cg_ranking_lack(r, weights)) {
    case CG_LACK_SCORES:
        return "no images";
    case CG_LACK_DEFECTIVE:
        return pixels ? "no defective pixels" : "no defective images";
    case CG_LACK_NORMAL:
        return pixels ? "no normal pixels" : "no good images";
    default:
        return NULL;
    }
}

static void fill_values(CgEvaluation *e, CgEvaluationRow *row, gboolean pixels, const CgRanking *r,
                        const double *weights, const CgMeasures *measures,
                        const CgIntervals *intervals)
{
    const char *reason = explain(e, row, pixels, r, weights);
    for (int v = 0; v < CG_VALUE_COUNT; v++) {
        const CgMeasure m = sources[v].measure;
        if (sources[v].pixels != pixels)
            continue;
        CgValue *value = &row->values[v];
        *value = (CgValue){NAN, NAN, NAN, reason};
        if (reason)
            continue;
        if (v == CG_VALUE_PIXEL_IOU_AT && isnan(e->options.threshold)) {
            value->undefined = "no threshold given";
            continue;
        }
        value->value = measures->value[m];
        if (intervals) {
            value->low = intervals->low[m];
            value->high = intervals->high[m];
        }
    }
}

/* Intervals of ROW, whose images have a weight in WEIGHTS; *DRAWN: whether there are any. */
static gboolean draw_intervals(const CgEvaluation *e, CgEvaluationRow *row, gboolean pixels,
                               const CgRanking *r, const double *weights, CgIntervals *intervals,
                               gboolean *drawn, GError **error)
{
    const CgEvaluationOptions *o = &e->options;
    const guint units = e->state->images->len;
    g_autofree gboolean *members = g_new(gboolean, units + 1);
    for (guint u = 0; u < units; u++)
        members[u] = weights[u] > 0;
    *drawn = o->bootstrap > 0 && row->good + row->defective >= FEWEST_FOR_INTERVAL &&
             cg_ranking_lack(r, weights) == CG_LACK_NOTHING;
    if (!*drawn)
        return TRUE;
    if (o->keep_draws && !row->defect)
        row->draws[pixels] = g_new(CgMeasures, o->bootstrap);
    return cg_bootstrap(r, members, o->bootstrap, o->seed, o->fpr_limit, intervals,
                        row->draws[pixels], error);
}

/* COUNT rows of one mode, from its ranking of pixels or images. */
static gboolean measure_rows(CgEvaluation *e, CgEvaluationRow *rows, guint count, gboolean pixels,
                             const CgRanking *r, GError **error)
{
    const guint units = e->state->images->len;
    g_autofree double *weights = g_new(double, (gsize)count *units + 1);
    g_autofree CgMeasures *measures = g_new(CgMeasures, count + 1);
    for (guint i = 0; i < count; i++)
        row_weights(e, &rows[i], weights + (gsize)i * units);
    cg_ranking_measure(r, count, weights, e->options.fpr_limit, measures);
    for (guint i = 0; i < count; i++) {
        const double *w = weights + (gsize)i * units;
        CgIntervals intervals;
        gboolean drawn;
        if (!draw_intervals(e, &rows[i], pixels, r, w, &intervals, &drawn, error))
            return FALSE;
        fill_values(e, &rows[i], pixels, r, w, &measures[i], drawn ? &intervals : NULL);
    }
    return TRUE;
}

static void G_GNUC_PRINTF(2, 3) add_note(CgEvaluation *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(e->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

static void note_mode(CgEvaluation *e, CgMode mode)
{
    const ModeState *state = &e->state->modes[mode];
    if (cg_ranking_is_constant(state->pixels))
        add_note(e, "%s: all scores are equal, so the values say nothing about the detector",
                 cg_mode_name(mode));
    if (state->vanished)
        add_note(e, "%s: %u of the masks have no defective pixel left at the map's size",
                 cg_mode_name(mode), state->vanished);
}

static gboolean finish_mode(CgEvaluation *e, CgMode mode, GError **error)
{
    ModeState *state = &e->state->modes[mode];
    const guint first = e->rows->len;
    list_rows(e, mode);
    CgEvaluationRow *rows = &g_array_index(e->rows, CgEvaluationRow, first);
    const guint count = e->rows->len - first;
    if (!cg_ranking_sort(state->pixels, error) || !cg_ranking_sort(state->images, error) ||
        !measure_rows(e, rows, count, FALSE, state->images, error) ||
        !measure_rows(e, rows, count, TRUE, state->pixels, error))
        return FALSE;
    note_mode(e, mode);
    return TRUE;
}

gboolean cg_evaluation_finish(CgEvaluation *e, GError **error)
{
    for (int m = 0; m < CG_MODE_COUNT; m++)
        if (e->state->modes[m].pixels && !finish_mode(e, (CgMode)m, error))
            return FALSE;
    return TRUE;
}

GArray *cg_evaluation_curve(const CgEvaluation *e, const CgEvaluationRow *row, gboolean pixels,
                            CgCurveKind kind, guint most)
{
    const ModeState *state = &e->state->modes[row->mode];
    const CgValue *value = &row->values[pixels ? CG_VALUE_PIXEL_AUROC : CG_VALUE_IMAGE_AUROC];
    if (value->undefined)
        return NULL;
    g_autofree double *weights = g_new(double, e->state->images->len + 1);
    row_weights(e, row, weights);
    return cg_ranking_curve(pixels ? state->pixels : state->images, weights, kind, most);
}
