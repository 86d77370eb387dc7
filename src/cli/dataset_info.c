/* cagen dataset info: what is in a data set. */
#include "cli/dataset.h"

#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"

#include <stdio.h>

typedef struct {
    char *layout;
    gboolean json;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_free(o->layout);
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "one JSON object", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "dataset info", "DIR",
                      "Counts the images of a data set by category, split and defect type. Reads "
                      "names, no pixels.",
                      NULL, entries, error))
        return FALSE;
    if (o->paths && !o->paths[1])
        return TRUE;
    g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                        "dataset info: one folder is needed; see cagen dataset info --help");
    return FALSE;
}

/* Neighbouring samples of one category, split and defect type. */
typedef struct {
    const CgSample *first;
    guint images, masks;
} Group;

static GArray *count_groups(const CgDataset *d)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(Group));
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        Group *last = groups->len ? &g_array_index(groups, Group, groups->len - 1) : NULL;
        if (!last || last->first->category != s->category || last->first->split != s->split ||
            last->first->defect != s->defect) {
            const Group group = {s, 0, 0};
            g_array_append_val(groups, group);
            last = &g_array_index(groups, Group, groups->len - 1);
        }
        last->images++;
        last->masks += s->mask != NULL;
    }
    return groups;
}

static void print_cell(const char *text, int width)
{
    g_autofree char *shown = cg_cli_dataset_show(text);
    const int length = (int)g_utf8_strlen(shown, -1);
    printf("%s%*s  ", shown, MAX(width - length, 0), "");
}

static void print_table(const CgDataset *d, const GArray *groups)
{
    guint masks = 0;
    g_autofree char *root = cg_cli_dataset_show(d->root);
    printf("%s: layout %s, %u categor%s, %u images%s\n", root, cg_layout_name(d->layout),
           d->categories->len, d->categories->len == 1 ? "y" : "ies", d->samples->len,
           d->drawn ? "; no official split: a fifth of the normal images was drawn for test" : "");
    printf("%-16s  %-10s  %-24s  %7s  %7s\n", "category", "split", "defect", "images", "masks");
    for (guint i = 0; i < groups->len; i++) {
        const Group *g = &g_array_index(groups, Group, i);
        print_cell(g->first->category, 16);
        print_cell(cg_dataset_split_name(g->first->split), 10);
        print_cell(g->first->defect, 24);
        printf("%7u  %7u\n", g->images, g->masks);
        masks += g->masks;
    }
    printf("%-16s  %-10s  %-24s  %7u  %7u\n", "total", "", "", d->samples->len, masks);
    if (d->unlabelled)
        printf("%u images without labels are left out\n", d->unlabelled);
    if (d->problems->len)
        printf("%u problem%s; cagen dataset check tells them\n", d->problems->len,
               d->problems->len == 1 ? "" : "s");
}

static void print_json(const CgDataset *d, const GArray *groups)
{
    g_autoptr(json_t) object = json_object();
    json_t *rows = json_array();
    for (guint i = 0; i < groups->len; i++) {
        const Group *g = &g_array_index(groups, Group, i);
        json_t *row = json_object();
        json_object_set_new(row, "category", cg_cli_dataset_json(g->first->category));
        json_object_set_new(row, "split",
                            cg_cli_dataset_json(cg_dataset_split_name(g->first->split)));
        json_object_set_new(row, "defect", cg_cli_dataset_json(g->first->defect));
        json_object_set_new(row, "images", json_integer(g->images));
        json_object_set_new(row, "masks", json_integer(g->masks));
        json_array_append_new(rows, row);
    }
    json_object_set_new(object, "path", cg_cli_dataset_json(d->root));
    json_object_set_new(object, "layout", json_string(cg_layout_name(d->layout)));
    json_object_set_new(object, "images", json_integer(d->samples->len));
    json_object_set_new(object, "unlabelled", json_integer(d->unlabelled));
    json_object_set_new(object, "split_drawn", json_boolean(d->drawn));
    json_object_set_new(object, "problems", json_integer(d->problems->len));
    json_object_set_new(object, "groups", rows);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

int cg_cli_dataset_info(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error))
        return cg_cli_fail(error);
    cg_cancel_install();
    g_autoptr(CgDataset) d = cg_cli_dataset_open(o.paths[0], o.layout, &error);
    if (!d)
        return cg_cli_fail(error);
    g_autoptr(GArray) groups = count_groups(d);
    (o.json ? print_json : print_table)(d, groups);
    return 0;
}
