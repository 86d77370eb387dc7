/* test_detector: a detector scores the test images of a category.
 */
#ifndef CG_PIPELINE_TEST_DETECTOR_H
#define CG_PIPELINE_TEST_DETECTOR_H

#include "datasets/split.h"
#include "metrics/evaluation.h"
#include "pipeline/detector.h"

typedef struct {
    const CgDetector *detector;
    const CgDataset *dataset;
    const char *category;
    const CgSplit *split; /* of the images that somebody learnt from; NULL: none */
    /* Called with every image and its map (the detector's size); NULL: nobody asks. */
    gboolean (*scored)(void *data, const CgSample *sample, const CgImage *image, const CgMap *map,
                       GError **error);
    void *data;
} CgDetectorTest;

/* Adds all of them to E and finishes it. CG_ERROR_MISSING when the category has none. */
gboolean cg_detector_test(const CgDetectorTest *test, CgEvaluation *e, GError **error);

#endif
