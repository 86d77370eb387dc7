/* pictures: input images that are used again and again, by many threads. */
#ifndef CG_PIPELINE_PICTURES_H
#define CG_PIPELINE_PICTURES_H

#include "image/image.h"

typedef struct {
    CgImage *image;
    char sha256[65]; /* of the file */
    gint ref_count;
} CgPicture;

void cg_picture_unref(CgPicture *picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPicture, cg_picture_unref)

/* Decoded pictures by path; what would take more than BYTES in all is not kept. */
typedef struct CgPictures CgPictures;
CgPictures *cg_pictures_new(gsize bytes);
void cg_pictures_free(CgPictures *pictures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPictures, cg_pictures_free)

/* The picture at PATH (MASK: read by cg_image_load_mask). Any thread. Release it with
 * cg_picture_unref. */
CgPicture *cg_pictures_get(CgPictures *pictures, const char *path, gboolean mask, GError **error);

/* PATH itself, or the files in the folder PATH in order of name; DEEP: those in the folders below
 * too, and only files whose names say that they are pictures. Nothing found is CG_ERROR_MISSING.
 * Strings, freed with the array. */
GPtrArray *cg_pictures_list(const char *path, gboolean deep, GError **error);
/* The same of all PATHS, ended by NULL, one after the other; folders are looked through deeply. */
GPtrArray *cg_pictures_list_all(char *const *paths, GError **error);

#endif
