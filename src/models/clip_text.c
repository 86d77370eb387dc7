#include "models/clip_text.h"

void cg_clip_text_config_default(CgClipTextConfig *config)
{
    *config = (CgClipTextConfig){.vocabulary = 49408,
                                 .positions = 77,
                                 .width = 768,
                                 .mlp_width = 3072,
                                 .layers = 12,
                                 .heads = 12,
                                 .eps = 1e-5f,
                                 .act = CG_ACT_QUICK_GELU};
}

gboolean cg_clip_text_config_parse(const json_t *object, const char *where,
                                   CgClipTextConfig *config, GError **error)
{
    const char *act;
    double eps;
    cg_clip_text_config_default(config);
    const struct {
        const char *key;
        int *out;
        int max;
    } ints[] = {
        {"vocab_size", &config->vocabulary, 1 << 24},
        {"max_position_embeddings", &config->positions, 4096},
        {"hidden_size", &config->width, 16384},
        {"intermediate_size", &config->mlp_width, 65536},
        {"num_hidden_layers", &config->layers, CG_CLIP_MAX_LAYERS},
        {"num_attention_heads", &config->heads, 256},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ints); i++) {
        gint64 value;
        if (!cg_json_int(object, where, ints[i].key, *ints[i].out, 1, ints[i].max, &value, error))
            return FALSE;
        *ints[i].out = (int)value;
    }
    if (!cg_json_double(object, where, "layer_norm_eps", 1e-5, &eps, error) ||
        !cg_json_string(object, where, "hidden_act", "quick_gelu", &act, error))
        return FALSE;
    config->eps = (float)eps;
    config->act = g_str_equal(act, "gelu") ? CG_ACT_GELU : CG_ACT_QUICK_GELU;
    if (config->act == CG_ACT_QUICK_GELU && !g_str_equal(act, "quick_gelu")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: hidden_act is \"%s\"; supported are \"quick_gelu\" and \"gelu\"", where,
                    act);
        return FALSE;
    }
    if (config->width % config->heads) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: hidden_size %d does not divide into %d heads", where, config->width,
                    config->heads);
        return FALSE;
    }
    return TRUE;
}

json_t *cg_clip_text_config_to_json(const CgClipTextConfig *c)
{
    json_t *o =
        json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:s}",
                  "architectures", "CLIPTextModel", "model_type", "clip_text_model", "vocab_size",
                  c->vocabulary, "max_position_embeddings", c->positions, "hidden_size", c->width,
                  "intermediate_size", c->mlp_width, "num_hidden_layers", c->layers,
                  "num_attention_heads", c->heads, "layer_norm_eps", 1e-5, "hidden_act",
                  c->act == CG_ACT_GELU ? "gelu" : "quick_gelu", "projection_dim", c->width,
                  "bos_token_id", c->vocabulary - 2, "eos_token_id", c->vocabulary - 1,
                  "pad_token_id", c->vocabulary - 1, "torch_dtype", "float32");
    return o;
}

static void bind_layer(CgBinder *b, CgClipLayer *layer, const CgClipTextConfig *config, int index)
{
    char prefix[CG_NAME_MAX], name[CG_NAME_MAX];
    char q[CG_NAME_MAX], k[CG_NAME_MAX], v[CG_NAME_MAX];
    const int c = config->width;
    cg_name(prefix, "text_model.encoder.layers.%d", index);
    const char *qkv[] = {cg_name(q, "%s.self_attn.q_proj", prefix),
                         cg_name(k, "%s.self_attn.k_proj", prefix),
                         cg_name(v, "%s.self_attn.v_proj", prefix)};
    cg_bind_norm(b, &layer->norm1, cg_name(name, "%s.layer_norm1", prefix), c);
    cg_bind_linear_stack(b, &layer->qkv, qkv, 3, c, c, TRUE);
    cg_bind_linear(b, &layer->out, cg_name(name, "%s.self_attn.out_proj", prefix), c, c, TRUE);
    cg_bind_norm(b, &layer->norm2, cg_name(name, "%s.layer_norm2", prefix), c);
    cg_bind_linear(b, &layer->fc1, cg_name(name, "%s.mlp.fc1", prefix), c, config->mlp_width, TRUE);
    cg_bind_linear(b, &layer->fc2, cg_name(name, "%s.mlp.fc2", prefix), config->mlp_width, c, TRUE);
}

void cg_bind_clip_text(CgBinder *b, CgClipText *te)
{
    const CgClipTextConfig *config = &te->config;
    te->token_embedding = cg_bind_tensor(b, "text_model.embeddings.token_embedding.weight",
                                         CG_SHAPE(config->vocabulary, config->width));
    te->position_embedding = cg_bind_tensor(b, "text_model.embeddings.position_embedding.weight",
                                            CG_SHAPE(config->positions, config->width));
    for (int i = 0; i < config->layers; i++)
        bind_layer(b, &te->layers[i], config, i);
    cg_bind_norm(b, &te->final_norm, "text_model.final_layer_norm", config->width);
}

CgClipText *cg_clip_text_new(const CgBuild *build, const CgClipTextConfig *config, GError **error)
{
    g_autoptr(CgClipText) te = g_new0(CgClipText, 1);
    CgBinder b;
    te->config = *config;
    cg_binder_init(&b, &te->parameters, build);
    cg_bind_clip_text(&b, te);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&te) : NULL;
}

void cg_clip_text_free(CgClipText *te)
{
    if (!te)
        return;
    cg_parameter_set_clear(&te->parameters);
    g_free(te);
}

static CgTensor *layer_forward(CgContext *cx, const CgClipLayer *layer,
                               const CgClipTextConfig *config, CgTensor *x)
{
    g_autoptr(CgTensor) h =
        cg_layer_norm(cx, x, config->eps, layer->norm1.gamma, layer->norm1.beta);
    CG_SET(h, cg_linear_forward(cx, &layer->qkv, h, CG_PLAIN));
    CG_SET(h, cg_attention_qkv(cx, h, config->heads, TRUE));
    g_autoptr(CgTensor) y = cg_linear_forward(cx, &layer->out, h, (CgEpilogue){.residual = x});
    CG_SET(h, cg_layer_norm(cx, y, config->eps, layer->norm2.gamma, layer->norm2.beta));
    CG_SET(h, cg_linear_forward(cx, &layer->fc1, h, (CgEpilogue){.act = config->act}));
    return cg_linear_forward(cx, &layer->fc2, h, (CgEpilogue){.residual = y, .in_place = TRUE});
}

CgTensor *cg_clip_text_forward(CgContext *cx, const CgClipText *te, const gint32 *ids, int n, int t,
                               int clip_skip)
{
    g_autoptr(CgTensor) h =
        cg_embedding(cx, te->token_embedding, te->position_embedding, ids, n, t);
    CG_SET(h, cg_cast(cx, h, cx->dtype));
    for (int i = 0; i < te->config.layers - clip_skip; i++)
        CG_SET(h, layer_forward(cx, &te->layers[i], &te->config, h));
    CG_SET(h, cg_layer_norm(cx, h, te->config.eps, te->final_norm.gamma, te->final_norm.beta));
    return cg_cast(cx, h, CG_F32);
}
