#include "pipeline/vae_loss.h"

#include "ops/loss.h"

/* Pictures are in [-1, 1]. */
#define RANGE 2

void cg_vae_loss_weights_default(CgVaeLossWeights *w)
{
    *w = (CgVaeLossWeights){.l1 = 1, .ssim = 0.5, .edges = 0.5, .kl = 1e-4};
}

/* *SUM += WEIGHT * TERM, which is taken. */
static void add_term(CgContext *cx, CgTensor **sum, CgTensor *term, double weight)
{
    g_autoptr(CgTensor) owned = term;
    CG_SET(*sum,
           *sum ? cg_add(cx, *sum, owned, (float)weight) : cg_scale(cx, owned, (float)weight));
}

CgTensor *cg_vae_loss(CgContext *cx, const CgVae *v, CgTensor *image, CgTensor *noise,
                      const CgVaeLossWeights *w, CgTensor **reconstruction)
{
    g_assert(cg_vae_config(v)->scaling_factor == 1);
    g_autoptr(CgTensor) moments = cg_vae_encode(cx, v, image);
    g_autoptr(CgTensor) z = cg_posterior_sample(cx, moments, noise);
    g_autoptr(CgTensor) y = cg_vae_decode(cx, v, z);
    CgTensor *loss = NULL;
    add_term(cx, &loss, cg_loss_l1(cx, y, image), w->l1);
    if (w->ssim > 0)
        add_term(cx, &loss, cg_loss_ssim(cx, y, image, RANGE), w->ssim);
    if (w->edges > 0)
        add_term(cx, &loss, cg_loss_edges(cx, y, image), w->edges);
    if (w->kl > 0)
        add_term(cx, &loss, cg_loss_kl(cx, moments), w->kl);
    if (reconstruction)
        *reconstruction = g_steal_pointer(&y);
    return loss;
}
