"""Compares bench_detector with PyTorch and prints a table in Markdown.

Run through bench/compare_detector.sh. The sides take turns (A B A B ..). Each turn is a process of its
own, so that its peak memory is its own and both never share the machine: it does the part once on a batch
of --warm samples, which does not count, and once in full. The first touch of memory counts on both sides.
"""
import argparse
import os
import statistics
import sys
import time

import compare


def turn(command, warm, environment=None):
    """The answer of a new process, and what it says of itself; None and the reason on standard error."""
    process = None
    try:
        process = compare.Process(command, environment)
        process.run(f"warm {warm}")
        return {**process.run("run"), "ready": process.about["ready"]}
    except (RuntimeError, ValueError, OSError) as error:
        print(f"  {os.path.basename(command[0])}: {error}", file=sys.stderr)
        return None
    finally:
        if process:
            try:
                process.close()
            except OSError:
                pass


def measure(name, ours, peer, args):
    """Pairs of answers, of those turns that ran on both sides."""
    pairs = []
    for i in range(args.repeats):
        # As cagen sets it for itself.
        a = turn(ours, args.warm, {"OMP_WAIT_POLICY": "passive"})
        b = turn(peer, args.warm)
        for side, answer in (("cagen", a), ("PyTorch", b)):
            if answer:
                print(f"  {name} {i + 1} of {args.repeats}: {side} {answer['seconds']:.3f} s, "
                      f"{answer['peak_memory'] / 1e9:.2f} GB", file=sys.stderr, flush=True)
        if a and b:
            pairs.append((a, b))
    return pairs


def row(name, pairs):
    if not pairs:
        return f"| {name} | did not run | | | | | | | |"
    sides = [[p[k]["seconds"] for p in pairs] for k in (0, 1)]
    medians = [statistics.median(s) for s in sides]
    memory = [max(p[k]["peak_memory"] for p in pairs) / 1e9 for k in (0, 1)]
    ratios = [b / a for a, b in zip(*sides)]
    return (f"| {name} | {medians[0]:.3f} | {compare.spread(sides[0])} | {medians[1]:.3f} | {compare.spread(sides[1])} "
            f"| **{medians[1] / medians[0]:.2f}** | {min(ratios):.2f} .. {max(ratios):.2f} "
            f"| {memory[0]:.2f} | {memory[1]:.2f} |")


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
    options = ["--width", str(args.width), "--size", str(args.size), "--batch", str(args.batch),
               "--dtype", args.dtype, "--threads", str(args.threads)]
    peer = [sys.executable, os.path.join(os.path.dirname(__file__), "peer_draem.py"), *options]
    names = {"step": f"training step, batch {args.batch}", "score": "one picture scored"}
    load, version = os.getloadavg()[0], "PyTorch"
    print("| part | cagen, s | spread | PyTorch, s | spread | cagen is faster by | pair by pair | cagen, GB at the peak "
          "| PyTorch, GB |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for part in args.parts.split(","):
        pairs = measure(names[part], [args.bench, *options, "--serve", part], [*peer, "--serve", part], args)
        print(row(names[part], pairs), flush=True)
        version = pairs[0][1]["ready"] if pairs else version
    print(f"\nDRAEM of width {args.width}, {args.size} x {args.size} pixels, {args.dtype}, {args.threads} threads of "
          f"{compare.processor()}, {time.strftime('%Y-%m-%d')}; {version}. Medians of {args.repeats} processes of each "
          f"side in turns, each after a batch of {args.warm} that does not count; load {load:.1f} before, "
          f"{os.getloadavg()[0]:.1f} after.")


if __name__ == "__main__":
    main()
