#!/usr/bin/env bash
# --moments 8bit: a training that needs less, goes on bit for bit, does not depend on threads, and
# learns what the one with f32 learns. And what becomes of a state when the disk is full.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
for i in 0 1; do
    draw_picture data/bottle/test/dent/00$i.ppm 72 72 $((i + 8))
    draw_mask data/bottle/ground_truth/dent/00${i}_mask.pgm 72 72 40 $((10 + 20 * i)) 12 20
done
steps=4
training=(train controlnet --model model --data data --shots 2 --batch 2 --size 64 --lr 1e-3 --samples 0)
planned() { # OPTION...: megabytes of what is trained
    train planned --plan "$@" 2>&1 | sed -n 's/.*gradients and moments \([0-9.]*\).*MB, a step.*/\1/p'
}
loss() { # OUT: of its last step
    sed -n '$s/.*"loss":\([0-9.]*\).*/\1/p' "$1/journal.jsonl"
}

echo "== ten bytes for each number and not sixteen"
f32=$(planned)
bytes=$(planned --moments 8bit)
awk -v a="$f32" -v b="$bytes" 'BEGIN { r = b / a; exit !(r > 0.62 && r < 0.65) }' || fail "$bytes MB, f32 $f32 MB"

echo "== the state is smaller, the loss nearly the same"
train large --threads 1 -q >/dev/null
train small --moments 8bit --threads 1 -q >/dev/null
((2 * $(stat -c %s small/state.safetensors) < 1 + $(stat -c %s large/state.safetensors) * 52 / 50)) ||
    fail "a state of $(stat -c %s small/state.safetensors) bytes"
awk -v a="$(loss large)" -v b="$(loss small)" 'BEGIN { d = a - b; exit !(a > 0 && d * d < 1e-4 * a * a) }' ||
    fail "loss $(loss small), f32 $(loss large)"
! cmp -s large/diffusion_pytorch_model.safetensors small/diffusion_pytorch_model.safetensors ||
    fail "the moments are the same"

echo "== threads and a pause change nothing"
train threads --moments 8bit --threads 2 -q >/dev/null
steps=2 train parts --moments 8bit -q >/dev/null
train parts --moments 8bit --resume -q >/dev/null
for run in threads parts; do
    for file in state diffusion_pytorch_model; do
        same_files small/$file.safetensors $run/$file.safetensors
    done
done

echo "== what does not go together is refused"
refused 2 "--moments is f32 or 8bit" train refused --moments 4bit -q
for pair in "small " "large --moments 8bit"; do
    read -r out option <<<"$pair"
    cp $out/state.safetensors before
    # shellcheck disable=SC2086 # an option of two words
    steps=6 refused 1 "has another size or type; resume with the options" train $out --resume -q $option
    same_files before $out/state.safetensors
done

echo "== a loss that is not finite, a full disk: the last state stays"
training+=(--moments 8bit)
stops_at_nan small
stops_at_full_disk small
