#!/usr/bin/env bash
# cagen classify: a classifier learns defect types, is stopped and resumed, is the same for any number of
# threads; what its images are taken for is counted; what cannot be is refused in one line.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_data() { # OUT SEED TRAIN GOOD DEFECTS
    "$CAGEN" dataset make --categories hex_nut --size 48 --out "$1" --seed "$2" --train "$3" --test-good "$4" \
        --per-defect "$5" -q >/dev/null
}
make_data data 0 6 2 3
make_data other 1 2 2 2
steps=24
training=(classify train --data data --size 32 --width 4 --batch 4 --lr 2e-3 --dtype f32)
test_it() { # MODEL OPTION...
    "$CAGEN" classify test --dtype f32 --model "$@"
}

echo "== the plan is told before anything is made"
train planned --plan >stdout 2>stderr
grep -q "20 images of 32x32 in 5 classes (8 good, 3 chipped_corner, 3 crack, 3 rust, 3 scratch), 24 steps of 4" stderr ||
    fail "$(cat stderr)"
[ ! -e planned ] || fail "--plan made a folder"

echo "== a training from beginning to end"
train undisturbed --threads 1 >stdout 2>stderr
grep -q "^undisturbed: classifier, 24 steps, loss" stdout || fail "$(cat stdout)"
for file in config.json model.safetensors state.safetensors; do
    [ -s undisturbed/$file ] || fail "no $file"
done

echo "== it learns what it sees"
"$CAGEN" classify train --data data --size 32 --width 8 --steps 120 --batch 8 --lr 3e-3 --no-flip --dtype f32 \
    --out learnt -q >/dev/null
test_it learnt --data data --part all --json >row 2>/dev/null
right=$(grep -o '"right":[0-9]*' row | grep -o '[0-9]*$')
[ "$right" -ge 17 ] || fail "only $right of 20 training images are recognised"

echo "== the number of threads changes nothing"
train threads --threads 2 -q >/dev/null
same_files undisturbed/state.safetensors threads/state.safetensors
test_it undisturbed --data other --format csv --threads 1 >one 2>/dev/null
test_it undisturbed --data other --format csv --threads 2 >two 2>/dev/null
same_files one two

echo "== activations computed again give the same statistics and losses"
train again --threads 1 --recompute -q >/dev/null
same_files undisturbed/state.safetensors again/state.safetensors

echo "== Ctrl-C saves the state; a killed run goes on from its last one"
can_be_interrupted undisturbed model.safetensors

echo "== a loss that is not finite, a full disk: the last state stays"
stops_at_nan undisturbed
stops_at_full_disk undisturbed

echo "== training images alone, with generated defects"
"$CAGEN" augment --method cutpaste --normal data/hex_nut/train/good --category hex_nut --count 4 --out made -q >/dev/null
train from-generated --part train --synthetic made --plan 2>stderr
grep -q "10 images of 32x32 in 2 classes (6 good, 4 cutpaste)" stderr || fail "$(cat stderr)"
steps=2 train binary --part train --synthetic made --binary -q >/dev/null
test_it binary --data other --json >row 2>/dev/null
grep -q '"images":10,' row || fail "a binary classifier does not know all defects: $(cat row)"

echo "== a few-shot split is learnt from, and not tested on"
"$CAGEN" dataset split data --shots 1 --out shots.json >/dev/null 2>&1
train few --part train --split shots.json --plan 2>stderr
grep -q "10 images of 32x32 in 5 classes (6 good, 1 chipped_corner" stderr || fail "$(cat stderr)"
test_it undisturbed --data data --split shots.json --json >row 2>/dev/null
grep -q '"images":10,' row || fail "$(cat row)"

echo "== given weights go on; other classes get a last layer of their own"
steps=1 train further --weights undisturbed --part test -q --width 0 >/dev/null
steps=1 train fresh --weights undisturbed/model.safetensors --width 0 --binary -q >/dev/null
grep -q '"num_classes": 2' fresh/config.json || fail "$(cat fresh/config.json)"

echo "== types that it does not know are left out with a warning"
cp -r other strange
mv strange/hex_nut/test/crack strange/hex_nut/test/dent
mv strange/hex_nut/ground_truth/crack strange/hex_nut/ground_truth/dent
test_it undisturbed --data strange --scores scores.csv >stdout 2>stderr
grep -q "left out, the classifier does not know them: dent" stderr || fail "$(cat stderr)"
is "images with a score" "$(wc -l <scores.csv)" 9

echo "== the parts around masks are learnt, and what is tested is cut so too"
steps=120 train windows --window --width 8 --batch 8 -q >/dev/null
grep -q '"view": "window"' windows/config.json || fail "$(cat windows/config.json)"
test_it windows --data data --part all --json >row 2>/dev/null
right=$(grep -o '"right":[0-9]*' row | grep -o '[0-9]*$')
[ "$right" -ge 17 ] || fail "only $right of 20 parts around masks are recognised"
answers() { # CSV
    grep -v /good/ "$1" | cut -d, -f4
}
cp -r data elsewhere
"$CAGEN" mask --size 48x48 --shape rectangle:area=0.02..0.02 --count 1 --out elsewhere -q >/dev/null
cp elsewhere/000.png elsewhere/hex_nut/ground_truth/crack/000_mask.png
rm elsewhere/000.png
test_it windows --data data --scores scores.csv >/dev/null 2>&1
test_it windows --data elsewhere --scores moved.csv >/dev/null 2>&1
is "answers that differ when a mask lies elsewhere" \
    "$(diff <(answers scores.csv) <(answers moved.csv) | grep -c '^>')" 1

echo "== new images are classified and described"
"$CAGEN" classify run --model undisturbed --features features.npy --dtype f32 other/hex_nut/test -q >rows
is "lines" "$(wc -l <rows)" 10
head -c 80 features.npy | grep -aq "'shape': (10, 32)" || fail "$(head -c 80 features.npy)"

echo "== bad input is refused in one line"
refused 2 "--data DIR is missing" "$CAGEN" classify train --out refused
refused 2 "--size must be 16 to 4096" train refused -q --size 8
refused 2 "--batch must be 2 at least" train refused -q --batch 1
refused 2 "--network is resnet18 or resnet34" train refused -q --network vgg
refused 2 "--part is train, test or all" train refused -q --part half
refused 1 'all 6 images are "good"' train refused -q --part train
refused 2 "leave out the others" train refused -q --weights undisturbed --width 8
refused 1 "not the weights of a ResNet" train refused -q --weights undisturbed/state.safetensors --width 0
refused 1 'no category "gear"' train refused -q --category gear
rm -r elsewhere/hex_nut/ground_truth/rust
refused 1 "has no mask" test_it windows --data elsewhere
sed -i 's/"window"/"half"/' windows/config.json
refused 1 '"view" must be whole or window' test_it windows --data data
refused 2 "was begun with --seed 0" train undisturbed -q --resume --seed 7
refused 1 "other parameters" train undisturbed -q --resume --width 6
refused 1 "nothing" test_it nothing --data data
refused 1 "knows none of its types: cutpaste" test_it undisturbed --data made
refused 1 "text, json or csv" test_it undisturbed --data other --format latex -q
refused 1 "nowhere.png" "$CAGEN" classify run --model undisturbed nowhere.png
