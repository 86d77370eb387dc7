/* html: pieces of a page, appended to a string. Whatever comes from outside goes through
 * cg_html_text, in text and in attributes alike.
 */
#ifndef CG_REPORT_HTML_H
#define CG_REPORT_HTML_H

#include "image/image.h"

#include <jansson.h>

/* TEXT (NULL: nothing) with &, <, >, " and ' as entities; bytes that are not UTF-8 and control
 * characters as U+FFFD. */
void cg_html_text(GString *out, const char *text);
/* The same around a format's result. */
void cg_html_format(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* <td> or <th> with TEXT; numbers are set to the right. */
void cg_html_cell(GString *out, const char *text);
void cg_html_number_cell(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* <thead> of NAMES, which end with NULL; "#" before one: of numbers. */
void cg_html_head(GString *out, const char *const *names);

/* A table that scrolls where it is too wide, up to its <thead>; LABEL says what is in it. */
void cg_html_begin_table(GString *out, const char *label);
/* Ends it and its <tbody>. */
void cg_html_end_table(GString *out);

/* "data:image/jpeg;base64,..." of IMAGE, which is first made at most SIDE pixels long; LOSSLESS: as
 * PNG, without smoothing. */
gboolean cg_html_data(GString *out, const CgImage *image, int side, gboolean lossless,
                      GError **error);
/* An <img> of it; CLASS without special characters, ALT any text. */
gboolean cg_html_image(GString *out, const CgImage *image, int side, gboolean lossless,
                       const char *css_class, const char *alt, GError **error);

/* "12,345" of COUNT, as people read it. Free with g_free. */
char *cg_html_count(guint64 count);

#endif
