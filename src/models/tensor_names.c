#include "models/tensor_names.h"

#include <stdio.h>
#include <string.h>

/* LDM numbers the blocks of Stable Diffusion 1.x in one row: two residual layers and a resampler
 * per level going down, three layers going up, four levels. */
#define LAYERS 2
#define LEVELS 4

const char *cg_component_name(CgComponent component)
{
    static const char *const names[] = {"U-Net", "ControlNet", "VAE", "text encoder"};
    return names[component];
}

const char *cg_component_mark(CgComponent component)
{
    static const char *const marks[] = {"conv_norm_out.weight", "controlnet_mid_block.weight",
                                        "decoder.conv_in.weight",
                                        "text_model.final_layer_norm.weight"};
    return marks[component];
}

gboolean cg_tensor_name_is_single_file(const char *name)
{
    return g_str_has_prefix(name, "model.diffusion_model.") ||
           g_str_has_prefix(name, "first_stage_model.") ||
           g_str_has_prefix(name, "cond_stage_model.");
}

typedef struct {
    const char *from, *to;
} Renaming;

/* NAME with its leading FROM replaced, for the first that matches whole dotted components. */
static char *rename_prefix(const char *name, const Renaming *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t length = strlen(table[i].from);
        if (strncmp(name, table[i].from, length) == 0 &&
            (name[length] == '.' || name[length] == '\0' || table[i].from[length - 1] == '.'))
            return g_strconcat(table[i].to, name + length, NULL);
    }
    return NULL;
}

/* Inside an LDM residual block. */
static char *rename_resnet(const char *prefix, const char *rest)
{
    static const Renaming table[] = {
        {"in_layers.0", "norm1"},  {"in_layers.2", "conv1"},  {"emb_layers.1", "time_emb_proj"},
        {"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"},
    };
    g_autofree char *inner = rename_prefix(rest, table, G_N_ELEMENTS(table));
    return inner ? g_strconcat(prefix, ".", inner, NULL) : NULL;
}

/* "input_blocks.N.K.rest" */
static char *rename_input_block(int n, int k, const char *rest)
{
    char prefix[64];
    if (n == 0)
        return k == 0 ? g_strconcat("conv_in.", rest, NULL) : NULL;
    const int level = (n - 1) / (LAYERS + 1), layer = (n - 1) % (LAYERS + 1);
    if (level >= LEVELS)
        return NULL;
    if (layer == LAYERS) {
        g_snprintf(prefix, sizeof prefix, "down_blocks.%d.downsamplers.0.conv.", level);
        return k == 0 && g_str_has_prefix(rest, "op.") ? g_strconcat(prefix, rest + 3, NULL) : NULL;
    }
    if (k == 0) {
        g_snprintf(prefix, sizeof prefix, "down_blocks.%d.resnets.%d", level, layer);
        return rename_resnet(prefix, rest);
    }
    g_snprintf(prefix, sizeof prefix, "down_blocks.%d.attentions.%d.", level, layer);
    return k == 1 ? g_strconcat(prefix, rest, NULL) : NULL;
}

/* "output_blocks.N.K.rest": an upsampler stands behind the transformer where there is one. */
static char *rename_output_block(int n, int k, const char *rest)
{
    char prefix[64];
    const int block = n / (LAYERS + 1), layer = n % (LAYERS + 1);
    if (block >= LEVELS)
        return NULL;
    if (k == 0) {
        g_snprintf(prefix, sizeof prefix, "up_blocks.%d.resnets.%d", block, layer);
        return rename_resnet(prefix, rest);
    }
    if (layer == LAYERS && k == (block == 0 ? 1 : 2) && g_str_has_prefix(rest, "conv.")) {
        g_snprintf(prefix, sizeof prefix, "up_blocks.%d.upsamplers.0.", block);
        return g_strconcat(prefix, rest, NULL);
    }
    g_snprintf(prefix, sizeof prefix, "up_blocks.%d.attentions.%d.", block, layer);
    return k == 1 && block > 0 ? g_strconcat(prefix, rest, NULL) : NULL;
}

static char *rename_middle_block(int n, const char *rest)
{
    if (n == 1)
        return g_strconcat("mid_block.attentions.0.", rest, NULL);
    return rename_resnet(n == 0 ? "mid_block.resnets.0" : "mid_block.resnets.1", rest);
}

static char *rename_hint_block(int n, const char *rest)
{
    char prefix[64];
    if (n == 0)
        return g_strconcat("controlnet_cond_embedding.conv_in.", rest, NULL);
    if (n == 14)
        return g_strconcat("controlnet_cond_embedding.conv_out.", rest, NULL);
    if (n % 2 || n > 12)
        return NULL;
    g_snprintf(prefix, sizeof prefix, "controlnet_cond_embedding.blocks.%d.", n / 2 - 1);
    return g_strconcat(prefix, rest, NULL);
}

/* U-Net and ControlNet in LDM naming; NULL when it is none of it. */
static char *rename_ldm_unet(const char *name)
{
    static const Renaming table[] = {
        {"time_embed.0", "time_embedding.linear_1"},
        {"time_embed.2", "time_embedding.linear_2"},
        {"out.0", "conv_norm_out"},
        {"out.2", "conv_out"},
        {"middle_block_out.0", "controlnet_mid_block"},
    };
    char prefix[64];
    int n = 0, k = 0, used = 0;
    if (sscanf(name, "input_blocks.%d.%d.%n", &n, &k, &used) == 2 && used && n >= 0)
        return rename_input_block(n, k, name + used);
    if (sscanf(name, "output_blocks.%d.%d.%n", &n, &k, &used) == 2 && used && n >= 0)
        return rename_output_block(n, k, name + used);
    if (sscanf(name, "middle_block.%d.%n", &n, &used) == 1 && used && n >= 0 && n <= 2)
        return rename_middle_block(n, name + used);
    if (sscanf(name, "input_hint_block.%d.%n", &n, &used) == 1 && used && n >= 0)
        return rename_hint_block(n, name + used);
    if (sscanf(name, "zero_convs.%d.0.%n", &n, &used) == 1 && used && n >= 0) {
        g_snprintf(prefix, sizeof prefix, "controlnet_down_blocks.%d.", n);
        return g_strconcat(prefix, name + used, NULL);
    }
    return rename_prefix(name, table, G_N_ELEMENTS(table));
}

/* "mid.block_1.x" and "mid.attn_1.x" of an LDM autoencoder, below "encoder." or "decoder.". */
static char *rename_ldm_vae_mid(const char *rest)
{
    static const Renaming table[] = {
        {"mid.block_1", "mid_block.resnets.0"},
        {"mid.block_2", "mid_block.resnets.1"},
        {"mid.attn_1.norm", "mid_block.attentions.0.group_norm"},
        {"mid.attn_1.q", "mid_block.attentions.0.to_q"},
        {"mid.attn_1.k", "mid_block.attentions.0.to_k"},
        {"mid.attn_1.v", "mid_block.attentions.0.to_v"},
        {"mid.attn_1.proj_out", "mid_block.attentions.0.to_out.0"},
        {"norm_out", "conv_norm_out"},
    };
    return rename_prefix(rest, table, G_N_ELEMENTS(table));
}

static char *rename_ldm_vae_half(const char *half, const char *rest)
{
    char inner[64];
    const gboolean encoder = g_str_equal(half, "encoder");
    int level = 0, layer = 0, used = 0;
    g_autofree char *mid = rename_ldm_vae_mid(rest);
    if (mid)
        return g_strconcat(half, ".", mid, NULL);
    const char *block = encoder ? "down.%d.block.%d.%n" : "up.%d.block.%d.%n";
    const char *sampler = encoder ? "down.%d.downsample.conv.%n" : "up.%d.upsample.conv.%n";
    if (sscanf(rest, block, &level, &layer, &used) == 2 && used && level >= 0 && level < LEVELS) {
        g_snprintf(inner, sizeof inner,
                   encoder ? "down_blocks.%d.resnets.%d." : "up_blocks.%d.resnets.%d.",
                   encoder ? level : LEVELS - 1 - level, layer);
        return g_strconcat(half, ".", inner, rest + used, NULL);
    }
    used = 0;
    if (sscanf(rest, sampler, &level, &used) == 1 && used && level >= 0 && level < LEVELS) {
        g_snprintf(inner, sizeof inner,
                   encoder ? "down_blocks.%d.downsamplers.0.conv."
                           : "up_blocks.%d.upsamplers.0.conv.",
                   encoder ? level : LEVELS - 1 - level);
        return g_strconcat(half, ".", inner, rest + used, NULL);
    }
    return NULL;
}

/* NAME with the dotted component FROM replaced by TO wherever it stands. Takes NAME over. */
static char *replace_component(char *name, const char *from, const char *to)
{
    g_auto(GStrv) parts = g_strsplit(name, ".", -1);
    gboolean changed = FALSE;
    for (char **part = parts; *part; part++) {
        if (!g_str_equal(*part, from))
            continue;
        g_free(*part);
        *part = g_strdup(to);
        changed = TRUE;
    }
    if (!changed)
        return name;
    g_free(name);
    return g_strjoinv(".", parts);
}

static char *translate_vae(const char *name)
{
    char *result = NULL;
    if (g_str_has_prefix(name, "encoder."))
        result = rename_ldm_vae_half("encoder", name + strlen("encoder."));
    else if (g_str_has_prefix(name, "decoder."))
        result = rename_ldm_vae_half("decoder", name + strlen("decoder."));
    if (!result)
        result = g_strdup(name);
    result = replace_component(result, "nin_shortcut", "conv_shortcut");
    /* diffusers before 0.17 named the attention's matrices otherwise. */
    if (strstr(result, "mid_block.attentions.0.")) {
        result = replace_component(result, "query", "to_q");
        result = replace_component(result, "key", "to_k");
        result = replace_component(result, "value", "to_v");
        result = replace_component(result, "proj_attn", "to_out.0");
    }
    return result;
}

static char *translate_text(const char *name)
{
    if (g_str_has_suffix(name, "embeddings.position_ids") || g_str_equal(name, "logit_scale") ||
        g_str_equal(name, "text_projection") || g_str_equal(name, "text_projection.weight"))
        return NULL;
    return g_str_has_prefix(name, "text_model.") ? g_strdup(name)
                                                 : g_strconcat("text_model.", name, NULL);
}

static char *translate_unet(const char *name)
{
    char *ldm = rename_ldm_unet(name);
    char *result = ldm ? ldm : g_strdup(name);
    /* Some tools drop the index of the one-element sequence behind to_out. */
    if (g_str_has_suffix(result, ".to_out.weight") || g_str_has_suffix(result, ".to_out.bias"))
        result = replace_component(result, "to_out", "to_out.0");
    return result;
}

/* NAME behind PREFIX, or NULL. */
static const char *behind(const char *name, const char *prefix)
{
    return g_str_has_prefix(name, prefix) ? name + strlen(prefix) : NULL;
}

char *cg_tensor_name_translate(CgComponent component, gboolean single_file, const char *name)
{
    const char *inner = name;
    switch (component) {
    case CG_COMPONENT_UNET:
        inner = single_file ? behind(name, "model.diffusion_model.") : name;
        return inner ? translate_unet(inner) : NULL;
    case CG_COMPONENT_CONTROLNET:
        inner = behind(name, "control_model.");
        if (!inner)
            inner = single_file ? NULL : name;
        return inner ? translate_unet(inner) : NULL;
    case CG_COMPONENT_VAE:
        inner = behind(name, "first_stage_model.");
        if (!inner && !single_file)
            inner = g_str_has_prefix(name, "vae.") ? name + strlen("vae.") : name;
        return inner ? translate_vae(inner) : NULL;
    case CG_COMPONENT_TEXT:
        inner = behind(name, "cond_stage_model.transformer.");
        if (!inner)
            inner = single_file ? NULL : name;
        return inner ? translate_text(inner) : NULL;
    }
    g_assert_not_reached();
}
