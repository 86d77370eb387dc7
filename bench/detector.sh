#!/usr/bin/env bash
# Compares a DRAEM training step, and one picture scored, with PyTorch in one run; prints a table.
#
#     CAGEN_PEER_PYTHON=python bench/detector.sh [--width 128] [--size 256] [--batch 8] [--repeats 3] ..
#
# That Python needs torch, numpy and safetensors. BUILD: the build folder.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${CAGEN_PEER_PYTHON:-}" ]; then
    echo "detector.sh: set CAGEN_PEER_PYTHON to a Python with torch" >&2
    exit 2
fi
PYTHONDONTWRITEBYTECODE=1 "$CAGEN_PEER_PYTHON" bench/detector.py \
    --bench "${BUILD:-build/release}/bench/bench_detector" "$@"
