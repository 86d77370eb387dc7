/* cagen train: finds the sub-command and hands over; what all trainings take as options. */
#include "cli/train.h"

#include "base/system.h"
#include "cli/commands.h"
#include "cli/group.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const CgCliCommand commands[] = {
    {"controlnet", "learn defects from a few images of each type", cg_cli_train_controlnet},
    {"base", "learn to draw what texts say, from scratch or further", cg_cli_train_base},
    {"vae", "learn to make pictures small and whole again", cg_cli_train_vae},
};

int cg_cli_train(int argc, char **argv)
{
    return cg_cli_group("train", commands, G_N_ELEMENTS(commands), argc, argv);
}

void cg_cli_train_init(CgCliTrain *t, const CgTrainSettings *settings)
{
    *t = (CgCliTrain){.settings = *settings,
                      .steps = (gint64)settings->steps,
                      .warmup = (gint64)settings->optimizer.warmup,
                      .watch_steps = (gint64)settings->watch_steps,
                      .seed = (gint64)settings->seed};
}

void cg_cli_train_clear(CgCliTrain *t)
{
    cg_cli_compute_clear(&t->compute);
    g_clear_pointer(&t->out, g_free);
    g_clear_pointer(&t->course, g_free);
    g_clear_pointer(&t->moments, g_free);
    g_clear_pointer(&t->stop_when, g_free);
    g_clear_pointer(&t->help, g_string_chunk_free);
}

#define ENTRY(name, kind, where, text, arg)                                                        \
    {                                                                                              \
        name, 0, 0, G_OPTION_ARG_##kind, where, text, arg                                          \
    }

/* A text of --help that names a default of the command. */
static const char *help(CgCliTrain *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
static const char *help(CgCliTrain *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    g_string_replace(text, "e-0", "e-", 0); /* 1e-5, as one writes it */
    return g_string_chunk_insert(t->help, text->str);
}

GOptionEntry *cg_cli_train_entries(CgCliTrain *t, const GOptionEntry *own)
{
    CgTrainSettings *s = &t->settings;
    CgOptimizer *o = &s->optimizer;
    if (!t->help)
        t->help = g_string_chunk_new(256);
    const GOptionEntry shared[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &t->out,
         "folder for the trained model, the state to resume from, journal and samples", "DIR"},
        ENTRY("epochs", DOUBLE, &s->epochs,
              s->epochs > 0 ? help(t, "passes over the data (default: %g)", s->epochs)
                            : "passes over the data; they or --steps are needed",
              "N"),
        ENTRY("steps", INT64, &t->steps, "updates, instead of epochs", "N"),
        ENTRY("batch", INT, &s->batch, help(t, "samples at once (default: %d)", s->batch), "N"),
        ENTRY("accumulate", INT, &s->accumulate, "batches before an update (default: 1)", "N"),
        ENTRY("lr", DOUBLE, &o->rate, help(t, "learning rate (default: %g)", o->rate), "RATE"),
        ENTRY("lr-schedule", STRING, &t->course,
              help(t,
                   "constant, cosine, linear, or steps (a fifth of it after 80 %% and after 90 %% "
                   "of the steps) (default: %s)",
                   cg_rate_course_name(o->course)),
              "NAME"),
        ENTRY("warmup", INT64, &t->warmup,
              help(t, "steps over which the rate rises from zero (default: %" G_GINT64_FORMAT ")",
                   t->warmup),
              "N"),
        ENTRY("beta1", DOUBLE, &o->beta1, "AdamW (default: 0.9)", "B"),
        ENTRY("beta2", DOUBLE, &o->beta2, "AdamW (default: 0.999)", "B"),
        ENTRY("eps", DOUBLE, &o->eps, "AdamW (default: 1e-8)", "E"),
        ENTRY("weight-decay", DOUBLE, &o->decay, help(t, "AdamW (default: %g)", o->decay), "D"),
        ENTRY("clip", DOUBLE, &o->clip,
              help(t, "largest norm of the gradient; 0: any (default: %g)", o->clip), "N"),
        ENTRY("ema", DOUBLE, &o->average_decay,
              help(t,
                   "keep an average of the weights with this decay, say 0.999, and save that; 0: "
                   "none (default: %g)",
                   o->average_decay),
              "DECAY"),
        ENTRY("moments", STRING, &t->moments,
              "f32 or 8bit: of AdamW; in bytes they take a quarter of the memory (default: f32)",
              "TYPE"),
        ENTRY("recompute", NONE, &s->recompute,
              "compute activations again in the backward: less memory, a third more time", NULL),
        {"seed", 's', 0, G_OPTION_ARG_INT64, &t->seed,
         "for the order of samples, noise, everything drawn (default: 0)", "S"},
        ENTRY("save-minutes", DOUBLE, &s->save_minutes,
              "between states to resume from; 0: only at the end (default: 10)", "M"),
        ENTRY("sample-every", INT64, &t->watch_steps,
              "steps between sheets of samples; 0: none (default: 0)", "N"),
        ENTRY("stop-when", STRING, &t->stop_when,
              "end early, for example \"obedience>=0.8 for 3\" or \"plateau 2000\"", "RULE"),
        ENTRY("tensorboard", NONE, &s->tensorboard, "write TensorBoard event files too", NULL),
        ENTRY("resume", NONE, &s->resume, "go on from the state in --out", NULL),
        ENTRY("plan", NONE, &t->plan_only, "only say what it will take", NULL),
        CG_CLI_COMPUTE_ENTRIES(&t->compute),
        G_OPTION_ENTRY_NULL,
    };
    guint count = 0;
    while (own[count].long_name)
        count++;
    GOptionEntry *all = g_new0(GOptionEntry, count + G_N_ELEMENTS(shared));
    memcpy(all, own, count * sizeof *own);
    memcpy(all + count, shared, sizeof shared);
    return all;
}

static gboolean wrong(const char *command, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: %s; see cagen %s --help", command, what,
                command);
    return FALSE;
}

static gboolean check_optimizer(const CgOptimizer *o, const char *command, GError **error)
{
    if (!(o->rate > 0) || !(o->rate <= 1))
        return wrong(command, "--lr must be above 0 and at most 1", error);
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
        return wrong(command, "--beta1 and --beta2 must be at least 0 and below 1", error);
    if (!(o->eps > 0) || !(o->decay >= 0) || !(o->clip >= 0))
        return wrong(command, "--eps must be above 0, --weight-decay and --clip not below", error);
    if (!(o->average_decay >= 0 && o->average_decay < 1))
        return wrong(command, "--ema must be at least 0 and below 1", error);
    return TRUE;
}

gboolean cg_cli_train_finish(CgCliTrain *t, const char *command, GError **error)
{
    CgTrainSettings *s = &t->settings;
    if (!t->out)
        return wrong(command, "--out DIR is missing", error);
    if (t->steps < 0 || t->warmup < 0 || t->watch_steps < 0 || t->seed < 0)
        return wrong(command, "--steps, --warmup, --sample-every and --seed are not negative",
                     error);
    if (t->steps == 0 && s->epochs == 0)
        return wrong(command, "--steps N or --epochs N is needed", error);
    if (t->steps == 0 && !(s->epochs > 0 && s->epochs <= 1e9))
        return wrong(command, "--epochs must be above 0", error);
    if (t->steps > G_MAXUINT32)
        return wrong(command, "--steps is too large", error);
    if (s->batch < 1 || s->batch > 4096 || s->accumulate < 1 || s->accumulate > 4096)
        return wrong(command, "--batch and --accumulate must be 1 to 4096", error);
    if (!(s->save_minutes >= 0))
        return wrong(command, "--save-minutes must not be negative", error);
    if (t->course && !cg_rate_course_parse(t->course, &s->optimizer.course))
        return wrong(command, "--lr-schedule is constant, cosine, linear or steps", error);
    s->optimizer.small_moments = g_strcmp0(t->moments, "8bit") == 0;
    if (t->moments && !s->optimizer.small_moments && !g_str_equal(t->moments, "f32"))
        return wrong(command, "--moments is f32 or 8bit", error);
    s->steps = (guint64)t->steps;
    s->optimizer.warmup = (guint64)t->warmup;
    s->watch_steps = (guint64)t->watch_steps;
    s->seed = (guint64)t->seed;
    s->out = t->out;
    s->stop_when = t->stop_when;
    return check_optimizer(&s->optimizer, command, error);
}

gboolean cg_cli_train_lora(const CgCliTrain *t, int rank, double alpha, const char *command,
                           CgLora *lora, GError **error)
{
    if (rank != CG_CLI_NO_LORA && rank < 1)
        return wrong(command, "--lora must be 1 or more", error);
    if (alpha != 0 && rank == CG_CLI_NO_LORA)
        return wrong(command, "--lora-alpha goes with --lora", error);
    if (!(alpha >= 0 && alpha <= 1e6))
        return wrong(command, "--lora-alpha must be above 0", error);
    if (rank != CG_CLI_NO_LORA)
        *lora = (CgLora){.rank = rank, .alpha = alpha > 0 ? alpha : rank, .seed = t->settings.seed};
    return TRUE;
}

static gboolean has(const char *folder, const char *file)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

void cg_cli_train_enter(char **folder, const char *file, const char *part)
{
    if (!*folder || has(*folder, file))
        return;
    g_autofree char *inner = g_build_filename(*folder, part, NULL);
    if (!has(inner, file))
        return;
    g_free(*folder);
    *folder = g_steal_pointer(&inner);
}

void cg_cli_train_report(const CgCliTrain *t, const char *part, const char *what,
                         const CgTrainResult *result)
{
    g_autofree char *where = g_build_filename(t->out, part, NULL);
    g_autofree char *memory = g_format_size(cg_memory_peak());
    if (t->compute.json) {
        printf("{\"event\":\"trained\",\"steps\":%" G_GUINT64_FORMAT
               ",\"loss\":%.6g,\"seconds\":%.1f,\"forward\":%.2f,\"backward\":%.2f,"
               "\"update\":%.2f,\"memory\":%" G_GUINT64_FORMAT "}\n",
               result->steps, result->loss, result->seconds, result->seconds_forward,
               result->seconds_backward, result->seconds_update, cg_memory_peak());
        return;
    }
    printf("%s: %s, %" G_GUINT64_FORMAT " steps, loss %.4f, %.0f s, peak memory %s\n", where, what,
           result->steps, result->loss, result->seconds, memory);
}
