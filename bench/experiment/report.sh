#!/usr/bin/env bash
# The page of an experiment of cagen.sh: data, generated defects, trainings, tables and curves of all
# categories, points and image quality.
#
#     bench/experiment/report.sh OUT PAGE.html [OPTION OF cagen report...]
#
# Pictures are of the drawn categories alone: photographs belong to their data sets, whose licences rarely
# let them be passed on. Figures and a classifier for them go to OUT/report; what is there is not made again.
# COUNT (60): most pictures of a group of points. STEPS_CLASSIFIER (300).
set -euo pipefail
cagen=$(realpath "${CAGEN:-build/release/cagen}")
[ $# -ge 2 ] || { echo "usage: report.sh OUT PAGE.html [OPTION OF cagen report...]" >&2; exit 2; }
page=$(realpath "$2")
cd "$1"
shift 2
drawn="hex_nut leather"
others="own tight clear pasted repainted evaluation/synthetic/crop-paste" # what an experiment may have besides
count=${COUNT:-60}
mkdir -p report/data

for category in $drawn; do
    [ -d "report/data/$category" ] || cp -r "data/$category" report/data/
done
cp data/README.txt report/data/

# Syntheses that need no model, and a classifier of defect types whose features tell more than pixels do.
other() { [ "$1" = hex_nut ] && echo leather || echo hex_nut; }
for category in $drawn; do
    sound=report/data/$category/train/good
    [ -d "report/cutpaste/$category" ] || "$cagen" augment -q --method cutpaste --normal "$sound" \
        --count "$count" --out "report/cutpaste/$category" >/dev/null
    [ -d "report/draem/$category" ] || "$cagen" augment -q --method draem --normal "$sound" \
        --textures "report/data/$(other "$category")/train/good" --count "$count" --out "report/draem/$category" >/dev/null
    [ -e "report/classifier/$category/config.json" ] || "$cagen" classify train -q --data report/data \
        --category "$category" --part all --size 64 --width 16 --batch 16 --lr 1e-3 \
        --steps "${STEPS_CLASSIFIER:-300}" --out "report/classifier/$category" >/dev/null
done

figures=()
for category in $drawn; do
    groups=(--group "CutPaste=report/cutpaste/$category" --group "DRAEM=report/draem/$category"
        --group "CAGen=generated/$category")
    for source in $others; do
        [ ! -d "$source/$category" ] || groups+=(--group "${source##*/}=$source/$category")
    done
    out=report/figures/$category
    if [ ! -e "$out/quality.json" ]; then
        "$cagen" figure 4 -q --data report/data --category "$category" "${groups[@]}" --count "$count" \
            --out "$out" >/dev/null
        "$cagen" quality -q --data report/data --category "$category" "${groups[@]}" --count "$count" \
            --features "report/classifier/$category" --format json --out "$out/quality.json"
    fi
    figures+=(--figure "$out/figure4.json" --figure "$out/quality.json")
done

made=() trained=()
for category in $drawn; do
    for source in generated $others; do
        [ ! -e "$source/$category/manifest.jsonl" ] || made+=(--generated "$source/$category")
    done
done
for training in vae base controlnet; do
    [ ! -e "$training/journal.jsonl" ] || trained+=(--training "$training")
done
"$cagen" report --title "Six categories, three images of each defect" --data report/data "${made[@]}" \
    "${trained[@]}" --evaluation evaluation "${figures[@]}" --samples 8 --out "$page" "$@"
