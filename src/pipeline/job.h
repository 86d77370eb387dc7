/* job: one image to generate, as people write it: a line of jobs.jsonl, a set of options, a row of
 * the manifest. The same names everywhere; one table knows them.
 */
#ifndef CG_PIPELINE_JOB_H
#define CG_PIPELINE_JOB_H

#include "base/json.h"
#include "pipeline/generate.h"

/* Members have GOption's types, so that options can be parsed into them. Strings are owned. */
typedef struct {
    char *normal, *mask; /* paths */
    char *begin;         /* path: what strength below 1 begins from; NULL: the normal image */
    char *prompt, *negative_prompt;
    char *category, *defect; /* folder names in the output; NULL: from the paths and the prompt */
    /* Instead of a mask: how to draw one; see mask_recipe.h. */
    char *shape, *foreground, *library, *allowed, *forbidden;
    double min_area, max_area;
    double tighten; /* the mask that is written: see synthesis/tighten.h; 0: as it was asked for */
    char *sampler, *fuse, *mask_policy, *paste, *window; /* by name */
    gint64 seed, sample;
    int steps, clip_skip, paste_band, size;
    double strength, guidance, eta, control_scale, control_start, control_end, detail;
    gboolean guess_mode, soft_mask, posterior_sample, vae_tiling, fit_mask;
} CgJob;

CgJob *cg_job_new(void); /* the defaults */
CgJob *cg_job_copy(const CgJob *job);
void cg_job_free(CgJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgJob, cg_job_free)

/* The row OBJECT over the defaults in BASE. Relative paths are taken from FOLDER. WHERE
 * ("jobs.jsonl line 3") begins the messages. Unknown keys are errors. */
CgJob *cg_job_parse(const json_t *object, const CgJob *base, const char *folder, const char *where,
                    GError **error);
/* All keys that are set. Free with json_decref. */
json_t *cg_job_to_json(const CgJob *job);
/* The names looked up, the ranges checked. SETTINGS borrows JOB's strings. */
gboolean cg_job_settings(const CgJob *job, CgGenerateSettings *settings, GError **error);

/* Fills category and defect where they are NULL: the category from a path like
 * .../CATEGORY/train/good/x.png, the defect from the prompt without the category's words at its end
 * ("broken large bottle" -> broken_large). Names become safe for folders; an unsafe one that was
 * given is an error. */
gboolean cg_job_name(CgJob *job, GError **error);

/* Both of the above: everything that can be wrong with JOB itself. */
gboolean cg_job_check(CgJob *job, GError **error);

/* The rows of a JSON-lines file, one job each, as CgJob; empty lines are skipped. Rows of a
 * manifest are taken by the job in them: its images can be made again. */
GPtrArray *cg_jobs_load(const char *path, const CgJob *base, GError **error);

#endif
