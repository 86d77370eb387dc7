/* page-private: what the sections of a page share. */
#ifndef CG_REPORT_PAGE_PRIVATE_H
#define CG_REPORT_PAGE_PRIVATE_H

#include "report/page.h"

#include <jansson.h>

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
/* <td> of a number, or of an object with "value", "low" and "high". */
void cg_page_estimate_cell(GString *out, const json_t *value);
/* Licences and notes that lie in FOLDER. */
void cg_page_add_licences(CgPage *page, const char *folder);

/* KEY of OBJECT as text; NULL when it is none. */
static inline const char *cg_page_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
/* KEY of OBJECT as a number; NaN when it is none. */
double cg_page_number(const json_t *object, const char *key);

/* Embedded files. */
extern const char cg_page_style[];
extern const char cg_page_script[];

#endif
