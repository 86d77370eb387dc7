#!/usr/bin/env bash
# cagen train controlnet: plans, learns, is stopped, killed and resumed, refuses what cannot be, and
# its ControlNet is one that cagen generate takes.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
for i in 0 1 2; do
    draw_picture data/bottle/train/good/00$i.ppm 72 72 $i
done
for i in 0 1; do
    draw_picture data/bottle/test/scratch/00$i.ppm 72 72 $((i + 5))
    draw_mask data/bottle/ground_truth/scratch/00${i}_mask.pgm 72 72 $((10 + 20 * i)) 15 20 12
    draw_picture data/bottle/test/dent/00$i.ppm 72 72 $((i + 8))
    draw_mask data/bottle/ground_truth/dent/00${i}_mask.pgm 72 72 40 $((10 + 20 * i)) 12 20
done
steps=8
training=(train controlnet --model model --data data --shots 2 --batch 2 --size 64 --lr 1e-3 --samples 2
    --sample-steps 2)

echo "== the plan is told before anything is made"
train planned --plan >stdout 2>stderr
grep -q "4 shots of 64x64, 8 steps of 2 samples" stderr || fail "$(cat stderr)"
grep -q "parameters are trained; .* GFLOP a step" stderr || fail "$(cat stderr)"
grep -q "memory: about .*moments .*, a step " stderr || fail "$(cat stderr)"
grep -q "^prompts: \"dent bottle\", \"scratch bottle\"$" stderr || fail "$(cat stderr)"
grep -q "^disk: the state to resume from 32.4.*MB, and as much again" stderr || fail "$(cat stderr)"
grep -q "^time: at best .* a step, .* in all (.* GFLOP/s measured)" stderr || fail "$(cat stderr)"
[ ! -e planned ] || fail "--plan made a folder"

echo "== a training from beginning to end"
train undisturbed --threads 1 --sample-every 4 >stdout 2>stderr
grep -q "^undisturbed: ControlNet, 8 steps, loss" stdout || fail "$(cat stdout)"
for file in config.json diffusion_pytorch_model.safetensors state.safetensors shots.json \
    samples/step-00000004.png samples/step-00000008.png; do
    [ -s undisturbed/$file ] || fail "no $file"
done
"$CAGEN" info undisturbed | grep -q "2698064 parameters in 340 tensors" || fail "cagen info"
grep -q '"scratch' undisturbed/shots.json || fail "shots.json"
is "how often is told what a category shows" "$(grep -c "^data/bottle/train/good: the images look like" stderr)" 1

echo "== looking at samples changes nothing"
train unwatched --threads 1 -q >/dev/null
same_files undisturbed/state.safetensors unwatched/state.safetensors

is "rows of the journal" "$(wc -l <undisturbed/journal.jsonl)" 8
is "looks in the journal" "$(grep -c '"obedience":[0-9]' undisturbed/journal.jsonl)" 2
[ -s undisturbed/curve.svg ] || fail "no curve"

echo "== a rule ends it early"
train early --threads 1 --sample-every 2 --stop-when "obedience>=0 for 2" >stdout 2>stderr
grep -q "^early: ControlNet, 4 steps" stdout || fail "$(cat stdout)"
grep -q "stopped: obedience" stderr || fail "$(cat stderr)"

echo "== activations computed again give the same loss, but for the last digit: sums in another order"
train recomputed --threads 1 --recompute -q >stdout2
grep -q "loss 1.1[23]" stdout2 || fail "$(cat stdout2)"

echo "== the number of threads changes nothing"
train threads --threads 2 -q >/dev/null
same_files undisturbed/state.safetensors threads/state.safetensors

echo "== Ctrl-C saves the state; a killed run goes on from its last one"
can_be_interrupted undisturbed diffusion_pytorch_model.safetensors

echo "== a state of other options is refused"
refused 2 "was begun with --seed 0 --batch 2 --accumulate 1; resume with the same" \
    train undisturbed --threads 1 --resume -q --seed 7

echo "== more steps can follow"
steps=9 train undisturbed --threads 1 --resume -q >/dev/null

echo "== with --empty-masks normal images are learnt from too, and here nearly them alone"
cp -r data other
for defect in scratch dent; do
    for i in 0 1; do
        draw_picture other/bottle/test/$defect/00$i.ppm 72 72 $((i + 40))
    done
done
for set in data other; do
    train normals-$set --data $set --empty-masks 0.999 -q >/dev/null
done
same_files {normals-data,normals-other}/diffusion_pytorch_model.safetensors
! cmp -s {undisturbed,normals-data}/diffusion_pytorch_model.safetensors || fail "the shots were learnt"

echo "== the ControlNet is one that generates"
"$CAGEN" generate --model model --controlnet undisturbed --normal data/bottle/train/good/000.ppm \
    --mask data/bottle/ground_truth/dent/000_mask.pgm --prompt "dent bottle" --steps 2 --size 64 \
    --out made -q >/dev/null
[ -s made/bottle/test/dent/000.png ] || fail "nothing was generated"

echo "== what cannot be trained is told in one line"
with() { # OPTION...: a training that differs in these
    "$CAGEN" train controlnet --model model --data data --out refused --size 64 --steps 1 --shots 2 -q "$@"
}
refused 1 "nowhere" with --data nowhere
refused 1 "nothing: no such model" with --model nothing
refused 2 "--size 70: the model needs a multiple of 64 pixels" with --size 70
refused 2 "--lr must be above 0" with --lr 0
refused 2 "--empty-masks must be" with --empty-masks 1
refused 2 "--stop-when" with --stop-when "boredom>3"
refused 2 "give that too" with --stop-when "obedience>0.5"
refused 1 "refused/state.safetensors" with --resume
refused 2 "constant, cosine, linear or steps" with --lr-schedule up
mkdir -p healthy/bottle/train
cp -r data/bottle/train/good healthy/bottle/train/
refused 1 "defect" with --data healthy
cp -r data empty
draw_mask empty/bottle/ground_truth/dent/000_mask.pgm 72 72 0 0 0 0
refused 2 "empty/bottle/ground_truth/dent/000_mask.pgm: the mask is empty" with --data empty
cp -r data small
draw_picture small/bottle/test/dent/001.ppm 70 72 9
refused 1 "72x72, but its image small/bottle/test/dent/001.ppm is 70x72" with --data small
with --data data --shots 3 2>stderr >/dev/null
grep -q "bottle/dent: 2 images with a mask instead of 3" stderr || fail "$(cat stderr)"

echo "== a loss that is not finite stops the run and leaves the last state"
cp -r model poisoned # one NaN, where the fingerprint does not look
unet=poisoned/unet/diffusion_pytorch_model.safetensors
printf '\000\000\300\177' |
    dd of=$unet bs=1 seek=$(($(stat -c %s $unet) - 40004)) conv=notrunc status=none
steps=9 stops_at_nan undisturbed --model poisoned

echo "== a training that is begun anew where one was says so"
steps=1 train early -q 2>stderr >/dev/null
is "standard error" "$(cat stderr)" \
    "cagen: warning: early/state.safetensors: a training that was begun before is replaced; --resume would go on"
