/* resnet_classifier: ResNet-18 and ResNet-34 (He et al. 2015; torchvision.models.resnet).
 *
 * What a picture shows, and 512 numbers that describe it: those before the last layer, which t-SNE,
 * Fréchet distances and the like are computed from. Parameters have torchvision's names (timm's
 * too); pictures are red, green, blue, their mean subtracted and divided by their deviation, of any
 * size. (The residual blocks of diffusion models are nn/resnet.h.)
 */
#ifndef CG_MODELS_RESNET_CLASSIFIER_H
#define CG_MODELS_RESNET_CLASSIFIER_H

#include "nn/layers.h"

#define CG_RESNET_MAX_WIDTH   1024
#define CG_RESNET_MAX_CLASSES 65536

typedef struct {
    int depth; /* 18 or 34 */
    int width; /* channels of the first stage: 64 in torchvision's; the last has eight times it */
    int classes;
} CgResnetClassifierConfig;

/* relu(norm2(conv2(relu(norm1(conv1(x))))) + x), or + downsample(x) where the shape changes. */
typedef struct {
    CgConv conv1, conv2, downsample;
    CgBatchNorm norm1, norm2, downsample_norm;
    gboolean has_downsample;
} CgBasicBlock;

typedef struct {
    CgResnetClassifierConfig config;
    CgParameterSet parameters;
    CgConv conv1;
    CgBatchNorm norm1;
    CgBasicBlock blocks[4][6];
    CgLinear head;
} CgResnetClassifier;

/* Numbers that describe a picture: 512 at width 64. */
static inline int cg_resnet_classifier_feature_count(const CgResnetClassifierConfig *config)
{
    return 8 * config->width;
}

/* Binds all layers to B (structure only when B has no set). */
void cg_bind_resnet_classifier(CgBinder *b, CgResnetClassifier *r);
/* CONFIG is copied. */
CgResnetClassifier *cg_resnet_classifier_new(const CgBuild *build,
                                             const CgResnetClassifierConfig *config,
                                             GError **error);
void cg_resnet_classifier_free(CgResnetClassifier *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgResnetClassifier, cg_resnet_classifier_free)

/* PICTURE [n, h, w, 3] f32 -> [n, 8 width] f32, the mean over all places of the last stage.
 * TRAINING: batch norms take the batch's statistics. */
CgTensor *cg_resnet_classifier_features(CgContext *cx, const CgResnetClassifier *r,
                                        CgTensor *picture, gboolean training);
/* FEATURES [n, 8 width] f32 -> [n, classes] f32, before the softmax. */
CgTensor *cg_resnet_classifier_logits(CgContext *cx, const CgResnetClassifier *r,
                                      CgTensor *features);

/* What torchvision begins with: convolutions normal with variance 2 / (c_out k k), norms 1 and 0,
 * the last layer uniform within 1 / sqrt(fan in). A CgParameterLookup with a
 * CgResnetClassifierInitial as its source; each tensor follows from seed and name. */
typedef struct {
    guint64 seed;
    int64_t fan_in; /* of the last layer, asked for before its bias */
} CgResnetClassifierInitial;
CgTensor *cg_resnet_classifier_initial_weights(void *initial, const char *name, const CgShape *want,
                                               GPtrArray *problems);

/* Whether NAME is the last layer's, which another set of classes replaces. */
gboolean cg_resnet_classifier_is_head(const char *name);

#endif
