/* cagen model fetch */
#include "cli/model.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/options.h"
#include "hub/fetch.h"

#include <stdio.h>

typedef struct {
    CgCliCompute compute;
    CgHubFetchOptions fetch;
    char *revision, *only, *variant, *out;
    char **files, **ids;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free(o->revision);
    g_free(o->only);
    g_free(o->variant);
    g_free(o->out);
    g_strfreev(o->files);
    g_strfreev(o->ids);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Fetched are model_index.json, and of each part its configuration and weights as safetensors; "
    "of a\n"
    "repository with one network (a ControlNet, a VAE) likewise. Prints the model's folder. "
    "Afterwards the\n"
    "ID works wherever --model DIR does. A download that was stopped or cut off goes on where it "
    "was.\n\n"
    "Environment, as huggingface_hub reads it: HF_ENDPOINT (another hub), HF_HOME or HF_HUB_CACHE "
    "(where\n"
    "models are kept, shared with it), HF_TOKEN, HF_HUB_OFFLINE=1 (only look into the cache).\n\n"
    "Examples:\n"
    "  cagen model fetch stable-diffusion-v1-5/stable-diffusion-v1-5\n"
    "  cagen model fetch stabilityai/sd-vae-ft-mse --out vae/\n"
    "  cagen model fetch org/checkpoints --file v1-5-pruned-emaonly.safetensors --out .";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"revision", 'r', 0, G_OPTION_ARG_STRING, &o->revision,
         "branch, tag or commit (default: main)", "NAME"},
        {"only", 0, 0, G_OPTION_ARG_STRING, &o->only,
         "parts of a model, with commas between: unet, vae, text_encoder, controlnet, scheduler, "
         "tokenizer",
         "PARTS"},
        {"variant", 0, 0, G_OPTION_ARG_STRING, &o->variant,
         "of the weights, fp16 say, where there is one (default: the plain ones)", "NAME"},
        {"file", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &o->files,
         "this file and no others; may be given several times", "PATH"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out,
         "folder for the files, instead of the cache", "DIR"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &o->fetch.timeout,
         "seconds to connect, and without a byte, before the connection counts as lost (default: "
         "30)",
         "S"},
        {"retries", 0, 0, G_OPTION_ARG_INT, &o->fetch.retries,
         "attempts after one that got no further (default: 5)", "N"},
        {"pause", 0, 0, G_OPTION_ARG_DOUBLE, &o->fetch.pause,
         "seconds before the first of them; each further one waits twice as long (default: 0.5)",
         "S"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->ids, NULL, NULL},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    if (!cg_cli_parse(&argc, &argv, "model fetch", "ID", "Downloads a model from a hub.",
                      description, entries, error))
        return FALSE;
    const char *wrong =
        !o->ids || o->ids[1]                              ? "one ID is needed, like org/name"
        : o->only && o->files                             ? "--only and --file exclude each other"
        : o->fetch.timeout < 1 || o->fetch.timeout > 3600 ? "--timeout must be 1 to 3600"
        : o->fetch.retries < 0 || o->fetch.retries > 1000 ? "--retries must be 0 to 1000"
                                                          : NULL;
    if (wrong) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "model fetch: %s; see cagen model fetch --help", wrong);
        return FALSE;
    }
    o->fetch.id = *o->ids;
    o->fetch.revision = o->revision;
    o->fetch.out = o->out;
    o->fetch.selection = (CgHubSelection){
        .only = o->only, .variant = o->variant, .file = (const char *const *)o->files};
    return TRUE;
}

static void report(const Options *o, const CgHubFetched *f)
{
    g_autofree char *bytes = g_format_size(f->bytes);
    g_autofree char *fetched = g_format_size(f->fetched);
    if (o->compute.json) {
        g_autofree char *folder = cg_json_quote(f->folder);
        printf("{\"id\":\"%s\",\"folder\":%s,\"files\":%u,\"bytes\":%" G_GUINT64_FORMAT
               ",\"fetched\":%" G_GUINT64_FORMAT "}\n",
               o->fetch.id, folder, f->files, f->bytes, f->fetched);
        return;
    }
    if (f->commit)
        cg_log_note("%s: %u files, %s, of which %s were fetched now; commit %s", o->fetch.id,
                    f->files, bytes, fetched, f->commit);
    puts(f->folder);
}

int cg_cli_model_fetch(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    CgHubFetched fetched = {0};
    cg_hub_fetch_options_default(&o.fetch);
    if (!parse_options(argc, argv, &o, &error) || !cg_cli_common_start(&o.compute, &error))
        return cg_cli_fail(error);
    const gboolean ok = cg_hub_fetch(&o.fetch, &fetched, &error);
    if (ok)
        report(&o, &fetched);
    cg_hub_fetched_clear(&fetched);
    return ok ? 0 : cg_cli_fail(error);
}
