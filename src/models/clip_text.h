/* clip_text: CLIP's text encoder (transformers CLIPTextModel): a pre-norm transformer with a causal
 * mask over 77 token positions.
 */
#ifndef CG_MODELS_CLIP_TEXT_H
#define CG_MODELS_CLIP_TEXT_H

#include "base/json.h"
#include "nn/layers.h"

#define CG_CLIP_MAX_LAYERS 64

typedef struct {
    int vocabulary, positions;
    int width, mlp_width;
    int layers, heads;
    float eps;
    CgActivation act; /* quick GELU or exact GELU */
} CgClipTextConfig;

void cg_clip_text_config_default(CgClipTextConfig *config); /* ViT-L/14's */
gboolean cg_clip_text_config_parse(const json_t *object, const char *where,
                                   CgClipTextConfig *config, GError **error);
json_t *cg_clip_text_config_to_json(const CgClipTextConfig *config);

typedef struct {
    CgNorm norm1, norm2;
    CgLinear qkv, out;
    CgLinear fc1, fc2;
} CgClipLayer;

typedef struct {
    CgClipTextConfig config;
    CgParameterSet parameters;
    CgTensor *token_embedding;    /* [vocabulary, width], as in the file */
    CgTensor *position_embedding; /* [positions, width] */
    CgClipLayer layers[CG_CLIP_MAX_LAYERS];
    CgNorm final_norm;
} CgClipText;

void cg_bind_clip_text(CgBinder *b, CgClipText *te);
CgClipText *cg_clip_text_new(const CgBuild *build, const CgClipTextConfig *config, GError **error);
void cg_clip_text_free(CgClipText *te);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgClipText, cg_clip_text_free)

/* IDS: N prompts of T ids each (T at most positions, ids below vocabulary: the caller checks) ->
 * [n, t, width] f32. CLIP_SKIP 0: the last hidden state; k: the output of k layers earlier; the
 * final norm is applied either way, as diffusers does. */
CgTensor *cg_clip_text_forward(CgContext *cx, const CgClipText *te, const gint32 *ids, int n, int t,
                               int clip_skip);

#endif
