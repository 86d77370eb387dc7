"""PyTorch and diffusers as a peer of bench_model: the same parts of the same model, served over stdin.

    peer_torch.py --model DIR --controlnet DIR [--dtype bf16|f32] [--size 512] [--threads N] [--compile]

Set up as its users are told to for speed on a processor: channels_last, scaled dot product attention
(diffusers' default), inference_mode, bf16. Without --threads the fastest setting is found first. Reads
names of parts, runs each once, and answers with a line of JSON; bench/compare.py is the other end.
"""
import argparse
import gc
import json
import os
import resource
import sys
import time

import diffusers
import torch
import transformers

TOKENS = 77
TIMESTEP = 501


def load(args):
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    options = {"torch_dtype": dtype, "use_safetensors": True}
    parts = {
        "text": transformers.CLIPTextModel.from_pretrained(args.model, subfolder="text_encoder", **options),
        "vae": diffusers.AutoencoderKL.from_pretrained(args.model, subfolder="vae", **options),
        "unet": diffusers.UNet2DConditionModel.from_pretrained(args.model, subfolder="unet", **options),
        "controlnet": diffusers.ControlNetModel.from_pretrained(args.controlnet, **options),
    }
    for name, module in parts.items():
        module.eval().requires_grad_(False)
        parts[name] = module.to(memory_format=torch.channels_last)
    return parts, dtype


class Parts:
    def __init__(self, args):
        self.modules, dtype = load(args)
        generator = torch.Generator().manual_seed(7)

        def random(*shape):
            x = torch.randn(*shape, generator=generator).to(dtype)
            return x.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else x

        side, width = args.size // 8, self.modules["unet"].config.cross_attention_dim
        self.latent = {n: random(n, 4, side, side) for n in (1, 2)}
        self.states = {n: random(n, TOKENS, width) for n in (1, 2)}
        self.control = {n: random(n, 3, args.size, args.size) for n in (1, 2)}
        self.image = random(1, 3, args.size, args.size)
        self.ids = torch.randint(0, self.modules["text"].config.vocab_size, (2, TOKENS), generator=generator)
        self.t = torch.tensor(TIMESTEP)
        if args.compile:
            for name in ("unet", "controlnet"):
                self.modules[name] = torch.compile(self.modules[name])
            vae = self.modules["vae"]
            vae.decoder, vae.encoder = torch.compile(vae.decoder), torch.compile(vae.encoder)

    def run_controlnet(self, n):
        return self.modules["controlnet"](
            self.latent[n], self.t, encoder_hidden_states=self.states[n], controlnet_cond=self.control[n],
            conditioning_scale=1.0, return_dict=False)

    def run_unet(self, n, down=None, mid=None):
        return self.modules["unet"](
            self.latent[n], self.t, encoder_hidden_states=self.states[n],
            down_block_additional_residuals=down, mid_block_additional_residual=mid, return_dict=False)[0]

    def step(self):
        down, mid = self.run_controlnet(2)
        unconditional, conditional = self.run_unet(2, down, mid).chunk(2)
        return unconditional + 7.5 * (conditional - unconditional)

    def unet(self):
        return self.run_unet(1)

    def controlnet(self):
        return self.run_controlnet(1)

    def encode(self):
        return self.modules["vae"].encode(self.image, return_dict=False)

    def decode(self):
        return self.modules["vae"].decode(self.latent[1], return_dict=False)

    def text(self):
        return self.modules["text"](self.ids)

    def timed(self, name):
        gc.collect()
        begin, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            getattr(self, name)()
        return {"seconds": time.perf_counter() - begin, "processor_seconds": time.process_time() - cpu}


def best_threads(parts):
    """The fastest of one thread and all, on a U-Net forward."""
    counts = sorted({1, max(1, len(os.sched_getaffinity(0)) // 2), len(os.sched_getaffinity(0))})
    seconds = {}
    for count in counts:
        torch.set_num_threads(count)
        parts.timed("unet")
        seconds[count] = min(parts.timed("unet")["seconds"] for _ in range(2))
    return min(seconds, key=seconds.get)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--controlnet", required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(args.threads or len(os.sched_getaffinity(0)))
    parts = Parts(args)
    threads = args.threads or best_threads(parts)
    torch.set_num_threads(threads)
    what = f"PyTorch {torch.__version__}, diffusers {diffusers.__version__}, {args.dtype}"
    print(json.dumps({"ready": what + (", torch.compile" if args.compile else ""), "threads": threads}),
          file=answers, flush=True)
    for line in sys.stdin:
        result = parts.timed(line.strip())
        result["peak_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    main()
