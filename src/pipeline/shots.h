/* shots: the few defective images that a ControlNet learns from, as training takes them: latent
 * moments, control images and text states, each computed once and kept.
 *
 * A shot is cut to the square window that cg_generate would work in around its mask, so that
 * training sees what generating will ask for, and scaled to the model's size.
 */
#ifndef CG_PIPELINE_SHOTS_H
#define CG_PIPELINE_SHOTS_H

#include "datasets/split.h"
#include "image/paste.h"
#include "pipeline/model.h"

/* How a shot may be changed, image and mask alike; all off in the paper. */
typedef struct {
    gboolean flip;   /* left to right and top to bottom, each in half of the draws */
    gboolean rotate; /* by quarter turns */
    double crop; /* a part of at least this share of the side; 0 or 1: the whole. Latents can't be
                  * kept then: a VAE run for each draw */
} CgShotChanges;

typedef struct {
    const char *data;    /* folder of a data set */
    const char *layout;  /* NULL: found out */
    const char *split;   /* file of cagen dataset split; NULL: drawn from shots and seed */
    const char *aliases; /* for prompts; NULL: none */
    guint shots;         /* per defect type */
    guint64 seed;
    int size;       /* pixels of a side; 0: the model's */
    gboolean whole; /* the whole image, not the window around the mask */
    /* Share of draws that are not the shot but a normal image of its category under an empty mask,
     * with the shot's prompt: the prompt alone shall paint nothing. 0 in the paper. */
    double empty;
    CgShotChanges changes;
} CgShotsOptions;

typedef struct {
    char *category, *defect, *path;
    char **prompts;    /* phrasings, at least one */
    CgRect window;     /* what was cut out .. */
    int width, height; /* .. of an image of this size */
    CgImage *picture;  /* [size, size, 3] */
    CgImage *mask;     /* [size, size], 0 and 255 */
} CgShotImage;

typedef struct CgShots CgShots;

/* Reads and checks all images. CG_ERROR_MISSING without a defect that has a mask; an empty mask, or
 * one of another size than its image, is an error naming the file. Fewer shots than asked for are a
 * warning. MODEL is borrowed. */
CgShots *cg_shots_open(const CgModel *model, const CgShotsOptions *options, GError **error);
void cg_shots_free(CgShots *shots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgShots, cg_shots_free)

guint cg_shots_count(const CgShots *shots);
const CgShotImage *cg_shots_nth(const CgShots *shots, guint i);
/* Memory that the pictures, their latents and texts take at most. */
guint64 cg_shots_bytes(const CgShots *shots);
int cg_shots_size(const CgShots *shots);
/* The split that was read or drawn; borrowed. */
const CgSplit *cg_shots_split(const CgShots *shots);
/* The data set without the shots: what may be looked at while training. Borrowed. */
const CgDataset *cg_shots_others(const CgShots *shots);

/* Paths of CATEGORY's normal images, training ones where there are any; they belong to SHOTS. */
GPtrArray *cg_shots_normals(const CgShots *shots, const char *category);

/* One draw of a shot. */
typedef struct {
    guint index;
    gboolean empty;     /* the normal image that goes with the shot, without a mask */
    guint variant;      /* 0..7: bits flip left to right, top to bottom, transpose */
    double crop[3];     /* share of the side, and where in what is left (x, y); share 1: all */
    const char *prompt; /* borrowed */
} CgShotDraw;

/* Draw NUMBER of the training (its random numbers follow from it and the seed) of shot INDEX; with
 * probability DROPOUT the prompt is "". */
CgShotDraw cg_shots_draw(const CgShots *shots, guint index, guint64 number, double dropout);

/* The draws as tensors (f32): moments [n, h, w, 2c] of the VAE, control [n, size, size, 3] in [0,
 * 1], text [n, t, width]; computed where they are not kept yet, or with REHEARSAL, for which their
 * shapes are enough, left at zero. FALSE when that failed. */
gboolean cg_shots_batch(CgShots *shots, const CgShotDraw *draws, int n, gboolean rehearsal,
                        CgTensor **moments, CgTensor **control, CgTensor **text, GError **error);

#endif
