/* detector: a trained DRAEM as a folder, and pictures scored by it.
 *
 *     DIR/config.json                    widths, size, what it was trained on
 *     DIR/reconstructive.safetensors     the original's state dictionaries, names and all
 *     DIR/discriminative.safetensors
 *
 * so that PyTorch's load_state_dict takes both as they are. The original's own pair of files,
 * NAME.pckl and NAME_seg.pckl, is opened by the first one's name; widths are read off the tensors.
 * num_batches_tracked, which nothing reads, is not written and is passed over where it is found.
 */
#ifndef CG_PIPELINE_DETECTOR_H
#define CG_PIPELINE_DETECTOR_H

#include "autograd/store.h"
#include "image/map.h"
#include "models/draem.h"

typedef struct {
    CgDraem *model;
    CgEngine *engine; /* borrowed */
    CgDType dtype;
    int size;         /* pictures are resized to size x size */
    char *category;   /* that it was trained on; "": nobody says */
    double threshold; /* images with a score above are anomalous; NaN: none was chosen */
} CgDetector;

/* PATH: a folder, or the first of the original's two files. Engine must outlive the detector. */
CgDetector *cg_detector_open(CgEngine *engine, CgDType dtype, const char *path, GError **error);
void cg_detector_free(CgDetector *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDetector, cg_detector_free)

/* The probability of being anomalous of each pixel of IMAGE, resized to the detector's size as
 * OpenCV does. CG_ERROR_NUMERIC when the network answers with NaN. */
CgMap *cg_detector_map(const CgDetector *d, const CgImage *image, GError **error);

/* IMAGE under a map of its own size as a heat map: the stronger the score (0..1), the more of it.
 */
CgImage *cg_detector_overlay(const CgImage *image, const CgMap *map);

/* What a folder says of a detector. */
typedef struct {
    CgDraemConfig draem;
    int size;
    const char *category;
    json_t *training; /* borrowed: how it was trained, for people; nullable */
} CgDetectorConfig;

/* Writes FOLDER from BLOCK of the store (values or average); configuration last. */
gboolean cg_detector_save(const char *folder, const CgDetectorConfig *config, const CgStore *store,
                          CgTensor *block, GError **error);
/* Puts THRESHOLD (borrowed; an object with "image") into FOLDER's configuration. */
gboolean cg_detector_save_threshold(const char *folder, json_t *threshold, GError **error);

#endif
