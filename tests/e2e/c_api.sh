#!/usr/bin/env bash
# The C API as a program outside the project uses it: examples/generate.c, built against the public
# header and the shared library alone, makes the picture that the command line makes.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
draw_picture normal.ppm 160 140
draw_mask mask.pgm 160 140 51 61 39 19
make() { # OUT.png [LORA...]
    "$CAGEN_EXAMPLES/generate" model controlnet normal.ppm mask.pgm "broken large bottle" "$1" 2 "${@:2}"
}
command_line() { # OUT OPTION...
    "$CAGEN" generate --quiet --model model --controlnet controlnet --normal normal.ppm --mask mask.pgm \
        --prompt "broken large bottle" --steps 2 --out "$@" >/dev/null
}
picture=object/test/broken_large_bottle/000.png

echo "== one picture"
make plain.png >/dev/null 2>&1
command_line plain
same_files plain.png plain/$picture

echo "== with low-rank additions (LoRA), in full and by half"
mkdir mine
draw_picture mine/a.ppm 64 64
echo '{"file_name": "a.ppm", "text": "my bottle"}' >mine/metadata.jsonl
for rank in 2 3; do
    "$CAGEN" train base -q --data mine --from model --lora $rank --steps 1 --batch 1 --lr 5e-2 --warmup 0 --samples 0 \
        --out lora$rank >/dev/null
done
file=lora3/pytorch_lora_weights.safetensors
make added.png lora2 $file:0.5 >/dev/null 2>&1
command_line added --lora lora2 --lora $file:0.5
same_files added.png added/$picture
! cmp -s plain.png added.png || fail "the additions change nothing"

echo "== a failure is one line from cagen_last_error(), and nothing is written"
refuse() { # TEXT MODEL CONTROLNET [LORA...]
    refused 1 "$1" "$CAGEN_EXAMPLES/generate" "$2" "$3" normal.ppm mask.pgm "broken" bad.png 2 "${@:4}"
}
refuse nowhere model nowhere
refuse "nowhere.safetensors" model controlnet lora2 nowhere.safetensors
refuse "a LoRA is FILE or FILE:WEIGHT" model controlnet lora2:much
refuse "is no part of a LoRA" model controlnet model/vae/diffusion_pytorch_model.safetensors
[ ! -e bad.png ] || fail "a picture in spite of an error"
