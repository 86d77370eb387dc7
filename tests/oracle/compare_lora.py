"""Checks with diffusers and PEFT what cagen train controlnet --lora has written.

    python compare_lora.py MODEL OUT

MODEL is the folder that OUT was trained from (without --controlnet). The merged ControlNet of OUT
must answer as the untrained one does with OUT/pytorch_lora_weights.safetensors loaded as an adapter
(and what is the ControlNet's own from OUT). Exit status 1 when they differ by more than 1e-5.
"""

import pathlib
import sys

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file

import pseudo


def given(name, shape, scale=1.0, bias=0.0):
    return pseudo.given(name, shape, scale, bias)


@torch.no_grad()
def answer(controlnet):
    width = controlnet.config.cross_attention_dim
    down, mid = controlnet(
        given("latent", (2, 4, 16, 16), 1.5),
        torch.tensor([951, 17]),
        given("ctx", (2, 11, width), 1.5),
        given("cond", (2, 3, 128, 128), 0.5, 0.5),
        return_dict=False,
    )
    return torch.cat([r.flatten() for r in (*down, mid)])


def main():
    model, out = map(pathlib.Path, sys.argv[1:])
    merged = ControlNetModel.from_pretrained(out)
    unet = UNet2DConditionModel.from_pretrained(model / "unet")
    adapted = ControlNetModel.from_unet(
        unet,
        conditioning_embedding_out_channels=merged.config.conditioning_embedding_out_channels,
    )
    trained = load_file(out / "diffusion_pytorch_model.safetensors")
    own = {k: v.float() for k, v in trained.items() if k.startswith("controlnet_")}
    print(f"{len(own)} tensors of its own:", adapted.load_state_dict(own, strict=False).unexpected_keys)
    without = answer(adapted)
    adapted.load_lora_adapter(
        str(out), prefix=None, weight_name="pytorch_lora_weights.safetensors"
    )
    config = next(iter(adapted.peft_config.values()))
    print(f"adapter of rank {config.r}, alpha {config.lora_alpha}")
    expected, got = answer(adapted), answer(merged)
    error = ((got - expected).norm() / expected.norm()).item()
    effect = ((expected - without).norm() / expected.norm()).item()
    print(f"merged against adapter: {error:.3g} (the adapter's own effect: {effect:.3g})")
    sys.exit(not error <= 1e-5 or not effect > 1e-4)


if __name__ == "__main__":
    main()
