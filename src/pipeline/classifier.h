/* classifier: a trained ResNet as a folder or file, and pictures described and classified by it.
 *
 *     DIR/config.json           depth, classes and their names, how pictures are prepared
 *     DIR/model.safetensors     torchvision's names
 *
 * as timm keeps its models, so that timm.create_model("local-dir:DIR", pretrained=True) takes the
 * folder of one of timm's width. A single file of weights will do too, torchvision's or timm's: its
 * sizes are read off its tensors, its classes are called by their numbers.
 *
 *     g_autoptr(CgClassifier) c = cg_classifier_open(engine, CG_F32, "resnet18/", error);
 *     g_autoptr(CgTensor) features = cg_classifier_features(c, paths, n, error);   [n, 512]
 */
#ifndef CG_PIPELINE_CLASSIFIER_H
#define CG_PIPELINE_CLASSIFIER_H

#include "base/json.h"
#include "image/image.h"
#include "models/plain_weights.h"
#include "models/resnet_classifier.h"

#define CG_CLASSIFIER_MIN_SIDE 16
#define CG_CLASSIFIER_MAX_SIDE 4096

/* How the network wants its pictures: squeezed to SIZE x SIZE (Lanczos), [0, 1], less MEAN, divided
 * by DEVIATION; red first. */
typedef struct {
    int size;
    double mean[3], deviation[3];
    gboolean window; /* it learnt the parts around masks, not whole pictures; who shows it pictures
                      * cuts them so */
} CgClassifierInput;

/* ImageNet's mean and deviation. */
CgClassifierInput cg_classifier_input(int size);
/* IMAGE as a network of INPUT wants it, [size, size, 3] at OUT, left and right exchanged with FLIP;
 * its size must be INPUT's. */
void cg_classifier_prepare(const CgClassifierInput *input, const CgImage *image, gboolean flip,
                           float *out);
/* IMAGE as RGB of INPUT's size. */
CgImage *cg_classifier_squeeze(const CgClassifierInput *input, const CgImage *image);

typedef struct {
    CgResnetClassifier *model;
    CgEngine *engine; /* borrowed */
    CgDType dtype;
    CgClassifierInput input;
    GPtrArray *labels; /* of char *, one for each class */
} CgClassifier;

/* Engine must outlive the classifier. */
CgClassifier *cg_classifier_open(CgEngine *engine, CgDType dtype, const char *path, GError **error);
void cg_classifier_free(CgClassifier *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgClassifier, cg_classifier_free)

/* Of N pictures [n, c] f32, in their order: *FEATURES, the numbers before the last layer, and
 * *LOGITS (nullable) of the classes. CG_ERROR_NUMERIC when the network answers with NaN. */
gboolean cg_classifier_run(const CgClassifier *c, const CgImage *const *images, guint n,
                           CgTensor **features, CgTensor **logits, GError **error);
/* Picture I of DATA, any size; called by many threads at once. */
typedef CgImage *(*CgClassifierLoad)(const void *data, guint i, GError **error);
/* The same of N pictures that LOAD reads as they are needed; with progress. */
gboolean cg_classifier_run_loaded(const CgClassifier *c, CgClassifierLoad load, const void *data,
                                  guint n, CgTensor **features, CgTensor **logits, GError **error);
/* The same of the pictures at PATHS, as they are. */
gboolean cg_classifier_run_files(const CgClassifier *c, const char *const *paths, guint n,
                                 CgTensor **features, CgTensor **logits, GError **error);
CgTensor *cg_classifier_features(const CgClassifier *c, const char *const *paths, guint n,
                                 GError **error);

/* Row I of LOGITS: the class it speaks for, and that one's probability (softmax). */
guint cg_classifier_answer(const CgTensor *logits, guint i, double *probability);
/* Whether its classes are "good" and "anomalous". */
gboolean cg_classifier_is_binary(const CgClassifier *c);

/* What a folder says of a classifier. */
typedef struct {
    CgResnetClassifierConfig network;
    CgClassifierInput input;
    const GPtrArray *labels;
    json_t *training; /* borrowed: how it was trained, for people; nullable */
} CgClassifierConfig;

/* The configuration of the folder or file at PATH, and its weights opened. Free *LABELS with
 * g_ptr_array_unref. */
CgPlainWeights *cg_classifier_read(const char *path, CgResnetClassifierConfig *network,
                                   CgClassifierInput *input, GPtrArray **labels, GError **error);

/* Writes FOLDER from BLOCK of the store (values or average); configuration last. */
gboolean cg_classifier_save(const char *folder, const CgClassifierConfig *config,
                            const CgStore *store, CgTensor *block, GError **error);

#endif
