#include "models/ldm_names.h"

#include <stdio.h>
#include <string.h>

#define MAX_DIGITS 4 /* of a block's number */

/* A pattern of dotted components where N matches any number and * the rest. TO holds the numbers'
 * new values as %d, in order, and %s for the rest. */
typedef struct {
    const char *from, *to;
    /* The numbers of TO, from those that FROM matched. */
    void (*numbers)(int *n);
} Rule;

static void layer_down(int *n)
{
    n[0] = 3 * n[0] + n[1] + 1;
}

static void sampler_down(int *n)
{
    n[0] = 3 * n[0] + 3;
}

static void layer_up(int *n)
{
    n[0] = 3 * n[0] + n[1];
}

static void sampler_up(int *n)
{
    const int block = n[0];
    n[0] = 3 * block + 2;
    n[1] = block == 0 ? 1 : 2; /* the first level up has no transformer in between */
}

static void hint_block(int *n)
{
    n[0] = 2 * n[0] + 2;
}

static void one_more(int *n)
{
    n[0]++;
}

static void turn_levels(int *n)
{
    n[0] = 3 - n[0];
}

static const Rule resnet_rules[] = {
    {"norm1.*", "in_layers.0.%s", NULL},
    {"conv1.*", "in_layers.2.%s", NULL},
    {"time_emb_proj.*", "emb_layers.1.%s", NULL},
    {"norm2.*", "out_layers.0.%s", NULL},
    {"conv2.*", "out_layers.3.%s", NULL},
    {"conv_shortcut.*", "skip_connection.%s", NULL},
    {NULL, NULL, NULL},
};

static const Rule unet_rules[] = {
    {"conv_in.*", "input_blocks.0.0.%s", NULL},
    {"time_embedding.linear_1.*", "time_embed.0.%s", NULL},
    {"time_embedding.linear_2.*", "time_embed.2.%s", NULL},
    {"down_blocks.N.resnets.N.*", "input_blocks.%d.0.%s", layer_down},
    {"down_blocks.N.attentions.N.*", "input_blocks.%d.1.%s", layer_down},
    {"down_blocks.N.downsamplers.0.conv.*", "input_blocks.%d.0.op.%s", sampler_down},
    {"mid_block.resnets.0.*", "middle_block.0.%s", NULL},
    {"mid_block.attentions.0.*", "middle_block.1.%s", NULL},
    {"mid_block.resnets.1.*", "middle_block.2.%s", NULL},
    {"up_blocks.N.resnets.N.*", "output_blocks.%d.0.%s", layer_up},
    {"up_blocks.N.attentions.N.*", "output_blocks.%d.1.%s", layer_up},
    {"up_blocks.N.upsamplers.0.conv.*", "output_blocks.%d.%d.conv.%s", sampler_up},
    {"conv_norm_out.*", "out.0.%s", NULL},
    {"conv_out.*", "out.2.%s", NULL},
    {"controlnet_down_blocks.N.*", "zero_convs.%d.0.%s", NULL},
    {"controlnet_mid_block.*", "middle_block_out.0.%s", NULL},
    {"controlnet_cond_embedding.conv_in.*", "input_hint_block.0.%s", NULL},
    {"controlnet_cond_embedding.blocks.N.*", "input_hint_block.%d.%s", hint_block},
    {"controlnet_cond_embedding.conv_out.*", "input_hint_block.14.%s", NULL},
    {NULL, NULL, NULL},
};

/* Of one half, behind "encoder." or "decoder.". */
static const Rule vae_rules[] = {
    {"conv_norm_out.*", "norm_out.%s", NULL},
    {"down_blocks.N.resnets.N.*", "down.%d.block.%d.%s", NULL},
    {"down_blocks.N.downsamplers.0.conv.*", "down.%d.downsample.conv.%s", NULL},
    {"up_blocks.N.resnets.N.*", "up.%d.block.%d.%s", turn_levels},
    {"up_blocks.N.upsamplers.0.conv.*", "up.%d.upsample.conv.%s", turn_levels},
    {"mid_block.resnets.N.*", "mid.block_%d.%s", one_more},
    {"mid_block.attentions.0.group_norm.*", "mid.attn_1.norm.%s", NULL},
    {"mid_block.attentions.0.to_q.*", "mid.attn_1.q.%s", NULL},
    {"mid_block.attentions.0.to_k.*", "mid.attn_1.k.%s", NULL},
    {"mid_block.attentions.0.to_v.*", "mid.attn_1.v.%s", NULL},
    {"mid_block.attentions.0.to_out.0.*", "mid.attn_1.proj_out.%s", NULL},
    {NULL, NULL, NULL},
};

/* Whether NAME matches FROM; NUMBERS and REST as found. */
static gboolean match(const char *from, const char *name, int *numbers, const char **rest)
{
    g_auto(GStrv) pattern = g_strsplit(from, ".", -1);
    const char *at = name;
    for (char **part = pattern; *part; part++) {
        if (g_str_equal(*part, "*")) {
            *rest = at;
            return TRUE;
        }
        const size_t length = strcspn(at, ".");
        if (g_str_equal(*part, "N")) {
            int used = 0;
            if (length > MAX_DIGITS || sscanf(at, "%d%n", numbers++, &used) != 1 ||
                (size_t)used != length)
                return FALSE;
        } else if (strlen(*part) != length || strncmp(*part, at, length) != 0) {
            return FALSE;
        }
        at += length + (at[length] == '.');
    }
    return FALSE;
}

/* FORMAT with its %d and %s filled in. */
static char *fill(const char *format, const int *numbers, const char *rest)
{
    GString *text = g_string_new(NULL);
    for (const char *p = format; *p; p++) {
        if (p[0] == '%' && p[1] == 'd')
            g_string_append_printf(text, "%d", *numbers++);
        else if (p[0] == '%' && p[1] == 's')
            g_string_append(text, rest);
        else {
            g_string_append_c(text, *p);
            continue;
        }
        p++;
    }
    return g_string_free(text, FALSE);
}

/* NAME by the first rule that matches, or NULL. */
static char *apply(const Rule *rules, const char *name)
{
    for (; rules->from; rules++) {
        int numbers[4] = {0};
        const char *rest = NULL;
        if (!match(rules->from, name, numbers, &rest))
            continue;
        if (rules->numbers)
            rules->numbers(numbers);
        return fill(rules->to, numbers, rest);
    }
    return NULL;
}

static char *unet_name(const char *name)
{
    const char *resnet = strstr(name, "resnets.");
    if (!resnet)
        return apply(unet_rules, name);
    /* The inside of a residual block has names of its own. */
    const char *dot = strchr(resnet + strlen("resnets."), '.');
    g_autofree char *renamed = dot ? apply(resnet_rules, dot + 1) : NULL;
    if (!renamed)
        return NULL;
    g_autofree char *block = g_strndup(name, (size_t)(dot + 1 - name));
    g_autofree char *full = g_strconcat(block, renamed, NULL);
    return apply(unet_rules, full);
}

static char *vae_name(const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot)
        return NULL;
    g_autofree char *half = g_strndup(name, (size_t)(dot - name));
    g_autofree char *inner = NULL;
    if (g_str_equal(half, "encoder") || g_str_equal(half, "decoder"))
        inner = apply(vae_rules, dot + 1);
    if (!inner)
        return g_strdup(name);
    g_auto(GStrv) around = g_strsplit(inner, "conv_shortcut", 2);
    g_autofree char *joined = g_strjoinv("nin_shortcut", around);
    return g_strconcat(half, ".", joined, NULL);
}

const char *cg_ldm_prefix(CgComponent component)
{
    static const char *const prefixes[] = {"model.diffusion_model.", "control_model.",
                                           "first_stage_model.", "cond_stage_model.transformer."};
    return prefixes[component];
}

char *cg_ldm_name(CgComponent component, const char *name)
{
    g_autofree char *result = component == CG_COMPONENT_TEXT  ? g_strdup(name)
                              : component == CG_COMPONENT_VAE ? vae_name(name)
                                                              : unet_name(name);
    g_autofree char *back = result ? cg_tensor_name_translate(component, FALSE, result) : NULL;
    return g_strcmp0(back, name) == 0 ? g_steal_pointer(&result) : NULL;
}

gboolean cg_ldm_is_convolution(CgComponent component, const char *name)
{
    return component == CG_COMPONENT_VAE && strstr(name, ".attentions.0.to_") &&
           g_str_has_suffix(name, ".weight");
}
