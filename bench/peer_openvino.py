"""OpenVINO as a peer of bench_model: the same parts of the same model, served over stdin.

    peer_openvino.py --model DIR --controlnet DIR [--dtype bf16|f32] [--size 512] [--threads N]

Each part is converted in memory from diffusers' module with static shapes and compiled with the
latency hint and the inference precision of --dtype when it is first named, and the one before is let
go; a guided step is ControlNet and U-Net in one graph of batch two. Reads names of parts, runs each
once, and answers with a line of JSON; bench/compare.py is the other end.
"""
import argparse
import gc
import json
import os
import resource
import sys
import time

import openvino
import torch

import peer_torch

TOKENS = peer_torch.TOKENS
TIMESTEP = peer_torch.TIMESTEP


class Step(torch.nn.Module):
    def __init__(self, unet, controlnet):
        super().__init__()
        self.unet, self.controlnet = unet, controlnet

    def forward(self, latent, t, states, control):
        down, mid = self.controlnet(latent, t, encoder_hidden_states=states, controlnet_cond=control,
                                    conditioning_scale=1.0, return_dict=False)
        out = self.unet(latent, t, encoder_hidden_states=states, down_block_additional_residuals=down,
                        mid_block_additional_residual=mid, return_dict=False)[0]
        unconditional, conditional = out.chunk(2)
        return unconditional + 7.5 * (conditional - unconditional)


class Unet(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, latent, t, states):
        return self.unet(latent, t, encoder_hidden_states=states, return_dict=False)[0]


class Control(torch.nn.Module):
    def __init__(self, controlnet):
        super().__init__()
        self.controlnet = controlnet

    def forward(self, latent, t, states, control):
        down, mid = self.controlnet(latent, t, encoder_hidden_states=states, controlnet_cond=control,
                                    conditioning_scale=1.0, return_dict=False)
        return (*down, mid)


class Encode(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, image):
        return self.vae.quant_conv(self.vae.encoder(image))


class Decode(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, z):
        return self.vae.decoder(self.vae.post_quant_conv(z))


class Text(torch.nn.Module):
    def __init__(self, text):
        super().__init__()
        self.text = text

    def forward(self, ids):
        return self.text(ids, return_dict=False)[0]


class Parts:
    def __init__(self, args):
        self.args, self.name, self.request, self.inputs = args, None, None, None
        self.core = openvino.Core()

    def module(self, name):
        """The part and its example inputs."""
        args = argparse.Namespace(**{**vars(self.args), "dtype": "f32"})
        modules, _ = peer_torch.load(args)
        side, width, size = args.size // 8, modules["unet"].config.cross_attention_dim, args.size
        n = 2 if name == "step" else 1
        latent, states = torch.randn(n, 4, side, side), torch.randn(n, TOKENS, width)
        control, t = torch.randn(n, 3, size, size), torch.tensor(float(TIMESTEP))
        return {
            "step": lambda: (Step(modules["unet"], modules["controlnet"]), (latent, t, states, control)),
            "unet": lambda: (Unet(modules["unet"]), (latent, t, states)),
            "controlnet": lambda: (Control(modules["controlnet"]), (latent, t, states, control)),
            "encode": lambda: (Encode(modules["vae"]), (control,)),
            "decode": lambda: (Decode(modules["vae"]), (latent,)),
            "text": lambda: (Text(modules["text"]), (torch.randint(0, 1000, (2, TOKENS)),)),
        }[name]()

    def use(self, name):
        if name == self.name:
            return
        self.request = self.inputs = None
        gc.collect()
        module, inputs = self.module(name)
        with torch.no_grad():
            model = openvino.convert_model(module.eval(), example_input=inputs,
                                           input=[tuple(x.shape) for x in inputs])
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self.args.dtype}
        if self.args.threads:
            config["INFERENCE_NUM_THREADS"] = self.args.threads
        self.request = self.core.compile_model(model, "CPU", config).create_infer_request()
        self.inputs = [x.numpy() for x in inputs]
        self.name = name
        self.request.infer(self.inputs)

    def timed(self, name):
        self.use(name)
        gc.collect()
        begin, cpu = time.perf_counter(), time.process_time()
        self.request.infer(self.inputs, share_inputs=True, share_outputs=True)
        return {"seconds": time.perf_counter() - begin, "processor_seconds": time.process_time() - cpu}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--controlnet", required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    parts = Parts(args)
    threads = args.threads or len(os.sched_getaffinity(0))
    print(json.dumps({"ready": f"OpenVINO {openvino.__version__.split('-')[0]}, {args.dtype}", "threads": threads}),
          file=answers, flush=True)
    for line in sys.stdin:
        result = parts.timed(line.strip())
        result["peak_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    main()
