"""Loads a model that cagen trained with diffusers and transformers, and compares.

    python check_model.py CAGEN MODEL

MODEL is a folder in diffusers' layout, CAGEN the program. Checked: StableDiffusionPipeline and
AutoencoderKL take every tensor and miss none; CLIPTokenizer gives the same ids for the vocabulary's
own words, for mixed case, punctuation and letters of other scripts; the pipeline draws a picture.
Exit status 1 when something differs.
"""

import json
import pathlib
import subprocess
import sys

import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from transformers import CLIPTokenizer

PROMPTS = [
    "scratch hex nut",
    "good wood",
    "Missing  TOOTH gear",
    "a crack, a dent; 3 holes & oil's stain!",
    "caf\u00e9 \u7f3a\u9677 \U0001f529",
    "",
]


def check_ids(cagen, model):
    tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
    words = [w.replace("</w>", "") for w in tokenizer.get_vocab() if w.isascii()]
    same = True
    for prompt in PROMPTS + [" ".join(words[i : i + 5]) for i in range(0, len(words), 5)]:
        out = subprocess.run(
            [cagen, "tokenize", "--tokenizer", str(model / "tokenizer"), "--json", "--", prompt],
            capture_output=True,
            check=True,
        )
        ours = json.loads(out.stdout)["ids"]
        theirs = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        if ours != theirs and ours[1 : 1 + len(theirs)] != theirs:
            print(f"ids of {prompt!r}: {ours}, expected {theirs}")
            same = False
    return same


def check_tensors(name, module, path):
    with safe_open(path, "pt") as file:
        names = set(file.keys())
    own = {k for k in module.state_dict() if not k.endswith("position_ids")}
    strip = {n.removeprefix("text_model.") for n in names}
    same = names == own or strip == {n.removeprefix("text_model.") for n in own}
    print(f"{name}: {len(names)} tensors, {'the same' if same else 'NOT the same'} as diffusers'")
    return same


@torch.no_grad()
def main():
    cagen, model = sys.argv[1], pathlib.Path(sys.argv[2])
    pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    weights = "diffusion_pytorch_model.safetensors"
    ok = check_tensors("unet", pipe.unet, model / "unet" / weights)
    ok &= check_tensors("vae", pipe.vae, model / "vae" / weights)
    ok &= check_tensors("text_encoder", pipe.text_encoder, model / "text_encoder/model.safetensors")
    ok &= check_ids(cagen, model)
    size = pipe.unet.config.sample_size * 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    image = pipe(PROMPTS[0], height=size, width=size, num_inference_steps=5).images[0]
    print(f"picture: {image.size}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
