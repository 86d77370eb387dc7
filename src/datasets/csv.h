/* csv: tables as RFC 4180 has them, a row at a time.
 *
 * Commas, quotes around fields, quotes doubled inside; LF or CRLF; a byte order mark is skipped.
 * The file stays mapped, so that its size does not matter.
 */
#ifndef CG_DATASETS_CSV_H
#define CG_DATASETS_CSV_H

#include <glib.h>

/* Longest row in bytes. */
#define CG_CSV_MAX_ROW (1u << 16)

/* FIELDS: the values of the COLUMNS asked for, "" where a row is short. LINE counts from 1. FALSE
 * with an error ends the reading. */
typedef gboolean (*CgCsvRow)(gpointer data, const char *const *fields, guint line, GError **error);

/* Calls ROW for every row of PATH but the first, which names the columns; COLUMNS (NULL at the end)
 * must be among them. Empty lines are passed over. CG_ERROR_FORMAT names the line. */
gboolean cg_csv_read(const char *path, const char *const *columns, CgCsvRow row, gpointer data,
                     GError **error);

#endif
