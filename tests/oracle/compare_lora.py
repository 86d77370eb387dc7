"""Checks with diffusers and PEFT what cagen train controlnet --lora or train base --lora has written.

    python compare_lora.py MODEL OUT

MODEL is the folder that OUT was trained from (without --controlnet). The merged ControlNet of OUT
must answer as the untrained one does with OUT/pytorch_lora_weights.safetensors loaded as an adapter
(and what is the ControlNet's own from OUT); the U-Net of OUT/model as MODEL's after load_lora_weights.
Exit status 1 when they differ by more than 1e-5.
"""

import pathlib
import sys

import torch
from diffusers import ControlNetModel, StableDiffusionPipeline, UNet2DConditionModel
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


@torch.no_grad()
def answer_of_unet(unet):
    latent = given("latent", (2, unet.config.in_channels, 16, 16), 1.5)
    ctx = given("ctx", (2, 11, unet.config.cross_attention_dim), 1.5)
    return unet(latent, torch.tensor([951, 17]), ctx, return_dict=False)[0]


def tell(model, got, expected, without):
    config = next(iter(model.peft_config.values()))
    print(f"adapter of rank {config.r}, alpha {config.lora_alpha}")
    error = ((got - expected).norm() / expected.norm()).item()
    effect = ((expected - without).norm() / expected.norm()).item()
    print(f"merged against adapter: {error:.3g} (the adapter's own effect: {effect:.3g})")
    sys.exit(not error <= 1e-5 or not effect > 1e-4)


def compare_base(model, out):
    pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    without = answer_of_unet(pipe.unet)
    pipe.load_lora_weights(str(out))
    merged = UNet2DConditionModel.from_pretrained(out / "model/unet")
    tell(pipe.unet, answer_of_unet(merged), answer_of_unet(pipe.unet), without)


def main():
    model, out = map(pathlib.Path, sys.argv[1:])
    if (out / "model").exists():
        compare_base(model, out)
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
    tell(adapted, answer(merged), answer(adapted), without)


if __name__ == "__main__":
    main()
