/* reproduce: the paper's experiment from raw data to its table, in stages that each go on where
 * they were interrupted:
 *
 *     OUT/settings.json    all that was asked for: another run with other settings is refused
 *     OUT/shots.json       a few images of each defect type (datasets/split.h)
 *     OUT/controlnet/      the ControlNet that learnt from them
 *     OUT/generated/       of each category, a share of its normal images with a defect
 *     OUT/evaluation/      detectors trained without and with these, and the tables (experiment.h)
 *
 * What the paper leaves open, and what is taken here: docs/reproduction.md.
 */
#ifndef CG_PIPELINE_REPRODUCE_H
#define CG_PIPELINE_REPRODUCE_H

#include "pipeline/experiment.h"
#include "pipeline/job.h"
#include "pipeline/train_controlnet.h"

typedef struct {
    const char *out;
    const char *aliases;                 /* for prompts; NULL: none */
    CgModelPaths model;                  /* with a controlnet: no other is trained */
    CgTrainControlnetOptions controlnet; /* its data, split, out and model are filled in */
    const CgJob *job;                    /* how to generate: all but images, names and prompts */
    double ratio;                        /* of the normal images, are generated and replaced */
    guint shots;                         /* per defect type */
    guint64 seed;                        /* of shots, training and generating */
    CgExperiment *experiment; /* its data set, categories, seeds, detector's options; its out,
                               * split, methods and sources are filled in */
} CgReproduceOptions;

/* Says in the log what each stage will take, and on standard output nothing; *FLOPS to do in all,
 * *DISK bytes that it will occupy at most, of what is not done yet. */
gboolean cg_reproduce_plan(const CgReproduceOptions *o, CgEngine *engine, CgDType dtype,
                           double *flops, guint64 *disk, GError **error);

/* All stages. *TABLE gets the tables in Markdown. */
gboolean cg_reproduce_run(const CgReproduceOptions *o, CgEngine *engine, CgDType dtype,
                          char **table, GError **error);

#endif
