/* method: what a detector is trained with, as people write it.
 *
 *     method = base [ "+" source [ ":" ratio ] ]
 *
 *     draem                 DRAEM's own synthesis (a name of cg_detector_synthesis_name)
 *     draem+cagen           a share of its training set replaced by the images called cagen
 *     cutpaste+cagen:0.5    half of it, on top of another synthesis
 *
 * A source is a folder of generated images that was given a name, or a synthesis that images are
 * made with beforehand (a name of cg_augment_method_name).
 */
#ifndef CG_PIPELINE_METHOD_H
#define CG_PIPELINE_METHOD_H

#include <glib.h>

typedef struct {
    char *name;          /* "draem", "draem+cagen:0.3": with its ratio always; also a file's name */
    char *base, *source; /* source NULL: nothing is replaced */
    double ratio;        /* replaced, above 0; 0 without a source */
} CgMethod;

void cg_method_free(CgMethod *method);

/* The methods in LIST, with commas between them, as CgMethod: one that names a source without a
 * ratio stands for one with each of RATIOS [count], and with ratio 0 for its base. None comes
 * twice. CG_ERROR_USAGE. Names of sources are checked for form alone. */
GPtrArray *cg_methods_parse(const char *list, const double *ratios, guint count, GError **error);

/* Whether TEXT can be the name of a source: letters, digits, "-", "_", ".", a letter first. */
gboolean cg_method_is_name(const char *text);

#endif
