#include "pipeline/trainer.h"

#include "autograd/moments.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "pipeline/journal.h"
#include "pipeline/stop.h"
#include "pipeline/train_state.h"

#include <math.h>
#include <string.h>

#define NOTHING G_MAXUINT64

typedef struct {
    const CgTrainTask *task;
    const CgTrainSettings *settings;
    CgOptimizer optimizer;
    CgEngine *engine;
    CgContext cx;
    CgTape *tape;
    char *state_path;
    CgTrainProgress at;
    guint64 kept; /* step of the state that lies at state_path; NOTHING: none of this training */
    CgJournal *journal;
    CgStop *stop;    /* NULL: at the end */
    double smoothed; /* the loss */
    double worked;   /* seconds, by earlier runs */
    guint64 *order;  /* of the epoch .. */
    guint64 epoch;   /* .. with this number; NOTHING: none */
    double saved;    /* when, by cg_seconds */
    double begin;
    guint64 made;                     /* steps begun by this run */
    double forward, backward, update; /* seconds spent, see CgTrainResult */
} Run;

void cg_train_settings_default(CgTrainSettings *s)
{
    *s = (CgTrainSettings){.batch = 4, .accumulate = 1, .save_minutes = 10};
    cg_optimizer_default(&s->optimizer);
}

static guint64 samples_per_step(const CgTrainSettings *s)
{
    return (guint64)s->batch * (guint64)s->accumulate;
}

guint64 cg_train_steps(const CgTrainTask *task, const CgTrainSettings *s)
{
    if (s->steps)
        return s->steps;
    const double steps = s->epochs * (double)task->sample_count / (double)samples_per_step(s);
    return MAX(1, (guint64)ceil(steps));
}

/* Fisher and Yates's shuffle of an epoch. */
static void shuffle(Run *run, guint64 epoch)
{
    const guint64 count = run->task->sample_count;
    CgRng rng = cg_rng(run->settings->seed, CG_STREAM(CG_STREAM_ORDER, epoch));
    for (guint64 i = 0; i < count; i++)
        run->order[i] = i;
    for (guint64 i = count; i > 1; i--) {
        const guint64 j = cg_rng_next(&rng) % i;
        const guint64 other = run->order[j];
        run->order[j] = run->order[i - 1];
        run->order[i - 1] = other;
    }
    run->epoch = epoch;
}

static CgTrainSample sample(Run *run, guint64 number)
{
    const guint64 epoch = number / run->task->sample_count;
    if (epoch != run->epoch)
        shuffle(run, epoch);
    return (CgTrainSample){number, run->order[number % run->task->sample_count]};
}

static void run_init(Run *run, const CgTrainTask *task, const CgTrainSettings *s, CgEngine *engine,
                     CgDType dtype)
{
    *run = (Run){.task = task,
                 .settings = s,
                 .optimizer = s->optimizer,
                 .engine = engine,
                 .tape = cg_tape_new(engine, task->store),
                 .state_path = s->out ? g_build_filename(s->out, "state.safetensors", NULL) : NULL,
                 .at = {.seed = s->seed, .batch = s->batch, .accumulate = s->accumulate},
                 .order = g_new(guint64, task->sample_count),
                 .kept = NOTHING,
                 .epoch = NOTHING};
    run->optimizer.steps = cg_train_steps(task, s);
    cg_context_init(&run->cx, engine, dtype);
    run->cx.tape = run->tape;
    run->cx.recompute = s->recompute;
}

static void run_clear(Run *run)
{
    cg_journal_free(run->journal);
    cg_stop_free(run->stop);
    cg_tape_free(run->tape);
    cg_context_clear(&run->cx);
    g_free(run->state_path);
    g_free(run->order);
}

/* Loss of one batch of the step, its gradients added to the store. NAN: failed. */
static double batch_backward(Run *run, guint64 first, CgTrainNote *notes, GError **error)
{
    const CgTrainSettings *s = run->settings;
    g_autofree CgTrainSample *samples = g_new(CgTrainSample, s->batch);
    for (int i = 0; i < s->batch; i++) {
        samples[i] = sample(run, first + (guint64)i);
        notes[i] = (CgTrainNote){NAN, -1};
    }
    const double begin = cg_seconds();
    cg_tape_clear(run->tape);
    g_autoptr(CgTensor) loss =
        run->task->loss(run->task->data, &run->cx, samples, s->batch, notes, error);
    const double middle = cg_seconds();
    run->forward += middle - begin;
    if (!loss || !cg_context_ok(&run->cx, error))
        return NAN;
    const double value = (double)cg_tensor_f32(loss)[0];
    if (!isfinite(value)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                    "the loss of samples %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                    " is not finite; a lower learning rate may help",
                    first, first + (guint64)s->batch - 1);
        return NAN;
    }
    const gboolean ok = cg_tape_backward(run->tape, loss, 1, error);
    run->backward += cg_seconds() - middle;
    return ok ? value : NAN;
}

typedef struct {
    double loss, norm, rate;
} Step;

static gboolean make_step(Run *run, CgTrainNote *notes, Step *step, GError **error)
{
    const CgTrainSettings *s = run->settings;
    const guint64 first = run->at.step * samples_per_step(s);
    *step = (Step){.rate = cg_optimizer_rate(&run->optimizer, run->at.step + 1)};
    cg_store_zero_gradients(run->task->store);
    for (int i = 0; i < s->accumulate; i++) {
        const double loss = batch_backward(run, first + (guint64)(i * s->batch),
                                           notes + (size_t)i * (size_t)s->batch, error);
        if (isnan(loss))
            return FALSE;
        step->loss += loss / s->accumulate;
    }
    const double begin = cg_seconds();
    if (!cg_optimizer_step(&run->optimizer, run->engine, run->task->store, run->at.step + 1,
                           1.0 / s->accumulate, &step->norm, error))
        return FALSE;
    run->task->changed(run->task->data);
    run->update += cg_seconds() - begin;
    run->at.step++;
    return TRUE;
}

/* A step that is given up leaves no trace in running statistics either. */
static gboolean run_step(Run *run, CgTrainNote *notes, Step *step, GError **error)
{
    if (run->made++ == 1)
        run->forward = run->backward = run->update = 0;
    g_autofree float *buffers = cg_store_copy_buffers(run->task->store);
    const gboolean ok = make_step(run, notes, step, error);
    if (!ok)
        cg_store_restore_buffers(run->task->store, buffers);
    return ok;
}

static gboolean save_state(Run *run, GError **error)
{
    run->saved = cg_seconds();
    if (!cg_journal_sync(run->journal, error) ||
        !cg_train_state_save(run->state_path, run->task->name, run->task->base, run->task->store,
                             &run->at, error))
        return FALSE;
    run->kept = run->at.step;
    return TRUE;
}

/* Values and average in each other's place; nothing when no average is kept. */
static void exchange_average(Run *run)
{
    const CgStore *store = run->task->store;
    if (!store->average)
        return;
    float *a = cg_tensor_f32(store->values), *b = cg_tensor_f32(store->average);
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < store->used; i++) {
        const float value = a[i];
        a[i] = b[i];
        b[i] = value;
    }
    run->task->changed(run->task->data);
}

/* With the average in the place of the values while WATCH looks. */
static gboolean watch(Run *run, double *obedience, GError **error)
{
    exchange_average(run);
    cg_tape_clear(run->tape);
    const gboolean ok = run->task->watch(run->task->data, run->at.step, obedience, error);
    exchange_average(run);
    return ok;
}

static gboolean resume(Run *run, GError **error)
{
    CgTrainProgress at;
    const CgTrainSettings *s = run->settings;
    if (!cg_train_state_load(run->state_path, run->task->name, run->task->base, run->task->store,
                             &at, error))
        return FALSE;
    if (at.seed != s->seed || at.batch != s->batch || at.accumulate != s->accumulate) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s was begun with --seed %" G_GUINT64_FORMAT " --batch %d --accumulate %d; "
                    "resume with the same",
                    run->state_path, at.seed, at.batch, at.accumulate);
        return FALSE;
    }
    run->at = at;
    run->kept = at.step;
    run->task->changed(run->task->data);
    cg_log_note("resumed at step %" G_GUINT64_FORMAT, at.step);
    return TRUE;
}

/* CAUSE, of what STEP came to, and from where --resume would go on. */
static void tell_where(const Run *run, guint64 step, const GError *cause, GError **error)
{
    g_autofree char *kept = NULL;
    if (run->kept != NOTHING)
        kept = g_strdup_printf("%s stays as it was after step %" G_GUINT64_FORMAT, run->state_path,
                               run->kept);
    g_set_error(error, cause->domain, cause->code, "step %" G_GUINT64_FORMAT ": %s; %s", step,
                cause->message, kept ? kept : "no state was saved yet");
}

/* What is known of an interrupted run is kept; the message says how to go on. */
static gboolean give_up(Run *run, guint64 step, GError *cause, GError **error)
{
    g_autoptr(GError) later = NULL;
    if (!g_error_matches(cause, CG_ERROR, CG_ERROR_CANCELLED)) {
        tell_where(run, step, cause, error);
        g_error_free(cause);
        return FALSE;
    }
    if (save_state(run, &later))
        g_prefix_error(&cause,
                       "after step %" G_GUINT64_FORMAT "; the state is saved, --resume goes on: ",
                       run->at.step);
    else
        g_prefix_error(&cause, "%s; ", later->message);
    g_propagate_error(error, cause);
    return FALSE;
}

static void warn_of_state(const Run *run)
{
    if (g_file_test(run->state_path, G_FILE_TEST_EXISTS))
        cg_log_warning("%s: a training that was begun before is replaced; --resume would go on",
                       run->state_path);
}

/* The journal, and the stop rule told of what is in it already. */
static gboolean open_journal(Run *run, GError **error)
{
    const CgTrainSettings *s = run->settings;
    const CgJournalSettings settings = {.out = s->out,
                                        .title = run->task->name,
                                        .tensorboard = s->tensorboard,
                                        .no_curve = s->no_curve};
    run->journal = cg_journal_open(&settings, run->at.step, error);
    if (!run->journal)
        return FALSE;
    const GArray *rows = cg_journal_rows(run->journal);
    for (guint i = 0; i < rows->len; i++) {
        const CgJournalRow *row = &g_array_index(rows, CgJournalRow, i);
        run->smoothed = row->smoothed;
        run->worked = isfinite(row->seconds) ? row->seconds : run->worked;
        if (run->stop)
            cg_stop_update(run->stop, row->step, row->smoothed, row->obedience);
    }
    return TRUE;
}

/* What there is to say of the step that was just made. *STOP: the rule is fulfilled. */
static gboolean write_down(Run *run, const Step *step, const CgTrainNote *notes, double obedience,
                           double seconds, gboolean *stop, GError **error)
{
    const guint64 samples = samples_per_step(run->settings);
    CgJournalRow row = cg_journal_row(run->at.step);
    row.epoch = (double)(run->at.step * samples) / (double)run->task->sample_count;
    row.loss = step->loss;
    row.learning_rate = step->rate;
    row.gradient_norm = step->norm;
    row.images_per_second = (double)samples / seconds;
    row.seconds = run->worked + cg_seconds() - run->begin;
    row.memory = (double)cg_memory_peak();
    row.obedience = obedience >= 0 ? obedience : NAN;
    if (!cg_journal_add(run->journal, &row, notes, (int)samples, error))
        return FALSE;
    run->smoothed = row.smoothed;
    *stop = run->stop && cg_stop_update(run->stop, row.step, row.smoothed, row.obedience);
    return TRUE;
}

static gboolean parse_stop(Run *run, GError **error)
{
    const CgTrainSettings *s = run->settings;
    run->stop = s->stop_when ? cg_stop_parse(s->stop_when, error) : NULL;
    if (s->stop_when && !run->stop)
        return FALSE;
    if (run->stop && cg_stop_needs_obedience(run->stop) && !(s->watch_steps && run->task->watch)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--stop-when asks for obedience, which is looked at every --sample-every N "
                    "steps: give that too");
        return FALSE;
    }
    return TRUE;
}

static gboolean loop(Run *run, CgTrainResult *result, GError **error)
{
    const CgTrainSettings *s = run->settings;
    const guint64 steps = run->optimizer.steps;
    g_autofree CgTrainNote *notes = g_new0(CgTrainNote, samples_per_step(s));
    g_autoptr(CgProgress) progress = cg_progress_new("training", steps);
    cg_progress_resume(progress, run->at.step);
    while (run->at.step < steps && !result->stopped) {
        GError *cause = NULL;
        Step step;
        const double begin = cg_seconds();
        if (!run_step(run, notes, &step, &cause))
            return give_up(run, run->at.step + 1, cause, error);
        const double seconds = cg_seconds() - begin;
        double obedience = -1;
        if (s->watch_steps && run->task->watch &&
            (run->at.step % s->watch_steps == 0 || run->at.step == steps) &&
            !watch(run, &obedience, &cause))
            return give_up(run, run->at.step, cause, error);
        if (!write_down(run, &step, notes, obedience, seconds, &result->stopped, &cause))
            return give_up(run, run->at.step, cause, error);
        g_autofree char *detail =
            g_strdup_printf("loss %.4f, rate %.2g, norm %.3f", run->smoothed, step.rate, step.norm);
        cg_progress_update(progress, run->at.step, detail);
        const gboolean last = run->at.step == steps || result->stopped;
        if ((last || (s->save_minutes > 0 && cg_seconds() - run->saved > 60 * s->save_minutes)) &&
            !save_state(run, &cause))
            return give_up(run, run->at.step, cause, error);
    }
    return TRUE;
}

static gboolean save_model(const Run *run, GError **error)
{
    const CgStore *store = run->task->store;
    if (run->task->save(run->task->data, store->average ? store->average : store->values,
                        run->settings->out, error))
        return TRUE;
    g_prefix_error(error, "the steps are done, the state is saved and --resume finishes: ");
    return FALSE;
}

gboolean cg_train(const CgTrainTask *task, const CgTrainSettings *s, CgEngine *engine,
                  CgDType dtype, CgTrainResult *result, GError **error)
{
    Run run;
    *result = (CgTrainResult){0};
    if (!cg_file_make_directory(s->out, error))
        return FALSE;
    run_init(&run, task, s, engine, dtype);
    cg_store_keep_moments(task->store, s->optimizer.small_moments);
    if (s->optimizer.average_decay > 0)
        cg_store_keep_average(task->store);
    gboolean ok =
        parse_stop(&run, error) && (!s->resume || resume(&run, error)) && open_journal(&run, error);
    if (ok && !s->resume)
        warn_of_state(&run);
    run.begin = run.saved = cg_seconds();
    ok = ok && loop(&run, result, error) && save_model(&run, error) &&
         cg_journal_close(g_steal_pointer(&run.journal), error);
    if (ok && result->stopped)
        cg_log_note("stopped: %s", cg_stop_reason(run.stop));
    result->steps = run.at.step;
    result->loss = run.smoothed;
    result->seconds = cg_seconds() - run.begin;
    const double timed = (double)MAX(1, (gint64)run.made - 1);
    result->seconds_forward = run.forward / timed;
    result->seconds_backward = run.backward / timed;
    result->seconds_update = run.update / timed;
    run_clear(&run);
    return ok;
}

/* Measured: the program with its libraries, and what the compute library writes for a weight. */
#define PROGRAM_BYTES ((guint64)70 << 20)
#define WEIGHT_BYTES  ((guint64)300 << 10)

/* Of what a state to resume from holds: values, moments, average. */
static guint64 state_bytes(const CgTrainTask *task, const CgTrainSettings *s)
{
    const guint64 count = task->store->capacity;
    const guint64 moment =
        s->optimizer.small_moments
            ? count + (cg_moments_blocks(count) + cg_store_count(task->store)) * sizeof(float)
            : count * sizeof(float);
    return (s->optimizer.average_decay > 0 ? 2 : 1) * count * sizeof(float) + 2 * moment;
}

/* ENGINE has seen a step. */
static CgTrainMemory memory_of(const CgTrainTask *task, const CgTrainSettings *s,
                               const CgEngine *engine)
{
    CgTrainMemory m = {
        .weights = task->packed.fixed + task->packed.largest + task->packed.sources,
        .trained = state_bytes(task, s) + task->store->capacity * sizeof(float),
        /* A weight's gradient is summed up in parts that are together as large as the weight, and
         * the columns of a backward may be too. */
        .step = MAX(cg_engine_plan_held(engine), task->aside_bytes) + 2 * task->packed.largest,
        .data = task->data_bytes + PROGRAM_BYTES + task->packed.count * WEIGHT_BYTES,
    };
    return m;
}

static void count_backward(void *data, const CgRecord *record, double seconds)
{
    (void)seconds;
    *(double *)data += record->flops;
}

gboolean cg_train_plan(const CgTrainTask *task, const CgTrainSettings *s, CgDType dtype,
                       CgTrainResult *plan, GError **error)
{
    Run run;
    CgProfile profile = {0};
    double flops = 0; /* of the backward */
    g_autofree CgTrainNote *notes = g_new0(CgTrainNote, s->batch);
    g_autofree CgTrainSample *samples = g_new(CgTrainSample, s->batch);
    g_autoptr(CgEngine) engine = cg_engine_plan_new();
    run_init(&run, task, s, engine, dtype);
    run.cx.profile = &profile;
    cg_tape_observe(run.tape, count_backward, &flops);
    for (int i = 0; i < s->batch; i++)
        samples[i] = sample(&run, (guint64)i);
    g_autoptr(CgTensor) loss = task->loss(task->data, &run.cx, samples, s->batch, notes, error);
    const gboolean ok =
        loss && cg_context_ok(&run.cx, error) && cg_tape_backward(run.tape, loss, 1, error);
    const CgTrainMemory parts = memory_of(task, s, engine);
    *plan = (CgTrainResult){.steps = cg_train_steps(task, s),
                            .memory = parts.weights + parts.trained + parts.step + parts.data,
                            .parts = parts,
                            .state_bytes = state_bytes(task, s)};
    for (int i = 0; i < CG_OP_KINDS; i++)
        flops += profile.flops[i];
    plan->flops = flops * s->accumulate;
    run_clear(&run);
    return ok;
}
