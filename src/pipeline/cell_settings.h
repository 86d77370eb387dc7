/* cell_settings: all that the figures of a cell depend on, as JSON to be compared.
 *
 *     {"version": "0.1", "training": {...}, "testing": {...}}
 *
 * Files are known by hashes of their names and sizes (images, textures), of the rows' keys
 * (manifests of generated images), of their content (splits).
 */
#ifndef CG_PIPELINE_CELL_SETTINGS_H
#define CG_PIPELINE_CELL_SETTINGS_H

#include "pipeline/cell.h"

json_t *cg_cell_settings(const CgCellOptions *o, const CgCell *cell, GError **error);

/* Whether WERE (of the file PATH) are WANTED; CG_ERROR_USAGE names the first that differs. */
gboolean cg_cell_settings_check(const json_t *were, const json_t *wanted, const char *path,
                                GError **error);

#endif
