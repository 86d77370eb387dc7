"""Writes tests/fixtures/models/training.safetensors: gradients and losses of ControlNet training.

    python make_training_fixture.py [OUT]

The mini networks of networks.py in f64, the U-Net frozen, two samples at t = 951 and 17 (AdamW, lr
1e-3, weight decay 1e-2, clipping to norm 1). Of each gradient the norm and the products with eight
pseudo-random vectors "projection/<k>/<name>" are stored: "a/<name>" [9]. "losses" and "norms" [20]
are those of twenty steps on the same batch, before each step.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

import networks
import pseudo

PROJECTIONS = 8
STEPS = 20
F64 = torch.float64


def given(name, shape, scale=1.0, bias=0.0):
    return pseudo.given(name, shape, scale, bias).to(F64)


def loss_of(unet, controlnet, x_t, noise, t, ctx, cond):
    down, mid = controlnet(x_t, t, ctx, cond, return_dict=False)
    answer = unet(
        x_t,
        t,
        ctx,
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample
    return torch.nn.functional.mse_loss(answer, noise)


def describe(name, gradient):
    flat = gradient.reshape(-1).numpy()
    dots = [
        float(np.dot(flat, pseudo.units(f"projection/{k}/{name}", flat.size)))
        for k in range(PROJECTIONS)
    ]
    return torch.tensor([float(np.linalg.norm(flat))] + dots, dtype=torch.float32)


def main():
    out = pathlib.Path(
        sys.argv[1]
        if len(sys.argv) > 1
        else pathlib.Path(__file__).resolve().parent.parent / "fixtures/models/training.safetensors"
    )
    unet = networks.unet(networks.MINI["unet"]).requires_grad_(False)
    controlnet = networks.controlnet(networks.MINI["controlnet"]).requires_grad_(True)
    latent = given("latent", (2, 4, 16, 16), 1.5)
    noise = given("noise", (2, 4, 16, 16), 1.7320508)
    ctx = given("ctx", (2, 11, 40), 1.5)
    cond = given("cond", (2, 3, 128, 128), 0.5, 0.5)
    t = torch.tensor([951, 17])
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=F64) ** 2
    alpha = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    x_t = alpha.sqrt() * latent + (1 - alpha).sqrt() * noise

    optimizer = torch.optim.AdamW(controlnet.parameters(), lr=1e-3, weight_decay=1e-2)
    tensors, losses, norms = {}, [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(unet, controlnet, x_t, noise, t, ctx, cond)
        loss.backward()
        if step == 0:
            for name, p in controlnet.named_parameters():
                tensors[f"a/{name}"] = describe(name, p.grad)
        norms.append(float(torch.nn.utils.clip_grad_norm_(controlnet.parameters(), 1.0)))
        losses.append(loss.item())
        print(f"step {step}: loss {losses[-1]:.9g}, norm {norms[-1]:.9g}")
        optimizer.step()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float32)
    tensors["norms"] = torch.tensor(norms, dtype=torch.float32)
    save_file(tensors, out)


if __name__ == "__main__":
    main()
