#!/usr/bin/env bash
# The detector experiment: which synthesis trains the better DRAEM, on real and on drawn categories,
# as small as two processor cores can do in an hour or two. One command; run again, it goes on.
#
#     CAGEN=build/release/cagen CAGEN_TEST_DATA=../shared/data bench/experiment/detector.sh OUT [OPTION...]
#
# OPTION: more for cagen evaluate, --plan or --seeds 0 say. What it takes from CAGEN_TEST_DATA is told
# in the README of each folder there; a category that is not there is left out with a word.
#
#   bottle, screw    mvtec-256: MVTec AD at 256 x 256, half resp. a third of the normal images, all
#                    test images
#   toothbrush       mvtec-256: there are no normal test images; every fifth normal image is held back
#   hazelnut_toy     hazelnut-toy: Intel's, not the hazelnut of MVTec AD
#   magnetic_tile    magnetic-tile: one in five normal images for testing, all defects
#   hex_nut, leather_drawn   drawn by cagen dataset make, 64 x 64
#
# The size is what makes it small (SIZE, WIDTH, STEPS): figures say how syntheses compare there, and
# nothing about DRAEM at 256 x 256, width 128, 700 epochs.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: detector.sh OUT [OPTION OF cagen evaluate...]" >&2; exit 2; }
cagen=${CAGEN:-build/release/cagen}
from=$(realpath "${CAGEN_TEST_DATA:-../shared/data}")
out=$1
shift
size=${SIZE:-64} width=${WIDTH:-16} steps=${STEPS:-300} batch=${BATCH:-8} rate=${RATE:-1e-3}
data=$out/data
mkdir -p "$data"

# link CATEGORY FROM: a category in MVTec AD's layout, under this name.
link() {
    if [ -d "$2" ]; then
        ln -sfn "$2" "$data/$1"
    else
        echo "detector.sh: $2 is not there: $1 is left out" >&2
    fi
}

# Every fifth normal image becomes a normal test image.
hold_back() { # CATEGORY FROM
    [ -d "$2" ] || { echo "detector.sh: $2 is not there: $1 is left out" >&2; return 0; }
    mkdir -p "$data/$1/train/good" "$data/$1/test/good"
    local i=0
    for image in "$2"/train/good/*; do
        if ((i++ % 5 == 4)); then ln -sf "$image" "$data/$1/test/good/"; else ln -sf "$image" "$data/$1/train/good/"; fi
    done
    for type in "$2"/test/*; do
        [ "${type##*/}" = good ] || ln -sfn "$type" "$data/$1/test/${type##*/}"
    done
    ln -sfn "$2/ground_truth" "$data/$1/ground_truth"
}

link bottle "$from/mvtec-256/bottle"
link screw "$from/mvtec-256/screw"
hold_back toothbrush "$from/mvtec-256/toothbrush"
link hazelnut_toy "$from/hazelnut-toy/hazelnut"
if [ -d "$from/magnetic-tile" ] && [ ! -e "$data/magnetic_tile" ]; then
    "$cagen" dataset export "$from/magnetic-tile" --to mvtec --link --out "$out/tile" >&2
    ln -sfn "$(realpath "$out"/tile/*/)" "$data/magnetic_tile"
fi
if [ ! -e "$data/hex_nut" ]; then
    "$cagen" dataset make --categories hex_nut,leather --size 64 --out "$out/drawn" -q >/dev/null
    ln -sfn "$(realpath "$out/drawn/hex_nut")" "$data/hex_nut"
    ln -sfn "$(realpath "$out/drawn/leather")" "$data/leather_drawn"
fi
textures=()
[ ! -d "$from/dtd-subset/images" ] || textures=(--textures "$from/dtd-subset/images")

"$cagen" evaluate --data "$data" --layout mvtec --methods "${METHODS:-draem,cutpaste-union,nsa}" \
    "${textures[@]}" --seeds 0,1,2 --size "$size" --width "$width" --steps "$steps" --batch "$batch" \
    --lr "$rate" --dtype f32 --mode draem,anomalib --bootstrap 1000 --out "$out/results" "$@"
