#!/usr/bin/env bash
# Compares the training step of a ControlNet with PyTorch's and prints a table: seconds, peak memory.
#
#     CAGEN_PEER_PYTHON=python bench/compare_train.sh [--sizes 256,512] [--steps 3] [--repeats 2] ..
#
# That Python needs torch and diffusers. MODEL names a folder in diffusers' layout, f32; without it a model
# of Stable Diffusion 1.5's size with random weights is made in a temporary folder (4.3 GB). BUILD: the build
# folder. At full size a run takes 10 GB of memory and some minutes; with --variants there are more.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/release}

if [ -z "${CAGEN_PEER_PYTHON:-}" ]; then
    echo "compare_train.sh: set CAGEN_PEER_PYTHON to a Python with torch and diffusers" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -z "${MODEL:-}" ]; then
    "$build/tools/make_model" --config "${CONFIG:-sd15}" --tokenizer tests/fixtures/tokenizer/mini "$folder" >&2
    MODEL=$folder/model
fi
"$build/cagen" dataset make -q -c hex_nut --size 128 --train 1 --test-good 0 --per-defect 1 --out "$folder/data"
PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 "$CAGEN_PEER_PYTHON" bench/compare_train.py \
    --cagen "$build/cagen" --model "$MODEL" --data "$folder/data" --work "$folder" "$@"
