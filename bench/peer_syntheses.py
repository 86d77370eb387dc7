"""Speed of masks and syntheses beside what people run in Python, in one run on one core.

    $CAGEN_PEER_PYTHON bench/peer_syntheses.py [--bench build/release/bench/bench_syntheses]
                      [--repeats 7] [--sides 256,1024] [--out docs/results/syntheses.md]

That Python needs numpy, opencv-python(-headless), imgaug and Pillow. Each method is put together from the
operations that its published code uses: Pillow for CutPaste, imgaug, numpy and OpenCV for DRAEM and MemSeg,
cv2.seamlessClone for NSA. From memory to memory, processor time, one thread; bench_syntheses and this script
take turns, and medians are compared.
"""
import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

for name, builtin in (("bool", bool), ("int", int), ("float", float), ("object", object)):
    if name not in np.__dict__:  # imgaug 0.4 is older than their removal
        setattr(np, name, builtin)

import cv2
import imgaug
import imgaug.augmenters as iaa
import PIL
from PIL import Image, ImageEnhance

SECONDS, LEAST, TEXTURE = 0.5, 3, 300
cv2.setNumThreads(1)
rng = np.random.default_rng(1)


def picture(side, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)


class Inputs:
    def __init__(self, side):
        self.side, self.normal, self.other = side, picture(side, 1), picture(side, 2)
        self.texture, self.pil = picture(TEXTURE, 3), Image.fromarray(picture(side, 1))
        self.object = np.zeros((side, side), np.uint8)
        self.object[side // 6 : side - side // 6, side // 6 : side - side // 6] = 1
        self.defect = int(0.15 * side)


# CutPaste: Pillow, and torchvision's colour jitter written with the operations it calls.
def jitter_hue(image, turns):
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray(np.array(h, dtype=np.uint8) + np.uint8(int(turns * 255) % 256))
    return Image.merge("HSV", (h, s, v)).convert("RGB")


def jitter(patch):
    operations = [
        lambda p: ImageEnhance.Brightness(p).enhance(rng.uniform(0.9, 1.1)),
        lambda p: ImageEnhance.Contrast(p).enhance(rng.uniform(0.9, 1.1)),
        lambda p: ImageEnhance.Color(p).enhance(rng.uniform(0.9, 1.1)),
        lambda p: jitter_hue(p, rng.uniform(-0.1, 0.1)),
    ]
    for i in rng.permutation(4):
        patch = operations[i](patch)
    return patch


def cutpaste(inputs):
    side, image = inputs.side, inputs.pil.copy()
    area, aspect = rng.uniform(0.02, 0.15) * side * side, math.exp(rng.uniform(math.log(0.3), -math.log(0.3)))
    w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    x, y, u, v = (int(rng.integers(0, side - n + 1)) for n in (w, h, w, h))
    image.paste(jitter(image.crop((x, y, x + w, y + h))), (u, v))
    mask = np.zeros((side, side), np.uint8)
    mask[v : v + h, u : u + w] = 255
    return image, mask


def scar(inputs):
    side, image = inputs.side, inputs.pil.copy()
    w, h = (max(1, round(rng.uniform(a, b) * side / 256)) for a, b in ((2, 16), (10, 25)))
    x, y = int(rng.integers(0, side - w + 1)), int(rng.integers(0, side - h + 1))
    patch = jitter(image.crop((x, y, x + w, y + h))).convert("RGBA").rotate(rng.uniform(-45, 45), expand=True)
    u, v = (int(rng.integers(0, side - n + 1)) for n in patch.size)
    outline = patch.split()[-1]
    image.paste(patch.convert("RGB"), (u, v), mask=outline)
    mask = Image.new("L", (side, side))
    mask.paste(outline, (u, v))
    return image, mask


# DRAEM: Perlin noise in numpy, turned by imgaug.
TURN = iaa.Sequential([iaa.Affine(rotate=(-90, 90))])


def perlin_noise(side):
    ry, rx = 2 ** int(rng.integers(0, 6)), 2 ** int(rng.integers(0, 6))
    angles = 2 * math.pi * rng.random((ry + 1, rx + 1))
    gradients = np.stack((np.cos(angles), np.sin(angles)), axis=-1)
    y, x = np.mgrid[0:side, 0:side]
    y, x = y * (ry / side), x * (rx / side)
    row, column = y.astype(int), x.astype(int)
    y, x = y - row, x - column

    def corner(a, b):
        g = gradients[row + a, column + b]
        return g[..., 0] * (y - a) + g[..., 1] * (x - b)

    fy, fx = (t * t * t * (t * (t * 6 - 15) + 10) for t in (y, x))
    left = corner(0, 0) + fy * (corner(1, 0) - corner(0, 0))
    right = corner(0, 1) + fy * (corner(1, 1) - corner(0, 1))
    return math.sqrt(2) * (left + fx * (right - left))


def perlin_mask(inputs):
    noise = TURN(image=perlin_noise(inputs.side))
    return np.where(noise > 0.5, np.ones_like(noise), np.zeros_like(noise))


AUGMENTERS = [
    iaa.GammaContrast((0.5, 2.0), per_channel=True),
    iaa.MultiplyAndAddToBrightness(mul=(0.8, 1.2), add=(-30, 30)),
    iaa.pillike.EnhanceSharpness(),
    iaa.AddToHueAndSaturation((-50, 50), per_channel=True),
    iaa.Solarize(0.5, threshold=(32, 128)),
    iaa.Posterize(),
    iaa.Invert(),
    iaa.pillike.Autocontrast(),
    iaa.pillike.Equalize(),
    iaa.Affine(rotate=(-45, 45)),
]


def augment(image):
    chosen = rng.choice(len(AUGMENTERS), 3, replace=False)
    return iaa.Sequential([AUGMENTERS[i] for i in chosen])(image=image)


def blend(normal, over, mask, opacity):
    mask = mask[..., None].astype(np.float32)
    normal, over = normal.astype(np.float32) / 255, over.astype(np.float32) / 255
    made = normal * (1 - mask) + opacity * over * mask + (1 - opacity) * normal * mask
    return (made * 255).astype(np.uint8)


def draem(inputs):
    over = augment(cv2.resize(inputs.texture, (inputs.side, inputs.side)))
    while True:
        mask = perlin_mask(inputs)
        if mask.any():
            return blend(inputs.normal, over, mask, 1 - rng.uniform(0, 0.8)), (mask * 255).astype(np.uint8)


# MemSeg: a texture, or the picture's own cells in disorder.
def memseg(inputs):
    side, cell = inputs.side, inputs.side // 8
    if rng.random() < 0.5:
        over = cv2.resize(inputs.texture, (side, side))
    else:
        cells = augment(inputs.normal).reshape(8, cell, 8, cell, 3).swapaxes(1, 2).reshape(64, cell, cell, 3)
        over = cells[rng.permutation(64)].reshape(8, 8, cell, cell, 3).swapaxes(1, 2).reshape(side, side, 3)
    while True:
        mask = perlin_mask(inputs) * inputs.object
        if mask.any():
            return blend(inputs.normal, over, mask, rng.uniform(0.15, 1)), (mask * 255).astype(np.uint8)


# NSA: cv2.seamlessClone.
def nsa_piece(image, inputs):
    side, low, high = inputs.side, round(0.03 * inputs.side), round(0.4 * inputs.side)
    half = [int(np.clip((0.03 + rng.gamma(2, 0.05)) * side, low, high)) for _ in range(2)]
    centre = rng.integers(low, side - low, 2)
    y0, x0 = (max(0, int(c) - h) for c, h in zip(centre, half))
    y1, x1 = (min(side, int(c) + h) for c, h in zip(centre, half))
    patch = inputs.other[y0:y1, x0:x1]
    scale = np.clip(rng.normal(1, 0.5), 0.5, 2)
    h = np.clip(scale * patch.shape[0], low, high)
    w = int(np.clip(int(h / patch.shape[0] * patch.shape[1]), low, high))
    h = int(np.clip(int(w / patch.shape[1] * patch.shape[0]), low, high))
    patch = cv2.resize(patch, (w, h))
    y = int(rng.integers(h // 2 + 1, side - h // 2 - 1))
    x = int(rng.integers(w // 2 + 1, side - w // 2 - 1))
    mask = np.full((h, w), 255, np.uint8)
    mask[0] = mask[-1] = 0
    mask[:, 0] = mask[:, -1] = 0
    inside = np.zeros((side, side, 1), np.uint8)
    inside[y - h // 2 : y + (h + 1) // 2, x - w // 2 : x + (w + 1) // 2] = 1
    return cv2.seamlessClone(patch, image, mask, (x, y), cv2.NORMAL_CLONE), inside


def nsa(inputs):
    image, inside = inputs.normal, np.zeros((inputs.side, inputs.side, 1), np.uint8)
    for i in range(4):
        if i == 0 or rng.random() < 0.5:
            image, piece = nsa_piece(image, inputs)
            inside |= piece
    change = np.mean(np.abs(1.0 * inside * inputs.normal - 1.0 * inside * image), axis=-1, keepdims=True)
    return image, cv2.medianBlur(np.uint8(change > 1), 5)


# Real defects moved: OpenCV's warp and its Poisson blending.
def crop_paste(inputs):
    side, d = inputs.side, inputs.defect
    patch = inputs.other[side // 3 - 2 : side // 3 + d + 2, side // 3 - 2 : side // 3 + d + 2]
    size = d + 4
    canvas = math.ceil(size * 1.3 * 1.42)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 360), rng.uniform(0.7, 1.3))
    turn[:, 2] += (canvas - size) / 2
    mask = np.zeros((size, size), np.uint8)
    mask[2:-2, 2:-2] = 255
    patch = cv2.warpAffine(patch, turn, (canvas, canvas), borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(mask, turn, (canvas, canvas))
    mask = np.where(mask >= 128, 255, 0).astype(np.uint8)
    x, y = (int(rng.integers(canvas // 2 + 1, side - canvas // 2 - 1)) for _ in range(2))
    whole = np.zeros((side, side), np.uint8)
    whole[y - canvas // 2 : y - canvas // 2 + canvas, x - canvas // 2 : x - canvas // 2 + canvas] = mask
    return cv2.seamlessClone(patch, inputs.normal, mask, (x, y), cv2.NORMAL_CLONE), whole


METHODS = {
    "cutpaste": (cutpaste, "Pillow"),
    "scar": (scar, "Pillow"),
    "draem": (draem, "imgaug, numpy, OpenCV"),
    "nsa": (nsa, "OpenCV's seamlessClone, numpy"),
    "memseg": (memseg, "imgaug, numpy, OpenCV"),
    "crop-paste": (crop_paste, "OpenCV's warpAffine and seamlessClone"),
    "perlin mask": (perlin_mask, "numpy, imgaug"),
}
ALONE = ("scratch mask", "object")


def measure(method, inputs):
    """Processor seconds per image."""
    count, start = 0, time.process_time()
    while count < LEAST or time.process_time() - start < SECONDS:
        method(inputs)
        count += 1
    return (time.process_time() - start) / count


def ask(bench, name, side):
    bench.stdin.write(f"{name} {side}\n")
    bench.stdin.flush()
    answer = bench.stdout.readline()
    if not answer:
        sys.exit(f"peer_syntheses.py: {name} at {side}: no answer from the benchmark")
    return float(answer)


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def compare(bench, sides, repeats):
    rows = []
    for side in sides:
        inputs = Inputs(side)
        for name in (*METHODS, *ALONE):
            ours, theirs = [], []
            for _ in range(repeats):
                ours.append(ask(bench, name, side))
                if name in METHODS:
                    theirs.append(measure(METHODS[name][0], inputs))
            a, b = statistics.median(ours), statistics.median(theirs) if theirs else None
            rows.append((name, side, a, b))
            print(f"{name:13} {side:5} {1 / a:9.1f}/s" + (f" {1 / b:9.1f}/s {b / a:6.1f}x" if b else ""), flush=True)
    return rows


def report(rows, args):
    lines = [
        "# Speed of masks and syntheses",
        "",
        "Images per second of one core, from memory to memory (no file is read or written), beside the same",
        "methods put together from the operations of their published Python code. Both sides in turn in one",
        f"run, processor time, medians of {args.repeats}; written by",
        "",
        f"    $CAGEN_PEER_PYTHON bench/peer_syntheses.py --repeats {args.repeats} --out {args.out}",
        "",
        f"{processor()}. Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}, "
        f"imgaug {imgaug.__version__}, Pillow {PIL.__version__}; all on one thread.",
        "",
        "| method | side | cagen, images/s | Python, images/s | ratio | the Python side uses |",
        "|---|---|---|---|---|---|",
    ]
    for name, side, a, b in rows:
        peer = f"{1 / b:.1f} | {b / a:.1f} | {METHODS[name][1]}" if b else "- | - | no counterpart"
        lines.append(f"| {name} | {side} | {1 / a:.1f} | {peer} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="build/release/bench/bench_syntheses")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sides", default="256,1024")
    parser.add_argument("--out", help="Markdown file to write the table to")
    args = parser.parse_args()
    bench = subprocess.Popen([args.bench, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    rows = compare(bench, [int(side) for side in args.sides.split(",")], args.repeats)
    bench.stdin.close()
    bench.wait()
    if args.out:
        os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
        with open(args.out, "w", encoding="utf-8") as file:
            file.write(report(rows, args))


main()
