"""Writes tests/fixtures/loss.safetensors: what PyTorch's autograd says of the losses.

    python make_loss_fixture.py [OUT]

"NAME" is the loss, "NAME.gradient" its gradient, images as [n, h, w, c]. Inputs are those of
tests/unit/test_loss.c; everything is computed in f64 and stored as f32.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import save_file

import pseudo

HERE = pathlib.Path(__file__).resolve().parent
IMAGE, MOMENTS, LOGITS = (2, 13, 9, 3), (2, 5, 3, 8), (6, 5)
WEIGHTS = (0.25, 1.5)


def given(name, shape, **how):
    return pseudo.given(name, shape, **how).to(torch.float64)


def mse(y, target):
    return F.mse_loss(y, target)


def weighted_mse(y, target):
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    return (F.mse_loss(y, target, reduction="none").mean(dim=(1, 2, 3)) * weights).mean()


def edges(y, target):
    d = y - target
    return d.diff(dim=2).abs().mean() + d.diff(dim=1).abs().mean()


def ssim(y, target, value_range=2.0):
    """As DRAEM computes it."""
    line = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    window = torch.outer(line, line).expand(y.shape[3], 1, 11, 11)
    a, b = y.permute(0, 3, 1, 2), target.permute(0, 3, 1, 2)

    def blur(x):
        return F.conv2d(x, window, padding=5, groups=x.shape[1])

    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    e1, m2 = blur(a), blur(b)
    s1, s2, s12 = blur(a * a) - e1**2, blur(b * b) - m2**2, blur(a * b) - e1 * m2
    top = (2 * e1 * m2 + c1) * (2 * s12 + c2)
    return 1 - (top / ((e1**2 + m2**2 + c1) * (s1 + s2 + c2))).mean()


def posterior(moments):
    return DiagonalGaussianDistribution(moments.permute(0, 3, 1, 2))


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures/loss.safetensors"
    tensors = {}
    target = given("loss/target", IMAGE)
    pairs = {"mse": mse, "weighted mse": weighted_mse, "l1": F.l1_loss, "edges": edges, "ssim": ssim}
    for name, loss in pairs.items():
        y = given("loss/y", IMAGE).requires_grad_()
        tensors[name] = loss(y, target)
        tensors[name].backward()
        tensors[f"{name}.gradient"] = y.grad
    logits = given("loss/logits", LOGITS, scale=4.0).requires_grad_()
    labels = torch.tensor([2 * i % LOGITS[1] for i in range(LOGITS[0])])
    tensors["cross entropy"] = F.cross_entropy(logits, labels)
    tensors["cross entropy"].backward()
    tensors["cross entropy.gradient"] = logits.grad
    wide = torch.ones(MOMENTS[-1], dtype=torch.float64)
    wide[MOMENTS[-1] // 2 :] = 36  # some log-variances beyond both bounds
    moments = (given("loss/moments", MOMENTS) * wide).requires_grad_()
    kl = posterior(moments).kl()
    tensors["kl"] = kl.sum() / (moments.numel() / 2)
    tensors["kl"].backward()
    tensors["kl.gradient"] = moments.grad.clone()
    moments.grad = None
    noise = given("loss/noise", (*MOMENTS[:3], MOMENTS[3] // 2))
    distribution = posterior(moments)
    sample = distribution.mean.permute(0, 2, 3, 1) + distribution.std.permute(0, 2, 3, 1) * noise
    dy = given("loss/dy", tuple(sample.shape))
    (sample * dy).sum().backward()
    tensors["sample"], tensors["sample.gradient"] = sample, moments.grad
    save_file({k: v.detach().to(torch.float32).contiguous() for k, v in tensors.items()}, out)
    out.chmod(0o644)


if __name__ == "__main__":
    main()
