/* Detectors and classifiers. All their numbers are looked at while they are compared with the
 * structure; they are small. */
#include "pipeline/inspect-private.h"

#include "base/json.h"
#include "metrics/table.h"
#include "pipeline/classifier.h"
#include "pipeline/detector.h"

#include <math.h>

#define SHOWN_LABELS 8

static void tally_weights(CgInspection *i, const CgPlainWeights *weights)
{
    CgInspectionTally tally;
    cg_inspection_tally_init(&tally, i);
    cg_plain_weights_foreach(weights, cg_inspection_tally_add, &tally);
    cg_inspection_tally_finish(&tally);
}

static void init_binder(CgBinder *b, CgPlainWeights *weights)
{
    const CgBuild build = {.lookup = cg_plain_weights_lookup, .source = weights};
    cg_binder_init(b, NULL, &build);
}

/* ---- detectors */

/* "DRAEM, widths 128 and 64" */
static char *describe_network(const CgDetectorNetworkConfig *c)
{
    if (c->kind == CG_DETECTOR_UNET)
        return g_strdup_printf("U-Net on the picture alone, width %d", c->unet_width);
    return g_strdup_printf("DRAEM, widths %d and %d", c->draem.reconstructive_width,
                           c->draem.discriminative_width);
}

static char *describe_detector(const CgDetectorConfig *c)
{
    GString *text = g_string_new(NULL);
    g_autofree char *network = describe_network(&c->network);
    g_autofree char *category = cg_table_show(c->category);
    g_string_append_printf(text, "%s, %dx%d pixels", network, c->size, c->size);
    if (*category)
        g_string_append_printf(text, ", of %s", category);
    if (isfinite(c->threshold))
        g_string_append_printf(text, ", threshold %.4g", c->threshold);
    return g_string_free(text, FALSE);
}

static CgInspection *inspect_detector(const char *path)
{
    g_auto(CgDetectorConfig) config = {0};
    GError *error = NULL;
    CgBinder b;
    CgInspection *i = cg_inspection_new("detector", path);
    g_autoptr(CgPlainWeights) weights = cg_detector_read(path, &config, &error);
    if (!weights) {
        cg_inspection_add_problem(i, error);
        return i;
    }
    i->summary = describe_detector(&config);
    tally_weights(i, weights);
    g_autofree CgDetectorNetwork *structure = g_new0(CgDetectorNetwork, 1);
    structure->config = config.network;
    init_binder(&b, weights);
    cg_bind_detector_network(&b, structure);
    cg_inspection_finish_binding(i, &b);
    return i;
}

/* Channels out and in of the convolution NAME; 0 where there is none. */
static int dim(const CgPlainWeights *w, const char *name, int which)
{
    const CgSafetensor *t = cg_plain_weights_find(w, name);
    const int64_t n = t && t->shape.rank == 4 ? t->shape.d[which] : 0;
    return n >= 1 && n <= CG_DETECTOR_MAX_WIDTH ? (int)n : 0;
}

/* What a single file has of a detector: one of DRAEM's networks, both, or a U-Net. */
static CgInspection *inspect_detector_file(const char *path, CgPlainWeights *weights)
{
    static const char segmenter[] = "encoder_segment.block1.0.weight";
    const int reconstructive = dim(weights, "encoder.block1.0.weight", 0);
    const int width = dim(weights, segmenter, 0), channels = dim(weights, segmenter, 1);
    g_autofree CgDraem *structure = g_new0(CgDraem, 1);
    CgBinder b;
    if (!reconstructive && !width)
        return NULL;
    CgInspection *i = cg_inspection_new("detector", path);
    if (!width)
        i->summary = g_strdup_printf("DRAEM's reconstructive network, width %d", reconstructive);
    else if (reconstructive || channels == 6)
        i->summary = g_strdup_printf("DRAEM's %s, width %d",
                                     reconstructive ? "two networks" : "discriminative network",
                                     reconstructive ? reconstructive : width);
    else
        i->summary = g_strdup_printf("U-Net on the picture alone, width %d", width);
    tally_weights(i, weights);
    init_binder(&b, weights);
    if (reconstructive)
        cg_bind_draem_reconstructive(&b, structure, reconstructive);
    if (width)
        cg_bind_segmenter(&b, &structure->segmenter, reconstructive || channels == 6 ? 6 : 3,
                          width);
    cg_inspection_finish_binding(i, &b);
    return i;
}

/* ---- classifiers */

static char *describe_classifier(const CgResnetClassifierConfig *c, const CgClassifierInput *input,
                                 const GPtrArray *labels)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "ResNet-%d, width %d, %d class%s", c->depth, c->width, c->classes,
                           c->classes == 1 ? "" : "es");
    for (guint i = 0; labels && i < MIN(labels->len, SHOWN_LABELS); i++) {
        g_autofree char *shown = cg_table_show(g_ptr_array_index(labels, i));
        g_string_append_printf(text, "%s%s", i ? ", " : " (", shown);
    }
    if (labels)
        g_string_append(text, labels->len > SHOWN_LABELS ? ", ...)" : ")");
    if (input)
        g_string_append_printf(text, ", %dx%d pixels", input->size, input->size);
    return g_string_free(text, FALSE);
}

/* A file says nothing of its classes' names and its pictures. */
static CgInspection *inspect_classifier(const char *path, gboolean is_file)
{
    g_autofree CgResnetClassifier *structure = g_new0(CgResnetClassifier, 1);
    g_autoptr(GPtrArray) labels = NULL;
    CgClassifierInput input;
    GError *error = NULL;
    CgBinder b;
    CgInspection *i = cg_inspection_new("classifier", path);
    g_autoptr(CgPlainWeights) weights =
        cg_classifier_read(path, &structure->config, &input, &labels, &error);
    if (!weights) {
        cg_inspection_add_problem(i, error);
        return i;
    }
    i->summary =
        describe_classifier(&structure->config, is_file ? NULL : &input, is_file ? NULL : labels);
    tally_weights(i, weights);
    init_binder(&b, weights);
    cg_bind_resnet_classifier(&b, structure);
    cg_inspection_finish_binding(i, &b);
    return i;
}

/* ---- which of them */

gboolean cg_inspect_plain_folder(const char *path, const json_t *json, GPtrArray *found)
{
    const char *class_name = cg_json_text(json, "_class_name");
    if (class_name && cg_detector_is_class_name(class_name))
        g_ptr_array_add(found, inspect_detector(path));
    else if (json_object_get(json, "architecture"))
        g_ptr_array_add(found, inspect_classifier(path, FALSE));
    return found->len > 0;
}

gboolean cg_inspect_plain_file(const char *path, GPtrArray *found)
{
    g_autoptr(CgPlainWeights) weights = cg_plain_weights_open(&path, 1, NULL);
    if (!weights)
        return FALSE;
    CgInspection *detector = inspect_detector_file(path, weights);
    if (detector)
        g_ptr_array_add(found, detector);
    else if (cg_plain_weights_find(weights, "layer1.0.conv1.weight"))
        g_ptr_array_add(found, inspect_classifier(path, TRUE));
    return found->len > 0;
}
