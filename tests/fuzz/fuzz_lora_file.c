/* Any bytes as a file of low-rank additions: refused with one line, or it can be described, and
 * either merged into a weight or a problem told. */
#include "models/lora_file.h"

#include "folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static CgCheckpoint *weights;

/* A checkpoint of one weight, [4, 3]. */
static void make_weights(void)
{
    static const char *const name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight";
    g_autofree char *path = fuzz_path("weights.safetensors");
    g_autoptr(CgTensor) w = cg_tensor_zeros(CG_F32, CG_SHAPE(4, 3));
    require(cg_safetensors_save(path, &name, &w, 1, NULL));
    require((weights = cg_checkpoint_open_file(path, CG_COMPONENT_UNET, NULL)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    GError *error = NULL;
    if (!weights)
        make_weights();
    fuzz_write("lora.safetensors", bytes, size);
    g_autofree char *path = fuzz_path("lora.safetensors");
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)cg_lora_file_free);
    CgLoraFile *file = cg_lora_file_open(path, &error);
    if (!fuzz_answered(file != NULL, error)) {
        g_error_free(error);
        return 0;
    }
    g_ptr_array_add(files, file);
    g_autofree char *text = cg_lora_file_describe(file);
    require(*text != '\0');
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    CgMergedWeights merged = {weights, CG_COMPONENT_UNET, files};
    g_autoptr(CgTensor) w = cg_merged_weights_lookup(
        &merged, "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", &CG_SHAPE(4, 3),
        problems);
    require((w != NULL) == (problems->len == 0));
    if (!cg_lora_file_check_used(file, &error))
        g_clear_error(&error);
    return 0;
}
