#!/usr/bin/env bash
# Compares speed with PyTorch and OpenVINO in one run and writes docs/results/speed.md (or OUT).
#
#     CAGEN_PEER_PYTHON=python bench/compare.sh [--size 512] [--repeats 5] [--peers torch,openvino] ..
#
# That Python needs torch, diffusers, transformers and safetensors, and openvino for its row. MODEL and
# CONTROLNET name folders in diffusers' layout; without them a model of Stable Diffusion 1.5's size with
# random weights is made in a temporary folder (5.7 GB). BUILD: the build folder.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/release}

if [ -z "${CAGEN_PEER_PYTHON:-}" ]; then
    echo "compare.sh: set CAGEN_PEER_PYTHON to a Python with torch and diffusers" >&2
    exit 2
fi
if [ -z "${MODEL:-}" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$build/tools/make_model" --config sd15 --tokenizer tests/fixtures/tokenizer/mini "$folder"
    MODEL=$folder/model CONTROLNET=$folder/controlnet
fi
PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 "$CAGEN_PEER_PYTHON" bench/compare.py \
    --bench "$build/bench/bench_model" --model "$MODEL" --controlnet "$CONTROLNET" \
    --out "${OUT:-docs/results/speed.md}" "$@"
