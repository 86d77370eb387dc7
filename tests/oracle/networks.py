"""The reference networks of the fixtures, with pseudo-weights, in f64.

MINI has every structural feature of Stable Diffusion 1.5 (several heads, channel changes, ControlNet
with its conditioning stack) at a hundredth of its size; FULL is its real size.
"""

import math

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

import pseudo

diffusers.logging.set_verbosity_error()

UNET = dict(
    act_fn="silu",
    attention_head_dim=8,
    center_input_sample=False,
    down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    downsample_padding=1,
    flip_sin_to_cos=True,
    freq_shift=0,
    in_channels=4,
    layers_per_block=2,
    mid_block_scale_factor=1,
    norm_eps=1e-05,
    norm_num_groups=32,
    out_channels=4,
    sample_size=64,
    up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
)
CONTROLNET = {
    key: value
    for key, value in UNET.items()
    if key not in ("out_channels", "sample_size", "up_block_types", "center_input_sample")
} | dict(
    conditioning_channels=3,
    conditioning_embedding_out_channels=[16, 32, 96, 256],
    controlnet_conditioning_channel_order="rgb",
    global_pool_conditions=False,
)
VAE = dict(
    act_fn="silu",
    down_block_types=["DownEncoderBlock2D"] * 4,
    in_channels=3,
    latent_channels=4,
    layers_per_block=2,
    norm_num_groups=32,
    out_channels=3,
    up_block_types=["UpDecoderBlock2D"] * 4,
)
CLIP = dict(
    attention_dropout=0.0,
    bos_token_id=0,
    eos_token_id=2,
    hidden_act="quick_gelu",
    layer_norm_eps=1e-05,
    max_position_embeddings=77,
    model_type="clip_text_model",
    pad_token_id=1,
)
SCHEDULER = dict(
    _class_name="PNDMScheduler",
    beta_end=0.012,
    beta_schedule="scaled_linear",
    beta_start=0.00085,
    clip_sample=False,
    num_train_timesteps=1000,
    set_alpha_to_one=False,
    skip_prk_steps=True,
    steps_offset=1,
    trained_betas=None,
)

MINI_WIDTHS = dict(block_out_channels=[32, 64, 96, 96], cross_attention_dim=40)
FULL_WIDTHS = dict(block_out_channels=[320, 640, 1280, 1280], cross_attention_dim=768)
MINI = dict(
    unet=UNET | MINI_WIDTHS,
    controlnet=CONTROLNET | MINI_WIDTHS,
    vae=VAE | dict(block_out_channels=[32, 64, 64, 64], sample_size=64),
    clip=CLIP
    | dict(
        hidden_size=64,
        intermediate_size=256,
        num_attention_heads=4,
        num_hidden_layers=4,
        projection_dim=64,
        vocab_size=1000,
    ),
)
FULL = dict(
    unet=UNET | FULL_WIDTHS,
    controlnet=CONTROLNET | FULL_WIDTHS,
    vae=VAE | dict(block_out_channels=[128, 256, 512, 512], sample_size=512),
    clip=CLIP
    | dict(
        hidden_size=768,
        intermediate_size=3072,
        num_attention_heads=12,
        num_hidden_layers=12,
        projection_dim=768,
        vocab_size=49408,
    ),
)


class ExactSinusoid(torch.nn.Module):
    """The timestep embedding in f64: upstream's own is f32 whatever the model's dtype."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.frequencies = torch.exp(
            -math.log(10000) * torch.arange(half, dtype=torch.float64) / half
        )

    def forward(self, timesteps):
        angles = timesteps.to(torch.float64)[:, None] * self.frequencies[None]
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


def build(module, component, dtype=torch.float64):
    pseudo.fill(module, component)
    module.to(dtype).eval().requires_grad_(False)
    if hasattr(module, "time_proj") and dtype == torch.float64:
        module.time_proj = ExactSinusoid(module.config.block_out_channels[0])
    return module


def unet(config, dtype=torch.float64):
    return build(UNet2DConditionModel(**config), "unet", dtype)


def controlnet(config, dtype=torch.float64):
    return build(ControlNetModel(**config), "controlnet", dtype)


def vae(config, dtype=torch.float64):
    return build(AutoencoderKL(**config), "vae", dtype)


def taesd(dtype=torch.float64):
    return build(AutoencoderTiny(), "tiny", dtype)


def clip(config, dtype=torch.float64):
    # sdpa: the eager path computes its softmax in f32.
    model = CLIPTextModel._from_config(CLIPTextConfig(**config), attn_implementation="sdpa")
    return build(model, "clip", dtype)


def clip_hidden(model, ids, skip=0):
    """The conditioning of diffusers: the output of layer N - SKIP, then the final norm."""
    states = model(input_ids=ids.long(), output_hidden_states=True)
    if skip == 0:
        return states.last_hidden_state
    inner = getattr(model, "text_model", model)
    return inner.final_layer_norm(states.hidden_states[-(skip + 1)])
