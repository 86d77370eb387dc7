/* cagen model: finds the sub-command and hands over. */
#include "cli/model.h"

#include "cli/commands.h"
#include "cli/group.h"

#include <glib.h>

static const CgCliCommand commands[] = {
    {"fetch", "download a model from a hub", cg_cli_model_fetch},
    {"list", "tell which models were fetched", cg_cli_model_list},
    {"verify", "check fetched models against their hashes", cg_cli_model_verify},
    {"convert", "write a model in another form or number type", cg_cli_model_convert},
};

int cg_cli_model(int argc, char **argv)
{
    return cg_cli_group("model", commands, G_N_ELEMENTS(commands), argc, argv);
}
