"""Writes tests/fixtures/models/: configurations, inputs and expected outputs of the mini networks.

    python make_model_fixtures.py [--intermediates FILE] [OUT]

Everything is computed in f64 and stored as f32 in the reference's order (NCHW). Weights are not
stored: both sides compute them from the tensors' names (pseudo.py). --intermediates also writes the
outputs of single blocks, for finding out where an implementation goes astray.
"""

import argparse
import json
import pathlib

import torch
from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline
from safetensors.torch import save_file

import networks
import pseudo
import samplers

F64 = torch.float64
SCALE = 0.18215
HERE = pathlib.Path(__file__).resolve().parent


def given(name, shape, scale=1.0, bias=0.0):
    return pseudo.given(name, shape, scale, bias).to(F64)


def relative(a, b):
    return float((a - b).norm() / b.norm())


def expect(what, error, limit):
    print(f"{what}: {error:.2e}")
    if not error < limit:
        raise SystemExit(f"{what}: {error:.2e} is above {limit:.0e}")


class Recorder:
    """Keeps the outputs of chosen submodules of one forward pass."""

    def __init__(self):
        self.found = {}

    def watch(self, module, prefix, paths):
        return [
            module.get_submodule(path).register_forward_hook(
                lambda _m, _i, output, key=f"{prefix}.{path}": self.keep(key, output)
            )
            for path in paths
        ]

    def keep(self, key, output):
        while not torch.is_tensor(output):
            output = output[0]
        self.found.setdefault(key, output.clone())


def unet_paths():
    for block in range(4):
        for layer in range(2):
            yield f"down_blocks.{block}.resnets.{layer}"
            if block < 3:
                yield f"down_blocks.{block}.attentions.{layer}"
        if block < 3:
            yield f"down_blocks.{block}.downsamplers.0"
    yield from ["time_embedding", "conv_in", "mid_block"]
    for block in range(4):
        yield f"up_blocks.{block}"


def network_inputs():
    """The arguments that U-Net and ControlNet share: batch of two, and one that is not square."""
    square = dict(
        latent=given("latent", (2, 4, 16, 16), 1.5),
        t=torch.tensor([951, 17]),
        ctx=given("ctx", (2, 11, 40), 1.5),
        cond=given("cond", (2, 3, 128, 128), 0.5, 0.5),
    )
    odd = dict(
        latent=given("latent_odd", (1, 4, 20, 12), 1.5),
        t=torch.tensor([300]),
        ctx=square["ctx"][:1],
        cond=given("cond_odd", (1, 3, 160, 96), 0.5, 0.5),
    )
    return square, odd


def residuals(net, inputs, scale=1.0, guess=False):
    down, mid = net(
        inputs["latent"],
        inputs["t"],
        inputs["ctx"],
        inputs["cond"],
        conditioning_scale=scale,
        guess_mode=guess,
        return_dict=False,
    )
    return list(down), mid


def controlled(net, inputs, control):
    down, mid = control
    return net(
        inputs["latent"],
        inputs["t"],
        inputs["ctx"],
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample


def named(prefix, control):
    down, mid = control
    tensors = {f"{prefix}.{k}": residual for k, residual in enumerate(down)}
    tensors[f"{prefix}.mid"] = mid
    return tensors


def unet_and_controlnet(unet, controlnet, recorder):
    square, odd = network_inputs()
    hooks = recorder.watch(unet, "unet", unet_paths())
    out = unet(square["latent"], square["t"], square["ctx"]).sample
    for hook in hooks:
        hook.remove()
    hooks = recorder.watch(
        controlnet, "controlnet", ["controlnet_cond_embedding", "conv_in", "mid_block"]
    )
    plain = residuals(controlnet, square)
    for hook in hooks:
        hook.remove()
    guess = residuals(controlnet, square, 0.5, True)
    plain_odd = residuals(controlnet, odd)

    shared = {key: square[key] for key in ("latent", "t", "ctx")}
    shared_odd = {f"odd.{key}": odd[key] for key in ("latent", "t", "ctx")}
    unet_file = shared | shared_odd | dict(out=out)
    unet_file["odd.out"] = unet(odd["latent"], odd["t"], odd["ctx"]).sample
    unet_file["out_control"] = controlled(unet, square, plain)
    unet_file["out_guess"] = controlled(unet, square, guess)
    unet_file["odd.out_control"] = controlled(unet, odd, plain_odd)
    controlnet_file = shared | shared_odd | {"cond": square["cond"], "odd.cond": odd["cond"]}
    controlnet_file |= named("residual", plain) | named("guess", guess)
    controlnet_file |= named("odd.residual", plain_odd)
    return unet_file, controlnet_file


def vae_file(vae):
    image, big = given("image", (1, 3, 64, 64)), given("image_big", (1, 3, 96, 136))
    z, z_big = given("z", (1, 4, 8, 8), 3), given("z_big", (2, 4, 12, 17), 3)
    return {
        "image": image,
        "moments": vae.encode(image).latent_dist.parameters,
        "z": z,
        "decoded": vae.decode(z).sample,
        "odd.image": big,
        "odd.moments": vae.encode(big).latent_dist.parameters,
        "odd.z": z_big,
        "odd.decoded": vae.decode(z_big).sample,
    }


def taesd_file(taesd):
    image, big = given("image", (1, 3, 64, 64)), given("image_odd", (1, 3, 48, 80))
    z, z_big = given("z", (1, 4, 8, 8), 3), given("z_odd", (2, 4, 6, 10), 3)
    return {
        "image": image,
        "latent": taesd.encode(image).latents,
        "z": z,
        "decoded": taesd.decode(z).sample,
        "odd.image": big,
        "odd.latent": taesd.encode(big).latents,
        "odd.z": z_big,
        "odd.decoded": taesd.decode(z_big).sample,
    }


def clip_file(config):
    ids = torch.from_numpy(
        ((pseudo.units("input/ids", 2 * 77) + 1) / 2 * config["vocab_size"]).astype("int32")
    ).reshape(2, 77)
    tensors = dict(ids=ids)
    for activation in ("quick_gelu", "gelu"):
        model = networks.clip(config | dict(hidden_act=activation))
        tensors[f"{activation}.hidden"] = networks.clip_hidden(model, ids)
        tensors[f"{activation}.skip1"] = networks.clip_hidden(model, ids, 1)
        tensors[f"{activation}.skip2"] = networks.clip_hidden(model, ids, 2)
    return tensors


class Guided:
    """The noise prediction with guidance 7.5 and ControlNet, as the diffusers pipeline does it."""

    def __init__(self, unet, controlnet, start=0.0, end=1.0, guess=False, steps=10):
        self.unet, self.controlnet = unet, controlnet
        self.start, self.end, self.guess, self.steps = start, end, guess, steps
        self.text = given("ctx", (1, 11, 40), 1.5)
        self.empty = given("ctx_uncond", (1, 11, 40), 1.5)
        self.cond = given("cond", (1, 3, 128, 128), 0.5, 0.5)

    def __call__(self, x, t, step):
        both = dict(
            latent=torch.cat([x, x]),
            t=torch.tensor([t, t]),
            ctx=torch.cat([self.empty, self.text]),
            cond=torch.cat([self.cond, self.cond]),
        )
        if step / self.steps < self.start or (step + 1) / self.steps > self.end:
            output = self.unet(both["latent"], both["t"], both["ctx"]).sample
        elif self.guess:
            half = dict(
                latent=x, t=torch.tensor([t]), ctx=self.text, cond=self.cond
            )
            down, mid = residuals(self.controlnet, half, 1.0, True)
            down = [torch.cat([torch.zeros_like(d), d]) for d in down]
            mid = torch.cat([torch.zeros_like(mid), mid])
            output = controlled(self.unet, both, (down, mid))
        else:
            output = controlled(self.unet, both, residuals(self.controlnet, both))
        empty, text = output.chunk(2)
        return empty + 7.5 * (text - empty)


def sampling_file(unet, controlnet):
    steps = 10
    start = given("latent", (1, 4, 16, 16), 1.7320508)
    guided = Guided(unet, controlnet)
    tensors = dict(x_T=start, ctx=guided.text, ctx_uncond=guided.empty, cond=guided.cond)

    def keep(i, x):
        if i + 1 in (1, 2, 5):
            tensors[f"ddim.step{i + 1}"] = x

    runs = {
        "ddim": lambda: samplers.ddim(guided, start, steps, each=keep),
        "ddim_v": lambda: samplers.ddim(guided, start, steps, "v_prediction"),
        "dpmpp": lambda: samplers.dpmpp(guided, start, steps),
        "dpmpp_karras": lambda: samplers.dpmpp(guided, start, steps, karras=True),
        "euler": lambda: samplers.euler(guided, start, steps),
    }
    for name, run in runs.items():
        tensors[f"{name}.final"] = run()
        theirs = samplers.run_upstream(name, guided, start, steps)
        expect(f"{name} against the diffusers class", relative(tensors[f"{name}.final"], theirs), 2e-5)
    part = Guided(unet, controlnet, start=0.2, end=0.7)
    tensors["ddim_part.final"] = samplers.ddim(part, start, steps)
    guess = Guided(unet, controlnet, guess=True)
    tensors["ddim_guess.final"] = samplers.ddim(guess, start, steps)
    return tensors


def check_pipeline(tensors):
    """The whole loop once more, by the diffusers pipeline itself (f32)."""
    pipeline = StableDiffusionControlNetPipeline(
        vae=networks.vae(networks.MINI["vae"], torch.float32),
        text_encoder=None,
        tokenizer=None,
        unet=networks.unet(networks.MINI["unet"], torch.float32),
        controlnet=networks.controlnet(networks.MINI["controlnet"], torch.float32),
        scheduler=DDIMScheduler.from_config(networks.SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    for name, options in (
        ("ddim", {}),
        ("ddim_part", dict(control_guidance_start=0.2, control_guidance_end=0.7)),
        ("ddim_guess", dict(guess_mode=True)),
    ):
        latents = pipeline(
            prompt_embeds=tensors["ctx"].float(),
            negative_prompt_embeds=tensors["ctx_uncond"].float(),
            image=tensors["cond"].float(),
            latents=tensors["x_T"].float(),
            num_inference_steps=10,
            guidance_scale=7.5,
            controlnet_conditioning_scale=1.0,
            output_type="latent",
            **options,
        ).images
        error = relative(tensors[f"{name}.final"], latents.to(F64))
        expect(f"{name} against the diffusers pipeline", error, 1e-4)


def fusion_file(vae, z_g):
    image = given("image", (1, 3, 128, 128))
    mask = torch.zeros(1, 1, 16, 16, dtype=F64)
    mask[:, :, 4:10, 5:12] = 1
    z_i = SCALE * vae.encode(image).latent_dist.mode()
    z_f = z_g * mask + z_i * (1 - mask)
    return {
        "image": image,
        "mask": mask,
        "z_g": z_g,
        "z_i": z_i,
        "z_f": z_f,
        "generated": vae.decode(z_g / SCALE).sample,
        "fused": vae.decode(z_f / SCALE).sample,
    }


def save(path, tensors):
    stored = {
        key: value.contiguous().clone().to(torch.int32 if value.dtype == torch.int32 else torch.float32)
        for key, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path)
    print(f"{path.name}: {len(stored)} tensors, {path.stat().st_size} bytes")


def save_configs(out, taesd):
    """The mini model as a diffusers folder without its weights."""
    index = dict(
        _class_name="StableDiffusionPipeline",
        _diffusers_version="0.6.0",
        feature_extractor=[None, None],
        safety_checker=[None, None],
        scheduler=["diffusers", "PNDMScheduler"],
        text_encoder=["transformers", "CLIPTextModel"],
        tokenizer=["transformers", "CLIPTokenizer"],
        unet=["diffusers", "UNet2DConditionModel"],
        vae=["diffusers", "AutoencoderKL"],
    )
    tiny = {
        key: taesd.config[key]
        for key in (
            "act_fn decoder_block_out_channels encoder_block_out_channels in_channels "
            "latent_channels num_decoder_blocks num_encoder_blocks out_channels scaling_factor "
            "upsampling_scaling_factor"
        ).split()
    }
    mini = networks.MINI
    configs = {
        "mini/model_index.json": index,
        "mini/unet/config.json": dict(_class_name="UNet2DConditionModel") | mini["unet"],
        "mini/vae/config.json": dict(_class_name="AutoencoderKL") | mini["vae"],
        "mini/text_encoder/config.json": dict(architectures=["CLIPTextModel"]) | mini["clip"],
        "mini/scheduler/scheduler_config.json": networks.SCHEDULER,
        "controlnet/config.json": dict(_class_name="ControlNetModel") | mini["controlnet"],
        "taesd/config.json": dict(_class_name="AutoencoderTiny") | tiny,
    }
    for name, config in configs.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intermediates", type=pathlib.Path)
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=HERE.parent / "fixtures/models")
    options = parser.parse_args()

    torch.set_default_dtype(torch.float64)  # guess mode's factors too
    unet = networks.unet(networks.MINI["unet"])
    controlnet = networks.controlnet(networks.MINI["controlnet"])
    vae = networks.vae(networks.MINI["vae"])
    taesd = networks.taesd()
    recorder = Recorder()

    unet_file, controlnet_file = unet_and_controlnet(unet, controlnet, recorder)
    sampling = sampling_file(unet, controlnet)
    files = dict(
        unet=unet_file,
        controlnet=controlnet_file,
        vae=vae_file(vae),
        taesd=taesd_file(taesd),
        clip=clip_file(networks.MINI["clip"]),
        sampling=sampling,
        fusion=fusion_file(vae, sampling["ddim.final"]),
    )
    for name, tensors in files.items():
        save(options.out / f"{name}.safetensors", tensors)
    save_configs(options.out, taesd)
    if options.intermediates:
        save(options.intermediates, recorder.found)
    torch.set_default_dtype(torch.float32)
    check_pipeline(sampling)


if __name__ == "__main__":
    main()
