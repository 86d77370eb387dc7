#!/usr/bin/env bash
# `make demo`: the whole way on the default model, into demo/. Parts and materials are drawn, so
# nothing is downloaded: defects are painted where masks say and as prompts say, a detector is trained
# without and with them, and demo/report.html shows it all. Interrupted, it goes on where it was.
# MODEL=DIR make demo: with another model. OUT=DIR: somewhere else.
set -euo pipefail
cd "$(dirname "$0")/.."

cagen=$PWD/build/release/cagen
out=${OUT:-demo}
seed=7
mkdir -p "$out"
cd "$out"
[ -z "${MODEL:-}" ] || export CAGEN_MODEL=$MODEL

step() { printf '\n== %s\n' "$*"; }

# generate CATEGORY DEFECT...: COUNT images for each defect, from sound parts, with masks drawn on them.
generate() {
    local category=$1 defect
    for defect in "${@:2}"; do
        "$cagen" generate --normal "parts/$category/train/good" --shape 'perlin|blob|scratch' \
            --prompt "$defect $category" --count "$count" --seed $seed --steps 20 --guidance 3 \
            --window full --min-change 4 --tries 3 --out "generated" --quiet >/dev/null
    done
}

step "1. A data set of parts, as if it were yours: parts/"
"$cagen" dataset make --out parts --size 64 --categories cable,capsule --train 80 --test-good 20 \
    --per-defect 10 --seed $seed
"$cagen" dataset info parts
