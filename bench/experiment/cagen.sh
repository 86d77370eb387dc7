#!/usr/bin/env bash
# The end-to-end experiment: does DRAEM find more when 30 % of what it learns from was generated from
# three images of each defect? Real categories and drawn ones that the default model has not seen:
#
#     CAGEN_TEST_DATA=... bench/experiment/cagen.sh OUT
#
# - adapt: the default model's autoencoder and base are trained further on the sound images of all
#   categories;
# - learn: its ControlNet, from three images of each defect type, all categories in one;
# - generate: twice the share that is replaced and more, with masks from Perlin noise and from the few
#   shots' own masks, bent and moved; once with these masks as the truth ("cagen"), once with the part
#   of them that was seen to change ("tight"), once with clear changes alone ("clear");
# - evaluate: draem alone, with the same few shots cut out and pasted, with each of the generated.
#
# Every stage goes on where it was when run again.
# COUNT, STEPS_VAE, STEPS_BASE, STEPS_CONTROLNET, STEPS_DETECTOR, BATCH_DETECTOR, WIDTH, SEEDS, METHODS,
# CATEGORIES make it larger or smaller.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
cagen=${CAGEN:-$source_dir/build/release/cagen}
data=$(cd "${CAGEN_TEST_DATA:-$source_dir/../shared/data}" && pwd)
model=${MODEL:-$source_dir/models/mini}
threads=${THREADS:-$(nproc)}
seeds=${SEEDS:-0,1,2}
[ $# = 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

# once STAGE COMMAND...: unless it was completed before.
once() {
    [ ! -e "stages/$1" ] || return 0
    echo "== $1" >&2
    "${@:2}"
    mkdir -p stages
    touch "stages/$1"
}
# resumed OUT: --resume where a state is.
resumed() { [ ! -e "$1/state.safetensors" ] || echo --resume; }

gather() {
    mkdir -p data
    cp -r "$data"/mvtec-256/{bottle,screw} data/
    cp -r "$data"/hazelnut-toy/hazelnut data/
    "$cagen" dataset export "$data"/magnetic-tile --to mvtec --out tile
    mv tile/magnetic_tile data/
    "$cagen" dataset make --out data --categories hex_nut,leather --size 64 --train 200 --test-good 40 \
        --per-defect 30 --seed 2
}
adapt_vae() {
    "$cagen" train vae --data data --train-only --from "$model/vae" --size 64 --steps "${STEPS_VAE:-300}" \
        --batch 16 --lr 4e-4 --warmup 20 --ema 0.98 --sample-every 150 --flip --threads "$threads" \
        --out vae $(resumed vae)
    rm -rf start && cp -r "$model" start && rm -r start/vae && cp -r vae/vae start/vae
}
adapt() {
    "$cagen" train base --data data --train-only --from start --size 64 --steps "${STEPS_BASE:-1000}" \
        --batch 16 --lr 4e-4 --warmup 50 --ema 0.99 --sample-every 500 --threads "$threads" \
        --out base $(resumed base)
}
learn() {
    "$cagen" train controlnet --model base/model --controlnet "$model/controlnet" --data data \
        --split shots.json --size 64 --whole --steps "${STEPS_CONTROLNET:-1200}" --batch 16 --lr 4e-4 \
        --warmup 30 --lr-schedule cosine --flip --prompt-dropout 0.1 --empty-masks 0.2 --mask-weight 3 --ema 0.99 \
        --sample-every 400 --samples 18 --guidance 3 --threads "$threads" \
        --out controlnet $(resumed controlnet)
}
generate() { # OUT CATEGORY OPTION...: with the prompts that its shots have
    sed -n "/\"category\": \"$2\"/,/\"images\"/s/^    \"\(.*\)\"$/\1/p" shots.json >"prompts-$2.txt"
    "$cagen" generate --model base/model --controlnet controlnet --normal "data/$2/train/good" \
        --shape 'perlin|library' --library "few/$2/ground_truth" --prompt "@prompts-$2.txt" \
        --category "$2" --count "${COUNT:-60}" --steps 20 --guidance 3 --size 64 --window full --min-change 5 \
        --tries 2 --seed 1 --threads "$threads" --out "$1/$2" --sheet "$1-$2.png" "${@:3}" >/dev/null
}

once gather gather
once split "$cagen" dataset split data -k 3 --seed 0 -o shots.json --copy few
once adapt-vae adapt_vae
once adapt adapt
once learn learn
categories=${CATEGORIES:-bottle,screw,hazelnut,magnetic_tile,hex_nut,leather}
for category in ${categories//,/ }; do
    once "generate-$category" generate generated "$category"
    once "tight-$category" generate tight "$category" --tighten 12
    once "clear-$category" generate clear "$category" --tighten 24 --min-change 16 --tries 4
done
"$cagen" evaluate --data data --categories "$categories" --textures "$data/dtd-subset/images" \
    --synthetic cagen=generated --synthetic tight=tight --synthetic clear=clear \
    --split shots.json --seeds "$seeds" \
    --methods "${METHODS:-draem,draem+crop-paste,draem+cagen,draem+tight,draem+clear}" --size 64 --width "${WIDTH:-16}" \
    --steps "${STEPS_DETECTOR:-200}" --batch "${BATCH_DETECTOR:-4}" --lr 1e-3 --mode draem --bootstrap 500 \
    --out evaluation --jobs "$threads"
