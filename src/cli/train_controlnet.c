/* cagen train controlnet: stage 1. */
#include "cli/train.h"

#include "base/error.h"
#include "pipeline/default_model.h"
#include "pipeline/train_controlnet.h"

typedef struct {
    CgCliTrain train;
    CgTrainControlnetOptions controlnet;
    char *model, *controlnet_path, *tokenizer, *vae, *config;
    char *data, *layout, *split, *aliases, *save_type;
    int shots;
    int lora;
    double lora_alpha;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->model, o->controlnet_path, o->tokenizer, o->vae,     o->config,
                          o->data,  o->layout,          o->split,     o->aliases, o->save_type};
    cg_cli_train_clear(&o->train);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "The prompt of a defect is \"{defect} {category}\" out of the folders' names, unless --aliases "
    "says\notherwise. What is drawn of the data is written to OUT/shots.json, so that nobody is "
    "tested on it.\n\n"
    "With --lora the model's numbers stay as they are; trained are additions to the attention "
    "layers "
    "and what\na ControlNet has of its own. OUT is a ControlNet like any other, with the additions "
    "merged;\nOUT/pytorch_lora_weights.safetensors has them alone (diffusers' load_lora_adapter, "
    "prefix=None).\n\n"
    "Ctrl-C saves the state and stops; --resume goes on, with the same numbers as without the "
    "pause.\n\n"
    "Example:\n"
    "  cagen train controlnet --model sd15/ --data mvtec/ --shots 3 --epochs 1000 --out defects/ "
    "\\\n"
    "      --sample-every 500 --stop-when 'obedience>=0.8 for 3'";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgShotsOptions *s = &o->controlnet.shots;
    const GOptionEntry own[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
         "model in diffusers' layout, or a single .safetensors file; it stays as it is (default: "
         "models/mini)",
         "DIR|FILE"},
        {"controlnet", 0, 0, G_OPTION_ARG_FILENAME, &o->controlnet_path,
         "begin with this ControlNet instead of a copy of the U-Net's encoder", "DIR|FILE"},
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &o->tokenizer, "instead of the model's own",
         "DIR|FILE"},
        {"vae", 0, 0, G_OPTION_ARG_FILENAME, &o->vae, "instead of the model's own", "DIR|FILE"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->config,
         "model folder that describes a single file (default: Stable Diffusion 1.5)", "DIR"},
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set with defects and masks", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, "of the data set (default: found out)",
         "NAME"},
        {"shots", 'k', 0, G_OPTION_ARG_INT, &o->shots, "images per defect type (default: 3)", "K"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "the images to learn from, as cagen dataset split wrote them", "FILE"},
        {"aliases", 0, 0, G_OPTION_ARG_FILENAME, &o->aliases,
         "JSON with names for categories and defects, and phrasings", "FILE"},
        {"size", 0, 0, G_OPTION_ARG_INT, &s->size,
         "pixels of a side (default: what the model was made for)", "N"},
        {"whole", 0, 0, G_OPTION_ARG_NONE, &s->whole, "whole images, not windows around the masks",
         NULL},
        {"flip", 0, 0, G_OPTION_ARG_NONE, &s->changes.flip,
         "flip images and masks at random, both ways", NULL},
        {"rotate", 0, 0, G_OPTION_ARG_NONE, &s->changes.rotate,
         "turn images and masks by quarters at random", NULL},
        {"crop", 0, 0, G_OPTION_ARG_DOUBLE, &s->changes.crop,
         "cut images and masks at random, to at least this share of the side", "SHARE"},
        {"prompt-dropout", 0, 0, G_OPTION_ARG_DOUBLE, &o->controlnet.dropout,
         "share of samples without a prompt (default: 0)", "P"},
        {"empty-masks", 0, 0, G_OPTION_ARG_DOUBLE, &s->empty,
         "share of samples that show a normal image under an empty mask, with a defect's prompt: "
         "no mask, no defect (default: 0)",
         "P"},
        {"mask-weight", 0, 0, G_OPTION_ARG_DOUBLE, &o->controlnet.mask_weight,
         "how much more the loss weighs where the mask is: small defects would hardly count "
         "(default: 0)",
         "W"},
        {"min-snr", 0, 0, G_OPTION_ARG_DOUBLE, &o->controlnet.min_snr,
         "weigh timesteps by min-SNR with this gamma, 5 say (default: all alike)", "GAMMA"},
        {"lora", 0, 0, G_OPTION_ARG_INT, &o->lora,
         "train additions of this rank to the attention layers, 8 say, not every weight: far less "
         "memory",
         "RANK"},
        {"lora-alpha", 0, 0, G_OPTION_ARG_DOUBLE, &o->lora_alpha,
         "the additions' factor is this over the rank (default: the rank)", "A"},
        {"lean", 0, 0, G_OPTION_ARG_NONE, &o->controlnet.lean,
         "read the model's weights from its file at each use: less memory where they are of 16 "
         "bits, "
         "a little more time",
         NULL},
        {"samples", 0, 0, G_OPTION_ARG_INT, &o->controlnet.sample_count,
         "pictures of a sheet (default: 8)", "N"},
        {"sample-steps", 0, 0, G_OPTION_ARG_INT, &o->controlnet.sample_steps,
         "DDIM steps of a sheet's pictures (default: 20)", "N"},
        {"guidance", 0, 0, G_OPTION_ARG_DOUBLE, &o->controlnet.guidance,
         "guidance scale of a sheet's pictures (default: 7.5)", "G"},
        {"save-type", 0, 0, G_OPTION_ARG_STRING, &o->save_type,
         "f32, f16 or bf16: of the numbers in the file (default: f32)", "TYPE"},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree GOptionEntry *entries = cg_cli_train_entries(&o->train, own);
    return cg_cli_parse(&argc, &argv, "train controlnet", "",
                        "Trains a ControlNet on a few images of every defect type.", description,
                        entries, error) &&
           cg_cli_train_finish(&o->train, "train controlnet", error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "train controlnet: %s; see cagen train controlnet --help", what);
    return FALSE;
}

static gboolean check_options(Options *o, GError **error)
{
    CgTrainControlnetOptions *c = &o->controlnet;
    const double crop = c->shots.changes.crop;
    if (!o->data)
        return wrong("--data DIR is missing", error);
    if (!o->model)
        o->model = cg_default_model(error);
    if (!o->model)
        return FALSE;
    if (o->shots < 1 || o->shots > CG_SPLIT_MAX_SHOTS)
        return wrong("--shots must be 1 to 1000000", error);
    if (c->shots.size < 0 || c->shots.size > CG_TRAIN_MAX_SIZE)
        return wrong("--size must be 1 to 4096", error);
    if (crop && !(crop >= 0.1 && crop <= 1))
        return wrong("--crop must be 0.1 to 1", error);
    if (!(c->shots.empty >= 0 && c->shots.empty < 1))
        return wrong("--empty-masks must be 0 or more, below 1", error);
    if (!(c->dropout >= 0 && c->dropout <= 1) || !(c->min_snr >= 0) ||
        !(c->mask_weight >= 0 && c->mask_weight <= 1000))
        return wrong("--prompt-dropout must be 0 to 1, --min-snr and --mask-weight not negative",
                     error);
    if (c->sample_count < 0 || c->sample_count > 256 || c->sample_steps < 1 ||
        c->sample_steps > 1000)
        return wrong("--samples must be 0 to 256, --sample-steps 1 to 1000", error);
    if (o->save_type && !cg_dtype_parse_weights(o->save_type, &c->save_dtype))
        return wrong("--save-type is f32, f16 or bf16", error);
    return cg_cli_train_lora(&o->train, o->lora, o->lora_alpha, "train controlnet", &c->lora,
                             error);
}

/* What was parsed where the pipeline looks for it. */
static void hand_over(Options *o)
{
    CgTrainControlnetOptions *c = &o->controlnet;
    c->model = (CgModelPaths){.model = o->model,
                              .controlnet = o->controlnet_path,
                              .vae = o->vae,
                              .tokenizer = o->tokenizer,
                              .config = o->config};
    c->shots.data = o->data;
    c->shots.layout = o->layout;
    c->shots.split = o->split;
    c->shots.aliases = o->aliases;
    c->shots.shots = (guint)o->shots;
    c->shots.seed = o->train.settings.seed;
    c->train = o->train.settings;
}

int cg_cli_train_controlnet(int argc, char **argv)
{
    g_auto(Options) o = {.shots = 3, .lora = CG_CLI_NO_LORA};
    GError *error = NULL;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    CgTrainResult result;
    cg_train_controlnet_options_default(&o.controlnet);
    cg_cli_train_init(&o.train, &o.controlnet.train);
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.train.compute, &engine, &dtype, &error))
        return cg_cli_fail(error);
    hand_over(&o);
    if (!cg_train_controlnet(engine, dtype, &o.controlnet, o.train.plan_only, &result, &error))
        return cg_cli_fail(error);
    if (!o.train.plan_only)
        cg_cli_train_report(&o.train, NULL, "ControlNet", &result);
    return 0;
}
