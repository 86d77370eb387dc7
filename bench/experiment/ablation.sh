#!/usr/bin/env bash
# What of CAGen helps a detector: the experiment's "own" images with one thing changed at a time, on the two
# drawn categories.
#
#     CAGEN_TEST_DATA=... bench/experiment/ablation.sh OUT      # OUT: what cagen.sh made
#
# - ratio: 10, 30, 60 and 100 % of the training set replaced;
# - "plain": without --detail; "whole": all of D(z_f) instead of the mask's part (--paste off); "step": fused in
#   every step; "good": the prompt of a sound part; "other": the prompt of another defect type, under the
#   masks of the right one;
# - what a share is replaced of (evaluate --replace): OUT/ablation/draw, OUT/ablation/anomalous.
#
# Every stage goes on where it was when run again. SEEDS, COUNT, STEPS_SAMPLING, STEPS_DETECTOR, BATCH_DETECTOR,
# WIDTH as in cagen.sh: with the same, its trainings are not done again.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
export cagen=${CAGEN:-$source_dir/build/release/cagen}
data=$(cd "${CAGEN_TEST_DATA:-$source_dir/../shared/data}" && pwd)
threads=${THREADS:-$(nproc)}
categories="hex_nut leather"
[ $# = 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
cd "$1"
mkdir -p ablation

# vary NAME CATEGORY: the images of "own", made in the way NAME.
vary() {
    local name=$1 category=$2 seed=1 defects=("parts/$2"/*) options=() i prompt
    [ ! -e "ablation/$name/$category.done" ] || return 0
    case $name in
        plain) ;;
        whole) options=(--detail 1 --paste off) ;;
        step) options=(--detail 1 --fuse step) ;;
        *) options=(--detail 1) ;;
    esac
    for ((i = 0; i < ${#defects[@]}; i++)); do
        local defect=${defects[i]##*/}
        prompt=$defect
        [ "$name" != good ] || prompt=good
        [ "$name" != other ] || prompt=${defects[(i + 1) % ${#defects[@]}]##*/}
        "$cagen" generate --model base/model --controlnet controlnet --category "$category" --size 64 \
            --window full --steps "${STEPS_SAMPLING:-12}" --guidance 3 --min-change 5 --tries 2 --threads 1 \
            --quiet --out "ablation/$name/$category" --normal "${defects[i]}" --shape library \
            --library "few/$category/ground_truth/$defect" --prompt "${prompt//_/ } ${category//_/ }" \
            --defect "$defect" --seed $((seed++)) --sheet "ablation/sheet-$name-$category-$defect.png" \
            "${options[@]}" >/dev/null
    done
    touch "ablation/$name/$category.done"
}
# compare OUT OPTION...: detectors of both categories.
compare() {
    "$cagen" evaluate --data data --categories "${categories// /,}" --textures "$data/dtd-subset/images" \
        --synthetic own=own --split shots.json --seeds "${SEEDS:-0,1,2}" --size 64 --width "${WIDTH:-16}" \
        --steps "${STEPS_DETECTOR:-1000}" --batch "${BATCH_DETECTOR:-4}" --lr 1e-3 --mode draem --bootstrap 500 \
        --jobs "$threads" --no-paper --out "$1" "${@:2}"
}

variants="plain whole step good other"
export -f vary
for name in $variants; do
    for category in $categories; do echo "$name $category"; done
done | xargs -P "$threads" -L1 bash -euo pipefail -c 'vary "$0" "$1"'
if [ ! -e ablation/table ]; then
    mkdir -p ablation/table.tmp/cells
    for category in $categories; do
        mkdir -p "ablation/table.tmp/cells/$category"
        cp -r "evaluation/cells/$category"/draem{,+own:0.3} "ablation/table.tmp/cells/$category/"
    done
    mv ablation/table.tmp ablation/table
fi
sources=() methods=draem
for name in $variants; do
    sources+=(--synthetic "$name=ablation/$name")
    methods+=,draem+$name
done
compare ablation/table "${sources[@]}" --methods "$methods,draem+own,draem+own:0.1,draem+own:0.6,draem+own:1"
for replace in draw anomalous; do
    compare "ablation/$replace" --replace "$replace" --methods draem+own
done
