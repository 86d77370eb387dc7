#!/usr/bin/env bash
# `make demo`: the whole way on the default model, into demo/. Parts are drawn, so nothing is
# downloaded: defects are painted where masks and prompts say, a detector is trained without and with
# them, and demo/report.html shows it all. Interrupted, it goes on where it was.
# MODEL=DIR: another model in diffusers' layout, with a controlnet/ in it. OUT=DIR: another place.
set -euo pipefail
cd "$(dirname "$0")/.."

cagen=$PWD/build/release/cagen
out=${OUT:-demo}
seed=7
[ -z "${MODEL:-}" ] || export CAGEN_MODEL=$MODEL
mkdir -p "$out"
cd "$out"
say() { printf '\n== %s\n' "$*"; }

say "1 of 5: parts, as they might come from a line (parts/)"
"$cagen" dataset make --out parts --size 64 --categories cable,capsule --train 80 --test-good 20 \
    --per-defect 10 --seed $seed
printf '%s\n' "missing wire cable" "wrong wire cable" "cut sheath cable" "bent strand cable" >cable.txt
printf '%s\n' "crack capsule" "dent capsule" "hole capsule" "faulty imprint capsule" >capsule.txt

say "2 of 5: defects on sound parts, where random masks say and as the prompts say (generated/)"
for category in cable capsule; do
    "$cagen" generate --normal parts/$category/train/good --shape 'perlin|blob' \
        --prompt @$category.txt --count 32 --seed $seed --steps 20 --guidance 3 --window full \
        --min-change 8 --tries 3 --out generated >/dev/null
done
"$cagen" sheet generated --count 10 --cell 128 -o sheet.png

say "3 of 5: one part, one mask, four prompts (prompts.png)"
"$cagen" generate --normal parts/cable/train/good/003.png \
    --mask parts/cable/ground_truth/missing_wire/003_mask.png --prompt @cable.txt --count 4 \
    --seed $seed --steps 20 --guidance 3 --window full --out prompts --sheet prompts.png >/dev/null

say "4 of 5: a detector trained on drawn textures alone, and with generated defects (detector/)"
"$cagen" evaluate --data parts --synthetic generated --methods draem,draem+cagen --seeds 0 \
    --size 64 --width 16 --steps 240 --lr 1e-3 --mode draem --bootstrap 200 --no-paper --out detector

say "5 of 5: everything on one page (report.html)"
"$cagen" report --data parts --generated generated --evaluation detector -o report.html

say "done: open $PWD/report.html; sheet.png and prompts.png are pictures of it"
cat <<'END'
The model is a miniature and the detector saw 240 batches: the figures show that every step works, not
what the method can do. Next: docs/getting-started.md, from photographs of your own parts to a detector.
END
