#include "pipeline/train_plan.h"

#include "base/log.h"
#include "base/system.h"
#include "pipeline/probe.h"

#define PROBE_SECONDS 0.2

guint64 cg_train_plan_parameters(const CgStore *store)
{
    guint64 count = 0;
    for (guint i = 0; i < cg_store_count(store); i++)
        if (!cg_store_nth(store, i)->is_buffer)
            count += cg_store_nth(store, i)->count;
    return count;
}

void cg_train_plan_say(const char *what, const CgTrainTask *task, const CgTrainSettings *s,
                       const CgTrainResult *plan)
{
    const CgTrainMemory *m = &plan->parts;
    const int samples = s->batch * s->accumulate;
    cg_log_note("%s, %" G_GUINT64_FORMAT " steps of %d sample%s", what, plan->steps, samples,
                samples == 1 ? "" : "s");
    cg_log_note("%" G_GUINT64_FORMAT " parameters are trained; %.3g GFLOP a step",
                cg_train_plan_parameters(task->store), plan->flops / 1e9);
    g_autofree char *total = g_format_size(plan->memory);
    g_autofree char *weights = g_format_size(m->weights);
    g_autofree char *trained = g_format_size(m->trained);
    g_autofree char *of_step = g_format_size(m->step);
    g_autofree char *data = g_format_size(m->data);
    cg_log_note("memory: about %s: packed weights %s, what is trained with its gradients and "
                "moments %s, a step %s, data and program %s",
                total, weights, trained, of_step, data);
    g_autofree char *state = g_format_size(plan->state_bytes);
    cg_log_note("disk: the state to resume from %s, and as much again while it is replaced", state);
}

/* "40 s", "3.2 hours" */
static char *duration(double seconds)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"days", 86400}, {"hours", 3600}, {"minutes", 60}};
    for (guint i = 0; i < G_N_ELEMENTS(units); i++)
        if (seconds >= 2 * units[i].seconds)
            return g_strdup_printf("%.3g %s", seconds / units[i].seconds, units[i].unit);
    return g_strdup_printf("%.2g s", seconds);
}

void cg_train_plan_say_time(const CgTrainSettings *s, const CgTrainResult *plan, CgEngine *engine,
                            CgDType dtype)
{
    const double speed = cg_probe_speed(engine, dtype, PROBE_SECONDS);
    /* The forward is a third of a step, and done twice. */
    const double flops = plan->flops * (s->recompute ? 4.0 / 3 : 1);
    if (speed <= 0)
        return;
    g_autofree char *step = duration(flops / speed);
    g_autofree char *all = duration(flops / speed * (double)plan->steps);
    cg_log_note(
        "time: at best %s a step, %s in all (%.3g GFLOP/s measured); small networks are far "
        "from that",
        step, all, speed / 1e9);
}

gboolean cg_train_plan_check(const CgTrainSettings *s, const CgTrainResult *plan,
                             const char *options, GError **error)
{
    const guint64 available = cg_memory_available() + cg_memory_peak();
    if (plan->memory <= available)
        return TRUE;
    g_autofree char *need = g_format_size(plan->memory);
    g_autofree char *have = g_format_size(available);
    g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                "training needs about %s of memory, %s are there; %s%s%s takes less", need, have,
                s->recompute ? "" : "--recompute, ",
                s->batch > 1 ? "a smaller --batch with a larger --accumulate, " : "", options);
    return FALSE;
}
