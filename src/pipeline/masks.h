/* masks: many masks for many images, into a folder. */
#ifndef CG_PIPELINE_MASKS_H
#define CG_PIPELINE_MASKS_H

#include "synthesis/foreground.h"
#include "synthesis/shapes.h"

typedef struct {
    const CgMaskShapes *shapes;
    const CgMaskLibrary *library;    /* nullable */
    const GPtrArray *normals;        /* paths; NULL: masks of WIDTH x HEIGHT without images */
    int width, height;               /* only without images */
    const char *foreground;          /* as in objects.h; NULL: auto */
    const char *allowed, *forbidden; /* images of regions; nullable */
    double min_area, max_area;       /* as in CgMaskRules */
    int latent_side, min_cells;      /* the same */
    gint64 seed;
    guint count;
    const char *out;   /* folder for 000.png, 001.png, ... */
    const char *sheet; /* PNG to look at; nullable */
    const char *jobs;  /* JSON lines of image and mask for cagen generate; nullable */
} CgMasksOptions;

typedef struct {
    const char *mask, *normal; /* paths; normal is NULL without images */
    double area;               /* share of the image */
    CgForegroundPolicy policy; /* OBJECT, TEXTURE; AUTO when the object's mask was given */
} CgMasksRow;

/* Mask i is drawn from stream (CG_STREAM_MASK, i) of the seed for image i modulo their number: the
 * same bytes for any number of threads, and for any count. DONE is called in order. Files with the
 * same names are replaced. */
gboolean cg_masks_run(const CgMasksOptions *options,
                      void (*done)(void *data, const CgMasksRow *row), void *data, GError **error);

#endif
