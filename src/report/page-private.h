/* page-private: what the sections of a page share. */
#ifndef CG_REPORT_PAGE_PRIVATE_H
#define CG_REPORT_PAGE_PRIVATE_H

#include "base/json.h"
#include "image/image.h"
#include "report/page.h"

struct CgPage {
    char *title;
    guint samples;
    int side;                           /* of pictures, pixels */
    GString *parts[CG_PAGE_PART_COUNT]; /* HTML */
    GString *provenance;                /* of all of them: settings, hashes, licences */
    GArray *facts;                      /* Fact, at the top */
    guint planes;                       /* interactive figures so far */
};

/* COUNT more of WHAT (a literal), for the top of the page. */
void cg_page_count(CgPage *page, guint64 count, const char *what);
/* <h3> of a path. */
void cg_page_heading(GString *out, const char *text, const char *path);

/* A row of a manifest of results: whether it has image and mask, whether these were put aside, and
 * what made them, in a word. */
gboolean cg_page_row_is_result(const json_t *row);
gboolean cg_page_row_is_dropped(const json_t *row);
const char *cg_page_row_how(const json_t *row);

/* Its pictures, all of one size. */
typedef struct {
    CgImage *made, *mask;
    CgImage *normal; /* NULL: gone, or of another size */
} CgPageResult;
gboolean cg_page_result_load(const char *folder, const json_t *row, CgPageResult *result,
                             GError **error);
void cg_page_result_clear(CgPageResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgPageResult, cg_page_result_clear)
/* Largest change outside the mask, levels of 255; -1 without the normal picture. */
int cg_page_result_outside(const CgPageResult *result);
/* A table, folded, of the rows KEPT and DROPPED. */
gboolean cg_page_add_result_list(GString *out, const char *folder, const GPtrArray *kept,
                                 const GPtrArray *dropped, GError **error);

/* Each appends to its part of PAGE. */
gboolean cg_page_add_data(CgPage *page, const char *path, GError **error);
gboolean cg_page_add_generated(CgPage *page, const char *path, GError **error);
gboolean cg_page_add_training(CgPage *page, const char *path, GError **error);
gboolean cg_page_add_evaluation(CgPage *page, const char *path, GError **error);
gboolean cg_page_add_figure(CgPage *page, const char *path, GError **error);
/* An interactive figure of what cg_likeness_json wrote. */
gboolean cg_page_add_plane(CgPage *page, const json_t *json, const char *path, GError **error);
/* A table of what cg_quality_json wrote. */
gboolean cg_page_add_quality(CgPage *page, const json_t *json, const char *path, GError **error);
/* Tables of what cagen evaluate wrote, and curves of its cells in FOLDER (nullable); FALSE when
 * there is nothing in it. */
gboolean cg_page_add_comparison(GString *out, const json_t *json, const char *folder);
/* Charts of all categories and of each, a curve for each method, where the cells have any. */
void cg_page_add_method_curves(GString *out, const json_t *categories, const json_t *methods,
                               const char *folder);
/* "91.2" and its interval in per cent, of an object with "value", "low" and "high", or a dash and
 * why it is "undefined". */
void cg_page_per_cent(GString *out, const json_t *value);
/* <td> of a number, or of an object with "value", "low" and "high". */
void cg_page_estimate_cell(GString *out, const json_t *value);
/* Licences and notes that lie in FOLDER. */
void cg_page_add_licences(CgPage *page, const char *folder);

/* KEY of OBJECT as a number; NaN when it is none. */
double cg_page_number(const json_t *object, const char *key);

/* Embedded files. */
extern const char cg_page_style[];
extern const char cg_page_script[];

#endif
