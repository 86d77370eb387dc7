"""Writes tests/fixtures/models/lpips.safetensors: LPIPS distances, with pseudo-random weights.

    python make_lpips_fixture.py [OUT]

The distance as the lpips package (0.1.4, heads of version 0.1) computes it, in f64, on torchvision's
AlexNet and VGG-16; the script fails unless the package itself gives the same (needs torchvision and lpips
besides). Weights are those of pseudo.py under "alexnet" and "vgg16", the heads' their magnitudes.

- "<network>/distances" [3]: of the pictures "a" and "b", "a" and "c", "b" and "c", 67 x 67 in [-1, 1].
- "<network>/shapes" [5]: the numbers in each layer that is compared.
"""

import pathlib
import sys

import lpips
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

import pseudo

F64 = torch.float64
SIDE = 67
LAYERS = {"alexnet": (1, 4, 7, 9, 11), "vgg16": (3, 8, 15, 22, 29)}  # in "features", ReLUs
NAMES = {"alexnet": "alex", "vgg16": "vgg"}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def activations(network, layers, x):
    shift, scale = (torch.tensor(v, dtype=F64).reshape(1, 3, 1, 1) for v in (SHIFT, SCALE))
    x = (x - shift) / scale
    out = []
    for i, layer in enumerate(network.features):
        x = layer(x)
        if i in layers:
            out.append(x)
    return out


def distance(network, layers, heads, x, y):
    total = 0
    for head, f, g in zip(heads, activations(network, layers, x), activations(network, layers, y)):
        f, g = (t / (t.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for t in (f, g))
        total = total + (head * (f - g) ** 2).sum(1).mean()
    return total


def compare_with_package(name, network, heads, x, y):
    theirs = lpips.LPIPS(net=NAMES[name], pretrained=False, pnet_rand=True, verbose=False).to(F64).eval()
    flat = iter(network.features.parameters())
    for i in range(1, 6):
        for p in getattr(theirs.net, f"slice{i}").parameters():
            p.data = next(flat).data
    for i, head in enumerate(heads):
        theirs.lins[i].model[1].weight.data = head
    with torch.no_grad():
        want = theirs(x, y).item()
    ours = distance(network, LAYERS[name], heads, x, y).item()
    assert abs(want - ours) < 1e-7 * want, f"{name}: {ours} is not the package's {want}"


@torch.no_grad()
def main():
    here = pathlib.Path(__file__).resolve().parent
    out = sys.argv[1] if len(sys.argv) > 1 else here.parent / "fixtures/models/lpips.safetensors"
    pictures = {k: pseudo.given(f"picture {k}", (1, 3, SIDE, SIDE)).to(F64) for k in "abc"}
    tensors = {}
    for name, layers in LAYERS.items():
        network = nn.Module()
        network.features = getattr(torchvision.models, name)(weights=None).features
        for module in network.features:
            if isinstance(module, nn.ReLU):
                module.inplace = False
        pseudo.fill(network, name).to(F64).eval()
        parts = activations(network, layers, pictures["a"])
        heads = [
            pseudo.parameter(f"{name}/lin{i}.model.1.weight", (1, f.shape[1], 1, 1)).abs().to(F64)
            for i, f in enumerate(parts)
        ]
        compare_with_package(name, network, heads, pictures["a"], pictures["b"])
        pairs = [distance(network, layers, heads, pictures[p], pictures[q]) for p, q in ("ab", "ac", "bc")]
        tensors[f"{name}/distances"] = torch.stack(pairs)
        tensors[f"{name}/shapes"] = torch.tensor([f[0].numel() for f in parts], dtype=F64)
    save_file({n: t.to(torch.float32).contiguous() for n, t in tensors.items()}, out)
    pathlib.Path(out).chmod(0o644)


if __name__ == "__main__":
    main()
