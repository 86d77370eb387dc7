#!/usr/bin/env python3
"""Writes tests/fixtures/image/rle.json: masks with the run lengths that pycocotools makes of them.

    python3 tests/oracle/make_rle_fixture.py        # needs numpy and pycocotools

Each entry: width, height, rows (strings of 0 and 1), counts (plain runs), string (compressed).
"""
import json
import pathlib

import numpy as np
from pycocotools import mask as coco


def runs(mask):
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    counts = np.diff(bounds).tolist()
    return counts if flat[0] == 0 else [0] + counts


def main():
    rng = np.random.default_rng(11)
    masks = [np.zeros((3, 5)), np.ones((4, 3)), np.ones((1, 1)), rng.random((7, 9)) < 0.5,
             rng.random((40, 31)) < 0.03, rng.random((40, 31)) < 0.97, np.zeros((90, 70))]
    masks[-1][20:70, 10:50] = 1
    masks[-1][30:50, 25:35] = 0
    entries = []
    for mask in masks:
        mask = np.asfortranarray(mask.astype(np.uint8))
        packed = coco.encode(mask)
        plain = {"size": list(mask.shape), "counts": runs(mask)}
        assert (coco.decode(coco.frPyObjects(plain, *mask.shape)) == mask).all()
        entries.append({"width": mask.shape[1], "height": mask.shape[0],
                        "rows": ["".join(map(str, row)) for row in mask],
                        "counts": plain["counts"], "string": packed["counts"].decode()})
    path = pathlib.Path(__file__).parent.parent / "fixtures" / "image" / "rle.json"
    path.write_text(json.dumps({"masks": entries}, separators=(",", ":")) + "\n")


main()
