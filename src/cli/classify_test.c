/* cagen classify test */
#include "cli/classify.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "metrics/confusion.h"
#include "pipeline/classifier.h"
#include "pipeline/labelled.h"

typedef struct {
    CgCliCompute compute;
    char *model, *data, *layout, *category, *part, *split, *format, *out, *scores;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->model, o->data,   o->layout, o->category, o->part,
                          o->split, o->format, o->out,    o->scores};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Says how many images are taken for what they are, for each class and in all. With the images "
    "of\n"
    "cagen generate as --data it says how often the prompt's defect type can be seen in them.\n"
    "Images of types that the classifier does not know are left out with a warning.\n\n"
    "Example:\n"
    "  cagen classify test --model bottle-types --data mvtec --category bottle";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model, "folder that cagen classify train made",
         "DIR"},
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set, or generated images", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category,
         "the category to test (default: the only one)", "NAME"},
        {"part", 0, 0, G_OPTION_ARG_STRING, &o->part,
         "which of its images: train, test or all (default: test)", "NAME"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "few-shot split whose images are left out, because they were learnt from", "FILE"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &o->format, "text, json or csv (default: text)",
         "NAME"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "write the table to this file", "FILE"},
        {"scores", 0, 0, G_OPTION_ARG_FILENAME, &o->scores,
         "write each image's class, answer and its probability to this file, as CSV", "FILE"},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "classify test", NULL,
                        "Counts what a data set's images are taken for.", description, entries,
                        error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "classify test: %s; see cagen classify test --help", message);
    return FALSE;
}

/* The pictures to test, by labels that C knows; a binary classifier knows all. */
static GArray *list_pictures(const Options *o, const CgClassifier *c, GError **error)
{
    CgLabelledSource source = {.data = o->data,
                               .layout = o->layout,
                               .category = o->category,
                               .splits = {[CG_DATASET_TEST] = TRUE},
                               .shots = o->split};
    g_autoptr(GArray) pictures = cg_labelled_new();
    if (o->part && !cg_labelled_parse_part(o->part, source.splits)) {
        usage(error, "--part is train, test or all");
        return NULL;
    }
    if (!cg_labelled_add(pictures, &source, error))
        return NULL;
    if (c->input.window)
        cg_labelled_lend_masks(pictures);
    if (cg_classifier_is_binary(c))
        cg_labelled_unite(pictures);
    g_autofree char *unknown = cg_labelled_keep_known(pictures, c->labels);
    if (unknown && pictures->len)
        cg_log_warning("%s: left out, the classifier does not know them: %s", o->data, unknown);
    if (pictures->len)
        return g_steal_pointer(&pictures);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: the classifier knows none of its types: %s",
                o->data, unknown);
    return NULL;
}

static guint find_label(const CgClassifier *c, const char *label)
{
    guint i = 0;
    g_ptr_array_find_with_equal_func(c->labels, label, g_str_equal, &i);
    return i;
}

static void append_score(GString *scores, const CgLabelled *picture, const char *answer,
                         double probability)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    g_auto(GStrv) parts = g_strsplit(picture->path, "\"", -1);
    g_autofree char *path = g_strjoinv("\"\"", parts);
    g_ascii_formatd(digits, sizeof digits, "%.9g", probability);
    g_string_append_printf(scores, "\"%s\",%s,%s,%s\n", path, picture->label, answer, digits);
}

typedef struct {
    const GArray *pictures; /* of CgLabelled */
    gboolean window;
} Pictures;

static CgImage *load_picture(const void *data, guint i, GError **error)
{
    const Pictures *p = data;
    return cg_labelled_load(&g_array_index(p->pictures, CgLabelled, i), p->window, error);
}

static gboolean test(const Options *o, const CgClassifier *c, const GArray *pictures,
                     CgReportFormat format, GError **error)
{
    g_autoptr(CgTensor) features = NULL, logits = NULL;
    g_autoptr(CgConfusion) confusion = cg_confusion_new(c->labels->len);
    g_autoptr(GString) scores = g_string_new("image,class,answer,probability\n");
    const Pictures all = {pictures, c->input.window};
    if (!cg_classifier_run_loaded(c, load_picture, &all, pictures->len, &features, &logits, error))
        return FALSE;
    for (guint i = 0; i < pictures->len; i++) {
        const CgLabelled *picture = &g_array_index(pictures, CgLabelled, i);
        double probability;
        const guint answer = cg_classifier_answer(logits, i, &probability);
        cg_confusion_add(confusion, find_label(c, picture->label), answer);
        append_score(scores, picture, g_ptr_array_index(c->labels, answer), probability);
    }
    g_autofree char *text =
        cg_confusion_print(confusion, (const char *const *)c->labels->pdata, format, error);
    return text && (!o->scores || cg_cli_write(scores->str, o->scores, error)) &&
           cg_cli_write(text, o->out, error);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    CgReportFormat format = CG_REPORT_TEXT;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    if (!parse_options(argc, argv, &o, error))
        return FALSE;
    if (!o.model || !o.data)
        return usage(error, o.model ? "--data DIR is missing" : "--model DIR is missing");
    if ((o.format && !cg_report_format_parse(o.format, &format, error)) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, error) ||
        !cg_file_can_write(o.out, error) || !cg_file_can_write(o.scores, error))
        return FALSE;
    if (o.compute.json && !o.format)
        format = CG_REPORT_JSON;
    g_autoptr(CgClassifier) c = cg_classifier_open(engine, dtype, o.model, error);
    g_autoptr(GArray) pictures = c ? list_pictures(&o, c, error) : NULL;
    return pictures && test(&o, c, pictures, format, error);
}

int cg_cli_classify_test(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
