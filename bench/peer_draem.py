"""PyTorch as a peer of bench_detector: the same training step of DRAEM, f32 or bf16 autocast.

    peer_draem.py [--width 128] [--size 256] [--batch 8] [--threads N] [--steps 3] [--dtype f32]

channels_last, Adam. Processor seconds and seconds of the best step after one to warm up, and of one
picture scored. --serve step|score answers lines as bench_detector does (see there). The networks are
those of tests/oracle/make_draem_fixture.py.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/oracle"))
import make_draem_fixture as draem  # noqa: E402


class Bench:
    def __init__(self, args):
        last = torch.channels_last
        self.args = args
        self.model = draem.Draem(args.width, args.width // 2).to(memory_format=last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        shape = (args.batch, 3, args.size, args.size)
        self.clean, self.picture = (torch.rand(shape).to(memory_format=last) for _ in range(2))
        self.mask = (torch.rand(args.batch, 1, args.size, args.size) > 0.95).float()

    def cast(self):
        return (
            torch.autocast("cpu", dtype=torch.bfloat16)
            if self.args.dtype == "bf16"
            else contextlib.nullcontext()
        )

    def step(self, count):
        clean, picture, mask = (x[:count] for x in (self.clean, self.picture, self.mask))
        self.model.train()
        self.optimizer.zero_grad()
        with self.cast():
            y, logits = self.model(picture)
        y, logits = y.float(), logits.float()
        loss = torch.nn.functional.mse_loss(y, clean) + draem.ssim(y, clean)
        (loss + draem.focal(torch.softmax(logits, 1), mask)).backward()
        self.optimizer.step()

    def score(self, _):
        self.model.eval()
        with torch.no_grad(), self.cast():
            self.model(self.picture[:1])


def measure(run, count):
    begin = time.process_time(), time.perf_counter()
    run(count)
    return time.process_time() - begin[0], time.perf_counter() - begin[1]


def serve(run, batch):
    version = f"PyTorch {torch.__version__}"
    print(json.dumps({"ready": version, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        words = line.split()
        processor, wall = measure(run, int(words[1]) if words[0] == "warm" else batch)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"seconds": wall, "processor_seconds": processor, "peak_memory": memory}
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--serve", choices=["step", "score"])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    bench = Bench(args)
    if args.serve:
        serve(getattr(bench, args.serve), args.batch)
        return
    print(f"PyTorch {torch.__version__}, {args.dtype}, {torch.get_num_threads()} threads")
    best = min([measure(bench.step, args.batch) for _ in range(args.steps + 1)][1:])
    print(f"step     {best[0]:7.3f} s processor, {best[1]:7.3f} s")
    best = min([measure(bench.score, 1) for _ in range(args.steps + 1)][1:])
    print(f"a picture scored {best[0]:7.3f} s processor, {best[1]:7.3f} s")


if __name__ == "__main__":
    main()
