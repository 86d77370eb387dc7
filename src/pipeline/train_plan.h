/* train_plan: what a training will take, said and checked before it begins. */
#ifndef CG_PIPELINE_TRAIN_PLAN_H
#define CG_PIPELINE_TRAIN_PLAN_H

#include "pipeline/trainer.h"

/* Numbers that gradients change. */
guint64 cg_train_plan_parameters(const CgStore *store);
/* Lines with WHAT ("3906 pictures of 64x64"), steps, parameters, memory with its parts, disk. */
void cg_train_plan_say(const char *what, const CgTrainTask *task, const CgTrainSettings *settings,
                       const CgTrainResult *plan);
/* A line with the time that ENGINE would take if it computed all of it as fast as it does a large
 * convolution, which is measured for a moment. */
void cg_train_plan_say_time(const CgTrainSettings *settings, const CgTrainResult *plan,
                            CgEngine *engine, CgDType dtype);
/* CG_ERROR_MEMORY when the machine has not what is needed, naming what would help: options of all
 * trainings, then OPTIONS ("a smaller --size"). */
gboolean cg_train_plan_check(const CgTrainSettings *settings, const CgTrainResult *plan,
                             const char *options, GError **error);

#endif
