/* import-private: what the two readers of annotations share. */
#ifndef CG_DATASETS_IMPORT_PRIVATE_H
#define CG_DATASETS_IMPORT_PRIVATE_H

#include "base/file.h"
#include "base/json.h"
#include "datasets/import.h"
#include "image/image.h"

typedef struct {
    const CgImportOptions *options;
    CgImportSummary *summary;
    gboolean checking; /* the first time through: nothing is written */
    guint total;       /* images in all */
    GHashTable *next;  /* folder -> how many images it has */
    CgAtomicFile *manifest;
} CgImport;

/* An image with its shapes. */
typedef struct {
    const char *where; /* the JSON file, for messages */
    char *image;       /* path */
    char *label;       /* NULL: no shape so far */
    CgImage *mask;     /* of the image's size */
} CgAnnotated;

/* Begins with an empty mask as large as the picture at IMAGE (which is taken over); WIDTH and
 * HEIGHT as WHERE says them, 0 when it does not. Clear also after failure. */
gboolean cg_annotated_init(CgAnnotated *a, const char *where, char *image, gint64 width,
                           gint64 height, GError **error);
void cg_annotated_clear(CgAnnotated *a);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgAnnotated, cg_annotated_clear)
gboolean cg_annotated_label(CgAnnotated *a, const char *label, GError **error);
/* Adds the polygon (GArray of CgPoint) to the mask. */
gboolean cg_annotated_polygon(CgAnnotated *a, GArray *points, GError **error);
/* Hands A to the data set. */
gboolean cg_import_add(CgImport *import, const CgAnnotated *a, GError **error);

/* All images of the COCO file FILE, read from PATH. */
gboolean cg_import_coco(CgImport *import, const char *path, const json_t *file, GError **error);

#endif
