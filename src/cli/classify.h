/* classify: the sub-commands of cagen classify, one file each. */
#ifndef CG_CLI_CLASSIFY_H
#define CG_CLI_CLASSIFY_H

int cg_cli_classify_run(int argc, char **argv);
int cg_cli_classify_test(int argc, char **argv);
int cg_cli_classify_train(int argc, char **argv);

#endif
