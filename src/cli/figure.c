/* cagen figure: the paper's figures 1, 2 and 4, of anybody's pictures. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/compared.h"
#include "cli/options.h"
#include "pipeline/figures.h"
#include "pipeline/likeness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS    200
#define MAX_COLUMNS 32
#define MAX_COUNT   5000 /* the kernels of two groups of 5000 take 600 MB */
#define MAX_DRAWS   10000

typedef struct {
    CgCliCompute compute;
    CgCliCompared compared;
    char **which;
    char *out, *features, *init;
    int rows, columns, cell, count, iterations, bootstrap, thumbnails;
    double perplexity, angle;
    gboolean whole;
    gint64 seed;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    cg_cli_compared_clear(&o->compared);
    g_free(o->out);
    g_free(o->features);
    g_free(o->init);
    g_strfreev(o->which);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "  1  normal image, mask, a result of every group and a real defect, in rows (PNG)\n"
    "  2  the same normal image and mask with several prompts, of one group (PNG)\n"
    "  4  all pictures as points by t-SNE (PNG, SVG and PDF), and numbers to check it by\n"
    "     (JSON and Markdown): distances of each group from the real defects, with intervals\n\n"
    "A group is a folder that cagen generate or augment made, a data set (its defective images),\n"
    "or for figure 4 a file of features, [pictures, numbers] in .npy or .safetensors.\n\n"
    "Example:\n"
    "  cagen figure 4 --data mvtec --category bottle --group CutPaste=cut/ --group DRAEM=dr/ \\\n"
    "      --group CAGen=gen/ --out figures";

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "figure: %s; see cagen figure --help", message);
    return FALSE;
}

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    *o = (Options){.rows = 4,
                   .columns = 6,
                   .cell = 192,
                   .count = 150,
                   .iterations = 1000,
                   .bootstrap = 1000,
                   .perplexity = 30,
                   .angle = -1};
    const GOptionEntry entries[] = {
        CG_CLI_COMPARED_ENTRIES(&o->compared),
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder to write to (default: .)", "DIR"},
        {"rows", 0, 0, G_OPTION_ARG_INT, &o->rows, "1, 2: rows (default: 4)", "N"},
        {"columns", 0, 0, G_OPTION_ARG_INT, &o->columns, "2: most prompts (default: 6)", "N"},
        {"cell", 0, 0, G_OPTION_ARG_INT, &o->cell, "1, 2: pixels of a picture (default: 192)", "N"},
        {"count", 'n', 0, G_OPTION_ARG_INT, &o->count,
         "4: most pictures of a group, taken evenly (default: 150)", "N"},
        {"features", 0, 0, G_OPTION_ARG_FILENAME, &o->features,
         "4: what pictures are described by: pixels (default), 16 x 16 of them, or a ResNet's "
         "weights "
         "(.safetensors, or the folder of a classifier)",
         "NAME|PATH"},
        {"whole", 0, 0, G_OPTION_ARG_NONE, &o->whole,
         "4: whole pictures, not the part around the mask", NULL},
        {"perplexity", 0, 0, G_OPTION_ARG_DOUBLE, &o->perplexity, "4: (default: 30)", "X"},
        {"iterations", 0, 0, G_OPTION_ARG_INT, &o->iterations, "4: (default: 1000)", "N"},
        {"angle", 0, 0, G_OPTION_ARG_DOUBLE, &o->angle,
         "4: of Barnes-Hut, 0 is exact (default: 0, from 1000 pictures on 0.5)", "X"},
        {"thumbnails", 0, 0, G_OPTION_ARG_INT, &o->thumbnails,
         "4: one more picture, with the pictures for points, N pixels long", "N"},
        {"init", 0, 0, G_OPTION_ARG_STRING, &o->init, "4: pca (default) or random", "NAME"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "4: draws for the intervals (default: 1000)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "4: (default: 0)", "S"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->which, NULL, NULL},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "figure", "1|2|4",
                        "Draws samples of several methods side by side, or as points of a plane "
                        "with the distances between them.",
                        description, entries, error);
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->which || o->which[1] || strlen(o->which[0]) != 1 || !strchr("124", *o->which[0]))
        return usage(error, "which figure: 1, 2 or 4");
    if (!o->compared.groups)
        return usage(error, "at least one --group NAME=PATH is needed");
    if (*o->which[0] == '2' && o->compared.groups[1])
        return usage(error, "figure 2 is of one --group");
    if (o->rows < 1 || o->rows > MAX_ROWS || o->columns < 2 || o->columns > MAX_COLUMNS)
        return usage(error, "--rows can be 1 to 200, --columns 2 to 32");
    if (o->cell < 32 || o->cell > 2048)
        return usage(error, "--cell can be 32 to 2048");
    if (o->count < 2 || o->count > MAX_COUNT)
        return usage(error, "--count can be 2 to 5000");
    if (!(o->perplexity > 1 && o->perplexity < 10000))
        return usage(error, "--perplexity must be above 1");
    if (o->iterations < 1 || o->iterations > 1000000)
        return usage(error, "--iterations can be 1 to 1000000");
    if (!(o->angle == -1 || (o->angle >= 0 && o->angle <= 0.7)))
        return usage(error, "--angle can be 0 to 0.7");
    if (o->init && !g_str_equal(o->init, "pca") && !g_str_equal(o->init, "random"))
        return usage(error, "--init can be pca or random");
    if (o->thumbnails != 0 && (o->thumbnails < 8 || o->thumbnails > 512))
        return usage(error, "--thumbnails can be 8 to 512");
    if (o->bootstrap < 0 || o->bootstrap > MAX_DRAWS)
        return usage(error, "--bootstrap can be 0 to 10000");
    if (o->seed < 0)
        return usage(error, "--seed must not be negative");
    return TRUE;
}

/* ---- groups */

static gboolean need_pictures(GPtrArray *groups, GError **error)
{
    for (guint i = 0; i < groups->len; i++) {
        const CgGroup *g = g_ptr_array_index(groups, i);
        if (g->images->len == 0)
            return usage(error, "this figure shows pictures; a file of features has none");
    }
    return TRUE;
}

/* ---- figures */

static char *out_path(const Options *o, const char *name)
{
    return g_build_filename(o->out ? o->out : ".", name, NULL);
}

static gboolean save_sheet(const Options *o, const CgImage *sheet, const char *name, GError **error)
{
    g_autofree char *path = out_path(o, name);
    if (!sheet || !cg_image_save_png(sheet, path, error))
        return FALSE;
    printf("%s\n", path);
    return TRUE;
}

static gboolean draw_samples(const Options *o, GError **error)
{
    g_autoptr(CgGroup) real = NULL;
    g_autoptr(GPtrArray) groups = cg_cli_compared_groups(&o->compared, "figure", error);
    if (!groups || !need_pictures(groups, error) ||
        !cg_cli_compared_open(&o->compared, CG_GROUP_DEFECTIVE, &real, error))
        return FALSE;
    g_autoptr(CgImage) sheet = cg_figure_samples(groups, real, o->rows, o->cell, error);
    return save_sheet(o, sheet, "figure1.png", error);
}

static gboolean draw_prompts(const Options *o, GError **error)
{
    g_autoptr(GPtrArray) groups = cg_cli_compared_groups(&o->compared, "figure", error);
    if (!groups || !need_pictures(groups, error))
        return FALSE;
    g_autoptr(CgImage) sheet =
        cg_figure_prompts(g_ptr_array_index(groups, 0), o->rows, o->columns, o->cell, error);
    return save_sheet(o, sheet, "figure2.png", error);
}

static gboolean write_text(const Options *o, const char *name, const char *text, GError **error)
{
    g_autofree char *path = out_path(o, name);
    if (!cg_file_write(path, text, strlen(text), error))
        return FALSE;
    printf("%s\n", path);
    return TRUE;
}

static gboolean save_likeness(const Options *o, const CgLikeness *l, GError **error)
{
    static const char *const pictures[] = {"figure4.png", "figure4.svg", "figure4.pdf"};
    for (size_t i = 0; i < G_N_ELEMENTS(pictures); i++) {
        g_autofree char *path = out_path(o, pictures[i]);
        if (!cg_likeness_draw(l, o->compared.category, path, error))
            return FALSE;
        printf("%s\n", path);
    }
    g_autoptr(CgImage) sheet = o->thumbnails ? cg_likeness_pictures(l, o->thumbnails, error) : NULL;
    if (o->thumbnails && !save_sheet(o, sheet, "figure4-pictures.png", error))
        return FALSE;
    g_autoptr(json_t) json = cg_likeness_json(l);
    char *dumped = json_dumps(json, JSON_COMPACT);
    g_autofree char *table = cg_likeness_markdown(l);
    const gboolean ok =
        write_text(o, "figure4.json", dumped, error) && write_text(o, "figure4.md", table, error);
    free(dumped);
    return ok;
}

/* Gives G features if it has none: of the network, or its pixels when CLASSIFIER is NULL. */
static gboolean describe(const Options *o, CgGroup *g, const CgClassifier *classifier,
                         GError **error)
{
    const CgGroupView view = o->whole ? CG_VIEW_WHOLE : CG_VIEW_WINDOW;
    if (g->features)
        return TRUE;
    return classifier ? cg_group_describe(g, classifier, view, NULL, error)
                      : cg_group_describe_pixels(g, view, error);
}

static gboolean describe_all(const Options *o, GPtrArray *groups, GError **error)
{
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    g_autoptr(CgClassifier) classifier = NULL;
    if (o->features && !g_str_equal(o->features, "pixels") &&
        (!cg_cli_compute_start(&o->compute, &engine, &dtype, error) ||
         !(classifier = cg_classifier_open(engine, dtype, o->features, error))))
        return FALSE;
    for (guint i = 0; i < groups->len; i++)
        if (!describe(o, g_ptr_array_index(groups, i), classifier, error))
            return FALSE;
    return TRUE;
}

/* What the features are, in words. Free with g_free. */
static char *features_name(const Options *o, GPtrArray *groups)
{
    for (guint i = 0; i < groups->len; i++)
        if (((const CgGroup *)g_ptr_array_index(groups, i))->images->len == 0)
            return g_strdup("given as files");
    return g_strdup_printf("%s, of %s", o->features ? o->features : "pixels, 16 x 16",
                           o->whole ? "whole pictures" : "the part around the mask");
}

static CgTsne tsne_settings(const Options *o, GPtrArray *groups)
{
    size_t total = 0;
    for (guint i = 0; i < groups->len; i++)
        total += ((const CgGroup *)g_ptr_array_index(groups, i))->features->count;
    CgTsne t = cg_tsne_defaults();
    t.perplexity = o->perplexity;
    t.iterations = o->iterations;
    t.angle = o->angle >= 0 ? o->angle : total >= CG_TSNE_EXACT_MAX ? 0.5 : 0;
    t.random = g_strcmp0(o->init, "random") == 0;
    t.seed = (guint64)o->seed;
    return t;
}

static gboolean draw_likeness(const Options *o, GError **error)
{
    int good, real;
    g_autoptr(GPtrArray) groups =
        cg_cli_compared_all(&o->compared, "figure", (guint)o->count, &good, &real, error);
    if (!groups || !describe_all(o, groups, error))
        return FALSE;
    g_autofree char *features = features_name(o, groups);
    g_auto(CgLikeness) l = {.groups = groups,
                            .good = good,
                            .real = real,
                            .features = features,
                            .tsne = tsne_settings(o, groups),
                            .draws = (guint)o->bootstrap,
                            .seed = (guint64)o->seed};
    return cg_likeness_measure(&l, error) && save_likeness(o, &l, error);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse_options(argc, argv, &o, error) || !check_options(&o, error) ||
        !cg_cli_common_start(&o.compute, error) || (o.out && !cg_file_make_directory(o.out, error)))
        return FALSE;
    g_autofree char *name = g_strdup_printf("figure%s.png", o.which[0]);
    g_autofree char *first = out_path(&o, name);
    if (!cg_file_can_write(first, error))
        return FALSE;
    return *o.which[0] == '1'   ? draw_samples(&o, error)
           : *o.which[0] == '2' ? draw_prompts(&o, error)
                                : draw_likeness(&o, error);
}

int cg_cli_figure(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
