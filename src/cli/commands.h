/* commands: one function per command of the program.
 *
 * ARGV[0] is the command's name, the rest its options and arguments. The return value is the
 * program's exit code; errors have been reported.
 */
#ifndef CG_CLI_COMMANDS_H
#define CG_CLI_COMMANDS_H

int cg_cli_dataset(int argc, char **argv);
int cg_cli_augment(int argc, char **argv);
int cg_cli_classify(int argc, char **argv);
int cg_cli_detect(int argc, char **argv);
int cg_cli_doctor(int argc, char **argv);
int cg_cli_evaluate(int argc, char **argv);
int cg_cli_generate(int argc, char **argv);
int cg_cli_info(int argc, char **argv);
int cg_cli_mask(int argc, char **argv);
int cg_cli_metrics(int argc, char **argv);
int cg_cli_figure(int argc, char **argv);
int cg_cli_quality(int argc, char **argv);
int cg_cli_report(int argc, char **argv);
int cg_cli_model(int argc, char **argv);
int cg_cli_reproduce(int argc, char **argv);
int cg_cli_sheet(int argc, char **argv);
int cg_cli_tokenize(int argc, char **argv);
int cg_cli_train(int argc, char **argv);

#endif
