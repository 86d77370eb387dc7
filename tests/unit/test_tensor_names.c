/* Names in files become the diffusers names. Source of the table: CompVis/stable-diffusion,
 * lllyasviel/ControlNet and the conversion scripts of diffusers. */
#include "models/ldm_names.h"
#include "support/structure.h"

typedef struct {
    CgComponent component;
    gboolean single_file;
    const char *name, *want; /* want NULL: not this component's */
} Case;

#define UNET "model.diffusion_model."
#define VAE  "first_stage_model."
#define TEXT "cond_stage_model.transformer."

static const Case whole[] = {
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.0.0.weight", "conv_in.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "time_embed.0.bias", "time_embedding.linear_1.bias"},
    {CG_COMPONENT_UNET, TRUE, UNET "time_embed.2.weight", "time_embedding.linear_2.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.1.0.in_layers.0.weight",
     "down_blocks.0.resnets.0.norm1.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.2.1.norm.weight",
     "down_blocks.0.attentions.1.norm.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.3.0.op.weight",
     "down_blocks.0.downsamplers.0.conv.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.4.0.skip_connection.weight",
     "down_blocks.1.resnets.0.conv_shortcut.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.8.1.transformer_blocks.0.attn2.to_k.weight",
     "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.10.0.emb_layers.1.bias",
     "down_blocks.3.resnets.0.time_emb_proj.bias"},
    {CG_COMPONENT_UNET, TRUE, UNET "input_blocks.11.0.out_layers.3.weight",
     "down_blocks.3.resnets.1.conv2.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "middle_block.0.out_layers.0.bias",
     "mid_block.resnets.0.norm2.bias"},
    {CG_COMPONENT_UNET, TRUE, UNET "middle_block.1.proj_in.weight",
     "mid_block.attentions.0.proj_in.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "middle_block.2.in_layers.2.weight",
     "mid_block.resnets.1.conv1.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "output_blocks.2.1.conv.weight",
     "up_blocks.0.upsamplers.0.conv.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "output_blocks.3.1.transformer_blocks.0.ff.net.0.proj.weight",
     "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "output_blocks.8.2.conv.bias",
     "up_blocks.2.upsamplers.0.conv.bias"},
    {CG_COMPONENT_UNET, TRUE, UNET "output_blocks.11.0.in_layers.2.weight",
     "up_blocks.3.resnets.2.conv1.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "out.0.weight", "conv_norm_out.weight"},
    {CG_COMPONENT_UNET, TRUE, UNET "out.2.bias", "conv_out.bias"},
    {CG_COMPONENT_VAE, TRUE, VAE "quant_conv.weight", "quant_conv.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "encoder.conv_in.bias", "encoder.conv_in.bias"},
    {CG_COMPONENT_VAE, TRUE, VAE "encoder.norm_out.weight", "encoder.conv_norm_out.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "encoder.down.1.block.0.nin_shortcut.weight",
     "encoder.down_blocks.1.resnets.0.conv_shortcut.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "encoder.down.2.downsample.conv.bias",
     "encoder.down_blocks.2.downsamplers.0.conv.bias"},
    {CG_COMPONENT_VAE, TRUE, VAE "encoder.mid.block_2.norm1.weight",
     "encoder.mid_block.resnets.1.norm1.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "decoder.mid.attn_1.norm.weight",
     "decoder.mid_block.attentions.0.group_norm.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "decoder.mid.attn_1.proj_out.weight",
     "decoder.mid_block.attentions.0.to_out.0.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "decoder.up.3.block.2.conv1.weight",
     "decoder.up_blocks.0.resnets.2.conv1.weight"},
    {CG_COMPONENT_VAE, TRUE, VAE "decoder.up.1.upsample.conv.weight",
     "decoder.up_blocks.2.upsamplers.0.conv.weight"},
    {CG_COMPONENT_TEXT, TRUE, TEXT "text_model.embeddings.token_embedding.weight",
     "text_model.embeddings.token_embedding.weight"},
    {CG_COMPONENT_CONTROLNET, TRUE, "control_model.zero_convs.11.0.bias",
     "controlnet_down_blocks.11.bias"},
};

static const Case alone[] = {
    {CG_COMPONENT_CONTROLNET, FALSE, "control_model.input_hint_block.14.weight",
     "controlnet_cond_embedding.conv_out.weight"},
    {CG_COMPONENT_CONTROLNET, FALSE, "input_hint_block.0.bias",
     "controlnet_cond_embedding.conv_in.bias"},
    {CG_COMPONENT_CONTROLNET, FALSE, "input_hint_block.4.weight",
     "controlnet_cond_embedding.blocks.1.weight"},
    {CG_COMPONENT_CONTROLNET, FALSE, "middle_block_out.0.weight", "controlnet_mid_block.weight"},
    {CG_COMPONENT_CONTROLNET, FALSE, "controlnet_mid_block.weight", "controlnet_mid_block.weight"},
    {CG_COMPONENT_VAE, FALSE, "vae.encoder.mid.attn_1.q.weight",
     "encoder.mid_block.attentions.0.to_q.weight"},
    {CG_COMPONENT_VAE, FALSE, "decoder.up.0.block.1.conv2.bias",
     "decoder.up_blocks.3.resnets.1.conv2.bias"},
    {CG_COMPONENT_TEXT, FALSE, "final_layer_norm.weight", "text_model.final_layer_norm.weight"},
    {CG_COMPONENT_TEXT, FALSE, "text_model.final_layer_norm.bias",
     "text_model.final_layer_norm.bias"},
    {CG_COMPONENT_UNET, FALSE,
     "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.weight",
     "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.weight"},
};

/* diffusers before 0.17. */
static const Case old_vae[] = {
    {CG_COMPONENT_VAE, FALSE, "encoder.mid_block.attentions.0.query.weight",
     "encoder.mid_block.attentions.0.to_q.weight"},
    {CG_COMPONENT_VAE, FALSE, "encoder.mid_block.attentions.0.key.bias",
     "encoder.mid_block.attentions.0.to_k.bias"},
    {CG_COMPONENT_VAE, FALSE, "decoder.mid_block.attentions.0.value.weight",
     "decoder.mid_block.attentions.0.to_v.weight"},
    {CG_COMPONENT_VAE, FALSE, "decoder.mid_block.attentions.0.proj_attn.weight",
     "decoder.mid_block.attentions.0.to_out.0.weight"},
};

static const Case ignored[] = {
    {CG_COMPONENT_UNET, TRUE, "betas", NULL},
    {CG_COMPONENT_VAE, TRUE, "alphas_cumprod", NULL},
    {CG_COMPONENT_TEXT, TRUE, "posterior_mean_coef1", NULL},
    {CG_COMPONENT_UNET, TRUE, "model_ema.diffusion_modelinput_blocks00weight", NULL},
    {CG_COMPONENT_UNET, TRUE, "model_ema.decay", NULL},
    {CG_COMPONENT_UNET, TRUE, VAE "quant_conv.weight", NULL},
    {CG_COMPONENT_UNET, TRUE, "control_model.input_blocks.0.0.weight", NULL},
    {CG_COMPONENT_VAE, TRUE, UNET "input_blocks.0.0.weight", NULL},
    {CG_COMPONENT_TEXT, TRUE, UNET "input_blocks.0.0.weight", NULL},
    {CG_COMPONENT_CONTROLNET, TRUE, UNET "input_blocks.0.0.weight", NULL},
    {CG_COMPONENT_TEXT, TRUE, TEXT "text_model.embeddings.position_ids", NULL},
    {CG_COMPONENT_TEXT, FALSE, "text_model.embeddings.position_ids", NULL},
    {CG_COMPONENT_TEXT, TRUE, "cond_stage_model.logit_scale", NULL},
};

/* Nothing of the scheme: kept as it is, so that loading reports it under the file's own name. */
static const Case foreign[] = {
    {CG_COMPONENT_UNET, FALSE, "input_blocks.12.0.in_layers.0.weight",
     "input_blocks.12.0.in_layers.0.weight"},
    {CG_COMPONENT_UNET, FALSE, "input_blocks.1.0.in_layers.1.weight",
     "input_blocks.1.0.in_layers.1.weight"},
    {CG_COMPONENT_UNET, FALSE, "input_blocks.-1.0.weight", "input_blocks.-1.0.weight"},
    {CG_COMPONENT_UNET, FALSE, "output_blocks.2.2.conv.weight", "output_blocks.2.2.conv.weight"},
    {CG_COMPONENT_UNET, FALSE, "output_blocks.0.1.proj_in.weight",
     "output_blocks.0.1.proj_in.weight"},
    {CG_COMPONENT_UNET, FALSE, "out.01.weight", "out.01.weight"},
    {CG_COMPONENT_CONTROLNET, FALSE, "input_hint_block.3.weight", "input_hint_block.3.weight"},
    {CG_COMPONENT_VAE, FALSE, "decoder.up.4.block.0.conv1.weight",
     "decoder.up.4.block.0.conv1.weight"},
};

typedef struct {
    const char *path;
    const Case *cases;
    size_t count;
} Table;

#define TABLE(path, cases)                                                                         \
    {                                                                                              \
        path, cases, G_N_ELEMENTS(cases)                                                           \
    }

static const Table tables[] = {
    TABLE("/names/of_a_whole_checkpoint", whole),
    TABLE("/names/of_a_component_alone", alone),
    TABLE("/names/of_an_old_vae", old_vae),
    TABLE("/names/of_other_components_buffers_and_averages_are_ignored", ignored),
    TABLE("/names/outside_the_scheme_stay", foreign),
};

static void check_table(gconstpointer data)
{
    const Table *t = data;
    for (size_t i = 0; i < t->count; i++) {
        const Case *c = &t->cases[i];
        g_autofree char *got = cg_tensor_name_translate(c->component, c->single_file, c->name);
        g_test_message("%s", c->name);
        g_assert_cmpstr(got, ==, c->want);
    }
}

static CgTestStructure *structure_of(CgComponent component)
{
    switch (component) {
    case CG_COMPONENT_UNET:
        return cg_test_structure_unet();
    case CG_COMPONENT_CONTROLNET:
        return cg_test_structure_controlnet();
    case CG_COMPONENT_VAE:
        return cg_test_structure_vae(CG_VAE_KL);
    case CG_COMPONENT_TEXT:
        return cg_test_structure_text();
    }
    g_assert_not_reached();
}

/* All names of COMPONENT, turned to those of the original code behind PREFIX and translated back:
 * the same list. */
static void check_round_trip(CgComponent component, gboolean single_file, const char *prefix)
{
    g_autoptr(CgTestStructure) s = structure_of(component);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint changed = 0;
    for (guint i = 0; i < s->names->len; i++) {
        const char *name = g_ptr_array_index(s->names, i);
        g_autofree char *inner = cg_ldm_name(component, name);
        g_autofree char *full = g_strconcat(prefix, inner, NULL);
        g_autofree char *back = cg_tensor_name_translate(component, single_file, full);
        g_assert_cmpstr(back, ==, name);
        changed += !g_str_equal(inner, name);
        g_assert_true(g_hash_table_add(seen, g_steal_pointer(&full)));
    }
    /* The original naming is another one for all but a few. */
    if (component != CG_COMPONENT_TEXT)
        g_assert_cmpuint(changed, >, s->names->len * 9 / 10);
}

static void test_whole_checkpoint(void)
{
    for (int c = CG_COMPONENT_UNET; c <= CG_COMPONENT_TEXT; c++)
        check_round_trip((CgComponent)c, TRUE, cg_ldm_prefix((CgComponent)c));
}

static void test_components_alone(void)
{
    for (int c = CG_COMPONENT_UNET; c <= CG_COMPONENT_TEXT; c++)
        check_round_trip((CgComponent)c, FALSE, "");
    check_round_trip(CG_COMPONENT_CONTROLNET, FALSE, cg_ldm_prefix(CG_COMPONENT_CONTROLNET));
    check_round_trip(CG_COMPONENT_VAE, FALSE, "vae.");
}

static void test_diffusers_names_stay(void)
{
    for (int c = CG_COMPONENT_UNET; c <= CG_COMPONENT_TEXT; c++) {
        g_autoptr(CgTestStructure) s = structure_of((CgComponent)c);
        for (guint i = 0; i < s->names->len; i++) {
            const char *name = g_ptr_array_index(s->names, i);
            g_autofree char *got = cg_tensor_name_translate((CgComponent)c, FALSE, name);
            g_assert_cmpstr(got, ==, name);
        }
    }
}

static void test_no_place_in_the_original_naming(void)
{
    static const char *const names[] = {
        "",
        "down_blocks.4.resnets.0.norm1.weight", /* five levels */
        "down_blocks.0.resnets.2.norm1.weight", /* three layers a level */
        "down_blocks.-1.resnets.0.norm1.weight",
        "down_blocks.0.resnets.99999999999.norm1.weight",
        "mid_block.resnets.0",
        "mid_block.resnets.",
        "mid_block.resnets.0.norm3.weight",
        "up_blocks.0.attentions.0.norm.weight", /* the first level up has no transformers */
        "class_embedding.weight",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_null(cg_ldm_name(CG_COMPONENT_UNET, names[i]));
    g_assert_null(cg_ldm_name(CG_COMPONENT_VAE, "encoder.down_blocks.4.resnets.0.norm1.weight"));
    g_assert_null(cg_ldm_name(CG_COMPONENT_VAE, "decoder"));
}

static void test_single_file_is_recognised(void)
{
    g_assert_true(cg_tensor_name_is_single_file(UNET "input_blocks.0.0.weight"));
    g_assert_true(cg_tensor_name_is_single_file(VAE "quant_conv.weight"));
    g_assert_true(cg_tensor_name_is_single_file(TEXT "text_model.final_layer_norm.bias"));
    g_assert_false(cg_tensor_name_is_single_file("control_model.input_blocks.0.0.weight"));
    g_assert_false(cg_tensor_name_is_single_file("conv_in.weight"));
    g_assert_false(cg_tensor_name_is_single_file("betas"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        g_test_add_data_func(tables[i].path, &tables[i], check_table);
    g_test_add_func("/names/of_all_tensors_of_a_whole_checkpoint", test_whole_checkpoint);
    g_test_add_func("/names/of_all_tensors_of_components_alone", test_components_alone);
    g_test_add_func("/names/of_diffusers_stay", test_diffusers_names_stay);
    g_test_add_func("/names/without_place_in_a_whole_checkpoint",
                    test_no_place_in_the_original_naming);
    g_test_add_func("/names/tell_a_whole_checkpoint", test_single_file_is_recognised);
    return g_test_run();
}
