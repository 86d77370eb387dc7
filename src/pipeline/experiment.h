/* experiment: methods on categories with seeds, cell by cell, and the table of them.
 */
#ifndef CG_PIPELINE_EXPERIMENT_H
#define CG_PIPELINE_EXPERIMENT_H

#include "pipeline/sources.h"

typedef struct {
    CgCellOptions options;
    GPtrArray *categories; /* const char *, of the data set */
    GPtrArray *methods;    /* CgMethod; what is compared with: the first */
    GPtrArray *sources;    /* CgSource that were given */
    GArray *seeds;         /* guint64 */
    gboolean published;    /* the paper's figures stand beside ours, where these are of DRAEM */
} CgExperiment;

/* The categories in NAMES (commas between), each of which must have normal images to train with
 * and test images; NULL: all that have, others are told in the log. Pointers into D, freed with
 * g_ptr_array_unref. */
GPtrArray *cg_experiment_categories(const CgDataset *d, const char *names, GError **error);

/* Whether the textures are there, and the methods' sources (no methods: fine) are or can be made.
 */
gboolean cg_experiment_check(const CgExperiment *x, GError **error);

/* All cells, the first seed's before the second's, so that a table of all methods is there early.
 * CgCell, freed with the array. */
GArray *cg_experiment_cells(const CgExperiment *x);
/* "bottle/draem+cagen:0.3/0" */
char *cg_experiment_cell_name(const CgCell *cell);

/* Seeds (guint64) in TEXT, with commas between, none twice. CG_ERROR_USAGE. */
GArray *cg_experiment_parse_seeds(const char *text, GError **error);

/* Those of CELLS that are not done, in their order; they borrow from CELLS. */
GArray *cg_experiment_todo(const CgExperiment *x, const GArray *cells, GError **error);

typedef struct {
    guint cells, todo;
    double flops;        /* of those to do */
    guint64 memory;      /* of the largest training */
    guint64 state_bytes; /* on the disk while it runs */
} CgExperimentPlan;
gboolean cg_experiment_plan(const CgExperiment *x, CgEngine *engine, CgExperimentPlan *plan,
                            GError **error);

/* Makes the generated images that the methods ask for and nobody gave. */
gboolean cg_experiment_make_sources(const CgExperiment *x, GError **error);

/* All cells that are not done, one after the other, with a table after each. */
gboolean cg_experiment_run(const CgExperiment *x, CgEngine *engine, GError **error);

/* OUT/table.md, .csv, .tex, .json and, where several ratios were asked for, OUT/ratio.svg and
 * .png, from the results that are there. *TEXT (nullable) gets the first;
 * *COUNT (nullable) how many cells are in it. */
gboolean cg_experiment_table(const CgExperiment *x, char **text, guint *count, GError **error);

#endif
