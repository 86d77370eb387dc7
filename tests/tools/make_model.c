/* make_model: writes a model of the real layout with random weights.
 *
 *     make_model --config sd15|mini [--shards] [--tiny-vae] [--dtype f32|f16|bf16] [--single-file]
 *                [--tokenizer DIR|bpe_simple_vocab_16e6.txt.gz] [--poison TENSOR]
 *                [--text-width N] [--latent-channels N] OUT
 *
 * OUT/model is a folder in diffusers' layout, OUT/controlnet a ControlNet; with --single-file also
 * OUT/model.safetensors and OUT/controlnet.safetensors in the naming of the original code, with
 * the buffers that such files carry. sd15 has the sizes of Stable Diffusion 1.5 (about 5.7 GB in
 * f32), mini the same structure in small; some sizes can be others, for parts that do not fit
 * together. Weights are computed from their names (support/pseudo.h), so that any two machines have
 * the same ones.
 */
#include "base/file.h"
#include "base/json.h"
#include "base/system.h"
#include "models/clip_text.h"
#include "models/ldm_names.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/pseudo.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CLIP_MERGES 48894

typedef struct {
    char *config, *dtype, *tokenizer, *poison;
    gboolean tiny_vae, shards, no_controlnet, single_file;
    int text_width, latent_channels; /* 0: as the configuration has them */
    char **rest;
} Options;

typedef struct {
    const char *component; /* of the pseudo weights' names */
    GPtrArray *names;
    GArray *shapes;
} Structure;

static void die(GError *error)
{
    fprintf(stderr, "make_model: %s\n", error->message);
    exit(1);
}

static void check(GError *error)
{
    if (error)
        die(error);
}

static void visit(void *data, const char *name, const CgShape *shape)
{
    Structure *s = data;
    g_ptr_array_add(s->names, g_strdup(name));
    g_array_append_val(s->shapes, *shape);
}

static void structure_init(Structure *s, const char *component, CgBinder *b)
{
    *s = (Structure){.component = component,
                     .names = g_ptr_array_new_with_free_func(g_free),
                     .shapes = g_array_new(FALSE, FALSE, sizeof(CgShape))};
    cg_binder_init_visit(b, visit, s);
}

static void structure_clear(Structure *s, CgBinder *b)
{
    GError *error = NULL;
    cg_binder_finish(b, &error);
    check(error);
    g_ptr_array_unref(s->names);
    g_array_unref(s->shapes);
}

/* A tensor of a single file. */
typedef struct {
    char *name, *pseudo; /* in the file; of its weights (NULL: a buffer of zeros) */
    CgShape shape;
    CgDType dtype;
} Entry;

static void entry_clear(void *data)
{
    Entry *entry = data;
    g_free(entry->name);
    g_free(entry->pseudo);
}

static GArray *entries_new(void)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(entries, entry_clear);
    return entries;
}

static int find_name(const Structure *s, const char *name)
{
    for (guint i = 0; i < s->names->len; i++)
        if (g_str_equal(g_ptr_array_index(s->names, i), name))
            return (int)i;
    g_assert_not_reached();
}

static CgTensor *make_tensor(const char *pseudo, const CgShape *shape, CgDType dtype,
                             const char *poison)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, *shape);
    cg_pseudo_parameter(pseudo, shape, cg_tensor_f32(t));
    if (g_strcmp0(poison, pseudo) == 0)
        cg_tensor_f32(t)[t->count / 2] = __builtin_nanf("");
    return cg_tensor_copy(t, dtype);
}

/* Tensors FIRST..FIRST+COUNT-1 into PATH. */
static void write_file(const Structure *s, guint first, guint count, CgDType dtype,
                       const char *poison, const char *path)
{
    GError *error = NULL;
    CgSafetensorsWriter *w = cg_safetensors_writer_new();
    cg_safetensors_writer_metadata(w, "format", "pt");
    for (guint i = first; i < first + count; i++)
        cg_safetensors_writer_declare(w, g_ptr_array_index(s->names, i), dtype,
                                      g_array_index(s->shapes, CgShape, i));
    cg_safetensors_writer_begin(w, path, &error);
    check(error);
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const char *name = cg_safetensors_writer_nth(w, i);
        const CgShape *shape = &g_array_index(s->shapes, CgShape, find_name(s, name));
        g_autofree char *full = g_strconcat(s->component, "/", name, NULL);
        g_autoptr(CgTensor) stored = make_tensor(full, shape, dtype, poison);
        cg_safetensors_writer_put(w, stored->data, cg_tensor_bytes(stored), &error);
        check(error);
    }
    cg_safetensors_writer_commit(w, &error);
    check(error);
}

/* The component's tensors under the names of the original code. */
static void add_entries(GArray *entries, const Structure *s, CgComponent component, CgDType dtype)
{
    for (guint i = 0; i < s->names->len; i++) {
        const char *name = g_ptr_array_index(s->names, i);
        g_autofree char *inner = cg_ldm_name(component, name);
        Entry entry = {.name = g_strconcat(cg_ldm_prefix(component), inner, NULL),
                       .pseudo = g_strconcat(s->component, "/", name, NULL),
                       .shape = g_array_index(s->shapes, CgShape, i),
                       .dtype = dtype};
        if (cg_ldm_is_convolution(component, name)) {
            entry.shape.d[2] = entry.shape.d[3] = 1;
            entry.shape.rank = 4;
        }
        g_array_append_val(entries, entry);
    }
}

/* What whole checkpoints hold beside the weights. */
static void add_buffers(GArray *entries)
{
    const struct {
        const char *name;
        CgShape shape;
        CgDType dtype;
    } buffers[] = {
        {"betas", CG_SHAPE(1000), CG_F32},
        {"alphas_cumprod", CG_SHAPE(1000), CG_F32},
        {"posterior_mean_coef1", CG_SHAPE(1000), CG_F32},
        {"model_ema.diffusion_modelout2bias", CG_SHAPE(4), CG_F32},
        {"model_ema.num_updates", CG_SHAPE(1), CG_I32},
        {"cond_stage_model.transformer.text_model.embeddings.position_ids", CG_SHAPE(1, 77),
         CG_I64},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(buffers); i++) {
        const Entry entry = {.name = g_strdup(buffers[i].name),
                             .shape = buffers[i].shape,
                             .dtype = buffers[i].dtype};
        g_array_append_val(entries, entry);
    }
}

static const Entry *find_entry(const GArray *entries, const char *name)
{
    for (guint i = 0; i < entries->len; i++)
        if (g_str_equal(g_array_index(entries, Entry, i).name, name))
            return &g_array_index(entries, Entry, i);
    g_assert_not_reached();
}

static void write_single_file(const GArray *entries, const char *poison, const char *path)
{
    GError *error = NULL;
    CgSafetensorsWriter *w = cg_safetensors_writer_new();
    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        cg_safetensors_writer_declare(w, entry->name, entry->dtype, entry->shape);
    }
    cg_safetensors_writer_begin(w, path, &error);
    check(error);
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const Entry *entry = find_entry(entries, cg_safetensors_writer_nth(w, i));
        g_autoptr(CgTensor) t =
            entry->pseudo ? make_tensor(entry->pseudo, &entry->shape, entry->dtype, poison)
                          : cg_tensor_new(entry->dtype, entry->shape);
        if (!entry->pseudo)
            memset(t->data, 0, cg_tensor_bytes(t));
        cg_safetensors_writer_put(w, t->data, cg_tensor_bytes(t), &error);
        check(error);
    }
    cg_safetensors_writer_commit(w, &error);
    check(error);
    printf("%s: %u tensors\n", path, entries->len);
}

static void write_json(json_t *object, const char *folder, const char *name)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(10));
    cg_file_write(path, text, strlen(text), &error);
    check(error);
    free(text);
    json_decref(object);
}

/* Two shards and their index. */
static void write_shards(const Structure *s, CgDType dtype, const char *folder, const char *base)
{
    const guint half = s->names->len / 2;
    json_t *map = json_object();
    for (guint part = 0; part < 2; part++) {
        g_autofree char *name = g_strdup_printf("%s-0000%u-of-00002.safetensors", base, part + 1);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        const guint first = part ? half : 0, count = part ? s->names->len - half : half;
        write_file(s, first, count, dtype, NULL, path);
        for (guint i = first; i < first + count; i++)
            json_object_set_new(map, g_ptr_array_index(s->names, i), json_string(name));
    }
    g_autofree char *index = g_strconcat(base, ".safetensors.index.json", NULL);
    write_json(json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 0, "weight_map", map), folder,
               index);
}

static void write_part(const Structure *s, const Options *o, CgDType dtype, const char *folder,
                       const char *base, json_t *config)
{
    GError *error = NULL;
    cg_file_make_directory(folder, &error);
    check(error);
    write_json(config, folder, "config.json");
    if (o->shards) {
        write_shards(s, dtype, folder, base);
        return;
    }
    g_autofree char *name = g_strconcat(base, ".safetensors", NULL);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    write_file(s, 0, s->names->len, dtype, o->poison, path);
    printf("%s: %u tensors\n", path, s->names->len);
}

static void copy_file(const char *from, const char *to_folder, const char *name)
{
    GError *error = NULL;
    size_t size;
    g_autofree char *source = g_build_filename(from, name, NULL);
    g_autofree char *target = g_build_filename(to_folder, name, NULL);
    if (!g_file_test(source, G_FILE_TEST_EXISTS))
        return;
    g_autofree char *text = cg_file_read(source, 64u << 20, &size, &error);
    check(error);
    cg_file_write(target, text, size, &error);
    check(error);
}

/* The 256 byte letters of CLIP's alphabet, in order of their ids. */
static void byte_letters(GPtrArray *letters)
{
    gunichar extra = 256;
    for (int pass = 0; pass < 2; pass++)
        for (int c = 0; c < 256; c++) {
            const gboolean printable =
                (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
            char utf8[8] = {0};
            if (printable != (pass == 0))
                continue;
            g_unichar_to_utf8(printable ? (gunichar)c : extra++, utf8);
            g_ptr_array_add(letters, g_strdup(utf8));
        }
}

/* vocab.json and merges.txt out of openai's merge list. */
static void convert_tokenizer(const char *gz, const char *folder)
{
    GError *error = NULL;
    gzFile in = gzopen(gz, "rb");
    g_autoptr(GPtrArray) letters = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) merges = g_string_new("#version: 0.2\n");
    json_t *vocabulary = json_object();
    char line[4096];
    int id = 0;
    if (!in) {
        fprintf(stderr, "make_model: can't read %s\n", gz);
        exit(1);
    }
    byte_letters(letters);
    for (guint i = 0; i < letters->len; i++)
        json_object_set_new(vocabulary, g_ptr_array_index(letters, i), json_integer(id++));
    for (guint i = 0; i < letters->len; i++) {
        g_autofree char *end = g_strconcat(g_ptr_array_index(letters, i), "</w>", NULL);
        json_object_set_new(vocabulary, end, json_integer(id++));
    }
    gzgets(in, line, sizeof line);
    for (int i = 0; i < CLIP_MERGES && gzgets(in, line, sizeof line); i++) {
        g_string_append(merges, line);
        char *space = strchr(line, ' ');
        g_strchomp(line);
        memmove(space, space + 1, strlen(space));
        json_object_set_new(vocabulary, line, json_integer(id++));
    }
    gzclose(in);
    json_object_set_new(vocabulary, "<|startoftext|>", json_integer(id++));
    json_object_set_new(vocabulary, "<|endoftext|>", json_integer(id++));
    write_json(vocabulary, folder, "vocab.json");
    g_autofree char *path = g_build_filename(folder, "merges.txt", NULL);
    cg_file_write(path, merges->str, merges->len, &error);
    check(error);
    write_json(json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:b}", "tokenizer_class", "CLIPTokenizer",
                         "model_max_length", 77, "bos_token", "<|startoftext|>", "eos_token",
                         "<|endoftext|>", "pad_token", "<|endoftext|>", "unk_token",
                         "<|endoftext|>", "do_lower_case", 1),
               folder, "tokenizer_config.json");
}

static void write_tokenizer(const char *from, const char *folder)
{
    static const char *const names[] = {"vocab.json", "merges.txt", "tokenizer_config.json",
                                        "special_tokens_map.json"};
    GError *error = NULL;
    cg_file_make_directory(folder, &error);
    check(error);
    if (!g_file_test(from, G_FILE_TEST_IS_DIR)) {
        convert_tokenizer(from, folder);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        copy_file(from, folder, names[i]);
}

static void write_scheduler(const char *folder)
{
    GError *error = NULL;
    cg_file_make_directory(folder, &error);
    check(error);
    write_json(json_pack("{s:s, s:f, s:f, s:s, s:i, s:b, s:b, s:i, s:b}", "_class_name",
                         "PNDMScheduler", "beta_start", 0.00085, "beta_end", 0.012, "beta_schedule",
                         "scaled_linear", "num_train_timesteps", 1000, "set_alpha_to_one", 0,
                         "skip_prk_steps", 1, "steps_offset", 1, "clip_sample", 0),
               folder, "scheduler_config.json");
}

static void write_index(const char *folder, gboolean tiny_vae)
{
    write_json(json_pack("{s:s, s:s, s:[nn], s:[nn], s:[ss], s:[ss], s:[ss], s:[ss], s:[ss]}",
                         "_class_name", "StableDiffusionPipeline", "_diffusers_version", "0.6.0",
                         "feature_extractor", "safety_checker", "scheduler", "diffusers",
                         "PNDMScheduler", "text_encoder", "transformers", "CLIPTextModel",
                         "tokenizer", "transformers", "CLIPTokenizer", "unet", "diffusers",
                         "UNet2DConditionModel", "vae", "diffusers",
                         tiny_vae ? "AutoencoderTiny" : "AutoencoderKL"),
               folder, "model_index.json");
}

/* The small configuration: all of the structure, 128-pixel pictures. */
static void shrink(CgUnetConfig *unet, CgUnetConfig *control, CgVaeConfig *vae,
                   CgClipTextConfig *text)
{
    static const int channels[] = {32, 64, 96, 96}, vae_channels[] = {32, 64, 64, 64};
    CgUnetConfig *both[] = {unet, control};
    for (int i = 0; i < 2; i++) {
        memcpy(both[i]->channels, channels, sizeof channels);
        both[i]->text_width = 40;
        both[i]->sample_size = 16;
    }
    if (vae->kind == CG_VAE_KL)
        memcpy(vae->channels, vae_channels, sizeof vae_channels);
    vae->sample_size = 128;
    *text = (CgClipTextConfig){.vocabulary = 1024,
                               .positions = 77,
                               .width = 40,
                               .mlp_width = 160,
                               .layers = 3,
                               .heads = 4,
                               .eps = 1e-5f,
                               .act = CG_ACT_QUICK_GELU};
}

static void make(const Options *o, CgDType dtype, const char *out)
{
    CgUnet *unet = g_new0(CgUnet, 1);
    CgControlnet *control = g_new0(CgControlnet, 1);
    CgClipText *text = g_new0(CgClipText, 1);
    CgVaeConfig vae;
    CgBinder b;
    Structure s;
    g_autofree char *model = g_build_filename(out, "model", NULL);
    g_autofree char *single = g_strconcat(model, ".safetensors", NULL);
    g_autofree char *single_control = g_build_filename(out, "controlnet.safetensors", NULL);
    g_autoptr(GArray) entries = entries_new(), control_entries = entries_new();
    cg_unet_config_default(&unet->config, FALSE);
    cg_unet_config_default(&control->config, TRUE);
    cg_vae_config_default(&vae, o->tiny_vae ? CG_VAE_TINY : CG_VAE_KL);
    cg_clip_text_config_default(&text->config);
    if (g_strcmp0(o->config, "mini") == 0)
        shrink(&unet->config, &control->config, &vae, &text->config);
    if (o->text_width)
        unet->config.text_width = control->config.text_width = text->config.width = o->text_width;
    if (o->latent_channels) {
        unet->config.in_channels = unet->config.out_channels = o->latent_channels;
        control->config.in_channels = vae.latent_channels = o->latent_channels;
    }

    const struct {
        const char *folder, *base;
    } parts[] = {{"model/text_encoder", "model"},
                 {"model/vae", "diffusion_pytorch_model"},
                 {"model/unet", "diffusion_pytorch_model"},
                 {"controlnet", "diffusion_pytorch_model"}};
    for (int i = 0; i < (o->no_controlnet ? 3 : 4); i++) {
        static const char *const components[] = {"clip", "vae", "unet", "controlnet"};
        static const CgComponent kinds[] = {CG_COMPONENT_TEXT, CG_COMPONENT_VAE, CG_COMPONENT_UNET,
                                            CG_COMPONENT_CONTROLNET};
        g_autofree char *folder = g_build_filename(out, parts[i].folder, NULL);
        json_t *config;
        structure_init(&s, i == 1 && o->tiny_vae ? "tiny" : components[i], &b);
        if (i == 0) {
            cg_bind_clip_text(&b, text);
            config = cg_clip_text_config_to_json(&text->config);
        } else if (i == 1) {
            cg_bind_vae(&b, &vae);
            config = cg_vae_config_to_json(&vae);
        } else if (i == 2) {
            cg_bind_unet(&b, unet);
            config = cg_unet_config_to_json(&unet->config, FALSE);
        } else {
            cg_bind_controlnet(&b, control);
            config = cg_unet_config_to_json(&control->config, TRUE);
        }
        write_part(&s, o, dtype, folder, parts[i].base, config);
        if (o->single_file)
            add_entries(i == 3 ? control_entries : entries, &s, kinds[i], dtype);
        structure_clear(&s, &b);
    }
    if (o->single_file) {
        add_buffers(entries);
        write_single_file(entries, o->poison, single);
        if (!o->no_controlnet)
            write_single_file(control_entries, o->poison, single_control);
    }
    g_autofree char *tokenizer = g_build_filename(model, "tokenizer", NULL);
    g_autofree char *scheduler = g_build_filename(model, "scheduler", NULL);
    if (o->tokenizer)
        write_tokenizer(o->tokenizer, tokenizer);
    write_scheduler(scheduler);
    write_index(model, o->tiny_vae);
    g_free(unet);
    g_free(control);
    g_free(text);
}

int main(int argc, char **argv)
{
    Options o = {0};
    GError *error = NULL;
    const GOptionEntry entries[] = {
        {"config", 0, 0, G_OPTION_ARG_STRING, &o.config, "sd15 or mini", "NAME"},
        {"dtype", 0, 0, G_OPTION_ARG_STRING, &o.dtype, "f32, f16 or bf16", "TYPE"},
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &o.tokenizer, "to copy or convert", "PATH"},
        {"tiny-vae", 0, 0, G_OPTION_ARG_NONE, &o.tiny_vae, "an AutoencoderTiny", NULL},
        {"shards", 0, 0, G_OPTION_ARG_NONE, &o.shards, "each part in two files", NULL},
        {"single-file", 0, 0, G_OPTION_ARG_NONE, &o.single_file,
         "also as single files of the original naming", NULL},
        {"text-width", 0, 0, G_OPTION_ARG_INT, &o.text_width, "of the text encoder", "N"},
        {"latent-channels", 0, 0, G_OPTION_ARG_INT, &o.latent_channels, "of the VAE", "N"},
        {"no-controlnet", 0, 0, G_OPTION_ARG_NONE, &o.no_controlnet, "only the model", NULL},
        {"poison", 0, 0, G_OPTION_ARG_STRING, &o.poison, "put a NaN there", "unet/TENSOR"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.rest, NULL, "OUT"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        die(error);
    if (o.single_file && o.tiny_vae) {
        fprintf(stderr, "make_model: a single file holds no tiny autoencoder\n");
        return 2;
    }
    if (!o.rest || !o.rest[0] || !o.config) {
        fprintf(stderr, "make_model: --config and OUT are needed\n");
        return 2;
    }
    CgDType dtype = CG_F32;
    if (g_strcmp0(o.dtype, "f16") == 0)
        dtype = CG_F16;
    else if (g_strcmp0(o.dtype, "bf16") == 0)
        dtype = CG_BF16;
    make(&o, dtype, o.rest[0]);
    g_free(o.config);
    g_free(o.dtype);
    g_free(o.tokenizer);
    g_free(o.poison);
    g_strfreev(o.rest);
    return 0;
}
