/* cagen model convert */
#include "cli/model.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/options.h"
#include "pipeline/convert.h"

#include <stdio.h>

typedef struct {
    CgCliCompute compute;
    CgConvertOptions convert;
    char *dtype, *out, *config, *tokenizer;
    char **from;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free(o->dtype);
    g_free(o->out);
    g_free(o->config);
    g_free(o->tokenizer);
    g_strfreev(o->from);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "MODEL is a folder in diffusers' layout (a whole model, or one network with its config.json) "
    "or "
    "a\n"
    ".safetensors file in the naming of the original code. Where both are of the same form every "
    "tensor\n"
    "keeps its name; from form to form names are translated. Memory is that of the largest "
    "tensor.\n\n"
    "Examples:\n"
    "  cagen model convert sd15/ --out sd15-bf16/ --dtype bf16\n"
    "  cagen model convert sd15/ --out sd15.safetensors\n"
    "  cagen model convert other.safetensors --config sd15/ --out other/";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out,
         "new folder, or with a name that ends in .safetensors a single file", "DIR|FILE"},
        {"dtype", 0, 0, G_OPTION_ARG_STRING, &o->dtype,
         "f32, f16 or bf16: of the weights (default: as they are)", "TYPE"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o->config,
         "model folder that lends a single file its configuration and tokenizer (default: sizes of "
         "Stable Diffusion 1.5)",
         "DIR"},
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &o->tokenizer,
         "tokenizer's folder, for a single file that becomes a folder", "DIR"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->from, NULL, NULL},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    if (!cg_cli_parse(&argc, &argv, "model convert", "MODEL",
                      "Writes a model in another form or with another type of numbers.",
                      description, entries, error))
        return FALSE;
    if (o->from)
        cg_cli_find_model(o->from);
    o->convert = (CgConvertOptions){.from = o->from ? *o->from : NULL,
                                    .to = o->out,
                                    .dtype = CG_DTYPE_COUNT,
                                    .config = o->config,
                                    .tokenizer = o->tokenizer};
    const char *wrong = !o->from || o->from[1] ? "one MODEL is needed"
                        : !o->out              ? "--out is missing"
                        : o->dtype && !cg_dtype_parse_weights(o->dtype, &o->convert.dtype)
                            ? "--dtype is f32, f16 or bf16"
                            : NULL;
    if (!wrong)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "model convert: %s; see cagen model convert --help", wrong);
    return FALSE;
}

static void report(const Options *o, const CgConvertResult *r)
{
    if (o->compute.json) {
        printf("{\"tensors\":%u,\"left_out\":%u,\"bytes\":%" G_GUINT64_FORMAT "}\n", r->tensors,
               r->left_out, r->bytes);
        return;
    }
    g_autofree char *size = g_format_size(r->bytes);
    printf("%s: %u tensors, %s\n", o->out, r->tensors, size);
    if (r->left_out)
        cg_log_note("%u tensors were left out: averaged weights, buffers and what else only single "
                    "files have",
                    r->left_out);
}

int cg_cli_model_convert(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    CgConvertResult result;
    if (!parse_options(argc, argv, &o, &error) || !cg_cli_common_start(&o.compute, &error) ||
        !cg_convert(&o.convert, &result, &error))
        return cg_cli_fail(error);
    report(&o, &result);
    return 0;
}
