/* table: rows of text for people, as plain text, Markdown or LaTeX.
 */
#ifndef CG_METRICS_TABLE_H
#define CG_METRICS_TABLE_H

#include <glib.h>

typedef struct {
    GPtrArray *rows;    /* char **, NULL at the end; the first names the columns */
    GPtrArray *reasons; /* char *: of undefined values, numbered */
    GPtrArray *notes;   /* char *: below them */
    guint left;         /* columns that LaTeX sets to the left */
} CgTable;

void cg_table_init(CgTable *table, guint left);
void cg_table_clear(CgTable *table);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgTable, cg_table_clear)

/* Takes the strings in CELLS (g_ptr_array of char *) over, and CELLS. */
void cg_table_take_row(CgTable *table, GPtrArray *cells);
/* What stands in the place of a value that is undefined because of REASON: "- (1)". */
char *cg_table_undefined(CgTable *table, const char *reason);
void cg_table_note(CgTable *table, const char *text);
/* A name from the disk for people to read: control characters as "?". */
char *cg_table_show(const char *name);

char *cg_table_text(const CgTable *table);
char *cg_table_markdown(const CgTable *table);
char *cg_table_latex(const CgTable *table); /* needs booktabs */

/* TEXT as a field of a CSV file. */
void cg_csv_field(GString *out, const char *text);
/* A comma and V with all digits; nothing behind it for NaN. */
void cg_csv_number(GString *out, double v);

#endif
