/* model: the sub-commands of cagen model, one file each. */
#ifndef CG_CLI_MODEL_H
#define CG_CLI_MODEL_H

int cg_cli_model_convert(int argc, char **argv);
int cg_cli_model_fetch(int argc, char **argv);
int cg_cli_model_list(int argc, char **argv);
int cg_cli_model_verify(int argc, char **argv);

#endif
