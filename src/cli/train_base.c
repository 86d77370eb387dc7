/* cagen train base: text encoder and U-Net from pictures with texts. */
#include "cli/train.h"

#include "base/error.h"
#include "models/tokenizer_train.h"
#include "pipeline/train_base.h"

#define MAX_SIZE 4096

typedef struct {
    CgCliTrain train;
    CgTrainBaseOptions base;
    char *data, *layout, *aliases, *from, *vae, *config, *save_type;
    int lora;
    double lora_alpha;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data, o->layout, o->aliases, o->from, o->vae, o->config, o->save_type};
    cg_cli_train_clear(&o->train);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Pictures with texts are one of\n"
    "  a folder with metadata.jsonl, rows {\"file_name\": \"a.png\", \"text\": \"rusty hex nut\"}\n"
    "  a folder of pictures with NAME.txt beside NAME.png\n"
    "  a data set in any layout that cagen dataset info knows: texts are \"rust hex nut\" for a "
    "defect,\n  \"good hex nut\" otherwise\n\n"
    "The model lies in OUT/model, in diffusers' layout; with --lora the additions are merged, and "
    "\nOUT/pytorch_lora_weights.safetensors has them alone (diffusers' load_lora_weights).\n\n"
    "Examples:\n"
    "  cagen train base --data drawn/ --vae runs/vae/vae --steps 8000 --out runs/base\n"
    "  cagen train base --data mine/ --from runs/base/model --steps 500 --lr 1e-5 --out runs/mine";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainBaseOptions *b = &o->base;
    const GOptionEntry own[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "pictures with texts; see below", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, "of the data set (default: found out)",
         "NAME"},
        {"aliases", 0, 0, G_OPTION_ARG_FILENAME, &o->aliases,
         "JSON with names for categories and defects", "FILE"},
        {"train-only", 0, 0, G_OPTION_ARG_NONE, &b->rules.train_only,
         "of a data set the good images of its training split alone", NULL},
        {"vae", 0, 0, G_OPTION_ARG_FILENAME, &o->vae,
         "autoencoder of the new model, as cagen train vae makes it", "DIR"},
        {"from", 0, 0, G_OPTION_ARG_FILENAME, &o->from,
         "go on from this model instead (diffusers' layout)", "DIR"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->config,
         "sizes of the new model: unet/config.json and text_encoder/config.json in DIR "
         "(default: small ones)",
         "DIR"},
        {"vocabulary", 0, 0, G_OPTION_ARG_INT, &b->vocabulary,
         "entries of the new tokenizer at most (default: 1024)", "N"},
        {"tokens", 0, 0, G_OPTION_ARG_INT, &b->tokens, "in a prompt at most (default: 32)", "N"},
        {"size", 0, 0, G_OPTION_ARG_INT, &b->size, "pixels of a side (default: the autoencoder's)",
         "N"},
        {"flip", 0, 0, G_OPTION_ARG_NONE, &b->flip, "flip pictures left to right at random", NULL},
        {"prompt-dropout", 0, 0, G_OPTION_ARG_DOUBLE, &b->dropout,
         "share of samples without a text (default: 0.1)", "P"},
        {"min-snr", 0, 0, G_OPTION_ARG_DOUBLE, &b->min_snr,
         "weigh timesteps by min-SNR with this gamma, 5 say (default: all alike)", "GAMMA"},
        {"lora", 0, 0, G_OPTION_ARG_INT, &o->lora,
         "with --from: train additions of this rank to the U-Net's attention layers, 8 say, and "
         "nothing else: far less memory",
         "RANK"},
        {"lora-alpha", 0, 0, G_OPTION_ARG_DOUBLE, &o->lora_alpha,
         "the additions' factor is this over the rank (default: the rank)", "A"},
        {"lean", 0, 0, G_OPTION_ARG_NONE, &b->lean,
         "with --lora: read the model's weights from its files at each use: less memory where they "
         "are of 16 bits, a little more time",
         NULL},
        {"samples", 0, 0, G_OPTION_ARG_INT, &b->sample_count, "pictures of a sheet (default: 12)",
         "N"},
        {"sample-steps", 0, 0, G_OPTION_ARG_INT, &b->sample_steps,
         "DDIM steps of a sheet's pictures (default: 20)", "N"},
        {"guidance", 0, 0, G_OPTION_ARG_DOUBLE, &b->guidance,
         "guidance scale of a sheet's pictures (default: 3)", "G"},
        {"save-type", 0, 0, G_OPTION_ARG_STRING, &o->save_type,
         "f32, f16 or bf16: of the numbers in the files (default: f32)", "TYPE"},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree GOptionEntry *entries = cg_cli_train_entries(&o->train, own);
    return cg_cli_parse(&argc, &argv, "train base", "",
                        "Trains a latent diffusion model on pictures with texts.", description,
                        entries, error) &&
           cg_cli_train_finish(&o->train, "train base", error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "train base: %s; see cagen train base --help",
                what);
    return FALSE;
}

static gboolean check_options(Options *o, GError **error)
{
    CgTrainBaseOptions *b = &o->base;
    if (!o->data)
        return wrong("--data DIR is missing", error);
    if (!o->vae == !o->from)
        return wrong("one of --vae DIR (a new model) and --from DIR (an existing one) is needed",
                     error);
    if (o->from && o->config)
        return wrong("--from has its own sizes; --config is for a new model", error);
    if (b->vocabulary < CG_TOKENIZER_MIN_SIZE || b->vocabulary > 65536 || b->tokens < 4 ||
        b->tokens > 1024)
        return wrong("--vocabulary must be 514 to 65536, --tokens 4 to 1024", error);
    if (b->size < 0 || b->size > MAX_SIZE)
        return wrong("--size must be 1 to 4096", error);
    if (!(b->dropout >= 0 && b->dropout <= 1) || !(b->min_snr >= 0))
        return wrong("--prompt-dropout must be 0 to 1, --min-snr not negative", error);
    if (b->sample_count < 0 || b->sample_count > 256 || b->sample_steps < 1 ||
        b->sample_steps > 1000)
        return wrong("--samples must be 0 to 256, --sample-steps 1 to 1000", error);
    if (o->save_type && !cg_dtype_parse_weights(o->save_type, &b->save_dtype))
        return wrong("--save-type is f32, f16 or bf16", error);
    if (o->lora != CG_CLI_NO_LORA && !o->from)
        return wrong("--lora adds to a model: give --from DIR", error);
    if (b->lean && o->lora == CG_CLI_NO_LORA)
        return wrong("--lean goes with --lora", error);
    if (!cg_cli_train_lora(&o->train, o->lora, o->lora_alpha, "train base", &b->lora, error))
        return FALSE;
    cg_cli_train_enter(&o->vae, "config.json", "vae");
    cg_cli_train_enter(&o->from, "unet", "model");
    b->data = o->data;
    b->vae = o->vae;
    b->from = o->from;
    b->config = o->config;
    b->rules.aliases = o->aliases;
    b->train = o->train.settings;
    return !o->layout || cg_layout_parse(o->layout, &b->rules.layout, error);
}

int cg_cli_train_base(int argc, char **argv)
{
    g_auto(Options) o = {.lora = CG_CLI_NO_LORA};
    GError *error = NULL;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    CgTrainResult result;
    cg_train_base_options_default(&o.base);
    cg_cli_train_init(&o.train, &o.base.train);
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.train.compute, &engine, &dtype, &error) ||
        !cg_train_base(engine, dtype, &o.base, o.train.plan_only, &result, &error))
        return cg_cli_fail(error);
    if (!o.train.plan_only)
        cg_cli_train_report(&o.train, "model", "model", &result);
    return 0;
}
