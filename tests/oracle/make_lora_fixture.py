"""Writes tests/fixtures/models/lora.safetensors: ControlNet training with low-rank additions.

    python make_lora_fixture.py [OUT]

As make_training_fixture.py, but the ControlNet has PEFT's LoRA of rank 4, alpha 6, in its attention
projections; trained are these and what the ControlNet has of its own. A and B have pseudo-weights
under their names in the file ("controlnet/<layer>.lora_A.weight"). Of each gradient the norm and
eight projections are stored: "a/<name>" [9]; "losses" and "norms" [5] are those of five steps.
Needs peft besides.
"""

import pathlib
import sys

import torch
from peft import LoraConfig
from safetensors.torch import save_file

import networks
import pseudo
from make_training_fixture import F64, describe, given, loss_of

RANK, ALPHA, STEPS = 4, 6, 5
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def add_lora(controlnet):
    """The additions with pseudo-weights; returns the trained parameters by their names in files."""
    controlnet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    trained = {}
    for name, p in controlnet.named_parameters():
        in_file = name.replace(".default.", ".")
        p.requires_grad_(".lora_" in name or name.startswith("controlnet_"))
        if ".lora_" in name:
            p.data = pseudo.parameter(f"controlnet/{in_file}", tuple(p.shape)).to(F64)
        if p.requires_grad:
            trained[in_file] = p
    return trained


def main():
    out = pathlib.Path(
        sys.argv[1]
        if len(sys.argv) > 1
        else pathlib.Path(__file__).resolve().parent.parent / "fixtures/models/lora.safetensors"
    )
    unet = networks.unet(networks.MINI["unet"]).requires_grad_(False)
    controlnet = networks.controlnet(networks.MINI["controlnet"])
    trained = add_lora(controlnet)
    latent = given("latent", (2, 4, 16, 16), 1.5)
    noise = given("noise", (2, 4, 16, 16), 1.7320508)
    ctx = given("ctx", (2, 11, 40), 1.5)
    cond = given("cond", (2, 3, 128, 128), 0.5, 0.5)
    t = torch.tensor([951, 17])
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=F64) ** 2
    alpha = torch.cumprod(1 - betas, 0)[t].reshape(-1, 1, 1, 1)
    x_t = alpha.sqrt() * latent + (1 - alpha).sqrt() * noise

    optimizer = torch.optim.AdamW(trained.values(), lr=1e-3, weight_decay=1e-2)
    tensors, losses, norms = {}, [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(unet, controlnet, x_t, noise, t, ctx, cond)
        loss.backward()
        if step == 0:
            for name, p in trained.items():
                tensors[f"a/{name}"] = describe(name, p.grad)
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)))
        losses.append(loss.item())
        print(f"step {step}: loss {losses[-1]:.9g}, norm {norms[-1]:.9g}")
        optimizer.step()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float32)
    tensors["norms"] = torch.tensor(norms, dtype=torch.float32)
    print(f"{len(trained)} parameters, {sum(p.numel() for p in trained.values())} numbers")
    save_file(tensors, out)


if __name__ == "__main__":
    main()
