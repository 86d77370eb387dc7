/* map: one float for each pixel, as programs write anomaly maps. */
#ifndef CG_IMAGE_MAP_H
#define CG_IMAGE_MAP_H

#include "image/image.h"

typedef struct {
    int width, height;
    float *values; /* [height, width] */
} CgMap;

CgMap *cg_map_new(int width, int height); /* zeros */
void cg_map_free(CgMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMap, cg_map_free)

/* PNG, TIFF or PGM of one channel, or a NumPy array (.npy); told by content and not by name.
 * Pictures of 8 and 16 bits become fractions of 255 and 65535; 32-bit floats stay as they are, and
 * so do the numbers of arrays (doubles are rounded). Arrays have two axes larger than 1, rows
 * first: [h, w], [1, h, w], [1, 1, h, w] or [h, w, 1]. NaN is read like any other value.
 * CG_ERROR_UNSUPPORTED for lossy formats and several channels or pages, CG_ERROR_FORMAT for what is
 * broken. */
CgMap *cg_map_load(const char *path, GError **error);
/* As a NumPy array <f4 [h, w], atomically. */
gboolean cg_map_save_npy(const CgMap *map, const char *path, GError **error);

#endif
