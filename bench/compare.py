"""Compares bench_model with PyTorch and OpenVINO and writes docs/results/speed.md.

Run through bench/compare.sh. Ours and one peer are two processes that take turns, part by part
(A B A B ...), after a run of each that does not count; medians of the repeats and their ratio are
written, with the spread from the fastest to the slowest run. A peer that does not run is left out with
the reason.
"""
import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

PARTS = {
    "step": "guided ControlNet step",
    "unet": "U-Net forward",
    "controlnet": "ControlNet forward",
    "encode": "VAE encode",
    "decode": "VAE decode",
    "text": "text encoding",
}


class Process:
    """One side: answers a part's name with a line of JSON."""

    def __init__(self, command, environment=None):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self, part):
        try:
            self.process.stdin.write(part + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def interleave(ours, peer, parts, repeats):
    """{part: ([our seconds], [the peer's])}, and both sides' peak memory."""
    seconds, memory = {}, 0
    for part in parts:
        ours.run(part)
        peer.run(part)
        pairs = []
        for _ in range(repeats):
            a, b = ours.run(part), peer.run(part)
            pairs.append((a["seconds"], b["seconds"]))
            memory = max(memory, b.get("peak_memory", 0))
        seconds[part] = tuple(zip(*pairs))
        print(f"  {part}: {statistics.median(seconds[part][0]):.3f} s, "
              f"peer {statistics.median(seconds[part][1]):.3f} s", file=sys.stderr, flush=True)
    return seconds, memory


def spread(values):
    return f"{min(values):.3f} .. {max(values):.3f}"


def table(seconds):
    rows = ["| part | cagen, s | spread | peer, s | spread | cagen is faster by | pair by pair |",
            "|---|---|---|---|---|---|---|"]
    for part, (a, b) in seconds.items():
        ratios = [y / x for x, y in zip(a, b)]
        rows.append(f"| {PARTS[part]} | {statistics.median(a):.3f} | {spread(a)} | {statistics.median(b):.3f} "
                    f"| {spread(b)} | **{statistics.median(b) / statistics.median(a):.2f}** "
                    f"| {min(ratios):.2f} .. {max(ratios):.2f} |")
    return "\n".join(rows)


def compare(args, name, ours_command, peer_command, parts):
    """A section of the results."""
    print(name, file=sys.stderr, flush=True)
    load = os.getloadavg()[0]
    sides = []
    try:
        sides.append(Process(ours_command))
        sides.append(Process(peer_command))
        seconds, memory = interleave(*sides, parts, args.repeats)
    except (RuntimeError, ValueError) as error:
        return f"## {name}\n\nDid not run: {error}.\n"
    finally:
        for side in sides:
            try:
                side.close()
            except OSError:
                pass
    peer = sides[1].about
    text = f"## {name}\n\n{peer['ready']}, {peer['threads']} threads"
    if memory:
        text += f"; peak memory {memory / 1e9:.1f} GB"
    text += f". Load of the machine {load:.1f} before, {os.getloadavg()[0]:.1f} after.\n\n"
    text += table(seconds) + "\n\n"
    return text + f"```\n{shlex.join(shown(args, sides[0].command))}\n{shlex.join(shown(args, sides[1].command))}\n```\n"


def shown(args, command):
    """Without the paths of this machine."""
    here = os.path.dirname(__file__)
    names = {args.model: "MODEL", args.controlnet: "CONTROLNET", args.bench: "bench_model",
             sys.executable: "$CAGEN_PEER_PYTHON"}
    names |= {os.path.join(here, peer): f"bench/{peer}" for peer in ("peer_torch.py", "peer_openvino.py")}
    return [names.get(word, word) for word in command]


def alone(args):
    """bench_model's own report."""
    command = [args.bench, "--model", args.model, "--controlnet", args.controlnet, "--size", str(args.size),
               "--dtype", args.dtype, "--threads", str(args.threads), "--repeats", str(args.repeats)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"## cagen alone\n\n```\n$ {shlex.join(shown(args, command))}\n{output}```\n"


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--controlnet", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--peers", default="torch,compile,torch-f32,openvino")
    args = parser.parse_args()
    here, parts, peers = os.path.dirname(__file__), args.parts.split(","), args.peers.split(",")
    common = ["--model", args.model, "--controlnet", args.controlnet, "--size", str(args.size)]
    threads = ["--threads", str(args.threads)]

    def ours(dtype):
        return [args.bench, "--serve", *common, "--dtype", dtype, *threads]

    def peer(script, dtype, *more):
        return [sys.executable, os.path.join(here, script), *common, "--dtype", dtype, *more]

    rows = {
        "torch": ("PyTorch", args.dtype, peer("peer_torch.py", args.dtype)),
        "compile": ("PyTorch, compiled", args.dtype, peer("peer_torch.py", args.dtype, "--compile", *threads)),
        "torch-f32": ("PyTorch, f32", "f32", peer("peer_torch.py", "f32")),
        "openvino": ("OpenVINO", args.dtype, peer("peer_openvino.py", args.dtype, *threads)),
    }
    text = ["# Speed against PyTorch and OpenVINO\n",
            f"Written by bench/compare.sh on {time.strftime('%Y-%m-%d')}: {processor()}, "
            f"{len(os.sched_getaffinity(0))} processors, {platform.system()} {platform.release()}. "
            f"Random weights of Stable Diffusion 1.5's size with a ControlNet, {args.size} x {args.size} pixels, "
            f"one picture, {args.repeats} runs of each side in turns after one that does not count; medians, and "
            "the spread from the fastest to the slowest. A guided step is ControlNet and U-Net on a batch of two; "
            "the peers embed the control image in every ControlNet forward, as diffusers' pipeline does.\n",
            "```\nCAGEN_PEER_PYTHON=python MODEL=DIR CONTROLNET=DIR bench/compare.sh\n```\n"]
    if "alone" in peers or args.peers == parser.get_default("peers"):
        text.append(alone(args))
    for key in peers:
        if key in rows:
            name, dtype, command = rows[key]
            text.append(compare(args, name, ours(dtype), command, parts))
        # Written as it grows: a long run that is cut short keeps what it has.
        os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
        with open(args.out, "w") as f:
            f.write("\n".join(text))


if __name__ == "__main__":
    main()
