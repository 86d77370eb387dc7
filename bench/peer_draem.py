"""PyTorch as a peer of bench_detector: the same training step of DRAEM, f32 or bf16 autocast.

    peer_draem.py [--width 128] [--size 256] [--batch 8] [--threads N] [--steps 3] [--dtype f32]

channels_last, Adam. Processor seconds and seconds of the best step after one to warm up, and of one
picture scored. The networks are those of tests/oracle/make_draem_fixture.py.
"""

import argparse
import contextlib
import pathlib
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/oracle"))
import make_draem_fixture as draem  # noqa: E402


def measure(run):
    begin = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - begin[0], time.perf_counter() - begin[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    model = draem.Draem(args.width, args.width // 2).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    shape = (args.batch, 3, args.size, args.size)
    clean, picture = (torch.rand(shape).to(memory_format=torch.channels_last) for _ in range(2))
    mask = (torch.rand(args.batch, 1, args.size, args.size) > 0.95).float()
    cast = (
        torch.autocast("cpu", dtype=torch.bfloat16)
        if args.dtype == "bf16"
        else contextlib.nullcontext()
    )

    def step():
        optimizer.zero_grad()
        with cast:
            y, logits = model(picture)
        y, logits = y.float(), logits.float()
        loss = torch.nn.functional.mse_loss(y, clean) + draem.ssim(y, clean)
        (loss + draem.focal(torch.softmax(logits, 1), mask)).backward()
        optimizer.step()

    def score():
        with torch.no_grad(), cast:
            model(picture[:1])

    print(f"PyTorch {torch.__version__}, {args.dtype}, {torch.get_num_threads()} threads")
    best = min([measure(step) for _ in range(args.steps + 1)][1:])
    print(f"step     {best[0]:7.3f} s processor, {best[1]:7.3f} s")
    model.eval()
    best = min([measure(score) for _ in range(args.steps + 1)][1:])
    print(f"a picture scored {best[0]:7.3f} s processor, {best[1]:7.3f} s")


if __name__ == "__main__":
    main()
