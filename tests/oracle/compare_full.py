"""Compares our outputs on a full-size model with diffusers and transformers.

    python compare_full.py MODEL CONTROLNET OUTPUTS.safetensors [OUTPUTS.safetensors ...]

MODEL is a folder in the layout of Stable Diffusion 1.5, CONTROLNET one with a ControlNet ("-" for
none). Each OUTPUTS file was written by our program; a file whose name holds "bf16" is judged by the
bf16 limit. The inputs are read from the first file, all in NCHW, f32 (ids: i32):

    latent [n,4,h,w]  t [n]  ctx [n,tokens,768]  cond [n,3,8h,8w] in 0..1  ids [n,77]
    image [n,3,h,w] in -1..1  z [n,4,h,w]

and these outputs are compared, as far as a file has them:

    unet.out                             without control
    controlnet.residual.0 .. 11, .mid    scale 1
    unet.out_control                     with those residuals added
    text.hidden                          last_hidden_state
    vae.moments, vae.decoded             no scaling factor

The reference is f32; --bf16 also runs it in bf16 and prints that error for comparison. --pipeline
opens MODEL as a whole too, tokenizer and scheduler included.
"""

import argparse
import pathlib

import diffusers
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file
from transformers import CLIPTextModel

diffusers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
LIMITS = {"f32": 1e-4, "bf16": 3e-2}


def load(kind, folder, dtype):
    """The network in FOLDER; a tensor too few, too many or of another shape is fatal."""
    options = {"dtype" if kind is CLIPTextModel else "torch_dtype": dtype}
    model, info = kind.from_pretrained(
        folder, local_files_only=True, output_loading_info=True, use_safetensors=True, **options
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = [name for name in info.get(problem, []) if not name.endswith("position_ids")]
        if names:
            raise SystemExit(f"{folder}: {problem}: {names[:5]} of {len(names)}")
    count = sum(p.numel() for p in model.parameters())
    print(f"{folder}: {kind.__name__}, {count:,} parameters")
    return model.eval().requires_grad_(False)


def reference(model, controlnet, inputs, dtype, wanted):
    """The reference's outputs, one network in memory at a time."""

    def given(name):
        return inputs[name] if name in ("t", "ids") else inputs[name].to(dtype)

    def has(*names):
        return all(name in inputs for name in names)

    outputs = {}
    if has("ids") and "text.hidden" in wanted:
        text = load(CLIPTextModel, model / "text_encoder", dtype)
        outputs["text.hidden"] = text(input_ids=inputs["ids"].long()).last_hidden_state
        del text
    if wanted & {"vae.moments", "vae.decoded"}:
        vae = load(AutoencoderKL, model / "vae", dtype)
        if has("image"):
            outputs["vae.moments"] = vae.encode(given("image")).latent_dist.parameters
        if has("z"):
            outputs["vae.decoded"] = vae.decode(given("z")).sample
        del vae
    down = mid = None
    if controlnet and has("latent", "t", "ctx", "cond"):
        net = load(ControlNetModel, controlnet, dtype)
        down, mid = net(
            given("latent"), given("t"), given("ctx"), given("cond"), return_dict=False
        )
        for k, residual in enumerate(down):
            outputs[f"controlnet.residual.{k}"] = residual
        outputs["controlnet.residual.mid"] = mid
        del net
    if has("latent", "t", "ctx") and wanted & {"unet.out", "unet.out_control"}:
        unet = load(UNet2DConditionModel, model / "unet", dtype)
        if "unet.out" in wanted:
            outputs["unet.out"] = unet(given("latent"), given("t"), given("ctx")).sample
        if down is not None and "unet.out_control" in wanted:
            outputs["unet.out_control"] = unet(
                given("latent"),
                given("t"),
                given("ctx"),
                down_block_additional_residuals=down,
                mid_block_additional_residual=mid,
            ).sample
    return {name: value.to(torch.float64) for name, value in outputs.items()}


def relative(a, b):
    if a.shape != b.shape:
        raise SystemExit(f"shape {list(a.shape)}, the reference has {list(b.shape)}")
    return float((a.to(torch.float64) - b).norm() / b.norm())


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("controlnet")
    parser.add_argument("outputs", type=pathlib.Path, nargs="+")
    parser.add_argument("--bf16", action="store_true", help="print the reference's own bf16 error")
    parser.add_argument("--pipeline", action="store_true", help="open MODEL as a pipeline first")
    options = parser.parse_args()

    if options.pipeline:
        pipeline = StableDiffusionPipeline.from_pretrained(
            options.model, local_files_only=True, use_safetensors=True, safety_checker=None
        )
        ids = pipeline.tokenizer("scratch metal", padding="max_length", max_length=77).input_ids
        print(f"{options.model}: {type(pipeline).__name__}, {type(pipeline.scheduler).__name__}, "
              f"tokens of 'scratch metal': {ids[:5]}")
        del pipeline
    controlnet = None if options.controlnet == "-" else pathlib.Path(options.controlnet)
    files = {path: load_file(path) for path in options.outputs}
    inputs = files[options.outputs[0]]
    wanted = {name for tensors in files.values() for name in tensors if "." in name}
    expected = reference(options.model, controlnet, inputs, torch.float32, wanted)
    theirs = {}
    if options.bf16:
        theirs = reference(options.model, controlnet, inputs, torch.bfloat16, wanted)

    failed = compared = 0
    for path, tensors in files.items():
        dtype = "bf16" if "bf16" in path.name else "f32"
        print(f"{path} ({dtype}, limit {LIMITS[dtype]:.0e})")
        for name in sorted(wanted & set(tensors)):
            if name not in expected:
                print(f"    {name}: no reference: inputs or ControlNet not given")
                continue
            error = relative(tensors[name], expected[name])
            good = error <= LIMITS[dtype]  # false for NaN
            failed += not good
            compared += 1
            extra = f"  (torch bf16 {relative(theirs[name], expected[name]):.2e})" if theirs else ""
            print(f"    {name:28} {error:.2e}{'' if good else '  TOO MUCH'}{extra}")
    print(f"{compared} compared, {failed} beyond the limit")
    raise SystemExit(1 if failed or not compared else 0)


if __name__ == "__main__":
    main()
