"""Weights and inputs computed from their names; tests/support/pseudo.h is the same rule in C.

seed = FNV-1a 64 of the name's bytes. Element i (row-major): z = seed + (i + 1) * golden, mixed as in
SplitMix64; u = (z >> 40) / 2^23 - 1, in [-1, 1), exact in f32.

Parameters are named "<component>/<tensor name>". Rank >= 2: u / sqrt(product of all dims but the
first). Rank 1: 1 + 0.1 u when the name ends in ".weight", else 0.1 u. Inputs are named "input/<n>":
bias + scale * u. Computed in f64, rounded to f32.
"""

import math

import numpy as np
import torch

MASK = (1 << 64) - 1


def seed(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def units(name, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1


def given(name, shape, scale=1.0, bias=0.0):
    """The input NAME as an f32 tensor."""
    values = bias + scale * units("input/" + name, math.prod(shape))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def parameter(name, shape):
    u = units(name, math.prod(shape))
    if len(shape) >= 2:
        values = u / math.sqrt(math.prod(shape[1:]))
    elif name.endswith(".weight"):
        values = 1 + 0.1 * u
    else:
        values = 0.1 * u
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


@torch.no_grad()
def fill(module, component):
    """Gives every parameter of MODULE its pseudo-weight, without changing the module's dtype."""
    for name, tensor in module.named_parameters():
        if component == "clip" and not name.startswith("text_model."):
            name = "text_model." + name  # newer transformers drop the prefix, files keep it
        tensor.copy_(parameter(f"{component}/{name}", tuple(tensor.shape)))
    return module


assert seed("") == 0xCBF29CE484222325
assert seed("unet/conv_in.weight") == 0xB4A5CA5C0D150196
