#include "pipeline/train_plan.h"

#include "base/log.h"
#include "base/system.h"

void cg_train_plan_say(const char *what, const CgTrainTask *task, const CgTrainSettings *s,
                       const CgTrainResult *plan)
{
    g_autofree char *memory = g_format_size(plan->memory);
    guint64 parameters = 0;
    for (guint i = 0; i < cg_store_count(task->store); i++)
        parameters += cg_store_nth(task->store, i)->count;
    cg_log_note("%s, %" G_GUINT64_FORMAT " steps of %d", what, plan->steps,
                s->batch * s->accumulate);
    cg_log_note("%" G_GUINT64_FORMAT " parameters are trained; %.3g GFLOP a step; memory: about %s",
                parameters, plan->flops / 1e9, memory);
}

gboolean cg_train_plan_check(const CgTrainSettings *s, const CgTrainResult *plan, GError **error)
{
    const guint64 available = cg_memory_available() + cg_memory_peak();
    if (plan->memory <= available)
        return TRUE;
    g_autofree char *need = g_format_size(plan->memory);
    g_autofree char *have = g_format_size(available);
    g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                "training needs about %s of memory, %s are there; %s%sa smaller --size takes less",
                need, have, s->recompute ? "" : "--recompute, ",
                s->batch > 1 ? "a smaller --batch with a larger --accumulate, " : "");
    return FALSE;
}
