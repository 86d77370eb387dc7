/* train: what the sub-commands of cagen train share. */
#ifndef CG_CLI_TRAIN_H
#define CG_CLI_TRAIN_H

#include "cli/options.h"
#include "pipeline/trainer.h"

int cg_cli_train_base(int argc, char **argv);
int cg_cli_train_controlnet(int argc, char **argv);
int cg_cli_train_vae(int argc, char **argv);

/* Options of every training, with GOption's types. */
typedef struct {
    CgCliCompute compute;
    CgTrainSettings settings;
    char *out, *course, *moments, *stop_when;
    gint64 steps, warmup, watch_steps, seed;
    gboolean plan_only;
    GStringChunk *help; /* texts of the entries */
} CgCliTrain;

/* The defaults of SETTINGS become those of the options. */
void cg_cli_train_init(CgCliTrain *t, const CgTrainSettings *settings);
void cg_cli_train_clear(CgCliTrain *t);
/* OWN (ended by G_OPTION_ENTRY_NULL), then the shared ones. Free with g_free. */
GOptionEntry *cg_cli_train_entries(CgCliTrain *t, const GOptionEntry *own);
/* What --lora RANK (CG_CLI_NO_LORA: not given) and --lora-alpha ALPHA (0: not given) of COMMAND
 * mean; call after cg_cli_train_finish. */
#define CG_CLI_NO_LORA G_MININT
gboolean cg_cli_train_lora(const CgCliTrain *t, int rank, double alpha, const char *command,
                           CgLora *lora, GError **error);
/* Checks what was parsed and fills in t->settings, which borrows T's strings. COMMAND ("train
 * controlnet") is for messages. */
gboolean cg_cli_train_finish(CgCliTrain *t, const char *command, GError **error);
/* The last line of a run that went well, on standard output. PART: the folder in OUT where the
 * model is; NULL: OUT itself. */
void cg_cli_train_report(const CgCliTrain *t, const char *part, const char *what,
                         const CgTrainResult *result);
/* *FOLDER (allocated), given where one with FILE is asked for, becomes the folder PART in it when
 * only that has FILE: what cagen train made goes by the name of its --out too. */
void cg_cli_train_enter(char **folder, const char *file, const char *part);

#endif
