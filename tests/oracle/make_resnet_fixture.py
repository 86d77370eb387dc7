"""Writes tests/fixtures/models/resnet.safetensors: ResNet-18 and -34, outputs and gradients.

    python make_resnet_fixture.py [OUT]

torchvision's network written again with a first stage of 8 channels and 5 classes, in f64; the script
fails unless torchvision's own (needs torchvision besides) gives the same at 64 channels. Norms' shifts
are 1 + 0.1 u, so that few activations lie at ReLU's kink.

- "<depth>/features", "<depth>/logits": three pictures of 67 x 61, with running statistics of mean 0.1 u
  and variance 1 + 0.5 u.
- "<depth>/training/logits", "<depth>/loss": the same pictures in training mode, with running statistics
  of mean 0 and variance 1 before; cross-entropy of the labels 3, 0, 4.
- "18/gradient/<name>", "18/running/<name>" [9]: norm and products with eight pseudo-random vectors
  "projection/<k>/<name>": of the gradients, of the running statistics after it.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn

import pseudo
from make_training_fixture import describe

F64 = torch.float64
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
WIDTH, CLASSES, LABELS = 8, 5, (3, 0, 4)


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x):
        skip = self.downsample(x) if hasattr(self, "downsample") else x
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + skip)


class Resnet(nn.Module):
    def __init__(self, depth, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        c = width
        for stage, count in enumerate(BLOCKS[depth]):
            blocks = []
            for i in range(count):
                blocks.append(Block(c, width << stage, 2 if stage and i == 0 else 1))
                c = width << stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c, classes)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def compare_with_torchvision(depth):
    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=7).to(F64)
    ours = Resnet(depth, 64, 7).to(F64)
    ours.load_state_dict(theirs.state_dict())
    x = pseudo.given("picture", (2, 3, 67, 61)).to(F64)
    for mode in (True, False):
        a, b = ours.train(mode)(x), theirs.train(mode)(x)
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10), f"ResNet-{depth} is not torchvision's"


def main():
    here = pathlib.Path(__file__).resolve().parent
    out = sys.argv[1] if len(sys.argv) > 1 else here.parent / "fixtures/models/resnet.safetensors"
    tensors = {}
    for depth in BLOCKS:
        compare_with_torchvision(depth)
        model = pseudo.fill(Resnet(depth, WIDTH, CLASSES), "resnet").to(F64)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.bias.data += 1
        x = pseudo.given("picture", (3, 3, 67, 61)).to(F64)
        buffers = {n: b for n, b in model.named_buffers() if "running" in n}
        begin = {n: b.clone() for n, b in buffers.items()}
        for name, b in buffers.items():
            u = torch.from_numpy(pseudo.units(f"resnet/{name}", b.numel()))
            b.copy_(0.1 * u if name.endswith("mean") else 1 + 0.5 * u)
        with torch.no_grad():
            tensors[f"{depth}/features"] = model.eval().features(x)
            tensors[f"{depth}/logits"] = model(x)
        for name, b in buffers.items():
            b.copy_(begin[name])
        logits = model.train()(x)
        loss = F.cross_entropy(logits, torch.tensor(LABELS))
        loss.backward()
        tensors[f"{depth}/training/logits"] = logits
        tensors[f"{depth}/loss"] = loss.reshape(1)
        if depth == 18:
            for name, p in model.named_parameters():
                tensors[f"18/gradient/{name}"] = describe(name, p.grad)
            for name, b in buffers.items():
                tensors[f"18/running/{name}"] = describe(name, b)
    save_file({n: t.detach().to(torch.float32).contiguous() for n, t in tensors.items()}, out)
    pathlib.Path(out).chmod(0o644)


if __name__ == "__main__":
    main()
