/* sources: where the generated images of an evaluation's methods lie.
 *
 * A source is a folder that was given with a name (of cagen generate or augment; or with such a
 * folder for each category in it), or a synthesis of cg_augment_method_name: then as many images
 * as the category has normal ones for training are made beforehand, in
 *
 *     OUT/synthetic/SOURCE/CATEGORY/
 *
 * from these, the same for all seeds of the trainings. crop-paste cuts from the few-shot images.
 */
#ifndef CG_PIPELINE_SOURCES_H
#define CG_PIPELINE_SOURCES_H

#include "pipeline/cell.h"

typedef struct {
    char *name, *folder;
} CgSource;

/* "NAME=DIR", or "DIR" with the name "cagen". CG_ERROR_USAGE for what can't be a name. */
CgSource *cg_source_parse(const char *text, GError **error);
void cg_source_free(CgSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgSource, cg_source_free)

/* Whether METHOD's source is one of GIVEN (CgSource) or can be made: CG_ERROR_USAGE otherwise. */
gboolean cg_source_check(const GPtrArray *given, const CgMethod *method, const CgCellOptions *o,
                         GError **error);

/* The folder of METHOD's source for CATEGORY, with a manifest in it if it was given; NULL without
 * error when METHOD has no source. Free with g_free. */
char *cg_source_folder(const GPtrArray *given, const CgMethod *method, const char *category,
                       const CgCellOptions *o);

/* The paths of the normal images that CATEGORY has for training. */
GPtrArray *cg_source_normals(const CgDataset *d, const char *category);

/* Makes what cg_source_folder names, where it is not given; what is there stays. */
gboolean cg_source_make(const GPtrArray *given, const CgMethod *method, const char *category,
                        const CgCellOptions *o, GError **error);

#endif
