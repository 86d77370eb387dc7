/* Low-rank additions out of files: every naming is merged alike, and what is no such thing refused.
 */
#include "base/error.h"
#include "base/rng.h"
#include "models/lora_file.h"
#include "support/fixture.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

#define LAYER "down_blocks.1.attentions.0.transformer_blocks.0.attn1."
#define KOHYA "down_blocks_1_attentions_0_transformer_blocks_0_attn1_"
#define TEXT  "text_model.encoder.layers.0.self_attn.q_proj"
#define RANK  2

static CgTensor *numbers(guint64 stream, CgShape shape)
{
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    cg_rng_normals(7, stream, 0, cg_tensor_f32(t), t->count);
    return t;
}

typedef struct {
    CgTestFolder *dir;
    CgTensor *w, *down, *up; /* [4, 3], [2, 3], [4, 2] */
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    (void)data;
    *f = (Fixture){.dir = cg_test_folder_new(),
                   .w = numbers(1, CG_SHAPE(4, 3)),
                   .down = numbers(2, CG_SHAPE(RANK, 3)),
                   .up = numbers(3, CG_SHAPE(4, RANK))};
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_tensor_unref(f->w);
    cg_tensor_unref(f->down);
    cg_tensor_unref(f->up);
    cg_test_folder_free(f->dir);
}

/* Writes NAME with up to three tensors; TENSORS[i] NULL: fewer. METADATA is nullable. */
static char *write_file(const Fixture *f, const char *name, const char *const *names,
                        CgTensor *const *tensors, const char *metadata)
{
    g_autoptr(GError) error = NULL;
    char *path = cg_test_folder_path(f->dir, name);
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    if (metadata)
        cg_safetensors_writer_metadata(w, "lora_adapter_metadata", metadata);
    for (int i = 0; i < 3 && tensors[i]; i++)
        cg_safetensors_writer_declare(w, names[i], tensors[i]->dtype, tensors[i]->shape);
    g_assert_true(cg_safetensors_writer_begin(w, path, &error));
    for (guint k = 0; k < cg_safetensors_writer_count(w); k++)
        for (int i = 0; i < 3 && tensors[i]; i++)
            if (g_str_equal(names[i], cg_safetensors_writer_nth(w, k)))
                g_assert_true(cg_safetensors_writer_put(w, tensors[i]->data,
                                                        cg_tensor_bytes(tensors[i]), &error));
    g_assert_true(cg_safetensors_writer_commit(g_steal_pointer(&w), &error));
    return path;
}

/* The weight NAME of COMPONENT, F's W reshaped to SHAPE, with the additions of SPECS merged. NULL
 * with PROBLEMS. */
static CgTensor *merged(const Fixture *f, CgComponent component, const char *name, CgShape shape,
                        const char *const *specs, GPtrArray *problems)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTensor) w = cg_tensor_reshape(f->w, shape);
    CgTensor *const tensors[] = {w, NULL, NULL};
    g_autofree char *path = write_file(f, "weights.safetensors", &name, tensors, NULL);
    g_autoptr(CgCheckpoint) weights = cg_checkpoint_open_file(path, component, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)cg_lora_file_free);
    for (; *specs; specs++) {
        CgLoraFile *file = cg_lora_file_open(*specs, &error);
        g_assert_no_error(error);
        g_ptr_array_add(files, file);
    }
    CgMergedWeights source = {weights, component, files};
    CgTensor *result = cg_merged_weights_lookup(&source, name, &shape, problems);
    for (guint i = 0; result && i < files->len; i++)
        g_assert_true(cg_lora_file_check_used(g_ptr_array_index(files, i), &error));
    g_assert_no_error(error);
    return result;
}

/* T = W + FACTOR B A. */
static void assert_merged(const Fixture *f, const CgTensor *t, double factor)
{
    g_assert_nonnull(t);
    g_assert_cmpuint(t->count, ==, 12);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            double x = (double)cg_tensor_f32(f->w)[i * 3 + j];
            for (int r = 0; r < RANK; r++)
                x += factor * (double)cg_tensor_f32(f->up)[i * RANK + r] *
                     (double)cg_tensor_f32(f->down)[r * 3 + j];
            g_assert_cmpfloat_with_epsilon((double)cg_tensor_f32(t)[i * 3 + j], x, 1e-5);
        }
}

typedef struct {
    const char *what;
    CgComponent component;
    const char *weight, *down, *up, *alpha, *metadata;
    double factor;
} Naming;

static const Naming namings[] = {
    {"diffusers", CG_COMPONENT_UNET, LAYER "to_q.weight", "unet." LAYER "to_q.lora_A.weight",
     "unet." LAYER "to_q.lora_B.weight", NULL, NULL, 1},
    {"diffusers_with_metadata", CG_COMPONENT_UNET, LAYER "to_out.0.weight",
     "unet." LAYER "to_out.0.lora_A.weight", "unet." LAYER "to_out.0.lora_B.weight", NULL,
     "{\"unet.r\": 2, \"unet.lora_alpha\": 3.0}", 1.5},
    {"diffusers_before_peft", CG_COMPONENT_UNET, LAYER "to_k.weight",
     "unet." LAYER "to_k.lora.down.weight", "unet." LAYER "to_k.lora.up.weight", NULL, NULL, 1},
    {"diffusers_of_processors", CG_COMPONENT_UNET, LAYER "to_v.weight",
     "unet." LAYER "processor.to_v_lora.down.weight", "unet." LAYER "processor.to_v_lora.up.weight",
     NULL, NULL, 1},
    {"diffusers_of_processors_out", CG_COMPONENT_UNET, LAYER "to_out.0.weight",
     "unet." LAYER "processor.to_out_lora.down.weight",
     "unet." LAYER "processor.to_out_lora.up.weight", NULL, NULL, 1},
    {"kohya", CG_COMPONENT_UNET, LAYER "to_out.0.weight",
     "lora_unet_" KOHYA "to_out_0.lora_down.weight", "lora_unet_" KOHYA "to_out_0.lora_up.weight",
     "lora_unet_" KOHYA "to_out_0.alpha", NULL, 0.25},
    {"text_encoder_by_diffusers", CG_COMPONENT_TEXT, TEXT ".weight",
     "text_encoder." TEXT ".lora_linear_layer.down.weight",
     "text_encoder." TEXT ".lora_linear_layer.up.weight", NULL, NULL, 1},
    {"text_encoder_by_kohya", CG_COMPONENT_TEXT, TEXT ".weight",
     "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
     "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight",
     "lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha", NULL, 0.25},
};

static void naming_is_merged(Fixture *f, gconstpointer data)
{
    const Naming *n = data;
    g_autoptr(CgTensor) alpha = cg_tensor_new(CG_F32, (CgShape){0});
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    cg_tensor_f32(alpha)[0] = 0.5f;
    const char *const names[] = {n->down, n->up, n->alpha};
    CgTensor *const tensors[] = {f->down, f->up, n->alpha ? alpha : NULL};
    g_autofree char *path = write_file(f, "lora.safetensors", names, tensors, n->metadata);
    const char *const specs[] = {path, NULL};
    g_autoptr(CgTensor) got = merged(f, n->component, n->weight, f->w->shape, specs, problems);
    g_assert_cmpuint(problems->len, ==, 0);
    assert_merged(f, got, n->factor);
}

static char *write_plain(const Fixture *f, const char *name, CgTensor *down, CgTensor *up)
{
    static const char *const names[] = {"unet." LAYER "to_q.lora_A.weight",
                                        "unet." LAYER "to_q.lora_B.weight", NULL};
    CgTensor *const tensors[] = {down, up, NULL};
    return write_file(f, name, names, tensors, NULL);
}

static void weights_scale_and_files_add_up(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autofree char *path = write_plain(f, "pytorch_lora_weights.safetensors", f->down, f->up);
    g_autofree char *less = g_strconcat(path, ":-0.25", NULL);
    g_autofree char *folder = g_strconcat(f->dir->path, ":0.5", NULL);
    const char *const specs[] = {path, less, folder, NULL};
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CgTensor) got =
        merged(f, CG_COMPONENT_UNET, LAYER "to_q.weight", f->w->shape, specs, problems);
    assert_merged(f, got, 1.25);
}

static void numbers_of_16_bits_and_convolutions_are_merged(Fixture *f, gconstpointer data)
{
    (void)data;
    for (CgDType type = CG_BF16; type <= CG_F16; type++) {
        g_autoptr(CgTensor) down = cg_tensor_copy(f->down, type);
        g_autoptr(CgTensor) up = cg_tensor_copy(f->up, type);
        CG_SET(f->down, cg_tensor_copy(down, CG_F32));
        CG_SET(f->up, cg_tensor_copy(up, CG_F32));
        CG_SET(down, cg_tensor_reshape(down, CG_SHAPE(RANK, 1, 1, 3)));
        CG_SET(up, cg_tensor_reshape(up, CG_SHAPE(4, RANK, 1, 1)));
        g_autofree char *path = write_plain(f, "lora.safetensors", down, up);
        const char *const specs[] = {path, NULL};
        g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(CgTensor) got = merged(f, CG_COMPONENT_UNET, LAYER "to_q.weight",
                                         CG_SHAPE(4, 1, 1, 3), specs, problems);
        assert_merged(f, got, 1);
    }
}

static void what_does_not_fit_the_weight_is_told(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CgTensor) wide = numbers(5, CG_SHAPE(RANK, 5));
    g_autofree char *path = write_plain(f, "lora.safetensors", wide, f->up);
    const char *specs[] = {path, NULL};
    g_assert_null(merged(f, CG_COMPONENT_UNET, LAYER "to_q.weight", f->w->shape, specs, problems));
    g_assert_cmpuint(problems->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(problems, 0), "do not fit a weight of [4, 3]"));
    cg_tensor_f32(f->up)[3] = NAN;
    g_free(path);
    specs[0] = path = write_plain(f, "lora.safetensors", f->down, f->up);
    g_assert_null(merged(f, CG_COMPONENT_UNET, LAYER "to_q.weight", f->w->shape, specs, problems));
    g_assert_nonnull(strstr(g_ptr_array_index(problems, 1), "holds NaN or infinity"));
}

static void assert_refused(const char *spec, CgErrorCode code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_lora_file_open(spec, &error));
    g_assert_error(error, CG_ERROR, (gint)code);
    if (!strstr(error->message, words))
        g_error("\"%s\" is not in: %s", words, error->message);
}

static void what_is_no_lora_is_refused(Fixture *f, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *first, *second, *metadata;
        CgErrorCode code;
        const char *words;
    } rows[] = {
        {"unet." LAYER "to_q.lora_A.weight", NULL, NULL, CG_ERROR_FORMAT, "matrices is missing"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_k.lora_B.weight", NULL,
         CG_ERROR_FORMAT, "matrices is missing"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_q.lora.down.weight", NULL,
         CG_ERROR_FORMAT, "are for the same place"},
        {"lora_unet_" KOHYA "to_q.hada_w1_a", NULL, NULL, CG_ERROR_UNSUPPORTED,
         "is no part of a LoRA"},
        {"text_encoder_2." TEXT ".lora_A.weight", NULL, NULL, CG_ERROR_UNSUPPORTED,
         "is no part of a LoRA"},
        {"lora_unet_" KOHYA "to_q.alpha", NULL, NULL, CG_ERROR_UNSUPPORTED, "is no part of a LoRA"},
        {"unet._lora.up.weight", NULL, NULL, CG_ERROR_FORMAT, "matrices is missing"},
        {"lora_unet_.alpha", NULL, NULL, CG_ERROR_UNSUPPORTED, "is no part of a LoRA"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_q.lora_B.weight",
         "{\"unet.use_dora\": true}", CG_ERROR_UNSUPPORTED, "use_dora"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_q.lora_B.weight",
         "{\"unet.alpha_pattern\": {\"to_q\": 2}}", CG_ERROR_UNSUPPORTED, "alpha_pattern"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_q.lora_B.weight", "{\"unet",
         CG_ERROR_FORMAT, "lora.safetensors"},
        {"unet." LAYER "to_q.lora_A.weight", "unet." LAYER "to_q.lora_B.weight",
         "{\"unet.lora_alpha\": \"much\"}", CG_ERROR_FORMAT, "a number"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const names[] = {rows[i].first, rows[i].second, NULL};
        CgTensor *const tensors[] = {f->down, rows[i].second ? f->up : NULL, NULL};
        g_autofree char *path = write_file(f, "lora.safetensors", names, tensors, rows[i].metadata);
        assert_refused(path, rows[i].code, rows[i].words);
    }
    g_autoptr(CgTensor) other = numbers(5, CG_SHAPE(4, 3));
    g_autofree char *path = write_plain(f, "lora.safetensors", f->down, other);
    assert_refused(path, CG_ERROR_FORMAT, "of different ranks");
    assert_refused("nowhere.safetensors", CG_ERROR_MISSING, "nowhere.safetensors");
    assert_refused("nowhere:0.5", CG_ERROR_MISSING, "nowhere");
    assert_refused("nowhere:1e9", CG_ERROR_USAGE, "FILE:WEIGHT");
    assert_refused("nowhere:nan", CG_ERROR_USAGE, "FILE:WEIGHT");
}

static void layers_that_the_model_lacks_are_told(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = write_plain(f, "lora.safetensors", f->down, f->up);
    g_autoptr(CgLoraFile) file = cg_lora_file_open(path, &error);
    g_assert_no_error(error);
    g_assert_false(cg_lora_file_check_used(file, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "1 of its 1 layers"));
    g_assert_nonnull(strstr(error->message, "unet_" KOHYA "to_q"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add("/lora_file/" #test, Fixture, NULL, set_up, test, tear_down)
    for (size_t i = 0; i < G_N_ELEMENTS(namings); i++) {
        g_autofree char *path = g_strdup_printf("/lora_file/naming_is_merged/%s", namings[i].what);
        g_test_add(path, Fixture, &namings[i], set_up, naming_is_merged, tear_down);
    }
    ADD(weights_scale_and_files_add_up);
    ADD(numbers_of_16_bits_and_convolutions_are_merged);
    ADD(what_does_not_fit_the_weight_is_told);
    ADD(what_is_no_lora_is_refused);
    ADD(layers_that_the_model_lacks_are_told);
    return g_test_run();
}
