/* likeness: are these synthetic defects like the real ones? Groups of pictures as points of one
 * plane (t-SNE), and as numbers that the picture can be checked by.
 *
 * All numbers are of the features themselves, not of the plane. Against the real defects, for each
 * other group:
 *
 * - frechet: Frechet distance with its interval (embedding/frechet.h); comparable between groups of
 *   one size alone
 *
 * - kernel: kernel distance, unbiased, with its interval (embedding/kernel_distance.h)
 *
 * - accuracy: of telling group and real defects apart by the nearest neighbour; 0.5 is not at all
 *
 * - share: of real defects among the nearest real pictures, good or defective (NEIGHBOURS of them)
 *
 * - centroid: distance of the group's mean from that of the real defects, in units of the distance
 *   of the good pictures' mean from it
 */
#ifndef CG_PIPELINE_LIKENESS_H
#define CG_PIPELINE_LIKENESS_H

#include "embedding/kernel_distance.h"
#include "embedding/tsne.h"
#include "metrics/interval.h"
#include "metrics/mean.h"
#include "pipeline/group.h"

#include <jansson.h>

#define CG_LIKENESS_NEIGHBOURS 10

typedef struct {
    CgEstimate frechet; /* NaN: undefined */
    double centroid;
    CgKernelDistance kernel;
    CgMeanInterval accuracy, share; /* share: mean NaN without good pictures */
} CgLikenessRow;

typedef struct {
    GPtrArray *groups; /* CgGroup with features, borrowed */
    int good, real;    /* which of them; -1: none */
    const char *features;
    CgTsne tsne;
    guint draws; /* for intervals */
    guint64 seed;

    /* What cg_likeness_measure finds. */
    CgLikenessRow *rows; /* [groups]; that of REAL means nothing */
    double *plane;       /* [all pictures, 2] */
    double divergence;
    double trust; /* of the plane's 10 nearest; NaN where there are too few pictures */
} CgLikeness;

void cg_likeness_clear(CgLikeness *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgLikeness, cg_likeness_clear)

/* CG_ERROR_USAGE when there are too few pictures for the perplexity, CG_ERROR_SHAPE for groups of
 * other features or less than two pictures. */
gboolean cg_likeness_measure(CgLikeness *l, GError **error);

/* The plane as a figure; PATH ends in .png, .svg or .pdf. */
gboolean cg_likeness_draw(const CgLikeness *l, const char *title, const char *path, GError **error);
/* The plane with the pictures themselves, SIDE (at most 512) pixels long, in frames of their
 * groups' colours; groups of features alone are left out. */
CgImage *cg_likeness_pictures(const CgLikeness *l, int side, GError **error);
/* Numbers, points and the names of their pictures. Free with json_decref. */
json_t *cg_likeness_json(const CgLikeness *l);
/* The numbers as a table in Markdown. Free with g_free. */
char *cg_likeness_markdown(const CgLikeness *l);

#endif
