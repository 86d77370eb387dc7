"""Small pictures and what Pillow's LANCZOS makes of them, for tests/unit/test_image.c.

    python tests/oracle/make_image_fixture.py        writes tests/fixtures/image/
"""

import pathlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "image"
# Sizes for which Pillow 13 too resamples rows first.
SIZES = {"rgb": [(16, 16), (80, 47), (5, 64), (37, 11), (1, 1)], "grey": [(46, 82), (11, 20), (3, 30)]}


def pictures():
    """Hard edges (overshoot), a ramp and noise; sides are odd on purpose."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:29, 0:37]
    rgb = np.stack([x * 7 % 256, (y > 14) * 255, rng.integers(0, 256, (29, 37))], -1)
    y, x = np.mgrid[0:41, 0:23]
    grey = np.where((x // 4 + y // 5) % 2 == 0, 250, 3) - rng.integers(0, 4, (41, 23))
    return {"rgb": rgb.astype(np.uint8), "grey": np.clip(grey, 0, 255).astype(np.uint8)}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures().items():
        image = Image.fromarray(pixels)
        image.save(OUT / f"{name}.png", optimize=True)
        for size in SIZES[name]:
            resized = image.resize(size, Image.Resampling.LANCZOS)
            resized.save(OUT / f"{name}_{size[0]}x{size[1]}.png", optimize=True)
    # Pillow's own luma of the colour picture.
    Image.fromarray(pictures()["rgb"]).convert("L").save(OUT / "rgb_luma.png", optimize=True)


main()
