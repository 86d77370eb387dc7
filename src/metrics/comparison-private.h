/* comparison-private: what finding and printing share. */
#ifndef CG_METRICS_COMPARISON_PRIVATE_H
#define CG_METRICS_COMPARISON_PRIVATE_H

#include "metrics/comparison.h"

struct CgComparison {
    GPtrArray *categories, *methods; /* char * */
    GPtrArray *results;              /* CgResult */
    GPtrArray *notes;                /* char * */
    gboolean published;
};

/* Whether any result has a row of this kind. */
gboolean cg_comparison_has(const CgComparison *c, CgMode mode, gboolean without_shots);

/* The mode that most is said of: DRAEM's own, or the first there is. */
CgMode cg_comparison_main_mode(const CgComparison *c);

#endif
