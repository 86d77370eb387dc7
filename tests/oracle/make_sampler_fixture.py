"""Writes tests/fixtures/diffusion/: what the diffusers schedulers do, for our samplers to equal.

    python make_sampler_fixture.py [OUT]

samplers.safetensors: a state `x_T` [2, 6, 5, 4] and noise for each step `noise` [30, 2, 6, 5, 4],
both channels last, and under "<sampler>/<steps>/<spacing>/<prediction>[/<schedule>]" the state after
the last step. The network is stand_in() below; the schedule is networks.SCHEDULER with the changes
in SCHEDULES. "<sampler>/.../fuse" are runs mixed with `z_i` outside `mask` after every step.
schedules.safetensors: tables of noise schedules, add_noise and get_velocity, and for every number
of steps a hash of the timestep grid.
masks.safetensors: masks made smaller by torch's pooling.
"""

import pathlib
import sys

import diffusers.schedulers.scheduling_ddpm as ddpm_module
import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)
from safetensors.numpy import save_file

import networks

HERE = pathlib.Path(__file__).resolve().parent
SHAPE = (2, 6, 5, 4)
STEPS = (5, 10, 20, 30)
SPACINGS = ("leading", "trailing", "linspace")
PREDICTIONS = ("epsilon", "v_prediction")
SCHEDULES = {
    None: {},
    "zero-snr": {"rescale_betas_zero_snr": True},
    "squaredcos": {"beta_schedule": "squaredcos_cap_v2"},
    "linear": {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    "to-one": {"set_alpha_to_one": True},
    "large": {"variance_type": "fixed_large"},
}
SAMPLERS = {
    "ddim": (DDIMScheduler, {}),
    "ddim-eta1": (DDIMScheduler, {}),
    "ddpm": (DDPMScheduler, {}),
    "dpmpp-2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp-2m-karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler-karras": (EulerDiscreteScheduler, {"use_karras_sigmas": True}),
    "pndm": (PNDMScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}),
    "unipc-karras": (UniPCMultistepScheduler, {"use_karras_sigmas": True}),
}


def scheduler_of(sampler, **changes):
    cls, own = SAMPLERS[sampler]
    config = {**networks.SCHEDULER, "clip_sample": False, **own, **changes}
    config.pop("_class_name", None)
    return cls.from_config(config)


def exact_tables(scheduler):
    """f64 instead of f32 where f32 loses more than our tests allow: the first sigma of linear and
    cosine schedules is off by up to 3e-5."""
    c = scheduler.config
    if c.beta_schedule == "linear":
        betas = np.linspace(c.beta_start, c.beta_end, 1000)
    else:
        bar = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - bar[1:] / bar[:-1], 0.999)
    scheduler.alphas_cumprod = torch.from_numpy(np.cumprod(1 - betas))
    if hasattr(scheduler, "final_alpha_cumprod"):
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0]


def stand_in(x, t):
    """Mixes channels, so that layout counts; f64 inside, f32 outside, as on our side."""
    x = x.double()
    return (0.6 * x + 0.3 * np.sin(0.01 * float(t)) + 0.1 * torch.cos(1.3 * x.roll(-1, 1))).float()


def step(scheduler, sampler, output, t, x, noise):
    if sampler == "ddim-eta1":
        return scheduler.step(output, t, x, eta=1.0, variance_noise=noise).prev_sample
    ddpm_module.randn_tensor = lambda *args, **kwargs: noise
    return scheduler.step(output, t, x).prev_sample


def run(sampler, scheduler, steps, x, noise, fuse=None):
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    x = x * scheduler.init_noise_sigma
    timesteps = scheduler.timesteps
    for i, t in enumerate(timesteps):
        output = stand_in(scheduler.scale_model_input(x, t), t)
        x = step(scheduler, sampler, output, t, x, noise[min(i, len(noise) - 1)])
        if fuse:
            z_i, mask, eps = fuse
            known = z_i
            if i + 1 < len(timesteps):
                known = scheduler.add_noise(z_i, eps, timesteps[i + 1 : i + 2])
            x = mask * x + (1 - mask) * known
    assert torch.isfinite(x).all(), sampler
    return x.float()


def last(x):
    return np.ascontiguousarray(x.movedim(-3, -1).numpy())


def samplers():
    generator = torch.Generator().manual_seed(8)
    n, h, w, c = SHAPE
    x_T = torch.randn((n, c, h, w), generator=generator)
    noise = torch.randn((max(STEPS), n, c, h, w), generator=generator)
    z_i = torch.randn((n, c, h, w), generator=generator)
    mask = torch.rand((n, 1, h, w), generator=generator)
    mask = torch.where(mask < 0.3, 0.0, torch.where(mask > 0.6, 1.0, mask))
    out = {"x_T": last(x_T), "noise": last(noise), "z_i": last(z_i)}
    out["mask"] = np.ascontiguousarray(mask[:, 0].numpy())

    def add(sampler, steps, spacing, prediction, schedule=None, fuse=None):
        changes = dict(SCHEDULES[schedule], prediction_type=prediction, timestep_spacing=spacing)
        scheduler = scheduler_of(sampler, **changes)
        if schedule in ("linear", "squaredcos"):
            exact_tables(scheduler)
        x = run(sampler, scheduler, steps, x_T, noise, fuse)
        name = f"{sampler}/{steps}/{spacing}/{prediction}"
        name += f"/{schedule}" if schedule else "/fuse" if fuse else ""
        out[name] = last(x)

    for sampler in SAMPLERS:
        whole = sampler in ("dpmpp-2m-karras", "unipc-karras")  # no spacing in their grids
        for spacing in ("linspace",) if whole else SPACINGS:
            for steps in STEPS:
                for prediction in PREDICTIONS:
                    add(sampler, steps, spacing, prediction)
        if sampler != "pndm":
            add(sampler, 10, "trailing", "v_prediction", "zero-snr")
        # dpmpp-2m-karras cuts fractional timesteps on this schedule; we round them.
        if sampler != "dpmpp-2m-karras":
            add(sampler, 10, "leading", "epsilon", "squaredcos")
        add(sampler, 10, "leading", "epsilon", "linear")
        if sampler in ("ddim", "ddpm", "dpmpp-2m", "euler", "euler-karras", "pndm", "unipc"):
            add(sampler, 10, "leading", "epsilon", fuse=(z_i, mask, x_T))
    for sampler in ("ddim", "ddim-eta1", "pndm"):
        add(sampler, 10, "leading", "epsilon", "to-one")
        add(sampler, 10, "linspace", "epsilon", "to-one")
    add("ddpm", 10, "leading", "epsilon", "large")
    for sampler in SAMPLERS:
        if sampler != "euler-karras":
            add(sampler, 1, "trailing", "epsilon")
    return out


def fnv(values):
    h = 0xCBF29CE484222325
    for byte in np.asarray(values, np.int32).tobytes():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def grid_hashes(sampler, spacing):
    """For 1..1000 steps; 0 where the grid repeats timesteps, leaves 0..999 or starts next to 0."""
    scheduler = scheduler_of(sampler, timestep_spacing=spacing)
    hashes, surplus = [], 0
    for steps in range(1, 1001):
        scheduler.set_timesteps(steps)
        t = scheduler.timesteps.numpy()
        surplus += len(t) != steps
        t = t[:steps]
        wrong = (np.diff(t) >= 0).any() or t[0] > 999 or t[-1] < 0
        if steps == 1 and sampler == "ddim" and spacing != "trailing":
            wrong = True
        hashes.append(0 if wrong else fnv(t))
    print(f"{sampler} {spacing}: {surplus} grids of diffusers have a timestep too many")
    return np.array(hashes, np.uint64).view(np.int64)


def schedules():
    out = {}
    for name in ("linear", "squaredcos", "zero-snr", None):
        changes = dict(SCHEDULES[name])
        out[f"alphas_cumprod/{name or 'scaled_linear'}"] = (
            scheduler_of("ddim", **changes).alphas_cumprod.numpy()
        )
    for sampler in ("ddim", "dpmpp-2m"):
        for spacing in SPACINGS:
            out[f"grid/{sampler}/{spacing}"] = grid_hashes(sampler, spacing)
    generator = torch.Generator().manual_seed(9)
    x0, noise = torch.randn((2, 2, 7), generator=generator)
    t = torch.tensor([951, 17])
    scheduler = scheduler_of("ddpm")
    out |= {"x0": x0.numpy(), "noise": noise.numpy(), "t": t.numpy()}
    out["add_noise"] = scheduler.add_noise(x0, noise, t).numpy()
    out["velocity"] = scheduler.get_velocity(x0, noise, t).numpy()
    return out


def masks():
    out = {}
    rng = np.random.default_rng(3)
    pool = torch.nn.functional
    for name, (height, width), size in (
        ("even", (48, 40), (6, 5)),
        ("odd", (50, 43), (6, 5)),
        ("tall", (64, 24), (8, 3)),
        ("same", (6, 5), (6, 5)),
    ):
        y, x = np.mgrid[:height, :width]
        mask = ((x - 0.55 * width) ** 2 * 2 + (y - 0.4 * height) ** 2 < (0.3 * height) ** 2) * 255
        mask[rng.random(mask.shape) < 0.03] = 255
        out[f"{name}/mask"] = mask.astype(np.uint8)
        t = torch.from_numpy(mask / 255.0)[None, None]
        out[f"{name}/max"] = pool.adaptive_max_pool2d(t, size)[0, 0].float().numpy()
        out[f"{name}/area"] = pool.interpolate(t, size, mode="area")[0, 0].float().numpy()
        out[f"{name}/nearest"] = pool.interpolate(t, size, mode="nearest")[0, 0].float().numpy()
    return out


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures/diffusion"
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("samplers", samplers), ("schedules", schedules), ("masks", masks)):
        tensors = make()
        save_file(tensors, folder / f"{name}.safetensors")
        print(f"{name}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
