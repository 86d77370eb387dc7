/* train_plan: what a training will take, said and checked before it begins. */
#ifndef CG_PIPELINE_TRAIN_PLAN_H
#define CG_PIPELINE_TRAIN_PLAN_H

#include "pipeline/trainer.h"

/* Numbers that gradients change. */
guint64 cg_train_plan_parameters(const CgStore *store);
/* Lines with WHAT ("3906 pictures of 64x64"), steps, parameters, and memory with its parts. */
void cg_train_plan_say(const char *what, const CgTrainTask *task, const CgTrainSettings *settings,
                       const CgTrainResult *plan);
/* CG_ERROR_MEMORY when the machine has not what is needed, naming what would help: options of all
 * trainings, then OPTIONS ("a smaller --size"). */
gboolean cg_train_plan_check(const CgTrainSettings *settings, const CgTrainResult *plan,
                             const char *options, GError **error);

#endif
