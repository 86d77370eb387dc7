"""Writes tests/fixtures/models/draem.safetensors and segmenter.safetensors: the networks, losses,
gradients, 50 steps of DRAEM, and of its discriminative network on the picture alone.

    python make_draem_fixture.py [draem|segmenter] [FOLDER]

The networks and losses of DRAEM (model_unet.py, loss.py, train_DRAEM.py) written again, with base
widths 8 and 4 instead of 128 and 64, in f64; of the segmenter (DiscriminativeSubNetwork with
in_channels=3, as AnomalyDiffusion's train-localization.py has it) with base width 4. Norms' shifts are 2 + 0.1 u: with shifts about 0 so many
activations lie at ReLU's kink that PyTorch's own gradients in f32 are several per cent from those in
f64; so they agree to 2e-6.

- "eval/reconstruction" (DRAEM), "eval/probability": one picture of 32 x 64 with running statistics of
  mean 0.1 u and variance 1 + 0.5 u.
- "loss": MSE, SSIM, focal loss of the first step (segmenter: focal loss); "ssim_range" (DRAEM):
  SSIM with its range 1, 2, 255.
- "gradient/<name>", "running/<name>" [9]: norm and products with eight pseudo-random vectors
  "projection/<k>/<name>": of the first step's gradients, of the running statistics after it.
- "losses" [50]: of Adam's steps (lr 1e-4) on one batch of two pictures of 64 x 64.
- "variance/<name>" [9]: running variances after all steps; "after/probability": one of 32 x 64.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import pseudo

F64 = torch.float64
RECONSTRUCTIVE, DISCRIMINATIVE = 8, 4
STEPS = 50


def block(a, m, o):
    return nn.Sequential(
        nn.Conv2d(a, m, 3, padding=1), nn.BatchNorm2d(m), nn.ReLU(),
        nn.Conv2d(m, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(),
    )  # fmt: skip


def up(a, o):
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Conv2d(a, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(),
    )  # fmt: skip


class Encoder(nn.Module):
    def __init__(self, c, w, levels):
        super().__init__()
        sizes = [w, 2 * w, 4 * w, 8 * w, 8 * w, 8 * w][:levels]
        for i, o in enumerate(sizes):
            setattr(self, f"block{i + 1}", block(c, o, o))
            c = o
        self.levels = levels

    def forward(self, x):
        out = []
        for i in range(self.levels):
            x = getattr(self, f"block{i + 1}")(x if i == 0 else F.max_pool2d(x, 2))
            out.append(x)
        return out


class Decoder(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.up1, self.db1 = up(8 * w, 8 * w), block(8 * w, 8 * w, 4 * w)
        self.up2, self.db2 = up(4 * w, 4 * w), block(4 * w, 4 * w, 2 * w)
        self.up3, self.db3 = up(2 * w, 2 * w), block(2 * w, 2 * w, w)
        self.up4, self.db4 = up(w, w), block(w, w, w)
        self.fin_out = nn.Sequential(nn.Conv2d(w, 3, 3, padding=1))

    def forward(self, x):
        for i in range(1, 5):
            x = getattr(self, f"db{i}")(getattr(self, f"up{i}")(x))
        return self.fin_out(x)


class DecoderSegment(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.up_b, self.db_b = up(8 * w, 8 * w), block(16 * w, 8 * w, 8 * w)
        self.up1, self.db1 = up(8 * w, 4 * w), block(12 * w, 4 * w, 4 * w)
        self.up2, self.db2 = up(4 * w, 2 * w), block(6 * w, 2 * w, 2 * w)
        self.up3, self.db3 = up(2 * w, w), block(3 * w, w, w)
        self.up4, self.db4 = up(w, w), block(2 * w, w, w)
        self.fin_out = nn.Sequential(nn.Conv2d(w, 2, 3, padding=1))

    def forward(self, b):
        x = b[5]
        for i, name in enumerate(["_b", "1", "2", "3", "4"]):
            x = torch.cat((getattr(self, f"up{name}")(x), b[4 - i]), dim=1)
            x = getattr(self, f"db{name}")(x)
        return self.fin_out(x)


class Draem(nn.Module):
    def __init__(self, reconstructive, discriminative):
        super().__init__()
        self.encoder = Encoder(3, reconstructive, 5)
        self.decoder = Decoder(reconstructive)
        self.encoder_segment = Encoder(6, discriminative, 6)
        self.decoder_segment = DecoderSegment(discriminative)

    def forward(self, x):
        y = self.decoder(self.encoder(x)[4])
        return y, self.decoder_segment(self.encoder_segment(torch.cat((y, x), dim=1)))


class Segmenter(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder_segment = Encoder(3, width, 6)
        self.decoder_segment = DecoderSegment(width)

    def forward(self, x):
        return None, self.decoder_segment(self.encoder_segment(x))


def ssim(a, b, value_range=None):
    if value_range is None:
        value_range = (255 if a.max() > 128 else 1) - (-1 if a.min() < -0.5 else 0)
    t = torch.arange(11, dtype=a.dtype) - 5
    g = torch.exp(-(t**2) / (2 * 1.5**2))
    g = g / g.sum()
    c = a.shape[1]
    window = (g[:, None] * g[None, :]).expand(c, 1, 11, 11)
    blur = lambda x: F.conv2d(x, window, padding=5, groups=c)
    m1, m2 = blur(a), blur(b)
    s1, s2, s12 = blur(a * a) - m1**2, blur(b * b) - m2**2, blur(a * b) - m1 * m2
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    s = (2 * m1 * m2 + c1) * (2 * s12 + c2) / ((m1**2 + m2**2 + c1) * (s1 + s2 + c2))
    return 1 - s.mean()


def focal(probability, mask, smooth=1e-5):
    one_hot = torch.cat((1 - mask, mask), dim=1).clamp(smooth, 1 - smooth)
    pt = (one_hot * probability).sum(1) + smooth
    return (-((1 - pt) ** 2) * pt.log()).mean()


def losses_of(model, clean, picture, mask):
    y, logits = model(picture)
    segmentation = focal(torch.softmax(logits, 1), mask)
    return [segmentation] if y is None else [F.mse_loss(y, clean), ssim(y, clean), segmentation]


def given(name, shape, scale=1.0, bias=0.0):
    return pseudo.given(name, shape, scale, bias).to(F64)


def make(model, out):
    from make_training_fixture import describe  # imports diffusers, which bench/peer_draem.py does without

    model = pseudo.fill(model, "draem").to(F64)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.data += 2
    tensors = {}
    small = given("small", (1, 3, 32, 64), 0.5, 0.5)
    buffers = {n: b for n, b in model.named_buffers() if "running" in n}
    begin = {n: b.clone() for n, b in buffers.items()}
    for name, b in buffers.items():
        u = torch.from_numpy(pseudo.units(f"draem/{name}", b.numel()))
        b.copy_(0.1 * u if name.endswith("mean") else 1 + 0.5 * u)
    with torch.no_grad():
        y, logits = model.eval()(small)
    if y is not None:
        tensors["eval/reconstruction"] = y
    tensors["eval/probability"] = torch.softmax(logits, 1)[:, 1:]
    for name, b in buffers.items():
        b.copy_(begin[name])

    clean = given("clean", (2, 3, 64, 64), 0.5, 0.5)
    mask = (given("mask", (2, 1, 64, 64)) > 0.5).to(F64)
    picture = torch.where(mask > 0, given("texture", (2, 3, 64, 64), 0.5, 0.5), clean)
    if y is not None:
        tensors["ssim_range"] = torch.tensor([ssim(picture, clean, r) for r in (1, 2, 255)])
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    curve = []
    for step in range(STEPS):
        optimizer.zero_grad()
        parts = losses_of(model, clean, picture, mask)
        loss = sum(parts)
        loss.backward()
        curve.append(loss.item())
        if step == 0:
            tensors["loss"] = torch.tensor([p.item() for p in parts])
            for name, p in model.named_parameters():
                tensors[f"gradient/{name}"] = describe(name, p.grad)
            for name, b in buffers.items():
                tensors[f"running/{name}"] = describe(name, b)
        optimizer.step()
    print("first:", [p.item() for p in losses_of(model, clean, picture, mask)], "curve:", curve)
    tensors["losses"] = torch.tensor(curve)
    for name, b in buffers.items():
        if name.endswith("var"):
            tensors[f"variance/{name}"] = describe(name, b)
    with torch.no_grad():
        tensors["after/probability"] = torch.softmax(model.eval()(small)[1], 1)[:, 1:]
    save_file({n: t.to(torch.float32).contiguous() for n, t in tensors.items()}, out)


def main():
    models = {
        "draem": lambda: Draem(RECONSTRUCTIVE, DISCRIMINATIVE),
        "segmenter": lambda: Segmenter(DISCRIMINATIVE),
    }
    fixtures = pathlib.Path(__file__).resolve().parent.parent / "fixtures/models"
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else fixtures
    for name in [sys.argv[1]] if len(sys.argv) > 1 else models:
        make(models[name](), folder / f"{name}.safetensors")


if __name__ == "__main__":
    main()
