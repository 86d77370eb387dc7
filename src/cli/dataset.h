/* dataset: the sub-commands of cagen dataset, one file each.
 *
 * ARGV[0] is the sub-command's name. The return value is the program's exit code. A new one is a
 * file dataset_NAME.c, a prototype here and a row in dataset.c.
 */
#ifndef CG_CLI_DATASET_H
#define CG_CLI_DATASET_H

#include "base/json.h"
#include "datasets/dataset.h"

int cg_cli_dataset_check(int argc, char **argv);
int cg_cli_dataset_export(int argc, char **argv);
int cg_cli_dataset_import(int argc, char **argv);
int cg_cli_dataset_info(int argc, char **argv);
int cg_cli_dataset_make(int argc, char **argv);
int cg_cli_dataset_split(int argc, char **argv);

/* The help text of --layout. */
#define CG_CLI_DATASET_LAYOUTS                                                                     \
    "auto, mvtec, loco, mvtec2, btad, visa, ksdd, ksdd2, realiad, tile, folder or textures "       \
    "(default: as it looks)"

/* Opens DIR in the layout named LAYOUT (NULL: as it looks). */
CgDataset *cg_cli_dataset_open(const char *dir, const char *layout, GError **error);

/* A name from the disk for people to read: valid UTF-8, control characters as \xNN. Free with
 * g_free. */
char *cg_cli_dataset_show(const char *name);
/* The same as a JSON string, valid UTF-8. */
json_t *cg_cli_dataset_json(const char *name);

#endif
