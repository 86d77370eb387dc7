"""Compares bench_detector with PyTorch and prints a table in Markdown.

Run through bench/detector.sh. The sides take turns (A B A B ...). Each turn is a process of its own, so
that its peak memory is its own and both never share the machine: it does the part once on a batch of
--warm samples, which does not count, and once in full. A turn's first touch of its memory is counted on
both sides.
"""
import argparse
import os
import statistics
import sys
import time

import compare


def turn(command, warm, environment=None):
    """Seconds, and bytes at the peak, of one process, and what it says of itself."""
    process = compare.Process(command, environment)
    try:
        process.run(f"warm {warm}")
        answer = process.run("run")
    finally:
        process.close()
    return answer["seconds"], answer["peak_memory"], process.about


def measure(name, ours, peer, warm, repeats):
    """A row of the table, and what the peer is."""
    pairs = []
    for i in range(repeats):
        # As cagen sets it for itself.
        a = turn(ours, warm, {"OMP_WAIT_POLICY": "passive"})
        b = turn(peer, warm)
        pairs.append((a, b))
        print(f"  {name} {i + 1}: cagen {a[0]:.3f} s, {a[1] / 1e9:.2f} GB; peer {b[0]:.3f} s, {b[1] / 1e9:.2f} GB",
              file=sys.stderr, flush=True)
    sides = [[p[k][0] for p in pairs] for k in (0, 1)]
    medians = [statistics.median(s) for s in sides]
    memory = [statistics.median(p[k][1] for p in pairs) / 1e9 for k in (0, 1)]
    ratios = [b / a for a, b in zip(*sides)]
    row = (f"| {name} | {medians[0]:.3f} | {compare.spread(sides[0])} | {medians[1]:.3f} "
           f"| {compare.spread(sides[1])} | **{medians[1] / medians[0]:.2f}** | {min(ratios):.2f} .. {max(ratios):.2f} "
           f"| {memory[0]:.2f} | {memory[1]:.2f} |")
    return row, pairs[0][1][2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--warm", type=int, default=1, help="samples of the step that does not count")
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", default="step,score")
    args = parser.parse_args()
    if args.repeats < 3:
        print("fewer than 3 repeats say nothing of the spread", file=sys.stderr)
    options = ["--width", str(args.width), "--size", str(args.size), "--batch", str(args.batch),
               "--dtype", args.dtype, "--threads", str(args.threads)]
    peer = [sys.executable, os.path.join(os.path.dirname(__file__), "peer_draem.py")]
    names = {"step": f"training step, batch {args.batch}", "score": "one picture scored"}
    load, rows, about = os.getloadavg()[0], [], {}
    for part in args.parts.split(","):
        serve = [*options, "--serve", part]
        row, about = measure(names[part], [args.bench, *serve], [*peer, *serve], args.warm, args.repeats)
        rows.append(row)
    print(f"DRAEM of width {args.width}, {args.size} x {args.size} pixels, {args.dtype}, {args.threads} threads of "
          f"{compare.processor()}, {time.strftime('%Y-%m-%d')}; {about['ready']}. Medians of {args.repeats} processes of "
          f"each side in turns, each after a step of {args.warm} that does not count; load {load:.1f} before, "
          f"{os.getloadavg()[0]:.1f} after.\n")
    print("| part | cagen, s | spread | PyTorch, s | spread | cagen is faster by | pair by pair | cagen, GB at the peak "
          "| PyTorch, GB |\n|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
