#include "pipeline/controlnet_loss.h"

#include "ops/loss.h"

/* x_t and what the network has to say of it. */
static CgTensor *noised(const CgNoiseSchedule *schedule, const CgDiffusionBatch *b,
                        CgTensor **target)
{
    const size_t n = (size_t)b->latent->shape.d[0], size = b->latent->count / n;
    CgTensor *x_t = cg_tensor_new(CG_F32, b->latent->shape);
    *target = cg_tensor_new(CG_F32, b->latent->shape);
    cg_noise_schedule_add_noise(schedule, b->timesteps, n, size, cg_tensor_f32(b->latent),
                                cg_tensor_f32(b->noise), cg_tensor_f32(x_t));
    cg_noise_schedule_target(schedule, b->timesteps, n, size, cg_tensor_f32(b->latent),
                             cg_tensor_f32(b->noise), cg_tensor_f32(*target));
    return x_t;
}

CgTensor *cg_controlnet_loss(CgContext *cx, const CgControlnet *controlnet, const CgUnet *u,
                             const CgNoiseSchedule *schedule, const CgDiffusionBatch *batch,
                             CgTensor **prediction, CgTensor **target)
{
    const int n = (int)batch->latent->shape.d[0];
    CgTextCache text = {0}, control_text = {0};
    CgControlResiduals residuals = {0};
    g_autoptr(CgTensor) wanted = NULL;
    g_autoptr(CgTensor) x_t = noised(schedule, batch, &wanted);
    g_autoptr(CgTensor) states = cg_cast(cx, batch->text, cx->dtype);
    g_autofree double *t = g_new(double, n);
    for (int i = 0; i < n; i++)
        t[i] = batch->timesteps[i];
    if (batch->control) {
        cg_controlnet_prepare_text(cx, controlnet, states, &control_text);
        g_autoptr(CgTensor) hint = cg_controlnet_prepare_hint(cx, controlnet, batch->control);
        cg_controlnet_forward(cx, controlnet, x_t, t, n, &control_text, hint, &residuals);
    }
    cg_unet_prepare(cx, u, states, &text);
    g_autoptr(CgTensor) y =
        cg_unet_forward(cx, u, x_t, t, n, &text, batch->control ? &residuals : NULL);
    CgTensor *loss = batch->place_weights ? cg_loss_mse_at(cx, y, wanted, batch->place_weights)
                                          : cg_loss_mse(cx, y, wanted, batch->weights);
    cg_control_residuals_clear(&residuals);
    cg_text_cache_clear(&control_text);
    cg_text_cache_clear(&text);
    if (prediction)
        *prediction = g_steal_pointer(&y);
    if (target)
        *target = g_steal_pointer(&wanted);
    return loss;
}
