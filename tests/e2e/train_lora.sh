#!/usr/bin/env bash
# cagen train controlnet --lora: trains little, needs less, stops and goes on bit for bit, and leaves
# a ControlNet like any other.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
draw_picture data/bottle/train/good/000.ppm 72 72
for i in 0 1; do
    draw_picture data/bottle/test/dent/00$i.ppm 72 72 $((i + 8))
    draw_mask data/bottle/ground_truth/dent/00${i}_mask.pgm 72 72 40 $((10 + 20 * i)) 12 20
done
steps=4
training=(train controlnet --model model --data data --shots 2 --batch 2 --size 64 --lr 1e-3 --samples 0 --threads 1)
planned() { # OPTION...: megabytes of what is trained
    train planned --plan "$@" 2>&1 | sed -n 's/.*gradients and moments \([0-9.]*\).*MB, a step.*/\1/p'
}

echo "== the plan is smaller"
all=$(planned)
few=$(planned --lora 4)
awk -v a="$all" -v f="$few" 'BEGIN { exit !(f > 0 && f < 0.85 * a) }' || fail "$few MB, without --lora $all MB"

echo "== additions and what is the ControlNet's own are trained and kept in the state"
train out --lora 4 --lora-alpha 6 >stdout 2>stderr
grep -q "^524336 parameters are trained" stderr || fail "$(cat stderr)"
size=$(stat -c %s out/state.safetensors)
((size < 3 * 4 * 524336 + 100000)) || fail "a state of $size bytes"

echo "== the ControlNet is whole, the additions stand beside it"
"$CAGEN" info out | grep -q "2698064 parameters in 340 tensors" || fail "cagen info"
grep -aq '"mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight"' \
    out/pytorch_lora_weights.safetensors || fail "no additions"
"$CAGEN" generate --model model --controlnet out --normal data/bottle/train/good/000.ppm \
    --mask data/bottle/ground_truth/dent/000_mask.pgm --prompt "dent bottle" --steps 2 --size 64 \
    --out made -q >/dev/null
[ -s made/bottle/test/dent/000.png ] || fail "nothing was generated"

echo "== a run in two parts gives the same bytes"
steps=2 train parts --lora 4 --lora-alpha 6 -q >/dev/null
train parts --lora 4 --lora-alpha 6 --resume -q >/dev/null
for file in state diffusion_pytorch_model pytorch_lora_weights; do
    same_files out/$file.safetensors parts/$file.safetensors
done

echo "== what cannot be is refused"
refused 2 "--lora must be 1 or more" train refused -q --lora 0
refused 2 "narrowest attention layer has 32 channels" train refused -q --lora 33
refused 2 "--lora-alpha goes with --lora" train refused -q --lora-alpha 4
refused 2 "--lora-alpha must be above 0" train refused -q --lora 4 --lora-alpha -1
mkdir refused
cp out/state.safetensors refused/
refused 2 "another kind (controlnet with --lora 4 --lora-alpha 6, not controlnet)" train refused -q --resume
refused 2 "not controlnet with --lora 4 --lora-alpha 4" train refused -q --lora 4 --resume
cp -r model other
weights=other/unet/diffusion_pytorch_model.safetensors
blocks=$(($(stat -c %s $weights) / 8192)) # half of the file
dd if=/dev/zero of=$weights bs=4096 seek=$blocks count=$blocks conv=notrunc status=none
refused 2 "begun on a model with other weights" train refused -q --model other --lora 4 --lora-alpha 6 --resume

echo "== a loss that is not finite, a full disk: the last state stays"
training+=(--lora 4 --lora-alpha 6)
stops_at_nan out
stops_at_full_disk out
