/* cagen train vae: an autoencoder from pictures alone. */
#include "cli/train.h"

#include "base/error.h"
#include "pipeline/train_vae.h"

#include <stdio.h>

#define MAX_SIZE 4096

typedef struct {
    CgCliTrain train;
    CgTrainVaeOptions vae;
    char *data, *layout, *config, *from, *save_type;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data, o->layout, o->config, o->from, o->save_type};
    cg_cli_train_clear(&o->train);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Pictures are a data set in any layout that cagen dataset info knows, or a folder of pictures "
    "with\ntexts (see cagen train base --help). They are scaled by their shorter side and cut to "
    "the middle\nsquare. One in 32 is held out and looked at every --sample-every steps.\n\n"
    "The autoencoder lies in OUT/vae, in diffusers' layout.\n\n"
    "Example:\n"
    "  cagen train vae --data drawn/ --size 64 --steps 4000 --out runs/vae --sample-every 500";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainVaeOptions *v = &o->vae;
    const GOptionEntry own[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "pictures; see below", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, "of the data set (default: found out)",
         "NAME"},
        {"train-only", 0, 0, G_OPTION_ARG_NONE, &v->rules.train_only,
         "of a data set the good images of its training split alone", NULL},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->config,
         "AutoencoderKL's config.json (default: a small one for 64 pixels)", "FILE|DIR"},
        {"from", 0, 0, G_OPTION_ARG_FILENAME, &o->from, "go on from this autoencoder", "DIR"},
        {"size", 0, 0, G_OPTION_ARG_INT, &v->size,
         "pixels of a side (default: the configuration's sample_size)", "N"},
        {"flip", 0, 0, G_OPTION_ARG_NONE, &v->flip, "flip pictures left to right at random", NULL},
        {"l1", 0, 0, G_OPTION_ARG_DOUBLE, &v->weights.l1, "weight of |y - x| (default: 1)", "W"},
        {"ssim", 0, 0, G_OPTION_ARG_DOUBLE, &v->weights.ssim, "of 1 - SSIM (default: 0.5)", "W"},
        {"edges", 0, 0, G_OPTION_ARG_DOUBLE, &v->weights.edges,
         "of the differences between neighbouring pixels (default: 0.5)", "W"},
        {"kl", 0, 0, G_OPTION_ARG_DOUBLE, &v->weights.kl,
         "of the latents' distance from the normal distribution (default: 1e-4)", "W"},
        {"save-type", 0, 0, G_OPTION_ARG_STRING, &o->save_type,
         "f32, f16 or bf16: of the numbers in the file (default: f32)", "TYPE"},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree GOptionEntry *entries = cg_cli_train_entries(&o->train, own);
    return cg_cli_parse(&argc, &argv, "train vae", NULL,
                        "Trains an autoencoder: pictures to latents and back.", description,
                        entries, error) &&
           cg_cli_train_finish(&o->train, "train vae", error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "train vae: %s; see cagen train vae --help", what);
    return FALSE;
}

static gboolean check_options(Options *o, GError **error)
{
    CgTrainVaeOptions *v = &o->vae;
    const CgVaeLossWeights *w = &v->weights;
    if (!o->data)
        return wrong("--data DIR is missing", error);
    if (v->size < 0 || v->size > MAX_SIZE)
        return wrong("--size must be 1 to 4096", error);
    if (!(w->l1 >= 0 && w->ssim >= 0 && w->edges >= 0 && w->kl >= 0 &&
          w->l1 + w->ssim + w->edges > 0))
        return wrong("--l1, --ssim, --edges and --kl are not negative, one of the first above 0",
                     error);
    if (o->save_type && !cg_dtype_parse_weights(o->save_type, &v->save_dtype))
        return wrong("--save-type is f32, f16 or bf16", error);
    cg_cli_train_enter(&o->from, "config.json", "vae");
    v->data = o->data;
    v->config = o->config;
    v->from = o->from;
    v->train = o->train.settings;
    return !o->layout || cg_layout_parse(o->layout, &v->rules.layout, error);
}

static gboolean run(int argc, char **argv, Options *o, GError **error)
{
    CgDType dtype;
    CgTrainVaeResult result;
    g_autoptr(CgEngine) engine = NULL;
    if (!parse_options(argc, argv, o, error) ||
        !cg_cli_compute_start(&o->train.compute, &engine, &dtype, error) ||
        !check_options(o, error) ||
        !cg_train_vae(engine, dtype, &o->vae, o->train.plan_only, &result, error))
        return FALSE;
    if (o->train.plan_only)
        return TRUE;
    g_autofree char *what = g_strdup_printf("autoencoder, %.2f dB, scaling factor %.4f",
                                            result.psnr, result.scaling_factor);
    cg_cli_train_report(&o->train, "vae", what, &result.train);
    return TRUE;
}

int cg_cli_train_vae(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    cg_train_vae_options_default(&o.vae);
    cg_cli_train_init(&o.train, &o.vae.train);
    return run(argc, argv, &o, &error) ? 0 : cg_cli_fail(error);
}
