#!/usr/bin/env bash
# cagen detect: a detector learns, is stopped, killed and resumed, is the same for any number of
# threads; its maps are what cagen metrics reads; what cannot be is refused in one line.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make --categories hex_nut --size 64 --train 8 --test-good 3 --per-defect 2 --out data -q >/dev/null
steps=30
training=(detect train --data data --size 32 --width 4 --batch 2 --lr 2e-3 --dtype f32)
test_it() { # MODEL OPTION...
    "$CAGEN" detect test --data data --dtype f32 --model "$@"
}

echo "== the plan is told before anything is made"
train planned --plan >stdout 2>stderr
grep -q "hex_nut: 7 normal images of 32x32, 1 held out; synthesis: draem (no --textures: other normal" stderr || fail "$(cat stderr)"
grep -q "30 steps of 2" stderr && grep -q "^97109 parameters are trained" stderr || fail "$(cat stderr)"
[ ! -e planned ] || fail "--plan made a folder"

echo "== a training from beginning to end"
train undisturbed --threads 1 >stdout 2>stderr
grep -q "^undisturbed: detector, 30 steps, loss" stdout || fail "$(cat stdout)"
for file in config.json reconstructive.safetensors discriminative.safetensors state.safetensors; do
    [ -s undisturbed/$file ] || fail "no $file"
done

echo "== it learns"
"$CAGEN" detect train --data data --size 32 --width 4 --steps 60 --batch 4 --lr 3e-3 --dtype f32 \
    --threads 1 --out learns --json >stdout 2>stderr
first=$(grep -o '"detail":"loss [0-9.]*' stderr | head -n1 | grep -o '[0-9.]*$')
last=$(grep -o '"loss":[0-9.]*' stdout | grep -o '[0-9.]*$')
awk -v a="$first" -v b="$last" 'BEGIN { exit !(a > 0 && b < 0.7 * a) }' || fail "loss $first became $last"

echo "== the number of threads changes nothing"
short=(--validation 0 -q)
steps=5 train once --threads 1 "${short[@]}" >/dev/null
steps=5 train threads --threads 2 "${short[@]}" >/dev/null
same_files once/state.safetensors threads/state.safetensors

echo "== activations computed again give the same statistics and losses"
steps=5 train again --threads 1 --recompute "${short[@]}" >/dev/null
same_files once/state.safetensors again/state.safetensors

echo "== Ctrl-C saves the state, running statistics of the last whole step included; a killed run goes on from its last one"
can_be_interrupted undisturbed discriminative.safetensors reconstructive.safetensors

echo "== a loss that is not finite, a full disk: the last state stays"
stops_at_nan undisturbed
stops_at_full_disk undisturbed

echo "== every synthesis trains"
mkdir -p textures
draw_picture textures/a.ppm 40 50 3
for name in cutpaste scar cutpaste-union nsa memseg none; do
    steps=1 train by-$name --validation 0 --synthesis $name -q >/dev/null
done
steps=1 train by-texture --validation 0 --textures textures --size 64 -q >/dev/null
! cmp -s by-cutpaste/discriminative.safetensors by-scar/discriminative.safetensors || fail "scar is cutpaste"

echo "== generated images take the place of normal ones, in three readings"
"$CAGEN" augment --method cutpaste --normal data/hex_nut/train/good --category hex_nut --count 4 --out made -q >/dev/null
for name in set draw anomalous; do
    steps=1 train replaced-$name --validation 0 --synthetic made --ratio 0.5 --replace $name >/dev/null 2>stderr
    grep -q "8 normal images of 32x32, 4 generated ones ($name, 0.5)" stderr || fail "$(cat stderr)"
done

echo "== a test prints measures and writes maps that cagen metrics reads"
test_it undisturbed --mode draem --maps maps --overlays overlays --scores scores.csv --format csv >table 2>stderr
is "images with a score" "$(wc -l <scores.csv)" 12
[ -s overlays/hex_nut/test/crack/000.png ] || fail "no overlay"
"$CAGEN" metrics --maps maps --data data --mode draem --format csv >table2
same_files table table2

echo "== a test is the same for any number of threads"
test_it undisturbed --mode draem --format csv --threads 1 >table1 2>/dev/null
same_files table table1

echo "== in JSON stands what was tested"
test_it undisturbed --mode draem --json >json 2>/dev/null
grep -q '^{"detector":{"network":"draem","width":4,"size":32,"category":"hex_nut","threshold":0\.[0-9]*},"rows":\[' json ||
    fail "$(cat json)"

echo "== a threshold is chosen without real defects, told and taken"
grep -q '"threshold": {' undisturbed/config.json || fail "no threshold"
grep -q '"made_anomalies": 6[0-4],' undisturbed/config.json || fail "$(cat undisturbed/config.json)"
grep -q "chosen without real defects: finds .* the best for this test set" stderr || fail "$(cat stderr)"
own=$(grep -o '"image": [0-9.e-]*' undisturbed/config.json | cut -d' ' -f2)
"$CAGEN" detect run --model undisturbed --dtype f32 data/hex_nut/test/crack/000.png >/dev/null 2>stderr
grep -q "threshold 0.[0-9]*: chosen on made anomalies" stderr || fail "$(cat stderr)"
awk -v own="$own" -v said="$(grep -o 'threshold [0-9.]*' stderr | cut -d' ' -f2)" \
    'BEGIN { d = own - said; exit !(d < 1e-4 && d > -1e-4) }' || fail "$(cat stderr) instead of $own"
steps=1 train none-held --validation 0 -q >/dev/null
! grep -q threshold none-held/config.json || fail "a threshold from nothing"
"$CAGEN" detect run --model none-held --dtype f32 data/hex_nut/test/crack/000.png >/dev/null 2>stderr
grep -q "threshold 0.5: the detector has none of its own" stderr || fail "$(cat stderr)"

echo "== a share of false alarms may be asked for, at the end of a training too"
cp -r undisturbed careful
train careful --resume --false-alarms 0 -q >/dev/null
grep -q '"rule": "false_alarms"' careful/config.json || fail "$(cat careful/config.json)"
grep -q '"false_alarms": 0.0' careful/config.json || fail "$(cat careful/config.json)"

echo "== new images are scored"
"$CAGEN" detect run --model undisturbed --threshold 0 --dtype f32 data/hex_nut/test/crack data/hex_nut/test/good/000.png >rows
is "lines" "$(wc -l <rows)" 3
is "anomalous ones" "$(grep -c anomalous rows)" 3
want=$(grep 'crack/000' scores.csv | cut -d, -f3)
got=$("$CAGEN" detect run --model undisturbed --json --dtype f32 data/hex_nut/test/crack/000.png)
awk -v a="$want" -v b="$(grep -o '"score":[0-9.e-]*' <<<"$got" | cut -d: -f2)" \
    'BEGIN { d = a - b; exit !(d < 1e-7 && d > -1e-7) }' || fail "score $got instead of $want"

echo "== the original's pair of files is a detector too"
cp -r undisturbed large
sed -i 's/"size": 32/"size": 256/' large/config.json
cp undisturbed/reconstructive.safetensors pair.pckl
cp undisturbed/discriminative.safetensors pair_seg.pckl
for model in large pair.pckl; do
    "$CAGEN" detect run --model $model --threshold 0.5 --dtype f32 data/hex_nut/test/crack >$model.rows
done
is "lines" "$(wc -l <large.rows)" 2
same_files large.rows pair.pckl.rows

echo "== what cannot be is told in one line"
refused 1 "nowhere" train refused -q --data nowhere
refused 2 "--size must be a multiple of 32" train refused -q --size 70
refused 2 "--width must be an even number" train refused -q --width 3
refused 2 'unknown --synthesis "magic"' train refused -q --synthesis magic
refused 2 "--ratio must be above 0" train refused -q --ratio 1.5
refused 2 "--validation must be at least 0 and below 1" train refused -q --validation 1
refused 2 "--false-alarms must be 0 to 1" train refused -q --false-alarms 2
refused 2 "--replace needs --synthetic" train refused -q --replace set
refused 2 "--synthesis scar uses no --textures" train refused -q --synthesis scar --textures textures
refused 1 "manifest.jsonl" train refused -q --synthetic data/hex_nut
refused 1 'no category "gear"' train refused -q --category gear
refused 2 "was begun with --seed 0" train undisturbed -q --resume --seed 7
refused 1 "other parameters" train undisturbed -q --resume --width 6
refused 1 "nothing/config.json" test_it nothing
mkdir broken
cp undisturbed/* broken/
head -c 1000 undisturbed/reconstructive.safetensors >broken/reconstructive.safetensors
refused 1 "broken/reconstructive.safetensors" test_it broken
cp undisturbed/reconstructive.safetensors broken/
sed -i 's/"reconstructive_width": 4/"reconstructive_width": 6/' broken/config.json
refused 1 "encoder.block1.0.weight is [4, 3, 3, 3] instead of [6, 3, 3, 3]" test_it broken
cp pair.pckl alone.pckl
refused 1 "alone_seg.pckl" test_it alone.pckl
cp undisturbed/state.safetensors other.pckl
printf "%b" "\\x08\\0\\0\\0\\0\\0\\0\\0{}      " >other_seg.pckl
refused 1 "not the weights of a DRAEM detector with its second file" test_it other.pckl
refused 1 "nowhere.png" "$CAGEN" detect run -q --model undisturbed nowhere.png
refused 1 'no test images of category "gear"' test_it undisturbed --category gear
