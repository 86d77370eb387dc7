#!/usr/bin/env bash
# cagen model convert: a model as folder and as single file, in f32, f16 and bf16; there and back
# gives the same bytes, whatever is in between.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

convert() {
    "$CAGEN" model convert -q "$@" >/dev/null
}
sound() { # MODEL...: nothing is wrong with it, and it has this many networks
    "$CAGEN" info --json "$1" >info || fail "$1: $(cat info)"
    is "networks of $1" "$(wc -l <info)" "$2"
}
names() { # FILE: names, types and shapes of its tensors
    head -c "$((8 + $(od -An -tu8 -N8 "$1")))" "$1" | tail -c +9 |
        grep -o '"[^"]*":{"dtype":"[A-Z0-9]*","shape":[^]]*\]'
}

make_mini . --single-file
weights=(unet/diffusion_pytorch_model vae/diffusion_pytorch_model text_encoder/model)
same_model() { # A B: two folders with the same weights
    local part
    for part in "${weights[@]}"; do
        same_files "$1/$part.safetensors" "$2/$part.safetensors"
    done
}

echo "== folder, single file, folder"
is "report" "$("$CAGEN" model convert -q model --out there.safetensors | sed 's/,.*//')" \
    "there.safetensors: $("$CAGEN" info --json model | grep -o '"tensors":[0-9]*' | awk -F: '{n += $2} END {print n}') tensors"
convert there.safetensors --config model --out back
same_model model back
sound back 3
diff -r model/tokenizer back/tokenizer
diff -r model/scheduler back/scheduler
# It is the file that the original code would have, but for its buffers.
names model.safetensors >want
names there.safetensors | grep -vxFf want >extra || true
is "names that such a file has not" "$(cat extra)" ""
is "names missing" "$(names there.safetensors | wc -l)" "$(grep -vc 'betas\|alphas_cumprod\|posterior_\|model_ema\|position_ids' want)"

echo "== single file, folder"
"$CAGEN" model convert model.safetensors --config model --out whole >stdout 2>stderr
same_model model whole
grep -q '^6 tensors were left out' stderr || fail "$(cat stderr)"
for kind in model whole back; do
    "$CAGEN" info --json $kind | grep -o '"fingerprint":"[^"]*"' >$kind.fingerprint
done
same_files model.fingerprint whole.fingerprint

echo "== a ControlNet"
convert controlnet --out control.safetensors
convert control.safetensors --config controlnet --out control-back
same_files controlnet/diffusion_pytorch_model.safetensors control-back/diffusion_pytorch_model.safetensors
sound control-back 1
convert controlnet.safetensors --config controlnet --out control-whole
same_files controlnet/diffusion_pytorch_model.safetensors control-whole/diffusion_pytorch_model.safetensors
cp -r model both
cp -r controlnet both/controlnet
convert both --out both.safetensors
convert both.safetensors --config both --out both-back
sound both-back 4
same_files both-back/controlnet/diffusion_pytorch_model.safetensors controlnet/diffusion_pytorch_model.safetensors

echo "== types of numbers"
for type in bf16 f16; do
    make_mini made-$type --dtype $type
    convert model --out $type --dtype $type
    same_model made-$type/model $type # rounded in the same way as by whom made them
done
convert f16 --out wide --dtype f32
convert wide --out again --dtype f16
same_model f16 again
# The form and the type in one go, and one after the other.
convert there.safetensors --out two-steps.safetensors --dtype bf16
convert bf16 --out one-step.safetensors
same_files one-step.safetensors two-steps.safetensors
# Whole numbers stay what they are, names that nobody knows too.
convert model.safetensors --out half.safetensors --dtype f16
is "names of a file in f16" "$(names half.safetensors | sed 's/"F16"/"F32"/' | sort)" "$(names model.safetensors | sort)"
names half.safetensors | grep 'position_ids.*"I64"' >/dev/null || fail "position_ids"

echo "== shards become one file"
make_mini sharded --shards
printf '{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": ["a", "b"]}' \
    >sharded/model/model_index.json
convert sharded/model --out joined
same_model model joined

echo "== the index names what is there"
is "index" "$(tr -d ' \n' <joined/model_index.json)" \
    '{"_class_name":"StableDiffusionPipeline","unet":["diffusers","UNet2DConditionModel"],"safety_checker":[null,null]}'

echo "== what cannot be"
refused 2 "one MODEL is needed" "$CAGEN" model convert -q --out x
refused 2 "--out is missing" "$CAGEN" model convert -q model
refused 2 "f32, f16 or bf16" "$CAGEN" model convert -q model --out x --dtype f8
refused 2 "joined: exists already" "$CAGEN" model convert -q model --out joined
refused 2 "half.safetensors: exists already" "$CAGEN" model convert -q model --out half.safetensors
refused 1 "absent: no such file or folder" "$CAGEN" model convert -q absent --out x
refused 1 "both/tokenizer/config.json: cannot open" "$CAGEN" model convert -q both/tokenizer --out x
refused 2 "holds no tokenizer" "$CAGEN" model convert -q model.safetensors --out x
mkdir empty
refused 1 "no such folder" "$CAGEN" model convert -q model.safetensors --config model --tokenizer absent --out empty
is "files in it" "$(find empty -type f)" ""
refused 1 "needs --config" "$CAGEN" model convert -q controlnet.safetensors --out sd15-sizes
# 7e4 is 0x47 0x88 0xb8 0x00: more than f16 has.
cp -r model large
{ head -c -4 model/vae/diffusion_pytorch_model.safetensors && printf '\000\270\210\107'; } \
    >large/vae/diffusion_pytorch_model.safetensors
refused 1 "f16 cannot hold; convert to bf16 or f32" "$CAGEN" model convert -q large --out large-f16 --dtype f16
is "an unfinished folder" "$(find large-f16 -name model_index.json)" ""
convert large --out large-bf16 --dtype bf16

echo "model_convert: all as expected"
