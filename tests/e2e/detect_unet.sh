#!/usr/bin/env bash
# cagen detect --network unet: a U-Net as a second opinion sees what DRAEM sees, is resumed to the same
# bytes, tested, compared; cagen info tells what a detector's or classifier's file holds.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make --categories hex_nut --size 64 --train 8 --test-good 3 --per-defect 2 --out data -q >/dev/null
steps=16
options=(--data data --size 64 --batch 2 --lr 2e-3 --dtype f32)
training=(detect train "${options[@]}" --network unet --width 4)
test_it() { # MODEL OPTION...
    "$CAGEN" detect test --data data --dtype f32 --model "$@"
}

echo "== the plan tells the network and its parameters"
train planned --plan 2>stderr
grep -q "synthesis: draem (no --textures: .*; network: unet" stderr || fail "$(cat stderr)"
# Convolutions alone: 39.8 MFLOP forward, 77.9 backward.
grep -q "^112238 parameters are trained; 0.12[0-9]* GFLOP a step" stderr || fail "$(cat stderr)"

echo "== a training from beginning to end"
train undisturbed --threads 1 >stdout 2>stderr
grep -q "^undisturbed: detector, 16 steps, loss" stdout || fail "$(cat stdout)"
grep -q '"_class_name": "UNetSegmenter"' undisturbed/config.json || fail "$(cat undisturbed/config.json)"
is "files" "$(cd undisturbed && echo *.safetensors)" "model.safetensors state.safetensors"

echo "== it learns"
"$CAGEN" detect train --data data --size 32 --network unet --width 4 --steps 40 --batch 4 --lr 4e-3 --dtype f32 \
    --synthesis cutpaste --threads 1 --out learns --json >stdout 2>stderr
first=$(grep -o '"detail":"loss [0-9.]*' stderr | head -n1 | grep -o '[0-9.]*$')
last=$(grep -o '"loss":[0-9.]*' stdout | grep -o '[0-9.]*$')
awk -v a="$first" -v b="$last" 'BEGIN { exit !(a > 0 && b < 0.7 * a) }' || fail "loss $first became $last"

echo "== the number of threads changes nothing, computing again neither"
train threads --threads 2 --recompute -q >/dev/null
same_files undisturbed/state.safetensors threads/state.safetensors

echo "== stopped or killed it goes on, to the same bytes"
can_be_interrupted undisturbed model.safetensors

echo "== a loss that is not finite, a full disk: the last state stays"
stops_at_nan undisturbed
stops_at_full_disk undisturbed

echo "== other syntheses train it, and generated images in three readings"
steps=1 train by-cutpaste --validation 0 --synthesis cutpaste -q >/dev/null
steps=1 train by-none --validation 0 --synthesis none -q >/dev/null
"$CAGEN" augment --method cutpaste --normal data/hex_nut/train/good --category hex_nut --count 4 --out made -q >/dev/null
for name in set draw anomalous; do
    steps=1 train replaced-$name --validation 0 --synthetic made --ratio 0.5 --replace $name >/dev/null 2>stderr
    grep -q "8 normal images of 64x64, 4 generated ones ($name, 0.5)" stderr || fail "$(cat stderr)"
done

echo "== a test knows which network the folder holds, and its threshold"
test_it undisturbed --mode draem --maps maps --overlays overlays --format csv >table 2>stderr
grep -q "chosen without real defects: finds .* the best for this test set" stderr || fail "$(cat stderr)"
[ -s overlays/hex_nut/test/crack/000.png ] || fail "no overlay"
"$CAGEN" metrics --maps maps --data data --mode draem --format csv >table2
same_files table table2
test_it undisturbed --mode draem --format json 2>/dev/null | grep -q '^{"detector":{"network":"unet","width":4,"size":64,' ||
    fail "no network in the JSON"
"$CAGEN" detect run --model undisturbed --dtype f32 data/hex_nut/test/crack >rows 2>stderr
is "lines" "$(wc -l <rows)" 2
grep -q "chosen on made anomalies" stderr || fail "$(cat stderr)"

echo "== the same experiment with the other network, told apart"
evaluate() { # OUT OPTION...
    "$CAGEN" evaluate --data data --size 32 --batch 2 --dtype f32 --steps 2 --seeds 0 --bootstrap 20 --jobs 1 \
        --methods draem,cutpaste --out "$@"
}
evaluate table-unet --network unet --width 4 >stdout 2>/dev/null
grep -q "The detectors are U-Nets that see the picture alone" stdout || fail "$(cat stdout)"
! grep -q "paper:" stdout || fail "DRAEM's published figures beside a U-Net's"
grep -q '"network": "unet"' table-unet/cells/hex_nut/draem/0.json || fail "no network in the settings"
refused 2 'was made with "network" "unet", not nothing' evaluate table-unet -q --width 4

echo "== what cannot be measured is undefined, with the reason"
cp -r data good-only
rm -r good-only/hex_nut/test/[!g]*
"$CAGEN" detect test --model undisturbed --data good-only --dtype f32 --mode strict >stdout 2>/dev/null
grep -q "undefined: no defective pixels" stdout && grep -q "undefined: no defective images" stdout || fail "$(cat stdout)"
cp -r data bad-only
rm -r bad-only/hex_nut/test/good bad-only/hex_nut/ground_truth/crack/000_mask.png
"$CAGEN" detect test --model undisturbed --data bad-only --dtype f32 --mode strict >stdout 2>/dev/null
grep -q "undefined: no good images" stdout && grep -q "undefined: 1 of 8 images have no mask" stdout || fail "$(cat stdout)"

echo "== a detector that takes another one's place leaves nothing of it"
"$CAGEN" detect train "${options[@]}" --width 4 --steps 1 --validation 0 --out draem -q >/dev/null
cp -r draem place
steps=1 train place --validation 0 -q >/dev/null
is "files" "$(cd place && echo *.safetensors)" "model.safetensors state.safetensors"
"$CAGEN" detect train "${options[@]}" --width 4 --steps 1 --validation 0 --out place -q >/dev/null
same_files place/discriminative.safetensors draem/discriminative.safetensors
[ ! -e place/model.safetensors ] || fail "weights of the U-Net were left"

info() { # FILE SUMMARY REST
    "$CAGEN" info "$1" >stdout || fail "$1: $(cat stdout)"
    is "$1: networks" "$(grep -c parameters stdout)" 1
    grep -qF "  $2" stdout && grep -qF "$3" stdout || fail "$1: $(cat stdout)"
}
echo "== info tells what a folder or file is"
threshold=$(printf '%.4g' "$(grep -o '"image": [0-9.e-]*' undisturbed/config.json | cut -d' ' -f2)")
info undisturbed "U-Net on the picture alone, width 4, 64x64 pixels, of hex_nut, threshold $threshold" \
    "  112238 parameters in 164 tensors, F32"
cp undisturbed/model.safetensors unet.pckl
info unet.pckl "U-Net on the picture alone, width 4" "112238 parameters in 164 tensors"
info draem "DRAEM, widths 4 and 2, 64x64 pixels, of hex_nut" "97109 parameters in 298 tensors"
info draem/reconstructive.safetensors "DRAEM's reconstructive network, width 4" " in 134 tensors"
info draem/discriminative.safetensors "DRAEM's discriminative network, width 2" " in 164 tensors"
"$CAGEN" classify train --data data --size 32 --width 4 --steps 1 --batch 2 --dtype f32 --out classifier -q >/dev/null
info classifier "ResNet-18, width 4, 5 classes (good, chipped_corner, crack, rust, scratch), 32x32 pixels" " in 102 tensors"
info classifier/model.safetensors "ResNet-18, width 4, 5 classes" " in 102 tensors"
mkdir broken
cp undisturbed/*.* broken/
sed -i 's/"width": 4/"width": 5/' broken/config.json
! "$CAGEN" info broken >stdout || fail "a detector of another width is sound"
grep -q "problem: encoder_segment.block1.0.weight is \[4, 3, 3, 3\] instead of \[5, 3, 3, 3\]" stdout || fail "$(cat stdout)"
refused 1 "none of a U-Net, ControlNet, VAE, CLIP text encoder, detector or classifier" \
    "$CAGEN" info undisturbed/state.safetensors

echo "== what cannot be is told in one line"
refused 2 "--network is draem or unet" train refused -q --network resnet
refused 2 "--width must be 1 to 1024" train refused -q --width 0
refused 2 "--width must be an even number" train refused -q --network draem --width 3
refused 2 "evaluate: --network is draem or unet" evaluate x -q --network resnet
refused 1 "other parameters" train draem -q --resume
refused 1 "encoder_segment.block1.0.weight is [4, 3, 3, 3] instead of [5, 3, 3, 3]" test_it broken
sed -i 's/UNetSegmenter/UNet2DConditionModel/' broken/config.json
refused 1 "no detector" test_it broken
cp undisturbed/config.json broken/
head -c 1000 undisturbed/model.safetensors >broken/model.safetensors
refused 1 "broken/model.safetensors" test_it broken
refused 1 "the second file of a DRAEM detector" test_it draem/discriminative.safetensors
refused 1 "nor those of a U-Net" test_it classifier/model.safetensors
