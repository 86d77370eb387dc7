#!/usr/bin/env python3
"""Writes tests/fixtures/metrics/: maps and masks with the metrics that others make of them.

    python3 tests/oracle/make_metrics_fixture.py     # needs numpy, scikit-learn, scipy, torch, opencv

ranking.json: cases of a few small images. AUROC and AP are scikit-learn's, F1 comes from its
precision-recall curve, AUPRO from anomalib's algorithm (anomalib/metrics/aupro.py, the same as in
MVTec's evaluation code) in double precision, regions by scipy.ndimage.label with 8 neighbours. Each
case has several weightings of its images; a weight of 2 is the image twice. null is undefined.

resample.json: masks made smaller as DRAEM does it (OpenCV's INTER_LINEAR, then exactly 255) and as
anomalib does it (torch's nearest), and maps made larger (torch's bilinear).
"""
import json
import pathlib

import cv2
import numpy as np
import torch
from scipy import ndimage
from sklearn import metrics

FOLDER = pathlib.Path(__file__).parent.parent / "fixtures" / "metrics"
LIMITS = (0.3, 0.05, 1.0)
THRESHOLD = 0.5


def aupro(images, limit):
    """anomalib's compute_pro and auc, in float64."""
    scores, fp_change, pro_change, regions = [], [], [], 0
    for score, mask in images:
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        regions += count
        scores.append(score.ravel())
        fp_change.append((labels == 0).ravel().astype(np.float64))
        pro_change.append(np.where(labels > 0, 1.0 / sizes[labels], 0.0).ravel())
    scores, fp_change, pro_change = map(np.concatenate, (scores, fp_change, pro_change))
    order = np.argsort(-scores, kind="stable")
    fpr = np.cumsum(fp_change[order]) / fp_change.sum()
    pro = np.cumsum(pro_change[order]) / regions
    keep = np.append(np.diff(scores[order]) != 0, True)
    fpr, pro = np.append(0, fpr[keep]), np.append(0, pro[keep])
    i = np.flatnonzero(fpr <= limit)[-1]
    if fpr[i] < limit and i + 1 < fpr.size:
        p = pro[i] + (pro[i + 1] - pro[i]) * (limit - fpr[i]) / (fpr[i + 1] - fpr[i])
        fpr, pro = np.append(fpr[: i + 1], limit), np.append(pro[: i + 1], p)
    else:
        fpr, pro = fpr[: i + 1], pro[: i + 1]
    return np.trapezoid(pro, fpr) / fpr[-1]


def measure(images):
    if not images:
        return None
    score = np.concatenate([s.ravel() for s, _ in images])
    truth = np.concatenate([m.ravel() for _, m in images])
    if truth.all() or not truth.any():
        return None
    precision, recall, thresholds = metrics.precision_recall_curve(truth, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = f1[:-1].max()
    found = score >= np.float32(THRESHOLD)
    return {"auroc": metrics.roc_auc_score(truth, score), "ap": metrics.average_precision_score(truth, score),
            "f1": best, "f1_threshold": float(thresholds[np.flatnonzero(f1[:-1] > best - 1e-12)[-1]]),
            "iou_at": metrics.jaccard_score(truth, found),
            "aupro": [aupro(images, limit) for limit in LIMITS]}


def blobs(rng, shape, count):
    mask = np.zeros(shape, bool)
    for _ in range(count):
        y, x = rng.integers(shape[0]), rng.integers(shape[1])
        mask[y : y + rng.integers(1, 4), x : x + rng.integers(1, 5)] = True
    return mask


def make_case(rng, name, change, counts=(2, 0, 1, 0, 3), shape=(9, 11)):
    images = []
    for count in counts:
        mask = blobs(rng, shape, count)
        score = np.clip(rng.normal(0.35 + 0.3 * mask, 0.15), 0, 1).astype(np.float32)
        images.append((change(score).astype(np.float32), mask))
    weightings = [[1] * len(images), rng.integers(0, 4, len(images)).tolist(),
                  [int(i != 2) for i in range(len(images))]]
    results = [measure([image for image, w in zip(images, weights) for _ in range(w)]) for weights in weightings]
    return {"name": name, "width": shape[1], "height": shape[0],
            "images": [{"scores": [float(v) for v in s.ravel()],
                        "mask": "".join("01"[int(v)] for v in m.ravel())} for s, m in images],
            "sets": [{"weights": w, "expected": r} for w, r in zip(weightings, results)]}


def ranking():
    rng = np.random.default_rng(5)
    changes = {
        "random": lambda s: s,
        "tied": lambda s: np.round(s * 5) / 5,
        "quantised": lambda s: np.round(s * 255) / 255,
        "saturated": lambda s: np.clip(3 * s - 1, 0, 1),
        "negative": lambda s: 20 * (s - 0.5),
        "signed zeros": lambda s: np.where(s > 0.6, s, np.copysign(0, s - 0.3)),
        "inverted": lambda s: 1 - s,
        "constant": lambda s: np.full_like(s, 0.25),
    }
    cases = [make_case(rng, name, change) for name, change in changes.items()]
    cases.append(make_case(rng, "one image", lambda s: s, counts=(2,)))
    cases.append(make_case(rng, "no defects", lambda s: s, counts=(0, 0, 0)))
    cases.append(make_case(rng, "many regions", lambda s: s, counts=(25, 25, 0), shape=(30, 31)))
    return {"limits": LIMITS, "threshold": THRESHOLD, "cases": cases}


def resample():
    rng = np.random.default_rng(6)
    masks, maps = [], []
    for (h, w), (th, tw) in [((40, 40), (10, 10)), ((64, 48), (32, 24)), ((37, 53), (16, 16)), ((30, 30), (30, 30)),
                             ((90, 70), (25, 31)), ((12, 9), (20, 21)), ((100, 100), (26, 26)), ((16, 8), (32, 16))]:
        mask = blobs(rng, (h, w), 5)
        mask[h // 3 : h // 3 + h // 4, w // 4 : w // 2] = True
        grey = mask.astype(np.uint8) * 255
        draem = cv2.resize(grey, (tw, th), interpolation=cv2.INTER_LINEAR) == 255
        nearest = torch.nn.functional.interpolate(torch.from_numpy(grey)[None, None], size=(th, tw), mode="nearest")
        masks.append({"width": w, "height": h, "to_width": tw, "to_height": th,
                      "mask": "".join("01"[int(v)] for v in mask.ravel()),
                      "draem": "".join("01"[int(v)] for v in draem.ravel()),
                      "anomalib": "".join("01"[int(v)] for v in nearest.numpy().ravel() > 0)})
        if h * w > 2000:
            continue
        score = rng.integers(0, 256, (th, tw)).astype(np.float32)
        large = torch.nn.functional.interpolate(torch.from_numpy(score).double()[None, None], size=(h, w),
                                                mode="bilinear", align_corners=False)
        maps.append({"width": tw, "height": th, "to_width": w, "to_height": h,
                     "scores": [float(v) for v in score.ravel()],
                     "bilinear": [float(f"{v:.7g}") for v in large.numpy().ravel()]})
    return {"masks": masks, "maps": maps}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, content in (("ranking.json", ranking()), ("resample.json", resample())):
        (FOLDER / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
