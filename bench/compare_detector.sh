#!/usr/bin/env bash
# Compares a training step of DRAEM, and one picture scored, with PyTorch's and prints a table: seconds,
# peak memory.
#
#     CAGEN_PEER_PYTHON=python bench/compare_detector.sh [--width 128] [--size 256] [--batch 8] [--repeats 3] ..
#
# That Python needs torch, numpy and safetensors. BUILD: the build folder. At full size a turn of one side
# takes minutes and more than 10 GB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${CAGEN_PEER_PYTHON:-}" ]; then
    echo "compare_detector.sh: set CAGEN_PEER_PYTHON to a Python with torch" >&2
    exit 2
fi
PYTHONDONTWRITEBYTECODE=1 "$CAGEN_PEER_PYTHON" bench/compare_detector.py \
    --bench "${BUILD:-build/release}/bench/bench_detector" "$@"
