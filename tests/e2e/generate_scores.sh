#!/usr/bin/env bash
# cagen generate measures what it made, puts aside what falls short, and tries again.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
for i in 0 1; do
    draw_picture nut/train/good/00$i.ppm 64 64 $i
done
generate() { # OUT OPTION...
    "$CAGEN" generate --model model --controlnet controlnet --normal nut/train/good --shape perlin \
        --prompt "bent nut" --count 2 --steps 2 --size 64 --out "$@"
}
rows() { # TEXT OUT: rows of the manifest that have TEXT
    grep -c -- "$1" "$2/manifest.jsonl" || true
}

echo "== scores are written down"
generate scored --obedience -q >/dev/null
is "rows with scores" "$(rows '"scores":{"change":[0-9.e-]*,"obedience":[0-9.e-]*,' scored)" 2
generate plain -q >/dev/null
is "rows without a second sampling" "$(rows '"scores":{"change":[0-9.e-]*}' plain)" 2
same_files {scored,plain}/nut/test/bent/000.png

echo "== what falls short is put aside with its reason, and given up after the last try"
generate strict --min-obedience 1 --tries 2 >stdout 2>stderr
is "tries put aside" "$(rows '"kept":false' strict)" 4
is "reasons" "$(rows '"reason":"obedience 0[.][0-9]*, less than 1"' strict)" 4
is "pictures aside" "$(find strict/.dropped -name '???-?.png' | wc -l)" 4
[ ! -e strict/nut ] || fail "a picture was kept"
grep -q "made 0 images, 4 tries were put aside, 2 given up" stderr || fail "$(cat stderr)"
"$CAGEN" sheet strict --dropped -o sheet.png >/dev/null
[ -s sheet.png ] || fail "no sheet of what was put aside"
is "data set" "$("$CAGEN" dataset info strict 2>&1 | grep -c dropped || true)" 0

echo "== the same command again makes nothing twice"
cp strict/manifest.jsonl before
generate strict --min-obedience 1 --tries 2 2>stderr >/dev/null
same_files before strict/manifest.jsonl

echo "== a further try has noise and a mask of its own, and can be made again from its row"
generate changed --min-change 1000 -q 2>stderr && fail "--min-change 1000 was taken"
generate changed --min-change 255 --tries 2 -q >/dev/null
grep '003-1\|000-1' changed/manifest.jsonl >again.jsonl
is "seed of a second try" "$(grep -o '"seed":[0-9]*' again.jsonl)" '"seed":1'
"$CAGEN" generate --model model --controlnet controlnet --jobs again.jsonl --out again -q >/dev/null
same_files changed/.dropped/nut/test/bent/000-1.png again/nut/test/bent/000.png

echo "== a try that could not differ is not made"
draw_mask mask.pgm 64 64 20 20 24 24
once=(--model model --controlnet controlnet --normal nut/train/good/000.ppm --prompt "bent nut" --steps 2 --size 64 -q)
"$CAGEN" generate "${once[@]}" --mask mask.pgm --save-latents noise.safetensors --out noise >/dev/null
status=0
"$CAGEN" generate "${once[@]}" --mask mask.pgm --init-latents noise.safetensors --min-change 255 --tries 2 --out same \
    2>stderr >/dev/null || status=$?
is "exit status" $status 2
grep -q -- "--tries makes an image anew with other noise, but --init-latents gives the noise, and mask.pgm" stderr ||
    fail "$(cat stderr)"
"$CAGEN" generate "${once[@]}" --shape perlin --init-latents noise.safetensors --min-change 255 --tries 2 --out drawn >/dev/null
is "tries with masks of their own" "$(rows '"kept":false' drawn)" 2
! cmp -s drawn/.dropped/nut/test/bent/000-{0,1}.png || fail "the same picture twice"

echo "== --tighten writes the part of the mask that was seen to change, and puts aside what shows nothing"
generate loose -q >/dev/null
generate tight --tighten 100 -q >/dev/null
same_files {loose,tight}/nut/test/bent/000.png
! cmp -s {loose,tight}/nut/ground_truth/bent/000_mask.png || fail "the mask is as it was"
is "rows with the part" "$(rows '"tightened_to":0[.][0-9]*' tight)" 2
generate blank --tighten 255 -q >/dev/null
is "reasons" "$(rows '"reason":"no change of 255 in the mask"' blank)" 2

echo "== --strength below 1 begins from the normal image"
generate half --strength 0.5 -q >/dev/null
! cmp -s {loose,half}/nut/test/bent/000.png || fail "strength changed nothing"
status=0
generate none --strength 0.4 2>stderr >/dev/null || status=$?
is "exit status" $status 2
grep -q "strength 0.4 of 2 steps leaves none" stderr || fail "$(cat stderr)"

echo "== with fusion in every step there is nothing to measure obedience on"
status=0
generate stepwise --fuse step --obedience 2>stderr >/dev/null || status=$?
is "exit status" $status 2
grep -q "measured before fusion" stderr || fail "$(cat stderr)"

echo "== other rules are another result"
status=0
generate strict --min-obedience 0.99 --tries 2 2>stderr >/dev/null || status=$?
is "exit status" $status 2
grep -q "was made with other settings" stderr || fail "$(cat stderr)"

echo "== --repaint begins from pasted defects, under their masks, with their names"
for i in 0 1 2; do
    draw_picture few/nut/test/crack/00$i.ppm 64 64 1$i
    draw_mask few/nut/ground_truth/crack/00${i}_mask.pgm 64 64 20 20 24 30
done
"$CAGEN" augment --method crop-paste --normal nut/train/good --defects few/nut/test/crack \
    --defect-masks few/nut/ground_truth/crack --count 3 --out pasted -q >/dev/null
repaint() { # OUT OPTION...
    "$CAGEN" generate --model model --controlnet controlnet --steps 10 --size 64 -q --repaint pasted --out "$@"
}
repaint more >/dev/null
is "rows with the defect's name and half of the steps" \
    "$(rows '"prompt":"crack nut".*"strength":0[.]5.*"begin_sha256"' more)" 3
for i in 0 1 2; do
    changed=$("$CAGEN_TOOLS/compare_pictures" nut/train/good/00$((i % 2)).ppm more/nut/test/crack/00$i.png \
        pasted/nut/ground_truth/crop-paste/00${i}_mask.png)
    [[ $changed == *"outside 0 of"* && $changed != "inside 0 of"* ]] || fail "image $i: $changed"
done
repaint less --strength 0.1 --prompt "bent nut" >/dev/null
[ -s less/nut/test/bent/002.png ] || fail "--prompt was not taken"
repaint again --jobs more/manifest.jsonl 2>stderr && fail "--repaint with --jobs was taken"
"$CAGEN" generate --model model --controlnet controlnet --jobs more/manifest.jsonl --out again -q >/dev/null
same_files {more,again}/nut/test/crack/002.png
status=0
repaint whole --strength 1 2>stderr >/dev/null || status=$?
is "exit status" $status 2
grep -q "nothing is left of .*, which it begins from" stderr || fail "$(cat stderr)"
