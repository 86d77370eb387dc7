"""scikit-learn and anomalib's AUPRO as peers of bench_metrics: the same scores, in turns.

    $CAGEN_PEER_PYTHON bench/peer_metrics.py [--bench build/release/bench/bench_metrics]
        [--repeats 3] [--images 400] [--side 256] [--out docs/results/metrics.md]

Needs numpy, scipy and scikit-learn. The program draws the scores and writes them to a temporary
folder; then both sides measure them in turns (A B A B ...), after a run of each that does not count.
Values must agree to 1e-9. Writes medians, their ratio and the spread.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    import sklearn
    from scipy import ndimage
    from sklearn import metrics
except ImportError as missing:
    print(f"peer_metrics.py: left out, {missing}", file=sys.stderr)
    sys.exit(0)

LIMIT = 0.3


def f1_max(labels, scores):
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return (2 * precision * recall / np.maximum(precision + recall, 1e-300)).max()


def aupro(labels, scores):
    """anomalib's _AUPRO (the same as in MVTec's evaluation code), in numpy and float64."""
    sizes, region, offset = [], np.zeros(labels.shape, np.int32), 0
    for i, mask in enumerate(labels):
        found, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes.append(np.bincount(found.ravel(), minlength=count + 1)[1:])
        region[i] = np.where(found > 0, found + offset, 0)
        offset += count
    share = np.append(0.0, 1.0 / np.concatenate(sizes))[region.ravel()]
    order = np.argsort(-scores.ravel(), kind="stable")
    values, normal = scores.ravel()[order], (region.ravel() == 0)[order]
    fpr, pro = np.cumsum(normal) / normal.sum(), np.cumsum(share[order]) / offset
    keep = np.append(values[1:] != values[:-1], True)
    fpr, pro = np.append(0, fpr[keep]), np.append(0, pro[keep])
    i = np.flatnonzero(fpr <= LIMIT)[-1]
    if fpr[i] < LIMIT and i + 1 < fpr.size:
        p = pro[i] + (pro[i + 1] - pro[i]) * (LIMIT - fpr[i]) / (fpr[i + 1] - fpr[i])
        fpr, pro = np.append(fpr[: i + 1], LIMIT), np.append(pro[: i + 1], p)
    return np.trapezoid(pro, fpr) / LIMIT


PEER = {
    "auroc": lambda y, s: metrics.roc_auc_score(y.ravel(), s.ravel()),
    "ap": lambda y, s: metrics.average_precision_score(y.ravel(), s.ravel()),
    "f1": lambda y, s: f1_max(y.ravel(), s.ravel()),
    "aupro": aupro,
}


def run_peer(labels, scores):
    seconds, values = {}, {}
    for name, function in PEER.items():
        begin = time.perf_counter()
        values[name] = float(function(labels, scores))
        seconds[name] = time.perf_counter() - begin
    return seconds, values


class Ours:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench_metrics ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self, part):
        self.process.stdin.write(part + "\n")
        self.process.stdin.flush()
        return self.read()


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})"


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def report(args, ours, drawing, peer, worst, loads):
    pixels = args.images * args.side**2
    rows = [("AUROC", ["auroc"]), ("AUROC and AP", ["auroc", "ap"]), ("AUROC, AP and F1-max", ["auroc", "ap", "f1"]),
            ("all four", list(PEER))]
    mine = [r["seconds"] for r in ours]
    lines = [
        "# Speed of the pixel metrics\n",
        f"Written by bench/peer_metrics.py on {time.strftime('%Y-%m-%d')}: {processor()}, "
        f"{len(os.sched_getaffinity(0))} processors, load {loads[0]:.1f} before and {loads[1]:.1f} after. "
        f"{args.images} images of {args.side} x {args.side}: {pixels / 1e6:.1f} million scores, "
        f"{4 * pixels / 1e6:.0f} MB as f32, a quarter of the images with one defect. scikit-learn "
        f"{sklearn.__version__}, numpy {np.__version__}; AUPRO is anomalib's algorithm in numpy. {args.repeats} runs of "
        "each side in turns after one that does not count; median seconds (fastest .. slowest). cagen finds all four "
        f"values (and IoU and thresholds) in one run; the largest difference from the peers is {worst:.1e}.\n",
        "| of scikit-learn and anomalib | peer, s | cagen, all four, s | cagen is faster by |",
        "|---|---|---|---|",
    ]
    for title, names in rows:
        theirs = [sum(p[n] for n in names) for p in peer]
        ratio = statistics.median(theirs) / statistics.median(mine)
        lines.append(f"| {title} | {spread(theirs)} | {spread(mine)} | **{ratio:.1f}** |")
    lines.append(f"\n1000 bootstrap samples of the images, all values: {spread(drawing)} s. "
                 f"Peak memory of cagen with the scores: {ours[-1]['peak_memory'] / 1e6:.0f} MB.\n")
    lines.append("```\nCAGEN_PEER_PYTHON=python; $CAGEN_PEER_PYTHON "
                 + shlex.join(["bench/peer_metrics.py", "--repeats", str(args.repeats), "--images", str(args.images),
                               "--side", str(args.side)]) + "\n```\n")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="build/release/bench/bench_metrics")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--out", default="docs/results/metrics.md")
    args = parser.parse_args()
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours([args.bench, "--serve", folder, str(args.images), str(args.side)])
        shape = (args.images, args.side, args.side)
        scores = np.fromfile(os.path.join(folder, "scores.f32"), np.float32).reshape(shape)
        labels = np.fromfile(os.path.join(folder, "labels.u8"), np.uint8).reshape(shape)
    first = ours.run("measure")
    _, values = run_peer(labels, scores)
    worst = max(abs(first[name] - value) for name, value in values.items())
    if worst > 1e-9:
        sys.exit(f"values differ by {worst}: {first}, {values}")
    mine, peer, drawing = [], [], []
    for _ in range(args.repeats):
        mine.append(ours.run("measure"))
        peer.append(run_peer(labels, scores)[0])
        drawing.append(ours.run("bootstrap")["seconds"])
        print(f"cagen {mine[-1]['seconds']:.3f} s, peer {peer[-1]}", file=sys.stderr, flush=True)
    loads.append(os.getloadavg()[0])
    text = report(args, mine, drawing, peer, worst, loads)
    os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
    with open(args.out, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
