#!/usr/bin/env bash
# `make model`: trains the default model from nothing into build/model, some three hours on two cores.
# Interrupted, it goes on where it was when run again. The result is copied to models/mini by
# `scripts/make-model.sh --install`. What was measured of it: docs/models/mini.md.
set -euo pipefail
cd "$(dirname "$0")/.."

recipe=$PWD/scripts/model
cagen=$PWD/build/release/cagen
work=${WORK:-build/model}
categories=wood,gear,capsule,cable,circuit,fabric,brushed_metal,terrazzo # hex_nut and leather stay unseen
mkdir -p "$work"
cd "$work"

# train COMMAND OUT OPTION...: from the state in OUT, if there is one; nothing when it is complete.
train() {
    [ ! -e "$2/.complete" ] || return 0
    local resume=
    [ ! -e "$2/state.safetensors" ] || resume=--resume
    "$cagen" train "$1" --data drawn --out "$2" --batch 16 --save-minutes 5 $resume "${@:3}"
    touch "$2/.complete"
}

install_model() {
    local to=$OLDPWD/models/mini new=$OLDPWD/models/mini.new
    rm -rf "$new"
    mkdir -p "$new/controlnet"
    cp -r base/model/. "$new/"
    cp controlnet/config.json controlnet/diffusion_pytorch_model.safetensors "$new/controlnet/"
    rm -rf "$to"
    mv "$new" "$to"
    du -sh "$to"
}

if [ "${1:-}" = --install ]; then
    install_model
    exit
fi

"$cagen" dataset make --out drawn --size 64 --train 400 --test-good 40 --per-defect 100 --seed 1 \
    --categories $categories
train vae vae --config "$recipe/vae.json" --steps 1600 --lr 1e-3 --warmup 50 --ema 0.995 --flip \
    --sample-every 500 --save-type f16
train base base --vae vae/vae --config "$recipe" --steps 4000 --lr 5e-4 --warmup 100 --min-snr 5 \
    --ema 0.999 --sample-every 1000 --save-type f16
# First as the paper has it, then with more weight on what the mask marks.
controlnet() { # OUT OPTION...
    train controlnet "$1" --model base/model --shots 100 --size 64 --lr-schedule cosine \
        --prompt-dropout 0.1 --empty-masks 0.2 --ema 0.995 --sample-every 500 --samples 16 --guidance 3 \
        --save-type f16 "${@:2}"
}
controlnet controlnet1 --steps 1200 --lr 5e-4 --warmup 50
controlnet controlnet --controlnet controlnet1 --steps 1000 --lr 7e-4 --warmup 30 --mask-weight 3
echo "build/model: base/model and controlnet; scripts/make-model.sh --install copies them to models/mini"
