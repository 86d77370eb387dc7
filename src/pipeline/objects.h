/* objects: where the object is in each of many pictures: found, or given as ready masks. */
#ifndef CG_PIPELINE_OBJECTS_H
#define CG_PIPELINE_OBJECTS_H

#include "synthesis/foreground.h"

typedef struct CgObjects CgObjects;

/* FOREGROUND: "auto" (also NULL), "object", "texture", or a ready mask for all pictures, or a
 * folder of masks with the pictures' names (as PNG, with _mask behind the name or not). "auto" is
 * decided at once on some of NORMALS (paths; nullable), for all of them, and told in the log. */
CgObjects *cg_objects_new(const char *foreground, const GPtrArray *normals, GError **error);
void cg_objects_free(CgObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgObjects, cg_objects_free)

/* OBJECT or TEXTURE; AUTO when ready masks were given. */
CgForegroundPolicy cg_objects_policy(const CgObjects *objects);
/* Of the same length for all pictures: "object", "texture" or the ready masks' absolute path; what
 * would give the same objects again. */
const char *cg_objects_name(const CgObjects *objects);

/* The object in IMAGE, which is the picture at PATH (nullable, as is IMAGE): 0 or 255, its size, or
 * *OBJECT stays NULL when that is everything. Any thread; the object in a picture is looked for
 * once and kept. Free with cg_image_free. */
gboolean cg_objects_find(CgObjects *objects, const char *path, const CgImage *image,
                         CgImage **object, GError **error);

/* Whether REGION, called WHAT, has the size of the picture at PATH (NULL: of "the masks"). A NULL
 * region has. */
gboolean cg_region_check_size(const char *what, const CgImage *region, const char *path, int width,
                              int height, GError **error);

#endif
