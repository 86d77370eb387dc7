/* detect: what the sub-commands of cagen detect share. */
#ifndef CG_CLI_DETECT_H
#define CG_CLI_DETECT_H

#include "pipeline/detector.h"

int cg_cli_detect_run(int argc, char **argv);
int cg_cli_detect_test(int argc, char **argv);
int cg_cli_detect_train(int argc, char **argv);

/* MAPS/NAME.npy and OVERLAYS/NAME.png (the image's size) of IMAGE's MAP, folders included; either
 * may be NULL. */
gboolean cg_cli_detect_save(const char *maps, const char *overlays, const char *name,
                            const CgImage *image, const CgMap *map, GError **error);

#endif
