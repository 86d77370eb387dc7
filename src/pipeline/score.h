/* score: is there a defect where one was asked for, and nowhere else?
 *
 * Two figures of a generated picture. They decide what is kept: a mask without a defect teaches a
 * detector to find what is not there.
 *
 * - change: how far the result is from the normal image within the mask, root mean square in levels
 *   of 255. Free; says that something is there, not whether the prompt and the mask did it.
 *
 * - obedience (metrics/obedience.h): against what the same noise and prompt become under an empty
 *   mask, before fusion. Takes a second sampling.
 */
#ifndef CG_PIPELINE_SCORE_H
#define CG_PIPELINE_SCORE_H

#include "metrics/obedience.h"
#include "pipeline/generate.h"

#include <jansson.h>

typedef struct {
    gboolean obedience;   /* measure it, if only to write it down */
    double min_obedience; /* 0..1; 0: any */
    double min_change;    /* levels of 255; 0: any */
} CgScoreRules;

typedef struct {
    double change;
    gboolean has_obedience;
    CgObedience obedience;
} CgScores;

/* CG_ERROR_USAGE when obedience is asked for and pictures are fused in every step: then none of
 * them shows what the mask did. */
gboolean cg_scores_check(const CgScoreRules *rules, const CgGenerateSettings *settings,
                         GError **error);

/* What RESULT shows before fusion, and what its noise becomes when the mask is empty; both of the
 * working picture's size. */
gboolean cg_score_pictures(CgDenoiser *denoiser, const CgModel *model,
                           const CgGenerateSettings *settings, const CgGenerateResult *result,
                           CgImage **generated, CgImage **unmasked, GError **error);

/* The scores of RESULT, made of NORMAL and MASK with SETTINGS, as far as RULES ask for them. */
gboolean cg_scores_measure(CgDenoiser *denoiser, const CgModel *model,
                           const CgGenerateSettings *settings, const CgImage *normal,
                           const CgImage *mask, const CgGenerateResult *result,
                           const CgScoreRules *rules, CgScores *scores, GError **error);

/* Why SCORES fall short of RULES, in words; NULL when they do not. Free with g_free. */
char *cg_scores_reason(const CgScores *scores, const CgScoreRules *rules);

/* As a row of the manifest has them. Free with json_decref. */
json_t *cg_scores_to_json(const CgScores *scores);

#endif
