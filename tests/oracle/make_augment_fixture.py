"""What imgaug, OpenCV and Pillow make of a small picture, for tests/unit/test_texture_augment.c.

    python tests/oracle/make_augment_fixture.py      writes tests/fixtures/augment/

Needs imgaug 0.4.0, opencv-python-headless 4.11 and numpy < 2 (imgaug is older than numpy 2), best in
an environment of their own.
"""

import pathlib

import cv2
import imgaug.augmenters as iaa
import numpy as np
from PIL import Image, ImageEnhance

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "augment"


def picture():
    """All hues and brightnesses, edges and noise. The width is what OpenCV's vector code takes at once:
    what is left at the end of a row is rounded in another way."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:40, 0:64]
    rgb = np.stack([x * 5 % 256, y * 6 % 256, (x + y) * 9 % 256], -1).astype(int)
    rgb[:, 30:] = rng.integers(20, 210, (40, 34, 3))
    rgb[30:, :12] = 128 + rng.integers(-3, 4, (10, 12, 1))
    return rgb.astype(np.uint8)


SPACES = {
    "YCrCb": (cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB, 0),
    "HSV": (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2),
    "HLS": (cv2.COLOR_RGB2HLS, cv2.COLOR_HLS2RGB, 1),
    "Lab": (cv2.COLOR_RGB2Lab, cv2.COLOR_Lab2RGB, 0),
    "Luv": (cv2.COLOR_RGB2Luv, cv2.COLOR_Luv2RGB, 0),
    "YUV": (cv2.COLOR_RGB2YUV, cv2.COLOR_YUV2RGB, 0),
}


def brightness(space, mul, add):
    return iaa.MultiplyAndAddToBrightness(mul=mul, add=add, to_colorspace=space, random_order=False)


def gamma(rgb, exponents):
    return np.stack([iaa.GammaContrast(g).augment_image(rgb[..., c]) for c, g in enumerate(exponents)], -1)


def hue(rgb, turns):
    h, s, v = Image.fromarray(rgb).convert("HSV").split()
    h = np.asarray(h).astype(int) + int(turns * 255)
    h = Image.fromarray((h % 256).astype(np.uint8))
    return np.asarray(Image.merge("HSV", (h, s, v)).convert("RGB"))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rgb = picture()
    pil = Image.fromarray(rgb)
    made = {
        "input": rgb,
        "gamma": gamma(rgb, (0.6, 1.3, 1.9)),
        "sharpness_17": iaa.pillike.EnhanceSharpness(1.7).augment_image(rgb),
        "sharpness_03": iaa.pillike.EnhanceSharpness(0.3).augment_image(rgb),
        "solarize": iaa.Solarize(1.0, threshold=77).augment_image(rgb),
        "posterize_3": iaa.Posterize(3).augment_image(rgb),
        "posterize_8": iaa.Posterize(8).augment_image(rgb),
        "invert": iaa.pillike.Invert(1.0).augment_image(rgb) if hasattr(iaa.pillike, "Invert")
        else iaa.Invert(1.0).augment_image(rgb),
        "autocontrast_0": iaa.pillike.Autocontrast(0).augment_image(rgb),
        "autocontrast_12": iaa.pillike.Autocontrast(12).augment_image(rgb),
        "equalize": iaa.pillike.Equalize().augment_image(rgb),
        "rotate_31": iaa.Affine(rotate=31).augment_image(rgb),
        "rotate_-12": iaa.Affine(rotate=-12).augment_image(rgb),
        "jitter_brightness": np.asarray(ImageEnhance.Brightness(pil).enhance(1.08)),
        "jitter_contrast": np.asarray(ImageEnhance.Contrast(pil).enhance(0.91)),
        "jitter_saturation": np.asarray(ImageEnhance.Color(pil).enhance(1.09)),
        "jitter_hue": hue(rgb, 0.07),
    }
    for h, s in ((37, -20), (-45, 33)):
        augmenter = iaa.AddToHueAndSaturation(value_hue=h, value_saturation=s)
        made[f"hue_{h}_{s}"] = augmenter.augment_image(rgb)
    for space in SPACES:
        made[f"brightness_{space}"] = brightness(space, 1.15, -12).augment_image(rgb)
    for space, (there, back, _) in SPACES.items():
        converted = cv2.cvtColor(rgb, there)
        made[f"space_{space}"] = converted
        made[f"back_{space}"] = cv2.cvtColor(converted, back)
    for name, pixels in made.items():
        Image.fromarray(pixels).save(OUT / f"{name}.png", optimize=True)


main()
