#include "models/unet_config.h"

#include "base/error.h"

#include <string.h>

#define MAX_CHANNELS 16384
#define MAX_HEADS    256

void cg_unet_config_default(CgUnetConfig *config, gboolean controlnet)
{
    *config = (CgUnetConfig){.in_channels = 4,
                             .out_channels = 4,
                             .sample_size = 64,
                             .level_count = 4,
                             .channels = {320, 640, 1280, 1280},
                             .attention = {TRUE, TRUE, TRUE, FALSE},
                             .heads = {8, 8, 8, 8},
                             .layers = 2,
                             .text_width = 768,
                             .groups = 32,
                             .eps = 1e-5f,
                             .flip_sin_to_cos = TRUE};
    if (controlnet) {
        config->control_channels = 3;
        config->embedding_count = 4;
        memcpy(config->embedding, (int[]){16, 32, 96, 256}, 4 * sizeof(int));
    }
}

void cg_unet_config_for_control(const CgUnetConfig *unet, int factor, CgUnetConfig *control)
{
    CgUnetConfig defaults;
    cg_unet_config_default(&defaults, TRUE);
    *control = *unet;
    control->control_channels = defaults.control_channels;
    control->control_is_bgr = defaults.control_is_bgr;
    control->embedding_count = 1;
    while (1 << (control->embedding_count - 1) < factor)
        control->embedding_count++;
    for (int i = 0; i < control->embedding_count; i++)
        control->embedding[i] = defaults.embedding[MIN(i, defaults.embedding_count - 1)];
}

/* A key that must be absent, null, or hold the one value that we implement. */
typedef struct {
    const char *key;
    const char *value; /* JSON text; NULL: only null is accepted */
} FixedKey;

static const FixedKey fixed_keys[] = {
    {"act_fn", "\"silu\""},
    {"upcast_attention", "false"},
    {"only_cross_attention", "false"},
    {"dual_cross_attention", "false"},
    {"resnet_time_scale_shift", "\"default\""},
    {"time_embedding_type", "\"positional\""},
    {"time_embedding_dim", NULL},
    {"mid_block_type", "\"UNetMidBlock2DCrossAttn\""},
    {"transformer_layers_per_block", "1"},
    {"reverse_transformer_layers_per_block", NULL},
    {"conv_in_kernel", "3"},
    {"conv_out_kernel", "3"},
    {"class_embed_type", NULL},
    {"addition_embed_type", NULL},
    {"encoder_hid_dim", NULL},
    {"encoder_hid_dim_type", NULL},
    {"num_class_embeds", NULL},
    {"time_cond_proj_dim", NULL},
    {"timestep_post_act", NULL},
    {"time_embedding_act_fn", NULL},
    {"cross_attention_norm", NULL},
    {"mid_block_only_cross_attention", "false"},
    {"resnet_out_scale_factor", "1.0"},
    {"resnet_skip_time_act", "false"},
    {"attention_type", "\"default\""},
    {"center_input_sample", "false"},
    {"mid_block_scale_factor", "1"},
    {"downsample_padding", "1"},
    {"class_embeddings_concat", "false"},
    {"global_pool_conditions", "false"},
};

static gboolean same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static gboolean check_fixed_keys(const json_t *object, const char *where, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fixed_keys); i++) {
        const json_t *value = json_object_get(object, fixed_keys[i].key);
        if (!value || json_is_null(value))
            continue;
        g_autoptr(json_t) wanted =
            fixed_keys[i].value ? json_loads(fixed_keys[i].value, JSON_DECODE_ANY, NULL) : NULL;
        if (wanted && same_value(value, wanted))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: \"%s\" is %s, but only %s is supported (Stable Diffusion 1.x)", where,
                    fixed_keys[i].key, text ? text : "unreadable",
                    fixed_keys[i].value ? fixed_keys[i].value : "null");
        free(text);
        return FALSE;
    }
    return TRUE;
}

/* The block types of KEY: each must be PLAIN or WITH_ATTENTION; level i of the result is entry i,
 * or counted from the end when REVERSED. */
static gboolean parse_block_types(const json_t *object, const char *where, const char *key,
                                  const char *plain, const char *with_attention, gboolean reversed,
                                  CgUnetConfig *config, GError **error)
{
    const json_t *array = json_object_get(object, key);
    if (!array || json_is_null(array))
        return TRUE;
    if (!json_is_array(array) || json_array_size(array) != (size_t)config->level_count) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"%s\" must be a list of %d block types, as many as block_out_channels",
                    where, key, config->level_count);
        return FALSE;
    }
    for (int i = 0; i < config->level_count; i++) {
        const char *type = json_string_value(json_array_get(array, (size_t)i));
        const gboolean attention = g_strcmp0(type, with_attention) == 0;
        if (!attention && g_strcmp0(type, plain) != 0) {
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: \"%s\" has the block type %s; supported are %s and %s", where, key,
                        type ? type : "(not a string)", plain, with_attention);
            return FALSE;
        }
        const int level = reversed ? config->level_count - 1 - i : i;
        if (reversed && config->attention[level] != attention) {
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: level %d has a transformer on its way down or up only; not supported",
                        where, level);
            return FALSE;
        }
        config->attention[level] = attention;
    }
    return TRUE;
}

/* attention_head_dim is, for historic reasons, the number of heads: one for all or one per level.
 */
static gboolean parse_heads(const json_t *object, const char *where, CgUnetConfig *config,
                            GError **error)
{
    const char *key = "num_attention_heads";
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) {
        key = "attention_head_dim";
        value = json_object_get(object, key);
    }
    if (json_is_array(value)) {
        int count = 0;
        if (!cg_json_int_array(object, where, key, CG_MAX_LEVELS, 1, MAX_HEADS, config->heads,
                               &count, error))
            return FALSE;
        if (count == config->level_count)
            return TRUE;
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" has %d entries for %d levels",
                    where, key, count, config->level_count);
        return FALSE;
    }
    gint64 heads;
    if (!cg_json_int(object, where, key, 8, 1, MAX_HEADS, &heads, error))
        return FALSE;
    for (int i = 0; i < config->level_count; i++)
        config->heads[i] = (int)heads;
    return TRUE;
}

static gboolean parse_sizes(const json_t *object, const char *where, CgUnetConfig *config,
                            GError **error)
{
    const struct {
        const char *key;
        int *out;
        int max;
    } ints[] = {
        {"in_channels", &config->in_channels, 64},
        {"out_channels", &config->out_channels, 64},
        {"layers_per_block", &config->layers, CG_MAX_LAYERS - 1},
        {"cross_attention_dim", &config->text_width, MAX_CHANNELS},
        {"norm_num_groups", &config->groups, 1024},
        {"sample_size", &config->sample_size, 4096},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ints); i++) {
        gint64 value;
        if (!cg_json_int(object, where, ints[i].key, *ints[i].out, 1, ints[i].max, &value, error))
            return FALSE;
        *ints[i].out = (int)value;
    }
    double eps = config->eps;
    if (!cg_json_double(object, where, "norm_eps", eps, &eps, error) ||
        !cg_json_double(object, where, "freq_shift", 0, &config->freq_shift, error) ||
        !cg_json_bool(object, where, "flip_sin_to_cos", TRUE, &config->flip_sin_to_cos, error))
        return FALSE;
    config->eps = (float)eps;
    return cg_json_int_array(object, where, "block_out_channels", CG_MAX_LEVELS, 1, MAX_CHANNELS,
                             config->channels, &config->level_count, error);
}

static gboolean parse_control(const json_t *object, const char *where, CgUnetConfig *config,
                              GError **error)
{
    gint64 channels;
    const char *order;
    if (!cg_json_int(object, where, "conditioning_channels", 3, 1, 3, &channels, error) ||
        !cg_json_string(object, where, "controlnet_conditioning_channel_order", "rgb", &order,
                        error) ||
        !cg_json_int_array(object, where, "conditioning_embedding_out_channels",
                           CG_MAX_EMBEDDING_BLOCKS, 1, MAX_CHANNELS, config->embedding,
                           &config->embedding_count, error))
        return FALSE;
    config->control_channels = (int)channels;
    config->control_is_bgr = g_str_equal(order, "bgr");
    if (!config->control_is_bgr && !g_str_equal(order, "rgb")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: controlnet_conditioning_channel_order is \"%s\"; supported are \"rgb\" "
                    "and \"bgr\"",
                    where, order);
        return FALSE;
    }
    if (config->control_channels != 3) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a control image of 3 channels is supported; this ControlNet takes %d",
                    where, config->control_channels);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_divisible(const char *where, const CgUnetConfig *config, GError **error)
{
    for (int i = 0; i < config->level_count; i++) {
        const int c = config->channels[i];
        if (c % config->groups || c % config->heads[i]) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: %d channels at level %d do not divide into %d groups and %d heads",
                        where, c, i, config->groups, config->heads[i]);
            return FALSE;
        }
    }
    if (config->channels[0] % 2 == 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: an odd number of first-level channels (%d)",
                where, config->channels[0]);
    return FALSE;
}

gboolean cg_unet_config_parse(const json_t *object, const char *where, gboolean controlnet,
                              CgUnetConfig *config, GError **error)
{
    const char *class_name;
    const char *expected = controlnet ? "ControlNetModel" : "UNet2DConditionModel";
    cg_unet_config_default(config, controlnet);
    if (!cg_json_string(object, where, "_class_name", expected, &class_name, error))
        return FALSE;
    if (!g_str_equal(class_name, expected)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: this is a %s, a %s is needed here",
                    where, class_name, expected);
        return FALSE;
    }
    return check_fixed_keys(object, where, error) && parse_sizes(object, where, config, error) &&
           parse_heads(object, where, config, error) &&
           parse_block_types(object, where, "down_block_types", "DownBlock2D",
                             "CrossAttnDownBlock2D", FALSE, config, error) &&
           (controlnet || parse_block_types(object, where, "up_block_types", "UpBlock2D",
                                            "CrossAttnUpBlock2D", TRUE, config, error)) &&
           (!controlnet || parse_control(object, where, config, error)) &&
           check_divisible(where, config, error);
}

static json_t *block_types(const CgUnetConfig *config, const char *plain,
                           const char *with_attention, gboolean reversed)
{
    json_t *array = json_array();
    for (int i = 0; i < config->level_count; i++) {
        const int level = reversed ? config->level_count - 1 - i : i;
        json_array_append_new(array,
                              json_string(config->attention[level] ? with_attention : plain));
    }
    return array;
}

static json_t *int_array(const int *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer(values[i]));
    return array;
}

json_t *cg_unet_config_to_json(const CgUnetConfig *c, gboolean controlnet)
{
    json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:f, s:b, s:i, s:s, s:f, s:i}", "_class_name",
                          controlnet ? "ControlNetModel" : "UNet2DConditionModel", "act_fn", "silu",
                          "in_channels", c->in_channels, "layers_per_block", c->layers,
                          "norm_num_groups", c->groups, "norm_eps", (double)(float)c->eps,
                          "flip_sin_to_cos", (int)c->flip_sin_to_cos, "cross_attention_dim",
                          c->text_width, "mid_block_type", "UNetMidBlock2DCrossAttn",
                          "mid_block_scale_factor", 1.0, "downsample_padding", 1);
    json_object_set_new(o, "freq_shift", json_integer((json_int_t)c->freq_shift));
    json_object_set_new(o, "block_out_channels", int_array(c->channels, c->level_count));
    json_object_set_new(o, "attention_head_dim",
                        c->level_count ? int_array(c->heads, c->level_count) : json_null());
    json_object_set_new(o, "down_block_types",
                        block_types(c, "DownBlock2D", "CrossAttnDownBlock2D", FALSE));
    if (controlnet) {
        json_object_set_new(o, "conditioning_channels", json_integer(c->control_channels));
        json_object_set_new(o, "conditioning_embedding_out_channels",
                            int_array(c->embedding, c->embedding_count));
        json_object_set_new(o, "controlnet_conditioning_channel_order",
                            json_string(c->control_is_bgr ? "bgr" : "rgb"));
        json_object_set_new(o, "global_pool_conditions", json_false());
        return o;
    }
    json_object_set_new(o, "out_channels", json_integer(c->out_channels));
    json_object_set_new(o, "sample_size", json_integer(c->sample_size));
    json_object_set_new(o, "center_input_sample", json_false());
    json_object_set_new(o, "up_block_types",
                        block_types(c, "UpBlock2D", "CrossAttnUpBlock2D", TRUE));
    return o;
}
