/* trainer: the loop that all trainings share: order of samples, accumulation, optimizer,
 * checkpoints, watching, stopping.
 *
 * A training is a function of its settings: the order of an epoch, and whatever a task draws for a
 * sample, follow from the seed and the sample's number. So a run that was interrupted and resumed
 * continues with the same numbers as one that was not, bit for bit.
 *
 * OUT/state.safetensors holds values, both moments and the average; it is replaced atomically. A
 * run that is killed loses what came after the last one, Ctrl-C nothing: the step under way is
 * given up, the state written. OUT/journal.jsonl and OUT/curve.svg tell of every step (journal.h).
 */
#ifndef CG_PIPELINE_TRAINER_H
#define CG_PIPELINE_TRAINER_H

#include "autograd/optimizer.h"
#include "nn/parameters.h"
#include "ops/ops.h"
#include "pipeline/bands.h"

typedef struct {
    guint64 number; /* counts the samples of the whole training: draws follow from it */
    guint64 index;  /* in the task's data */
} CgTrainSample;

/* What the loss of one sample was, for the loss by timestep. */
typedef CgBandSample CgTrainNote;

/* What is trained. DATA is handed to every function. */
typedef struct {
    const char *name; /* "controlnet": a state belongs to one kind of task */
    const char *base; /* fingerprint of the weights that it stands on; NULL: on none */
    void *data;
    CgStore *store;
    guint64 sample_count; /* of an epoch */
    CgPackedBytes packed; /* by the models that it runs */
    guint64 data_bytes;   /* pictures and what else stays besides */
    guint64 aside_bytes;  /* at most alive at once between steps: encoding, sample sheets */
    /* The mean loss of COUNT samples, a scalar variable of CX's tape. NOTES [count]. On the plan
     * engine too. NULL: failed. */
    CgTensor *(*loss)(void *data, CgContext *cx, const CgTrainSample *samples, int count,
                      CgTrainNote *notes, GError **error);
    /* The store's numbers are other ones now. */
    void (*changed)(void *data);
    /* Writes the model below FOLDER from BLOCK of the store (values or average). */
    gboolean (*save)(void *data, CgTensor *block, const char *folder, GError **error);
    /* Looks at how far it is: sample sheets and the like, with the store's numbers as they shall be
     * used. *OBEDIENCE gets a figure in [0, 1], or stays negative. NULL: nothing to look at. */
    gboolean (*watch)(void *data, guint64 step, double *obedience, GError **error);
} CgTrainTask;

typedef struct {
    CgOptimizer optimizer; /* its steps are filled in */
    double epochs;         /* passes over the samples; 0: by steps */
    guint64 steps;         /* updates; 0: by epochs */
    int batch, accumulate; /* samples at once; how often before an update */
    guint64 seed;
    gboolean recompute;
    double save_minutes; /* between states; 0: only at the end */
    guint64 watch_steps; /* between watches; 0: never */
    const char *out;     /* folder */
    gboolean resume;
    const char *stop_when; /* see pipeline/stop.h; NULL: at the end */
    gboolean tensorboard;
    gboolean no_curve; /* of a training whose folder nobody will see */
} CgTrainSettings;

void cg_train_settings_default(CgTrainSettings *settings);

/* What makes up a planned peak, in bytes. */
typedef struct {
    guint64 weights; /* packed, fixed ones and the largest that changes */
    guint64 trained; /* values, gradients, moments, average */
    guint64 step;    /* activations and scratch, or what is done between steps if that is more */
    guint64 data;    /* pictures and the like, and the program itself */
} CgTrainMemory;

typedef struct {
    guint64 steps;       /* done in all */
    guint64 memory;      /* planned peak, bytes */
    CgTrainMemory parts; /* of it */
    guint64 state_bytes; /* of the file to resume from */
    double flops;   /* of a step, forward and backward; what is computed again is not counted */
    double loss;    /* smoothed */
    double seconds; /* of this run */
    /* Of a step: means over all but the first of this run, which prepares much, if there are more.
     */
    double seconds_forward, seconds_backward, seconds_update;
    gboolean stopped; /* by stop_when */
} CgTrainResult;

/* Updates that the settings come to. */
guint64 cg_train_steps(const CgTrainTask *task, const CgTrainSettings *settings);

/* What a step will need, found by one that computes nothing. */
gboolean cg_train_plan(const CgTrainTask *task, const CgTrainSettings *settings, CgDType dtype,
                       CgTrainResult *plan, GError **error);

/* Trains on ENGINE. CG_ERROR_CANCELLED after Ctrl-C (the state is saved), CG_ERROR_NUMERIC for a
 * loss or gradient that is not finite (the last state stays). */
gboolean cg_train(const CgTrainTask *task, const CgTrainSettings *settings, CgEngine *engine,
                  CgDType dtype, CgTrainResult *result, GError **error);

#endif
