/* cagen classify: finds the sub-command and hands over. */
#include "cli/classify.h"

#include "cli/commands.h"
#include "cli/group.h"

#include <glib.h>

static const CgCliCommand commands[] = {
    {"train", "learn to tell a category's defect types apart", cg_cli_classify_train},
    {"test", "count what a data set's images are taken for", cg_cli_classify_test},
    {"run", "classify new images, or write the features that describe them", cg_cli_classify_run},
};

int cg_cli_classify(int argc, char **argv)
{
    return cg_cli_group("classify", commands, G_N_ELEMENTS(commands), argc, argv);
}
