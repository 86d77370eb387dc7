#include "support/networks.h"

#include "base/rng.h"
#include "diffusion/guidance.h"

#define TOKENS   77
#define TIMESTEP 501.0
#define GUIDANCE 7.5
#define SEED     7

struct BenchNetworks {
    CgContext *cx;
    const CgModel *m;
    int batch;
    CgTensor *latent; /* [2 batch, h, w, c], scaled */
    CgTensor *image;  /* [batch, 8h, 8w, 3] */
    CgTensor *states; /* [2 batch, tokens, text width], in the model's type */
    gint32 *ids;      /* [2 batch, TOKENS] */
    /* For all 2 batch samples and for the first half of them. */
    CgTextCache unet_text[2], control_text[2];
    CgTensor *hint[2];
};

static const struct {
    const char *name, *what;
} parts[BENCH_PARTS] = {
    [BENCH_STEP] = {"step", "guided ControlNet step"},
    [BENCH_UNET] = {"unet", "U-Net forward"},
    [BENCH_CONTROLNET] = {"controlnet", "ControlNet forward"},
    [BENCH_ENCODE] = {"encode", "VAE encode"},
    [BENCH_DECODE] = {"decode", "VAE decode"},
    [BENCH_TEXT] = {"text", "text encoding"},
    [BENCH_CONTROL] = {"control", "control image, text K/V"},
};

const char *bench_part_name(BenchPart part)
{
    return parts[part].name;
}

const char *bench_part_describe(BenchPart part)
{
    return parts[part].what;
}

BenchPart bench_part_find(const char *name)
{
    BenchPart part = 0;
    while (part < BENCH_PARTS && g_strcmp0(parts[part].name, name) != 0)
        part++;
    return part;
}

static CgTensor *random_tensor(int stream, CgShape shape, float low, float high)
{
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    float *x = cg_tensor_f32(t);
    cg_rng_uniforms(SEED, CG_STREAM(CG_STREAM_WEIGHTS, (guint32)stream), 0, x, t->count);
    for (size_t i = 0; i < t->count; i++)
        x[i] = low + (high - low) * x[i];
    return t;
}

BenchNetworks *bench_networks_new(CgContext *cx, const CgModel *m, int size, int batch)
{
    BenchNetworks *n = g_new0(BenchNetworks, 1);
    const CgUnetConfig *config = &m->unet->config;
    const int side = size / cg_vae_factor(cg_vae_config(m->vae));
    n->cx = cx;
    n->m = m;
    n->batch = batch;
    n->latent = random_tensor(1, CG_SHAPE(2 * batch, side, side, config->in_channels), -2, 2);
    n->image = random_tensor(2, CG_SHAPE(batch, size, size, 3), 0, 1);
    g_autoptr(CgTensor) states =
        random_tensor(3, CG_SHAPE(2 * batch, TOKENS, config->text_width), -2, 2);
    n->states = cg_tensor_copy(states, cx->dtype);
    n->ids = g_new(gint32, 2 * (size_t)batch * TOKENS);
    for (int i = 0; i < 2 * batch * TOKENS; i++)
        n->ids[i] = i * 641 % m->text->config.vocabulary;
    return n;
}

static void clear_prepared(BenchNetworks *n)
{
    for (int i = 0; i < 2; i++) {
        cg_text_cache_clear(&n->unet_text[i]);
        cg_text_cache_clear(&n->control_text[i]);
        g_clear_pointer(&n->hint[i], cg_tensor_unref);
    }
}

void bench_networks_free(BenchNetworks *n)
{
    if (!n)
        return;
    clear_prepared(n);
    cg_tensor_unref(n->latent);
    cg_tensor_unref(n->image);
    cg_tensor_unref(n->states);
    g_free(n->ids);
    g_free(n);
}

gboolean bench_networks_has(const BenchNetworks *n, BenchPart part)
{
    const gboolean needs_control =
        part == BENCH_STEP || part == BENCH_CONTROLNET || part == BENCH_CONTROL;
    return part < BENCH_PARTS && (n->m->controlnet || !needs_control);
}

/* What is computed once: for all samples (GUIDED) or for the first half. */
static void prepare(BenchNetworks *n, gboolean guided)
{
    const int i = guided ? 0 : 1;
    if (n->unet_text[i].count > 0)
        return;
    g_autoptr(CgTensor) states = cg_tensor_rows(n->states, 0, guided ? 2 * n->batch : n->batch);
    cg_unet_prepare(n->cx, n->m->unet, states, &n->unet_text[i]);
    if (!n->m->controlnet)
        return;
    cg_controlnet_prepare_text(n->cx, n->m->controlnet, states, &n->control_text[i]);
    n->hint[i] = cg_controlnet_prepare_hint(n->cx, n->m->controlnet, n->image);
}

static void run_unet(BenchNetworks *n, CgContext *cx)
{
    const double t = TIMESTEP;
    g_autoptr(CgTensor) latent = cg_tensor_rows(n->latent, 0, n->batch);
    cg_tensor_unref(cg_unet_forward(cx, n->m->unet, latent, &t, 1, &n->unet_text[1], NULL));
}

static void run_controlnet(BenchNetworks *n, CgContext *cx)
{
    const double t = TIMESTEP;
    CgControlResiduals residuals;
    g_autoptr(CgTensor) latent = cg_tensor_rows(n->latent, 0, n->batch);
    cg_controlnet_forward(cx, n->m->controlnet, latent, &t, 1, &n->control_text[1], n->hint[1],
                          &residuals);
    cg_control_residuals_clear(&residuals);
}

static void run_step(BenchNetworks *n, CgContext *cx)
{
    const double t = TIMESTEP;
    CgControlResiduals residuals;
    cg_controlnet_forward(cx, n->m->controlnet, n->latent, &t, 1, &n->control_text[0], n->hint[0],
                          &residuals);
    g_autoptr(CgTensor) out =
        cg_unet_forward(cx, n->m->unet, n->latent, &t, 1, &n->unet_text[0], &residuals);
    cg_control_residuals_clear(&residuals);
    cg_guidance_combine(cg_tensor_f32(out), out->count / 2, GUIDANCE, cg_tensor_f32(out));
}

static void run_decode(BenchNetworks *n, CgContext *cx)
{
    g_autoptr(CgTensor) latent = cg_tensor_rows(n->latent, 0, n->batch);
    cg_tensor_unref(cg_vae_decode(cx, n->m->vae, latent));
}

static void run(BenchNetworks *n, BenchPart part, CgContext *cx)
{
    switch (part) {
    case BENCH_STEP:
        run_step(n, cx);
        break;
    case BENCH_UNET:
        run_unet(n, cx);
        break;
    case BENCH_CONTROLNET:
        run_controlnet(n, cx);
        break;
    case BENCH_ENCODE:
        cg_tensor_unref(cg_vae_encode(cx, n->m->vae, n->image));
        break;
    case BENCH_DECODE:
        run_decode(n, cx);
        break;
    case BENCH_TEXT:
        cg_tensor_unref(cg_clip_text_forward(cx, n->m->text, n->ids, 2 * n->batch, TOKENS, 0));
        break;
    case BENCH_CONTROL:
        clear_prepared(n);
        prepare(n, TRUE);
        break;
    case BENCH_PARTS:
        break;
    }
}

gboolean bench_networks_prepare(BenchNetworks *n, BenchPart part, GError **error)
{
    if (part == BENCH_STEP)
        prepare(n, TRUE);
    if (part == BENCH_UNET || part == BENCH_CONTROLNET)
        prepare(n, FALSE);
    return cg_context_ok(n->cx, error);
}

gboolean bench_networks_run(BenchNetworks *n, BenchPart part, GError **error)
{
    run(n, part, n->cx);
    return cg_context_ok(n->cx, error);
}

CgProfile bench_networks_count(BenchNetworks *n, BenchPart part)
{
    CgProfile profile = {0};
    CgContext *own = n->cx, cx;
    g_autoptr(CgEngine) plan = cg_engine_plan_new();
    cg_context_init(&cx, plan, own->dtype);
    cx.profile = &profile;
    n->cx = &cx;
    run(n, part, &cx);
    if (part == BENCH_CONTROL)
        clear_prepared(n);
    n->cx = own;
    cg_context_clear(&cx);
    return profile;
}
