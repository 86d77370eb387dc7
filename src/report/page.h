/* page: what an experiment made and measured, as one HTML file that needs nothing else.
 *
 *     g_autoptr(CgPage) page = cg_page_new("Hex nuts");
 *     cg_page_add(page, "out/", error);             a folder: what is in it is found out
 *     cg_page_add(page, "figures/figure4.json", error);
 *     cg_page_write(page, "report.html", error);
 *
 * No network, no other file: pictures, style and script lie in the page, and its own policy forbids
 * it to load anything. The same inputs give the same bytes on one machine. Names and texts from
 * outside are escaped; broken inputs are errors before anything is written.
 */
#ifndef CG_REPORT_PAGE_H
#define CG_REPORT_PAGE_H

#include <glib.h>

typedef enum {
    CG_PAGE_DATA,       /* a data set in any layout: what is in it, with examples */
    CG_PAGE_GENERATED,  /* cagen generate, cagen augment: results, scores, what was put aside */
    CG_PAGE_TRAINING,   /* a folder with journal.jsonl: curves */
    CG_PAGE_EVALUATION, /* JSON of cagen metrics or detect test, or the folder of cagen evaluate */
    CG_PAGE_FIGURE,     /* a picture, or figure4.json */
    CG_PAGE_PART_COUNT,
} CgPagePart;

typedef struct CgPage CgPage;

CgPage *cg_page_new(const char *title);
void cg_page_free(CgPage *page);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPage, cg_page_free)

/* Results shown of each generated folder (24), and pixels of their longer side (320). */
void cg_page_set_samples(CgPage *page, guint samples, int side);

/* Adds PATH, which is a PART; sections come in the order of the parts. Reads all of it.
 * CG_ERROR_MISSING, CG_ERROR_FORMAT, ... as the readers of these files have them. */
gboolean cg_page_add_part(CgPage *page, CgPagePart part, const char *path, GError **error);
/* The same, PART found out: CG_ERROR_FORMAT when PATH is nothing of these. */
gboolean cg_page_add(CgPage *page, const char *path, GError **error);

gboolean cg_page_write(const CgPage *page, const char *path, GError **error);

#endif
