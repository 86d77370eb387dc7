#!/usr/bin/env bash
# `make model`: trains the default model from nothing into build/model/mini, some three hours on two
# cores, and paints with it. Interrupted, it goes on where it was when run again. `scripts/make-model.sh
# --install [DIR]` copies the result to models/mini, or DIR. What was measured of that: docs/models/mini.md.
#
# STEPS=20 make model: the whole way with so many steps a training on few pictures, in a minute, into
# build/model-try; shows whether everything goes through, not what comes of it.
# WORK=DIR: another place. RECIPE=DIR: networks of other sizes than scripts/model's. CAGEN=FILE: the program.
set -euo pipefail
cd "$(dirname "$0")/.."

recipe=$(realpath "${RECIPE:-scripts/model}")
cagen=$(realpath "${CAGEN:-build/release/cagen}")
work=${WORK:-build/model${STEPS:+-try}}
categories=wood,gear,capsule,cable,circuit,fabric,brushed_metal,terrazzo # hex_nut and leather stay unseen
install=$(realpath -m "${2:-models/mini}")
images=400 batch=16 samples=16
[ -z "${STEPS:-}" ] || images=8 batch=4 samples=1
mkdir -p "$work"
cd "$work"

if [ "${1:-}" = --install ]; then
    "$cagen" info --check mini >/dev/null
    rm -rf "$install.new"
    cp -r mini "$install.new"
    rm -rf "$install"
    mv "$install.new" "$install"
    du -sh "$install"
    exit
fi

# train COMMAND OUT STEPS OPTION...: from the state in OUT, if there is one; nothing when it is complete.
train() {
    [ ! -e "$2/.complete" ] || return 0
    local resume=
    [ ! -e "$2/state.safetensors" ] || resume=--resume
    "$cagen" train "$1" --data drawn --out "$2" --steps "${STEPS:-$3}" --batch $batch --save-type f16 \
        --save-minutes 5 $resume "${@:4}"
    touch "$2/.complete"
}

"$cagen" dataset make --out drawn --size 64 --train $images --test-good $((images / 10)) \
    --per-defect $((images / 4)) --seed 1 --categories $categories
train vae vae 1600 --config "$recipe/vae.json" --lr 1e-3 --warmup 50 --ema 0.995 --flip --sample-every 500
train base base 4000 --vae vae/vae --config "$recipe" --lr 5e-4 --warmup 100 --min-snr 5 --ema 0.999 \
    --sample-every 1000 --samples $samples
# First as the paper has it, then with more weight on what the mask marks.
controlnet() { # OUT STEPS OPTION...
    train controlnet "$1" "$2" --model base/model --shots $((images / 4)) --size 64 --lr-schedule cosine \
        --prompt-dropout 0.1 --empty-masks 0.2 --ema 0.995 --sample-every 500 --samples $samples \
        --guidance 3 "${@:3}"
}
controlnet controlnet1 1200 --lr 5e-4 --warmup 50
controlnet controlnet 1000 --controlnet controlnet1 --lr 7e-4 --warmup 30 --mask-weight 3

rm -rf mini.new
cp -r base/model mini.new
mkdir mini.new/controlnet
cp controlnet/config.json controlnet/diffusion_pytorch_model.safetensors mini.new/controlnet/
rm -rf mini
mv mini.new mini
"$cagen" info --check mini
rm -rf painted painted.jsonl
for category in ${categories//,/ }; do
    defects=("drawn/$category/ground_truth"/*)
    defect=${defects[0]##*/}
    printf '{"normal": "drawn/%s/train/good/000.png", "prompt": "%s %s"}\n' \
        "$category" "${defect//_/ }" "${category//_/ }" >>painted.jsonl
done
"$cagen" generate --model mini --jobs painted.jsonl --shape 'blob|scratch' --steps 20 --guidance 3 \
    --window full --quiet --out painted >/dev/null
"$cagen" sheet painted --cell 128 --out painted.png
echo "$work/mini is the model; scripts/make-model.sh --install copies it to models/mini"
