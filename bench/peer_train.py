"""PyTorch and diffusers as a peer of `cagen train controlnet`: the same step of the same model.

    peer_train.py --model DIR [--dtype f32|bf16] [--size 512] [--batch 1] [--steps 3] [--checkpointing]

The step of diffusers' train_controlnet.py with cached latents and text states: forward, mean squared
error, backward, clipping, AdamW; channels_last, scaled dot product attention. bf16: the frozen U-Net in
bf16 and the ControlNet under autocast, as that script does. Prints a line of JSON: seconds of the forward,
backward and update (medians after the first step), and the peak memory of the process.
"""
import argparse
import json
import resource
import statistics
import time

import diffusers
import torch
from diffusers import ControlNetModel, DDPMScheduler, UNet2DConditionModel

diffusers.logging.set_verbosity_error()


def step(args, unet, controlnet, optimizer, scheduler, batch):
    began = time.perf_counter()
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    t = torch.randint(0, 1000, (args.batch,))
    noisy = scheduler.add_noise(batch["latent"], batch["noise"], t)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        down, mid = controlnet(noisy, t, batch["text"], batch["control"], return_dict=False)
        answer = unet(
            noisy.to(dtype),
            t,
            batch["text"].to(dtype),
            down_block_additional_residuals=[d.to(dtype) for d in down],
            mid_block_additional_residual=mid.to(dtype),
            return_dict=False,
        )[0]
    loss = torch.nn.functional.mse_loss(answer.float(), batch["noise"])
    forward = time.perf_counter()
    loss.backward()
    backward = time.perf_counter()
    torch.nn.utils.clip_grad_norm_(controlnet.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return forward - began, backward - forward, time.perf_counter() - backward


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--checkpointing", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(7)
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    unet = UNet2DConditionModel.from_pretrained(args.model, subfolder="unet", torch_dtype=dtype)
    unet = unet.requires_grad_(False).to(memory_format=torch.channels_last)
    controlnet = ControlNetModel.from_unet(unet).float().train().to(memory_format=torch.channels_last)
    if args.checkpointing:
        controlnet.enable_gradient_checkpointing()
    optimizer = torch.optim.AdamW(controlnet.parameters(), lr=1e-5, weight_decay=1e-2)
    side = args.size // 8
    batch = {
        "latent": torch.randn(args.batch, 4, side, side),
        "noise": torch.randn(args.batch, 4, side, side),
        "text": torch.randn(args.batch, 77, unet.config.cross_attention_dim),
        "control": torch.rand(args.batch, 3, args.size, args.size),
    }
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    times = [step(args, unet, controlnet, optimizer, scheduler, batch) for _ in range(args.steps)]
    parts = [statistics.median(column) for column in zip(*times[1:])]
    print(
        json.dumps(
            {
                "forward": parts[0],
                "backward": parts[1],
                "update": parts[2],
                "step": sum(parts),
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "threads": torch.get_num_threads(),
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
