#include "base/error.h"
#include "models/vae.h"

#include <string.h>

void cg_vae_config_default(CgVaeConfig *config, CgVaeKind kind)
{
    *config = (CgVaeConfig){.kind = kind,
                            .in_channels = 3,
                            .out_channels = 3,
                            .latent_channels = 4,
                            .level_count = 4,
                            .layers = 2,
                            .groups = 32,
                            .sample_size = 512,
                            .scaling_factor = kind == CG_VAE_KL ? 0.18215 : 1.0};
    if (kind == CG_VAE_KL) {
        memcpy(config->channels, (int[]){128, 256, 512, 512}, 4 * sizeof(int));
        return;
    }
    memcpy(config->channels, (int[]){64, 64, 64, 64}, 4 * sizeof(int));
    memcpy(config->encoder_blocks, (int[]){1, 3, 3, 3}, 4 * sizeof(int));
    memcpy(config->decoder_blocks, (int[]){3, 3, 3, 1}, 4 * sizeof(int));
}

static gboolean refuse(const json_t *object, const char *where, const char *key, const char *wanted,
                       GError **error)
{
    char *text = json_dumps(json_object_get(object, key), JSON_ENCODE_ANY | JSON_COMPACT);
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: \"%s\" is %s, but only %s is supported",
                where, key, text ? text : "unreadable", wanted);
    free(text);
    return FALSE;
}

static gboolean require_bool(const json_t *object, const char *where, const char *key,
                             gboolean wanted, GError **error)
{
    gboolean value;
    if (!cg_json_bool(object, where, key, wanted, &value, error))
        return FALSE;
    return value == wanted || refuse(object, where, key, wanted ? "true" : "false", error);
}

static gboolean require_null(const json_t *object, const char *where, const char *key,
                             GError **error)
{
    const json_t *value = json_object_get(object, key);
    return !value || json_is_null(value) || refuse(object, where, key, "null", error);
}

/* All entries of the array KEY, if it is there, must be the string WANTED. */
static gboolean require_types(const json_t *object, const char *where, const char *key,
                              const char *wanted, int count, GError **error)
{
    const json_t *array = json_object_get(object, key);
    if (!array)
        return TRUE;
    if (json_array_size(array) != (size_t)count)
        return refuse(object, where, key, "one block type per level", error);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (g_strcmp0(json_string_value(json_array_get(array, i)), wanted))
            return refuse(object, where, key, wanted, error);
    return TRUE;
}

static gboolean read_int(const json_t *object, const char *where, const char *key, int max,
                         int *value, GError **error)
{
    gint64 wide;
    if (!cg_json_int(object, where, key, *value, 1, max, &wide, error))
        return FALSE;
    *value = (int)wide;
    return TRUE;
}

static gboolean parse_common(const json_t *object, const char *where, CgVaeConfig *c,
                             GError **error)
{
    if (!read_int(object, where, "in_channels", 3, &c->in_channels, error) ||
        !read_int(object, where, "out_channels", 3, &c->out_channels, error) ||
        !read_int(object, where, "latent_channels", 64, &c->latent_channels, error) ||
        !cg_json_double(object, where, "scaling_factor", c->scaling_factor, &c->scaling_factor,
                        error) ||
        !require_null(object, where, "latents_mean", error) ||
        !require_null(object, where, "latents_std", error))
        return FALSE;
    if (c->in_channels != 3 || c->out_channels != 3)
        return refuse(object, where, "in_channels", "3 (RGB)", error);
    if (!(c->scaling_factor > 0))
        return refuse(object, where, "scaling_factor", "a positive number", error);
    return TRUE;
}

static gboolean parse_kl(const json_t *object, const char *where, CgVaeConfig *c, GError **error)
{
    const char *act;
    if (!parse_common(object, where, c, error) ||
        !cg_json_int_array(object, where, "block_out_channels", CG_VAE_MAX_LEVELS, 1, 16384,
                           c->channels, &c->level_count, error) ||
        !read_int(object, where, "layers_per_block", 7, &c->layers, error) ||
        !read_int(object, where, "norm_num_groups", 1024, &c->groups, error) ||
        !read_int(object, where, "sample_size", 8192, &c->sample_size, error) ||
        !cg_json_string(object, where, "act_fn", "silu", &act, error) ||
        !require_null(object, where, "shift_factor", error) ||
        !require_bool(object, where, "use_quant_conv", TRUE, error) ||
        !require_bool(object, where, "use_post_quant_conv", TRUE, error) ||
        !require_bool(object, where, "mid_block_add_attention", TRUE, error) ||
        !require_types(object, where, "down_block_types", "DownEncoderBlock2D", c->level_count,
                       error) ||
        !require_types(object, where, "up_block_types", "UpDecoderBlock2D", c->level_count, error))
        return FALSE;
    if (!g_str_equal(act, "silu"))
        return refuse(object, where, "act_fn", "\"silu\"", error);
    for (int i = 0; i < c->level_count; i++)
        if (c->channels[i] % c->groups)
            return refuse(object, where, "block_out_channels", "a multiple of norm_num_groups",
                          error);
    return TRUE;
}

static gboolean parse_tiny(const json_t *object, const char *where, CgVaeConfig *c, GError **error)
{
    int decoder_channels[CG_VAE_MAX_LEVELS] = {64, 64, 64, 64};
    int decoder_levels = 4, encoder_blocks = 4, decoder_blocks = 4, factor = 2;
    const char *act;
    if (!parse_common(object, where, c, error) ||
        !cg_json_int_array(object, where, "encoder_block_out_channels", CG_VAE_MAX_LEVELS, 1, 16384,
                           c->channels, &c->level_count, error) ||
        !cg_json_int_array(object, where, "decoder_block_out_channels", CG_VAE_MAX_LEVELS, 1, 16384,
                           decoder_channels, &decoder_levels, error) ||
        !cg_json_int_array(object, where, "num_encoder_blocks", CG_VAE_MAX_LEVELS, 1, 6,
                           c->encoder_blocks, &encoder_blocks, error) ||
        !cg_json_int_array(object, where, "num_decoder_blocks", CG_VAE_MAX_LEVELS, 1, 6,
                           c->decoder_blocks, &decoder_blocks, error) ||
        !read_int(object, where, "upsampling_scaling_factor", 8, &factor, error) ||
        !cg_json_string(object, where, "act_fn", "relu", &act, error))
        return FALSE;
    if (!g_str_equal(act, "relu"))
        return refuse(object, where, "act_fn", "\"relu\"", error);
    if (factor != 2)
        return refuse(object, where, "upsampling_scaling_factor", "2", error);
    if (decoder_levels != c->level_count || encoder_blocks != c->level_count ||
        decoder_blocks != c->level_count)
        return refuse(object, where, "num_encoder_blocks", "one entry per level in all four lists",
                      error);
    for (int i = 0; i < c->level_count; i++)
        if (c->channels[i] != c->channels[0] || decoder_channels[i] != c->channels[0])
            return refuse(object, where, "encoder_block_out_channels", "one width for all levels",
                          error);
    return TRUE;
}

gboolean cg_vae_config_parse(const json_t *object, const char *where, CgVaeConfig *config,
                             GError **error)
{
    const char *class_name;
    if (!cg_json_string(object, where, "_class_name", "AutoencoderKL", &class_name, error))
        return FALSE;
    if (g_str_equal(class_name, "AutoencoderKL")) {
        cg_vae_config_default(config, CG_VAE_KL);
        return parse_kl(object, where, config, error);
    }
    if (g_str_equal(class_name, "AutoencoderTiny")) {
        cg_vae_config_default(config, CG_VAE_TINY);
        return parse_tiny(object, where, config, error);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: \"_class_name\" is %s; an AutoencoderKL or AutoencoderTiny is needed here",
                where, class_name);
    return FALSE;
}

static json_t *int_array(const int *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer(values[i]));
    return array;
}

static json_t *repeated(const char *text, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_string(text));
    return array;
}

json_t *cg_vae_config_to_json(const CgVaeConfig *c)
{
    const int levels = c->level_count;
    json_t *o = json_pack("{s:s, s:i, s:i, s:i, s:f}", "_class_name",
                          c->kind == CG_VAE_KL ? "AutoencoderKL" : "AutoencoderTiny", "in_channels",
                          c->in_channels, "out_channels", c->out_channels, "latent_channels",
                          c->latent_channels, "scaling_factor", c->scaling_factor);
    if (c->kind == CG_VAE_KL) {
        json_object_set_new(o, "act_fn", json_string("silu"));
        json_object_set_new(o, "block_out_channels", int_array(c->channels, levels));
        json_object_set_new(o, "layers_per_block", json_integer(c->layers));
        json_object_set_new(o, "norm_num_groups", json_integer(c->groups));
        json_object_set_new(o, "sample_size", json_integer(c->sample_size));
        json_object_set_new(o, "down_block_types", repeated("DownEncoderBlock2D", levels));
        json_object_set_new(o, "up_block_types", repeated("UpDecoderBlock2D", levels));
        return o;
    }
    json_object_set_new(o, "act_fn", json_string("relu"));
    json_object_set_new(o, "encoder_block_out_channels", int_array(c->channels, levels));
    json_object_set_new(o, "decoder_block_out_channels", int_array(c->channels, levels));
    json_object_set_new(o, "num_encoder_blocks", int_array(c->encoder_blocks, levels));
    json_object_set_new(o, "num_decoder_blocks", int_array(c->decoder_blocks, levels));
    json_object_set_new(o, "upsampling_scaling_factor", json_integer(2));
    return o;
}
