"""Holds cagen generate --lora against diffusers on files that diffusers and PEFT write.

    python compare_lora_files.py CAGEN MODEL

MODEL is a small folder in diffusers' layout (tools/make_model --config mini). Random additions to U-Net
(attention, 1x1 and 3x3 convolutions) and text encoder are saved by save_lora_weights in PEFT's names, in
diffusers' older ones (attention alone) and in kohya's, and fused by diffusers into a model of its own. Latents that
cagen draws with each file must be those that it draws with that model. Exit status 1 when they differ
by more than 1e-5. Needs peft and Pillow besides.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image
from safetensors.torch import load_file, save_file

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


def in_kohyas_names(state, prefix, alpha):
    named = {}
    for name, value in state.items():
        layer, which = name.removesuffix(".weight").rsplit(".lora_", 1)
        if prefix == "lora_te_" and not layer.startswith("text_model."):
            layer = "text_model." + layer
        key = prefix + layer.replace(".", "_")
        named[f"{key}.lora_{'down' if which == 'A' else 'up'}.weight"] = value.contiguous()
        named[f"{key}.alpha"] = torch.tensor(alpha)
    return named


def make_files(model, work, targets, older):
    """Paths of the files that hold the same additions, and the model with them fused."""
    pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    networks = {"unet": (pipe.unet, 4, 6.0, targets), "text_encoder": (pipe.text_encoder, 3, 3.0, ["q_proj", "out_proj"])}
    layers, kohya = {}, {}
    for name, (network, rank, alpha, modules) in networks.items():
        network.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=modules))
        for parameter_name, parameter in network.named_parameters():
            if "lora_" in parameter_name:
                parameter.data = torch.randn_like(parameter) * 0.05
        state = get_peft_model_state_dict(network)
        layers[f"{name}_lora_layers"] = convert_state_dict_to_diffusers(state) if older else state
        layers[f"{name}_lora_adapter_metadata"] = network.peft_config["default"].to_dict()
        kohya |= in_kohyas_names(state, "lora_te_" if name == "text_encoder" else "lora_unet_", alpha)
    StableDiffusionPipeline.save_lora_weights(work / "own", **layers)
    save_file(kohya, work / "kohya.safetensors")
    fused = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    fused.load_lora_weights(str(work / "own"))
    fused.fuse_lora()
    fused.unload_lora_weights()
    fused.save_pretrained(work / "fused")
    return [work / "own", work / "kohya.safetensors"], work / "fused"


def draw(cagen, work, model, *options):
    out = pathlib.Path(tempfile.mkdtemp(dir=work))
    subprocess.run([cagen, "generate", "-q", "--model", model, "--normal", work / "normal.png", "--mask",
                    work / "mask.png", "--prompt", "bent nut", "--steps", "3", "--size", "64", "--dtype", "f32",
                    "--save-latents", out / "latents.safetensors", "--out", out / "made", *options],
                   check=True, stdout=subprocess.DEVNULL)
    return load_file(out / "latents.safetensors")["final.000000"]


def main():
    cagen, model = sys.argv[1:]
    worst = 0
    torch.manual_seed(1)
    for targets, older in ((ATTENTION + ["proj_in", "conv1"], False), (ATTENTION, True)):
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            rng = np.random.default_rng(2)
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(work / "normal.png")
            mask = np.zeros((64, 64), np.uint8)
            mask[16:48, 16:48] = 255
            Image.fromarray(mask).save(work / "mask.png")
            files, fused = make_files(model, work, targets, older)
            want, without = draw(cagen, work, fused), draw(cagen, work, model)
            for file in files:
                error = ((draw(cagen, work, model, "--lora", file) - want).norm() / want.norm()).item()
                worst = max(worst, error)
                print(f"{file.name}{', older names' if older else ''}: {error:.3g} "
                      f"(without: {((without - want).norm() / want.norm()).item():.3g})")
    sys.exit(not worst <= 1e-5)


if __name__ == "__main__":
    main()
