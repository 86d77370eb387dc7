"""Writes what PyTorch says that rows of tests/support/optable.c give: tests/fixtures/ops.safetensors,
their results, and gradients.safetensors, for some, the gradients of sum(dy y).

    python make_ops.py [FOLDER]

A result is named for its row, a gradient ROW/dx and so on. Inputs follow from the row's name, as in
optable.c; everything is computed in f64 and stored as f32, images as [n, h, w, c].
"""

import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import pseudo

HERE = pathlib.Path(__file__).resolve().parent
SILU, RELU = F.silu, F.relu


INPUTS = {}  # of the row at hand, by name


def given(case, what, shape, mean=0.0, deviation=1.0):
    """Uniform numbers, rounded to f32 as the engines get them."""
    u = pseudo.units(f"{case}/{what}", math.prod(shape))
    values = mean + deviation * math.sqrt(3.0) * u
    values = torch.from_numpy(values).to(torch.float32).to(torch.float64).reshape(shape)
    INPUTS[what] = values.requires_grad_()
    return values


def image(case, what, shape, **how):
    """[n, h, w, c] as PyTorch's [n, c, h, w]."""
    return given(case, what, shape, **how).permute(0, 3, 1, 2)


def weight(case, shape):
    return given(case, "w", shape, deviation=1 / math.sqrt(math.prod(shape[1:])))


def conv(case, x, out, kernel=3, stride=1, pad=(1, 1, 1, 1), bias="bias", act=None):
    """pad: left, right, top, bottom, as F.pad has it."""
    y = F.pad(image(case, "x", x), pad)
    y = F.conv2d(y, weight(case, (out, x[3], kernel, kernel)), given(case, bias, (out,)), stride)
    y = (act(y) if act else y).permute(0, 2, 3, 1)
    return y + given(case, "residual", tuple(y.shape)) if "residual" in case else y


def linear(case, x, out, act=None):
    y = F.linear(given(case, "x", x), weight(case, (out, x[-1])), given(case, "bias", (out,)))
    return act(y) if act else y


def attention(case, n, tq, heads, d, tk, causal=False):
    def split(what, t):
        return given(case, what, (n, t, heads * d)).reshape(n, t, heads, d).transpose(1, 2)

    y = F.scaled_dot_product_attention(
        split("q", tq), split("k", tk), split("v", tk), is_causal=causal
    )
    return y.transpose(1, 2).reshape(n, tq, heads * d)


def group_norm(case, x, groups, eps, act=None, **how):
    c = x[-1]
    gamma, beta = norm_parameters(case, c)
    y = F.group_norm(image(case, "x", x, **how), groups, gamma, beta, eps)
    return (act(y) if act else y).permute(0, 2, 3, 1)


def batch_norm(case, x, eps=1e-5, act=None, **how):
    """y, then the running mean and variance."""
    gamma, beta = norm_parameters(case, x[-1])
    running = [
        given(case, "mean", (x[-1],)).detach().clone(),
        given(case, "variance", (x[-1],), mean=1, deviation=0.3).detach().clone(),
    ]
    del INPUTS["mean"], INPUTS["variance"]
    y = F.batch_norm(image(case, "x", x, **how), *running, gamma, beta, True, 0.1, eps)
    y = (act(y) if act else y).permute(0, 2, 3, 1)
    return (y, *running)


def batch_norm_fixed(case, x, eps=1e-5):
    gamma, beta = norm_parameters(case, x[-1])
    mean = given(case, "mean", (x[-1],)).detach()
    variance = given(case, "variance", (x[-1],), mean=1, deviation=0.3).detach()
    y = F.batch_norm(image(case, "x", x), mean, variance, gamma, beta, False, 0.1, eps)
    return y.permute(0, 2, 3, 1)


def bilinear(case, x, size):
    y = F.interpolate(image(case, "x", x), size=size, mode="bilinear", align_corners=True)
    return y.permute(0, 2, 3, 1)


def max_pool(case, x, kernel, stride, pad):
    return F.max_pool2d(image(case, "x", x), kernel, stride, pad).permute(0, 2, 3, 1)


def average_pool(case, x):
    return image(case, "x", x).mean((2, 3))


def layer_norm(case, x, eps, **how):
    gamma, beta = norm_parameters(case, x[-1])
    return F.layer_norm(given(case, "x", x, **how), x[-1:], gamma, beta, eps)


def norm_parameters(case, c):
    return given(case, "gamma", (c,), mean=1, deviation=0.3), given(
        case, "beta", (c,), deviation=0.5
    )


def pointwise(case, x, f, **how):
    return f(given(case, "x", x, **how))


def geglu(x):
    value, gate = x.chunk(2, dim=-1)
    return value * F.gelu(gate)


def add_channels(case, x):
    return given(case, "x", x) + given(case, "v", (x[0], x[-1]))[:, None, None, :]


def upsample(case, x, size):
    return F.interpolate(image(case, "x", x), size=size, mode="nearest").permute(0, 2, 3, 1)


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


ROWS = {
    "conv 3x3": (conv, (2, 9, 7, 20), 36),
    "conv 3x3 stride 2": (conv, (2, 11, 8, 32), 48, 3, 2),
    "conv 3x3 stride 2 padded right and below": (conv, (2, 10, 13, 24), 40, 3, 2, (0, 1, 0, 1)),
    "conv 1x1": (conv, (2, 5, 9, 48), 33, 1, 1, (0, 0, 0, 0)),
    "conv of 3 channels": (conv, (1, 13, 10, 3), 16),
    "conv + residual": (conv, (2, 9, 7, 20), 36),
    "conv with another bias": (conv, (2, 5, 7, 32), 40, 3, 1, (1, 1, 1, 1), "other_bias"),
    "conv silu": (conv, (2, 5, 7, 32), 40, 3, 1, (1, 1, 1, 1), "bias", SILU),
    "linear of one row": (linear, (1, 320), 129),
    "linear of odd rows": (linear, (2, 77, 40), 67),
    "linear gelu": (linear, (21, 48), 64, F.gelu),
    "linear quick gelu": (linear, (21, 48), 64, quick_gelu),
    "linear relu": (linear, (21, 48), 64, RELU),
    "attention of 80": (attention, 2, 33, 2, 80, 47),
    "attention of 8, causal": (attention, 2, 19, 2, 8, 19, True),
    "group norm": (group_norm, (2, 9, 7, 40), 4, 1e-5),
    "group norm gelu": (group_norm, (2, 5, 3, 40), 8, 1e-5, F.gelu),
    "group norm relu": (group_norm, (2, 5, 3, 40), 8, 1e-5, RELU),
    "layer norm of odd columns": (layer_norm, (2, 9, 131), 1e-5),
    "silu": (pointwise, (2, 55, 37), SILU),
    "gelu": (pointwise, (2, 55, 37), F.gelu),
    "quick gelu": (pointwise, (2, 55, 37), quick_gelu),
    "geglu": (pointwise, (2, 33, 160), geglu),
    "geglu of odd columns": (pointwise, (2, 29, 86), geglu),
    "add channels": (add_channels, (3, 5, 7, 35)),
    "upsample to odd sizes": (upsample, (2, 5, 7, 19), (9, 13)),
    "sigmoid": (pointwise, (2, 55, 37), torch.sigmoid),
    "batch norm": (batch_norm, (3, 9, 7, 21)),
    "batch norm fixed": (batch_norm_fixed, (3, 9, 7, 21)),
    "bilinear twice": (bilinear, (2, 5, 7, 19), (10, 14)),
    "bilinear to odd sizes": (bilinear, (2, 4, 6, 33), (13, 9)),
    "max pool 2x2": (max_pool, (2, 11, 8, 21), 2, 2, 0),
    "max pool 3x3 padded": (max_pool, (2, 12, 9, 35), 3, 2, 1),
    "average pool": (average_pool, (3, 7, 5, 37)),
    "softmax of short rows": (pointwise, (11, 3), lambda x: x.softmax(-1)),
}
# Rows that have their gradients stored.
GRADIENTS = [
    "conv 3x3",
    "conv 3x3 stride 2 padded right and below",
    "conv of 3 channels",
    "conv 1x1",
    "linear of odd rows",
    "attention of 80",
    "attention of 8, causal",
    "group norm",
    "group norm gelu",
    "layer norm of odd columns",
    "silu",
    "gelu",
    "quick gelu",
    "geglu of odd columns",
    "upsample to odd sizes",
    "softmax of short rows",
    "add channels",
    "batch norm",
    "bilinear twice",
    "bilinear to odd sizes",
    "max pool 2x2",
    "max pool 3x3 padded",
]
DEVIATIONS = {"sigmoid": 4, "silu": 4, "gelu": 3, "quick gelu": 4, "geglu": 3}


def result(name):
    make, *arguments = ROWS[name]
    how = {"deviation": DEVIATIONS[name]} if name in DEVIATIONS else {}
    INPUTS.clear()
    return make(name, *arguments, **how)


def flat(y):
    """Several results (running statistics) one after the other."""
    return torch.cat([part.flatten() for part in y]) if isinstance(y, tuple) else y


def gradients(name):
    """d + input's name for every input; optable.c's bias is db, the first of two is da."""
    y = result(name)
    y = y[0] if isinstance(y, tuple) else y
    inputs = dict(INPUTS)
    names = {"bias": "db", "a": "da", "b": "db"}
    gradient = torch.autograd.grad(y, list(inputs.values()), given(name, "dy", tuple(y.shape)))
    return {names.get(i, "d" + i): g for i, g in zip(inputs, gradient)}


def save(tensors, path):
    save_file({name: t.detach().to(torch.float32).contiguous() for name, t in tensors.items()}, path)
    path.chmod(0o644)


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures"
    save({name: flat(result(name)) for name in ROWS}, out / "ops.safetensors")
    save(
        {f"{name}/{which}": g for name in GRADIENTS for which, g in gradients(name).items()},
        out / "gradients.safetensors",
    )


if __name__ == "__main__":
    main()
