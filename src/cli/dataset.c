/* cagen dataset: finds the sub-command and hands over. */
#include "cli/dataset.h"

#include "cli/commands.h"
#include "cli/group.h"

#include <stdio.h>

static const CgCliCommand commands[] = {
    {"check", "list every problem of a data set", cg_cli_dataset_check},
    {"info", "tell what is in a data set", cg_cli_dataset_info},
    {"export", "write a data set in the form that other software reads", cg_cli_dataset_export},
    {"import", "draw masks from labelme or COCO outlines", cg_cli_dataset_import},
    {"make", "draw a data set of parts and materials that exist nowhere", cg_cli_dataset_make},
    {"split", "draw the few images per defect type to learn from", cg_cli_dataset_split},
};

int cg_cli_dataset(int argc, char **argv)
{
    return cg_cli_group("dataset", commands, G_N_ELEMENTS(commands), argc, argv);
}

CgDataset *cg_cli_dataset_open(const char *dir, const char *layout, GError **error)
{
    CgLayout wanted = CG_LAYOUT_AUTO;
    if (layout && !cg_layout_parse(layout, &wanted, error))
        return NULL;
    return cg_dataset_open(dir, wanted, error);
}

char *cg_cli_dataset_show(const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    GString *shown = g_string_new(NULL);
    for (const char *p = valid; *p; p++) {
        if ((guchar)*p < ' ' || *p == 127)
            g_string_append_printf(shown, "\\x%02x", (guchar)*p);
        else
            g_string_append_c(shown, *p);
    }
    return g_string_free(shown, FALSE);
}

json_t *cg_cli_dataset_json(const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    return json_string(valid);
}
