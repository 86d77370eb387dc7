"""Writes tests/fixtures/moments.safetensors: AdamW whose moments are kept in bytes, in numpy.

    python make_moments_fixture.py [OUT]

The tables are bitsandbytes' create_dynamic_map, written again; where bitsandbytes is installed they
are compared with it, and codes of numbers in blocks of 256 with its quantize_blockwise (whose form
for processors, in 0.50, is coarser near zero: no code of its may be nearer). Stored are
the tables ("mean.table", "square.table"), numbers with their codes and scales ("x", "mean.codes", ..),
and twelve steps on leaves of 300, 256 and 5 numbers: "begin", "gradients" [12, 561], "end". A square
above zero never becomes zero, which is ours alone.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

BLOCK, LEAVES, STEPS = 256, (300, 256, 5), 12
RATE, BETA1, BETA2, EPS, DECAY = 1e-2, 0.9, 0.999, 1e-8, 1e-2


def dynamic_map(signed):
    data = [0.0, 1.0]
    for i in range(7):
        pieces = 2**i if signed else 2 ** (i + 1)
        edges = np.linspace(0.1, 1, pieces + 1)
        means = 10.0 ** (i - 6) * (edges[:-1] + edges[1:]) / 2
        data += means.tolist() + ((-means).tolist() if signed else [])
    assert len(data) == 256
    return np.sort(np.array(data)).astype(np.float32)


def encode(table, x):
    codes, scales = [], []
    for at in range(0, len(x), BLOCK):
        block = x[at : at + BLOCK]
        scale = np.abs(block).max()
        r = block / scale if scale > 0 else block
        near = np.abs(r.astype(np.float64)[:, None] - table.astype(np.float64)[None]).argmin(1)
        if table[0] == 0:
            near[(near == 0) & (block > 0)] = 1
        codes.append(near.astype(np.uint8))
        scales.append(scale)
    return np.concatenate(codes), np.array(scales, np.float32)


def decode(table, codes, scales):
    return table[codes] * np.repeat(scales, BLOCK)[: len(codes)]


def compare_with_bitsandbytes(tables, x):
    try:
        import bitsandbytes.functional as bnb
        import torch
    except ImportError:
        print("bitsandbytes is not installed: not compared")
        return
    for name, table in tables.items():
        theirs = bnb.create_dynamic_map(signed=name == "mean")
        difference = np.abs(theirs.numpy() - table).max()
        values = torch.from_numpy(np.abs(x) if name == "square" else x)
        codes, state = bnb.quantize_blockwise(values, code=theirs, blocksize=BLOCK)
        own, scales = encode(table, values.numpy())
        errors = [np.abs(decode(table, c, scales) - values.numpy()) for c in (own, codes.numpy())]
        print(f"{name}: tables differ by {difference:.2g}; of {len(x)} codes {(own != codes.numpy()).sum()} "
              f"differ, theirs is nearer in {(errors[1] < errors[0] * (1 - 1e-5)).sum()}; scales equal:",
              bool((state.absmax.numpy() == scales).all()))


def main():
    out = pathlib.Path(
        sys.argv[1]
        if len(sys.argv) > 1
        else pathlib.Path(__file__).resolve().parent.parent / "fixtures/moments.safetensors"
    )
    rng = np.random.default_rng(5)
    tables = {"mean": dynamic_map(True), "square": dynamic_map(False)}
    x = (rng.standard_normal(700) * 10 ** rng.uniform(-8, 0, 700)).astype(np.float32)
    x[::50] = 0
    compare_with_bitsandbytes(tables, x)
    tensors = {"x": x}
    for name, table in tables.items():
        tensors[f"{name}.table"] = table
        tensors[f"{name}.codes"], tensors[f"{name}.scales"] = encode(
            table, np.abs(x) if name == "square" else x
        )
    size = sum(LEAVES)
    w = rng.standard_normal(size)
    tensors["begin"] = w.astype(np.float32)
    spread = 10 ** rng.uniform(-5, 0, size)
    gradients = ((rng.standard_normal((STEPS, size)) + 0.5) * spread).astype(np.float32)
    tensors["gradients"] = gradients
    w, at = tensors["begin"].astype(np.float64), 0
    for count in LEAVES:
        leaf = slice(at, at + count)
        blocks = -(-count // BLOCK)
        m = np.zeros(count, np.uint8), np.zeros(blocks, np.float32)
        v = np.zeros(count, np.uint8), np.zeros(blocks, np.float32)
        for step, g in enumerate(gradients[:, leaf].astype(np.float64), 1):
            mean = BETA1 * decode(tables["mean"], *m).astype(np.float64) + (1 - BETA1) * g
            square = BETA2 * decode(tables["square"], *v).astype(np.float64) + (1 - BETA2) * g * g
            update = mean / (1 - BETA1**step) / (np.sqrt(square / (1 - BETA2**step)) + EPS)
            w[leaf] = w[leaf] * (1 - RATE * DECAY) - RATE * update
            m = encode(tables["mean"], mean.astype(np.float32))
            v = encode(tables["square"], square.astype(np.float32))
        at += count
    tensors["end"] = w.astype(np.float32)
    save_file(tensors, out)


if __name__ == "__main__":
    main()
