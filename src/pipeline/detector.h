/* detector: a trained DRAEM or U-Net as a folder, and pictures scored by it.
 *
 *     DIR/config.json                    network, widths, size, what it was trained on
 *     DIR/reconstructive.safetensors     DRAEM: the original's state dictionaries, names and all
 *     DIR/discriminative.safetensors
 *     DIR/model.safetensors              U-Net: names of the original's DiscriminativeSubNetwork
 *
 * so that PyTorch's load_state_dict takes them as they are. The original's own pair of files,
 * NAME.pckl and NAME_seg.pckl, is opened by the first one's name, a U-Net's single file (of
 * DiscriminativeSubNetwork(in_channels=3, out_channels=2)) by its own; widths are read off the
 * tensors. num_batches_tracked, which nothing reads, is not written and is passed over where it is
 * found.
 */
#ifndef CG_PIPELINE_DETECTOR_H
#define CG_PIPELINE_DETECTOR_H

#include "autograd/store.h"
#include "image/map.h"
#include "models/detector_network.h"
#include "models/plain_weights.h"

/* What a folder says of a detector. */
typedef struct {
    CgDetectorNetworkConfig network;
    int size;         /* pictures are resized to size x size */
    char *category;   /* that it was trained on; "": nobody says */
    double threshold; /* images with a score above are anomalous; NaN: none was chosen */
    json_t *training; /* how it was trained, for people; written where it is, never read */
} CgDetectorConfig;

void cg_detector_config_clear(CgDetectorConfig *config);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgDetectorConfig, cg_detector_config_clear)

typedef struct {
    CgDetectorConfig config;
    CgDetectorNetwork *model;
    CgEngine *engine; /* borrowed */
    CgDType dtype;
} CgDetector;

/* PATH: a folder, the first of the original's two files, or a U-Net's one file. Engine must outlive
 * the detector. */
CgDetector *cg_detector_open(CgEngine *engine, CgDType dtype, const char *path, GError **error);
void cg_detector_free(CgDetector *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDetector, cg_detector_free)

/* {"network": "unet", "width": 64, "size": 256, "category": "bolt", "threshold": 0.23}: what of it
 * results depend on, by the names of the options of cagen detect train; null where nobody says. */
json_t *cg_detector_to_json(const CgDetector *d);

/* The weights of PATH as they are, and *CONFIG, to be cleared either way; no network is made. */
CgPlainWeights *cg_detector_read(const char *path, CgDetectorConfig *config, GError **error);

/* The probability of being anomalous of each pixel of IMAGE, resized to the detector's size as
 * OpenCV does. CG_ERROR_NUMERIC when the network answers with NaN. */
CgMap *cg_detector_map(const CgDetector *d, const CgImage *image, GError **error);

/* IMAGE under a map of its own size as a heat map: the stronger the score (0..1), the more of it.
 */
CgImage *cg_detector_overlay(const CgImage *image, const CgMap *map);

/* Writes FOLDER from BLOCK of the store (values or average); configuration last, without its
 * threshold. Weights of the other network, which a detector that was there before left, go. */
gboolean cg_detector_save(const char *folder, const CgDetectorConfig *config, const CgStore *store,
                          CgTensor *block, GError **error);
/* Puts THRESHOLD (borrowed; an object with "image") into FOLDER's configuration. */
gboolean cg_detector_save_threshold(const char *folder, json_t *threshold, GError **error);

#endif
