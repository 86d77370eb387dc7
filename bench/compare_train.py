"""Compares cagen's training step with PyTorch's and prints a table in Markdown.

Run through bench/compare_train.sh. The programs take turns (A B A B ..), each time as a new process that
makes one step that does not count and --steps more; medians of the repeats are shown. Both train a whole
ControlNet in f32 (or --dtype), one picture a step, from latents and texts that are ready.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys


def run(command, environment=None):
    """The last line of COMMAND's output, JSON; None and the reason on standard error if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])
    print(f"  {' '.join(command)}: status {done.returncode}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return None


def run_cagen(args, size, options):
    out = os.path.join(args.work, "out")
    shutil.rmtree(out, ignore_errors=True)
    model, own = (args.small_model, options[:-1]) if options[-1:] == ["16"] else (args.model, options)
    result = run([args.cagen, "train", "controlnet", "--model", model, "--data", args.data, "--shots", "1",
                  "--batch", "1", "--size", str(size), "--steps", str(args.steps + 1), "--samples", "0",
                  "--save-minutes", "0", "--threads", str(args.threads), "--dtype", args.dtype, "--json",
                  "--out", out, *own])
    shutil.rmtree(out, ignore_errors=True)
    return result


def run_peer(args, size):
    return run([sys.executable, os.path.join(os.path.dirname(__file__), "peer_train.py"), "--model", args.model,
                "--size", str(size), "--steps", str(args.steps + 1), "--dtype", args.dtype],
               {"OMP_NUM_THREADS": str(args.threads)})


def collect(args, size):
    """{program: [results]}, taking turns."""
    variants = {"cagen": []}
    if args.variants:
        variants["cagen --moments 8bit"] = ["--moments", "8bit"]
        variants["cagen --moments 8bit --lean, weights of 16 bits"] = ["--moments", "8bit", "--lean", "16"]
    results = {"PyTorch": [], **{name: [] for name in variants}}
    for turn in range(args.repeats):
        for name in results:
            print(f"  {size}: {name}, {turn + 1} of {args.repeats}", file=sys.stderr, flush=True)
            result = run_peer(args, size) if name == "PyTorch" else run_cagen(args, size, variants[name])
            if result:
                results[name].append(result)
    return results


def rows(size, results):
    def median(name, *keys):
        return statistics.median(sum(r[key] for key in keys) for r in results[name])

    peer = results["PyTorch"]
    for name, runs in results.items():
        if not runs:
            yield f"| {size} x {size} | {name} | did not run | | | | |"
            continue
        passes, update = median(name, "forward", "backward"), median(name, "update")
        memory = max(r["memory"] for r in runs)
        ratios = ["", ""]
        if name != "PyTorch" and peer:
            ratios = [f"{median('PyTorch', 'forward', 'backward', 'update') / (passes + update):.2f}",
                      f"{100 * memory / max(r['memory'] for r in peer):.0f} %"]
        yield (f"| {size} x {size} | {name} | {passes:.2f} | {update:.2f} | {memory / 1e9:.1f} | "
               + " | ".join(ratios) + " |")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cagen", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--variants", action="store_true", help="those that take less memory as well")
    args = parser.parse_args()
    if args.variants:
        args.small_model = os.path.join(args.work, "small")
        subprocess.run([args.cagen, "model", "convert", args.model, "--out", args.small_model, "--dtype", "f16"],
                       check=True, stdout=sys.stderr)
    import torch

    print(f"{processor()}, {args.threads} threads, {args.dtype}; PyTorch {torch.__version__}; medians of "
          f"{args.repeats} runs that took turns; of a run the mean of {args.steps} steps, PyTorch's the median.\n")
    print("| picture | program | forward + backward, s an image | update, s | peak memory, GB | "
          "cagen is faster by | its memory |")
    print("|---|---|---|---|---|---|---|")
    for size in map(int, args.sizes.split(",")):
        for row in rows(size, collect(args, size)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
