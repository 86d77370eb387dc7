#!/usr/bin/env bash
# The end-to-end experiment: does DRAEM find more when 30 % of what it learns from was generated from
# three images of each defect? Real categories and drawn ones that the default model has not seen:
#
#     CAGEN_TEST_DATA=... bench/experiment/cagen.sh OUT
#
# - adapt: the default model's autoencoder and base are trained further on the sound images of all
#   categories;
# - learn: its ControlNet, from three images of each defect type, all categories in one;
# - generate, as many images each way:
#   "pasted": the few shots' defects cut out and pasted elsewhere on the object, no model;
#   "cagen": masks of Perlin noise or bent from any of the few shots' masks, as in the paper;
#   "own": masks bent from the few shots of the defect type that the prompt names, the picture's grain
#   added back (generate --detail 1);
#   "repainted": the pasted images, noise laid over the defects and taken away by the model (generate
#   --repaint), the grain added back;
#   "mixed": these last two together;
# - evaluate: draem alone, and with 30 % of each of these.
#
# Every stage goes on where it was when run again.
# COUNT, STEPS_VAE, STEPS_BASE, STEPS_CONTROLNET, STEPS_SAMPLING, STEPS_DETECTOR, BATCH_DETECTOR, WIDTH,
# STRENGTH, SEEDS, METHODS, CATEGORIES make it larger or smaller.
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
        --split shots.json --size 64 --whole --steps "${STEPS_CONTROLNET:-600}" --batch 16 --lr 4e-4 \
        --warmup 30 --lr-schedule cosine --flip --rotate --prompt-dropout 0.1 --empty-masks 0.2 --mask-weight 3 \
        --ema 0.98 --sample-every 150 --samples 18 --guidance 3 --threads "$threads" \
        --out controlnet $(resumed controlnet)
}
# parts CATEGORY: the normal images dealt out to the defect types, at most COUNT: parts/CATEGORY/DEFECT.
parts() {
    local defects=("few/$1/ground_truth"/*) normals=("data/$1/train/good"/*) i
    for ((i = 0; i < ${#normals[@]} && i < ${COUNT:-100}; i++)); do
        local part=parts/$1/${defects[i % ${#defects[@]}]##*/}
        mkdir -p "$part"
        ln -sf "$PWD/${normals[i]}" "$part"
    done
}
generate() { # OUT CATEGORY OPTION...
    "$cagen" generate --model base/model --controlnet controlnet --category "$2" --size 64 --window full \
        --steps "${STEPS_SAMPLING:-12}" --guidance 3 --min-change 5 --tries 2 --threads 1 --quiet \
        --out "$1/$2" "${@:3}" >/dev/null
}
generate_cagen() { # CATEGORY: with the prompts that its shots have
    sed -n "/\"category\": \"$1\"/,/\"images\"/s/^    \"\(.*\)\"$/\1/p" shots.json >"prompts-$1.txt"
    local normals=("parts/$1"/*/*)
    generate generated "$1" --normal "data/$1/train/good" --count "${#normals[@]}" --shape 'perlin|library' \
        --library "few/$1/ground_truth" --prompt "@prompts-$1.txt" --seed 1 --sheet "sheet-cagen-$1.png"
}
generate_own() { # CATEGORY
    local seed=1 part
    for part in "parts/$1"/*; do
        local defect=${part##*/}
        generate own "$1" --detail 1 --normal "$part" --shape library --library "few/$1/ground_truth/$defect" \
            --prompt "${defect//_/ } ${1//_/ }" --defect "$defect" --seed $((seed++)) --sheet "sheet-own-$1-$defect.png"
    done
}
generate_repainted() { # CATEGORY
    local seed=1 part
    for part in "parts/$1"/*; do
        local defect=${part##*/}
        "$cagen" augment --method crop-paste --normal "$part" --defects "few/$1/test/$defect" --quiet \
            --defect-masks "few/$1/ground_truth/$defect" --category "$1" --defect "$defect" --seed $((seed++)) \
            --out "pasted/$1" >/dev/null
    done
    generate repainted "$1" --detail 1 --repaint "pasted/$1" --strength "${STRENGTH:-0.5}" --seed 1 \
        --sheet "sheet-repainted-$1.png"
}
# join CATEGORY: what was made under masks of its own and what was repainted as one folder of results.
join() {
    local from
    mkdir -p "mixed/$1"
    for from in own repainted; do
        sed "s|\"image\":\"|&$PWD/$from/$1/|; s|\"mask\":\"|&$PWD/$from/$1/|" "$from/$1/manifest.jsonl"
    done >"mixed/$1/manifest.jsonl"
}
generate_all() { # CATEGORY
    once "parts-$1" parts "$1"
    once "cagen-$1" generate_cagen "$1"
    once "own-$1" generate_own "$1"
    once "repainted-$1" generate_repainted "$1"
    once "mixed-$1" join "$1"
}

once gather gather
once split "$cagen" dataset split data -k 3 --seed 0 -o shots.json --copy few
once adapt-vae adapt_vae
once adapt adapt
once learn learn
categories=${CATEGORIES:-bottle,screw,hazelnut,magnetic_tile,hex_nut,leather}
export -f once parts generate generate_cagen generate_own generate_repainted join generate_all
export cagen
tr , '\n' <<<"$categories" | xargs -P "$threads" -I{} bash -euo pipefail -c 'generate_all {}'
"$cagen" evaluate --data data --categories "$categories" --textures "$data/dtd-subset/images" \
    --synthetic cagen=generated --synthetic own=own --synthetic pasted=pasted --synthetic repainted=repainted \
    --synthetic mixed=mixed \
    --split shots.json --seeds "$seeds" \
    --methods "${METHODS:-draem,draem+pasted,draem+cagen,draem+own,draem+repainted,draem+mixed}" --size 64 \
    --width "${WIDTH:-16}" --steps "${STEPS_DETECTOR:-1000}" --batch "${BATCH_DETECTOR:-4}" --lr 1e-3 --mode draem \
    --bootstrap 500 --out evaluation --jobs "$threads"
