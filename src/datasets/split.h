/* split: the few defective images that a generator may learn from, and nobody may be tested on.
 *
 *     g_autoptr(CgSplit) split = cg_split_draw(dataset, 3, seed, error);
 *     cg_split_save(split, "shots.json", prompts, error);
 *     ...
 *     g_autoptr(CgSplit) split = cg_split_load("shots.json", error);
 *     cg_split_separate(split, dataset, error);    // the shots leave the data set
 *
 * Images are known by their path below the data set's root and by their content, so that a copy
 * under another name is still refused.
 */
#ifndef CG_DATASETS_SPLIT_H
#define CG_DATASETS_SPLIT_H

#include "datasets/dataset.h"
#include "datasets/prompt.h"

#define CG_SPLIT_MAX_SHOTS 1000000

typedef struct {
    char *category, *defect;
    char *image;   /* path below the root */
    char *sha256;  /* of the file, 64 hexadecimal digits */
    guint64 bytes; /* of the file */
} CgShot;

typedef struct {
    guint shots; /* asked for per defect type */
    guint64 seed;
    GPtrArray *images; /* CgShot, in order of category, defect, image */
} CgSplit;

/* SHOTS images of every defect type of every category, among those that have a mask; all of them
 * where there are fewer. What is drawn of one type depends on SEED, the names of category and
 * defect, and the names of its images alone. CG_ERROR_MISSING when no defective image has a mask;
 * CG_ERROR_UNSUPPORTED for names that are not UTF-8. */
CgSplit *cg_split_draw(const CgDataset *d, guint shots, guint64 seed, GError **error);
void cg_split_free(CgSplit *split);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgSplit, cg_split_free)

/* Writes the split with the prompts of each defect type as JSON. */
gboolean cg_split_save(const CgSplit *split, const char *path, const CgPrompts *prompts,
                       GError **error);
CgSplit *cg_split_load(const char *path, GError **error);

/* Whether the sample is one of the shots, by its path. */
gboolean cg_split_has(const CgSplit *split, const CgDataset *d, const CgSample *sample);

/* Takes the shots out of D. With KEEP the other way round: only the shots stay. CG_ERROR_MISSING
 * when a shot is not in D, CG_ERROR_FORMAT when its file changed: then nothing is taken. */
gboolean cg_split_separate(const CgSplit *split, CgDataset *d, gboolean keep, GError **error);

/* FALSE with CG_ERROR_USAGE when any sample of D outside of training is one of the shots by path or
 * by content: results on it would be worthless. */
gboolean cg_split_refuse(const CgSplit *split, const CgDataset *d, GError **error);

#endif
