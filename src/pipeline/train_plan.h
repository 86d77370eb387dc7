/* train_plan: what a training will take, said and checked before it begins. */
#ifndef CG_PIPELINE_TRAIN_PLAN_H
#define CG_PIPELINE_TRAIN_PLAN_H

#include "pipeline/trainer.h"

/* A line with WHAT ("3906 pictures of 64x64"), steps, parameters and memory. */
void cg_train_plan_say(const char *what, const CgTrainTask *task, const CgTrainSettings *settings,
                       const CgTrainResult *plan);
/* CG_ERROR_MEMORY, naming the options that would help, when the machine has not what is needed. */
gboolean cg_train_plan_check(const CgTrainSettings *settings, const CgTrainResult *plan,
                             GError **error);

#endif
