"""Samplers in f64 by their formulas; check() compares each with its diffusers class (f32 tables)."""

import math

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

import networks


def alphas():
    root = np.linspace(math.sqrt(0.00085), math.sqrt(0.012), 1000)
    return np.cumprod(1 - root**2)


def leading(steps):
    return [k * (1000 // steps) + 1 for k in range(steps - 1, -1, -1)]


def ddim(predict, x, steps, prediction="epsilon", each=None):
    """eta 0, leading grid; the alpha before the first timestep is that of timestep 0."""
    table = alphas()
    for i, t in enumerate(leading(steps)):
        before = t - 1000 // steps
        a, b = table[t], table[max(before, 0)]
        output = predict(x, t, i)
        if prediction == "epsilon":
            x0, noise = (x - math.sqrt(1 - a) * output) / math.sqrt(a), output
        else:
            x0 = math.sqrt(a) * x - math.sqrt(1 - a) * output
            noise = math.sqrt(a) * output + math.sqrt(1 - a) * x
        x = math.sqrt(b) * x0 + math.sqrt(1 - b) * noise
        if each:
            each(i, x)
    return x


def sigma_table():
    a = alphas()
    return np.sqrt((1 - a) / a)


def solver_grid(steps, karras):
    table = sigma_table()
    if not karras:
        t = np.linspace(0, 999, steps + 1).round()[::-1][:-1].astype(int)
        return t, np.append(table[t], 0.0)
    low, high = table[0] ** (1 / 7), table[-1] ** (1 / 7)
    sigmas = (high + np.arange(steps) / (steps - 1) * (low - high)) ** 7
    t = np.interp(np.log(sigmas), np.log(table), np.arange(1000)).round().astype(int)
    return t, np.append(sigmas, 0.0)


def dpmpp(predict, x, steps, karras=False):
    """DPM-Solver++ 2M, midpoint, first order at the last step."""
    timesteps, sigmas = solver_grid(steps, karras)
    alpha = 1 / np.sqrt(1 + sigmas**2)
    sigma = sigmas * alpha
    previous = None
    for i, t in enumerate(timesteps):
        x0 = (x - sigma[i] * predict(x, int(t), i)) / alpha[i]
        if i == steps - 1:
            return x0
        h = math.log(sigmas[i]) - math.log(sigmas[i + 1])
        d = x0
        if previous is not None:
            r = (math.log(sigmas[i - 1]) - math.log(sigmas[i])) / h
            d = x0 + 0.5 * (x0 - previous) / r
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * math.expm1(-h) * d
        previous = x0


def euler(predict, x, steps):
    """Starts from X times the largest sigma; fractional timesteps (linspace)."""
    table = sigma_table()
    timesteps = np.linspace(0, 999, steps)[::-1]
    sigmas = np.append(np.interp(timesteps, np.arange(1000), table), 0.0)
    x = x * sigmas[0]
    for i, t in enumerate(timesteps):
        noise = predict(x / math.sqrt(sigmas[i] ** 2 + 1), float(t), i)
        x = x + noise * (sigmas[i + 1] - sigmas[i])
    return x


def upstream(name, steps):
    config = dict(networks.SCHEDULER)
    if name.startswith("ddim"):
        if name == "ddim_v":
            config["prediction_type"] = "v_prediction"
        scheduler = DDIMScheduler.from_config(config)
    elif name.startswith("dpmpp"):
        scheduler = DPMSolverMultistepScheduler.from_config(
            config, use_karras_sigmas=name == "dpmpp_karras"
        )
    else:
        scheduler = EulerDiscreteScheduler.from_config(config)
    scheduler.set_timesteps(steps)
    return scheduler


def run_upstream(name, predict, x, steps):
    """The same run with the diffusers class."""
    scheduler = upstream(name, steps)
    x = x * float(scheduler.init_noise_sigma)
    for i, t in enumerate(scheduler.timesteps):
        model_input = scheduler.scale_model_input(x, t)
        output = predict(model_input, t.item(), i)
        x = scheduler.step(output, t, x).prev_sample.to(torch.float64)
    return x
