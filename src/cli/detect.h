/* detect: what the sub-commands of cagen detect share. */
#ifndef CG_CLI_DETECT_H
#define CG_CLI_DETECT_H

#include "pipeline/detector.h"
#include "pipeline/train_detector.h"

int cg_cli_detect_run(int argc, char **argv);
int cg_cli_detect_test(int argc, char **argv);
int cg_cli_detect_train(int argc, char **argv);

/* For options: the width that goes with the network. */
#define CG_CLI_OWN_WIDTH G_MININT

/* NETWORK (of --network; NULL: draem) is filled into OPTIONS, and its width where --width was not
 * given; these and the size are checked. COMMAND ("detect train") is for messages. */
gboolean cg_cli_detect_check(const char *command, const char *network,
                             CgTrainDetectorOptions *options, GError **error);

/* MAPS/NAME.npy and OVERLAYS/NAME.png (the image's size) of IMAGE's MAP, folders included; either
 * may be NULL. */
gboolean cg_cli_detect_save(const char *maps, const char *overlays, const char *name,
                            const CgImage *image, const CgMap *map, GError **error);

#endif
