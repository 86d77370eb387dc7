#include "pipeline/sample_sheet.h"

#include "base/file.h"
#include "image/sheet.h"

#define COLUMNS 5
#define GAIN    4 /* of the difference */

/* A row's cells; *OUTLINED and *DIFFERENCE are to be freed once they are drawn. */
static void fill_row(const CgSheetRow *row, int side, CgSheetCell *cells, CgImage **outlined,
                     CgImage **difference)
{
    const CgImage *normal = row->normal, *mask = row->mask, *fused = row->fused;
    /* A line that is still there when the picture is shrunk to SIDE. */
    const int line = mask ? MAX(2 * MAX(mask->width, mask->height) / side, 1) : 1;
    *outlined = normal && mask && normal->width == mask->width && normal->height == mask->height
                    ? cg_image_outline(normal, mask, line)
                    : NULL;
    *difference =
        normal && fused && normal->width == fused->width && normal->height == fused->height
            ? cg_image_difference(normal, fused, GAIN)
            : NULL;
    cells[0] = (CgSheetCell){*outlined ? *outlined : normal, row->label};
    cells[1] = (CgSheetCell){mask, "mask"};
    cells[2] = (CgSheetCell){row->generated, "generated"};
    cells[3] = (CgSheetCell){fused, "fused"};
    cells[4] = (CgSheetCell){*difference, "difference"};
}

gboolean cg_sample_sheet_save(const CgSheetRow *rows, int count, int side, const char *path,
                              GError **error)
{
    g_autofree CgSheetCell *cells = g_new0(CgSheetCell, COLUMNS * (gsize)count);
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    for (int i = 0; i < count; i++) {
        CgImage *outlined, *difference;
        fill_row(&rows[i], side, cells + COLUMNS * i, &outlined, &difference);
        g_ptr_array_add(made, outlined);
        g_ptr_array_add(made, difference);
    }
    g_autoptr(CgImage) sheet = cg_contact_sheet(cells, COLUMNS * count, COLUMNS, side, error);
    return sheet && cg_image_save_png(sheet, path, error);
}

char *cg_sample_sheet_path(const char *out, guint64 step, GError **error)
{
    g_autofree char *folder = g_build_filename(out, "samples", NULL);
    if (!cg_file_make_directory(folder, error))
        return NULL;
    return g_strdup_printf("%s/step-%08" G_GUINT64_FORMAT ".png", folder, step);
}
