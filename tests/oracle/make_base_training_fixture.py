"""Writes tests/fixtures/models/training_base.safetensors: gradients of training from scratch.

    python make_base_training_fixture.py [OUT]

The mini networks of networks.py in f64. "vae/<name>": of the autoencoder's loss (L1 + 0.5 (1 - SSIM) +
0.5 edges + 0.01 KL) for two pictures of 64 x 64. "base/<name>": of the denoising loss for a text
encoder as wide as the U-Net's text, both trained, two samples at t = 951 and 17 with weights 0.25 and
1.5. Gradients are stored as in make_training_fixture.py; "vae.loss", "base.loss".
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

import make_loss_fixture as losses
import networks
from make_training_fixture import describe, given

F64 = torch.float64
TEXT = networks.CLIP | dict(
    hidden_size=40,
    intermediate_size=160,
    num_attention_heads=4,
    num_hidden_layers=2,
    projection_dim=40,
    vocab_size=1000,
)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def vae_loss(vae):
    image = given("picture", (2, 3, 64, 64))
    noise = given("posterior", (2, 4, 8, 8), 1.7320508)
    posterior = vae.encode(image).latent_dist
    y, x = nhwc(vae.decode(posterior.mean + posterior.std * noise).sample), nhwc(image)
    kl = posterior.kl().sum() / noise.numel()
    l1 = torch.nn.functional.l1_loss(y, x)
    return l1 + 0.5 * losses.ssim(y, x) + 0.5 * losses.edges(y, x) + 0.01 * kl


def base_loss(text, unet):
    latent = given("latent", (2, 4, 16, 16), 1.5)
    noise = given("noise", (2, 4, 16, 16), 1.7320508)
    ids = torch.tensor([[998, 7, 300, 7, 999, 999], [998, 999, 999, 999, 999, 999]])
    t = torch.tensor([951, 17])
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=F64) ** 2
    alpha = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    x_t = alpha.sqrt() * latent + (1 - alpha).sqrt() * noise
    answer = unet(x_t, t, networks.clip_hidden(text, ids)).sample
    weights = torch.tensor([0.25, 1.5], dtype=F64).reshape(-1, 1, 1, 1)
    return (weights * (answer - noise) ** 2).mean()


def main():
    out = pathlib.Path(
        sys.argv[1]
        if len(sys.argv) > 1
        else pathlib.Path(__file__).resolve().parent.parent
        / "fixtures/models/training_base.safetensors"
    )
    tensors = {}
    vae = networks.vae(networks.MINI["vae"]).requires_grad_(True)
    unet = networks.unet(networks.MINI["unet"]).requires_grad_(True)
    text = networks.clip(TEXT).requires_grad_(True)
    for case, loss, modules in (
        ("vae", vae_loss(vae), [("", vae)]),
        ("base", base_loss(text, unet), [("text_model.", text), ("", unet)]),
    ):
        loss.backward()
        print(f"{case}: loss {loss.item():.9g}")
        tensors[f"{case}.loss"] = loss.detach().to(torch.float32).reshape(1)
        for prefix, module in modules:
            for name, p in module.named_parameters():
                full = name if name.startswith(prefix) else prefix + name
                tensors[f"{case}/{full}"] = describe(full, p.grad)
    save_file(tensors, out)
    out.chmod(0o644)


if __name__ == "__main__":
    main()
