/* run_networks: every network of a model once, inputs and outputs into a safetensors file.
 *
 *     run_networks --dtype f32|bf16 [--latent N] MODEL CONTROLNET OUT.safetensors
 *
 * For tests/oracle/compare_full.py, which runs the reference implementation on the same inputs.
 * --latent: side of the latent (default 64: pictures of 512 x 512). Prints seconds per network.
 */
#include "base/system.h"
#include "pipeline/model.h"
#include "support/pseudo.h"

#include <stdio.h>
#include <stdlib.h>

#define TOKENS   77
#define TIMESTEP 501.0

typedef struct {
    GPtrArray *names, *tensors;
} Record;

static void keep(Record *r, const char *name, CgTensor *t)
{
    g_ptr_array_add(r->names, g_strdup(name));
    g_ptr_array_add(r->tensors, t);
}

/* Written in the reference's order. */
static void keep_image(Record *r, const char *name, const CgTensor *nhwc)
{
    keep(r, name, cg_tensor_nhwc_to_nchw(nhwc));
}

static void die(GError *error)
{
    fprintf(stderr, "run_networks: %s\n", error->message);
    exit(1);
}

/* An input of NCHW shape, kept, and returned as NHWC. */
static CgTensor *input(Record *r, const char *name, CgShape shape, double scale, double bias)
{
    g_autofree char *full = g_strconcat("input/", name, NULL);
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    cg_pseudo_fill(full, scale, bias, cg_tensor_f32(t), t->count);
    keep(r, name, t);
    return cg_tensor_nchw_to_nhwc(t);
}

static double lap(const char *what, double begin)
{
    printf("%-12s %8.3f s\n", what, cg_seconds() - begin);
    return cg_seconds();
}

static void run_text(CgContext *cx, const CgModel *m, Record *r)
{
    CgTensor *ids = cg_tensor_new(CG_I32, CG_SHAPE(2, TOKENS));
    for (size_t i = 0; i < ids->count; i++)
        ((gint32 *)ids->data)[i] = (gint32)(i * 641 % (size_t)m->text->config.vocabulary);
    keep(r, "ids", ids);
    const double begin = cg_seconds();
    keep(r, "text.hidden", cg_clip_text_forward(cx, m->text, ids->data, 2, TOKENS, 0));
    lap("text", begin);
}

static void run_vae(CgContext *cx, const CgModel *m, int side, Record *r)
{
    const double scale = cg_vae_config(m->vae)->scaling_factor;
    g_autoptr(CgTensor) image = input(r, "image", CG_SHAPE(1, 3, 8 * side, 8 * side), 1, 0);
    g_autoptr(CgTensor) z = input(r, "z", CG_SHAPE(1, 4, side, side), 3, 0);
    double begin = cg_seconds();
    g_autoptr(CgTensor) moments = cg_vae_encode(cx, m->vae, image);
    begin = lap("vae encode", begin);
    for (size_t i = 0; i < z->count; i++)
        cg_tensor_f32(z)[i] *= (float)scale;
    g_autoptr(CgTensor) decoded = cg_vae_decode(cx, m->vae, z);
    lap("vae decode", begin);
    keep_image(r, "vae.moments", moments);
    keep_image(r, "vae.decoded", decoded);
}

static void run_unet(CgContext *cx, const CgModel *m, int side, Record *r)
{
    const int width = m->unet->config.text_width;
    const double t = TIMESTEP;
    CgTextCache text, control_text;
    CgControlResiduals residuals;
    g_autoptr(CgTensor) latent = input(r, "latent", CG_SHAPE(1, 4, side, side), 1.5, 0);
    g_autoptr(CgTensor) cond = input(r, "cond", CG_SHAPE(1, 3, 8 * side, 8 * side), 0.5, 0.5);
    CgTensor *ctx = cg_tensor_new(CG_F32, CG_SHAPE(1, TOKENS, width));
    CgTensor *timestep = cg_tensor_new(CG_F32, CG_SHAPE(1));
    cg_pseudo_fill("input/ctx", 1.5, 0, cg_tensor_f32(ctx), ctx->count);
    cg_tensor_f32(timestep)[0] = (float)t;
    keep(r, "ctx", ctx);
    keep(r, "t", timestep);
    g_autoptr(CgTensor) states = cg_cast(cx, ctx, cx->dtype);

    double begin = cg_seconds();
    cg_unet_prepare(cx, m->unet, states, &text);
    g_autoptr(CgTensor) out = cg_unet_forward(cx, m->unet, latent, &t, 1, &text, NULL);
    begin = lap("unet, first", begin);
    cg_controlnet_prepare_text(cx, m->controlnet, states, &control_text);
    g_autoptr(CgTensor) hint = cg_controlnet_prepare_hint(cx, m->controlnet, cond);
    cg_controlnet_forward(cx, m->controlnet, latent, &t, 1, &control_text, hint, &residuals);
    begin = lap("controlnet", begin);
    g_autoptr(CgTensor) controlled = cg_unet_forward(cx, m->unet, latent, &t, 1, &text, &residuals);
    lap("unet, again", begin);

    keep_image(r, "unet.out", out);
    keep_image(r, "unet.out_control", controlled);
    for (int k = 0; k <= residuals.count; k++) {
        g_autofree char *name = k < residuals.count ? g_strdup_printf("controlnet.residual.%d", k)
                                                    : g_strdup("controlnet.residual.mid");
        g_autoptr(CgTensor) f32 =
            cg_cast(cx, k < residuals.count ? residuals.skips[k] : residuals.mid, CG_F32);
        keep_image(r, name, f32);
    }
    cg_control_residuals_clear(&residuals);
    cg_text_cache_clear(&text);
    cg_text_cache_clear(&control_text);
}

int main(int argc, char **argv)
{
    g_autofree char *dtype_name = NULL;
    g_auto(GStrv) rest = NULL;
    int side = 64;
    GError *error = NULL;
    const GOptionEntry entries[] = {
        {"dtype", 0, 0, G_OPTION_ARG_STRING, &dtype_name, "f32 or bf16", "TYPE"},
        {"latent", 0, 0, G_OPTION_ARG_INT, &side, "side of the latent", "N"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("MODEL CONTROLNET OUT");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        die(error);
    if (!rest || g_strv_length(rest) != 3 || side < 8)
        die(g_error_new(CG_ERROR, CG_ERROR_USAGE, "MODEL, CONTROLNET and OUT are needed"));

    const CgDType dtype = g_strcmp0(dtype_name, "bf16") == 0 ? CG_BF16 : CG_F32;
    const CgModelPaths paths = {.model = rest[0], .controlnet = rest[1]};
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    double begin = cg_seconds();
    g_autoptr(CgModel) m = cg_model_open(engine, dtype, &paths, &error);
    if (!m)
        die(error);
    lap("open", begin);
    Record r = {g_ptr_array_new_with_free_func(g_free),
                g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref)};
    CgContext cx;
    cg_context_init(&cx, engine, dtype);
    run_text(&cx, m, &r);
    run_vae(&cx, m, side, &r);
    run_unet(&cx, m, side, &r);
    if (!cg_context_ok(&cx, &error) ||
        !cg_safetensors_save(rest[2], (const char *const *)r.names->pdata,
                             (CgTensor *const *)r.tensors->pdata, r.names->len, &error))
        die(error);
    printf("peak memory %.2f GB\n", (double)cg_memory_peak() * 1e-9);
    g_ptr_array_unref(r.names);
    g_ptr_array_unref(r.tensors);
    cg_context_clear(&cx);
    return 0;
}
