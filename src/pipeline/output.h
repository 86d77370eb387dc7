/* output: how folders of results look, whatever made the pictures in them.
 *
 *     OUT/manifest.jsonl
 *     OUT/<category>/test/<defect>/000.png
 *     OUT/<category>/ground_truth/<defect>/000_mask.png
 *
 * The layout of MVTec AD: stems are digits of equal width, images 8-bit PNG, masks 0 and 255. A row
 * of the manifest has "image" and "mask" (names below OUT) and "key" (what tells one result from
 * another made with other settings or inputs).
 */
#ifndef CG_PIPELINE_OUTPUT_H
#define CG_PIPELINE_OUTPUT_H

#include "image/image.h"
#include "pipeline/manifest.h"

/* Where one result goes. */
typedef struct {
    char *image, *mask; /* below OUT; no mask (NULL) for a normal image */
} CgOutput;

void cg_output_clear(CgOutput *output);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgOutput, cg_output_clear)

/* Fills *CATEGORY and *DEFECT where they are NULL: the category from a path like
 * .../CATEGORY/train/good/x.png, the defect from TEXT without the category's words at its end
 * ("broken large bottle" -> broken_large). Names become safe for folders; an unsafe one that was
 * given is an error. */
gboolean cg_output_folders(const char *normal, const char *text, char **category, char **defect,
                           GError **error);

/* The name of picture NUMBER among COUNT in a folder, without its ending. Free with g_free. */
char *cg_output_stem(guint number, guint count);

/* COUNT outputs: that of item I is numbered within CATEGORIES[I] and DEFECTS[I]. */
CgOutput *cg_outputs_new(const char *const *categories, const char *const *defects, guint count);
void cg_outputs_free(CgOutput *outputs, guint count);

/* Whether nothing in OUT stands in the way: files that no manifest knows, stems of another width.
 * What a killed run left unfinished is removed. */
gboolean cg_outputs_check(const char *out, const CgManifest *m, const CgOutput *outputs,
                          guint count, GError **error);

/* The first KEY_DIGITS of the SHA-256 of TEXT. Free with g_free. */
char *cg_output_key(const char *text);
/* *DONE: whether OUTPUT has its row and files; an error when they stem from another KEY. */
gboolean cg_output_is_done(const char *out, const CgManifest *m, const CgOutput *output,
                           const char *key, gboolean *done, GError **error);

/* The picture and its mask (if OUTPUT has one), or nothing of them. Any thread. */
gboolean cg_output_write_pictures(const char *out, const CgOutput *output, const CgImage *image,
                                  const CgImage *mask, GError **error);
/* Then its row, unless it is there already; on failure the pictures are removed again. */
gboolean cg_output_write_row(const char *out, CgManifest *m, const CgOutput *output,
                             const json_t *row, GError **error);
/* Removes pictures that have no row. */
void cg_output_remove(const char *out, const CgManifest *m, const CgOutput *output);

/* A contact sheet of the first results: normal image, mask, result under its caption, what
 * changed. NORMALS and CAPTIONS [COUNT]. */
gboolean cg_outputs_sheet(const char *out, const CgOutput *outputs, const char *const *normals,
                          const char *const *captions, guint count, const char *path,
                          GError **error);

#endif
