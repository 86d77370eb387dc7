#!/usr/bin/env bash
# cagen train vae and cagen train base: a model from nothing but pictures and words, stopped and
# resumed; a ControlNet for it; a picture out of both.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make -q -c hex_nut --size 64 --train 6 --test-good 2 --per-defect 3 --out data
cat >vae.json <<'END'
{"_class_name": "AutoencoderKL", "block_out_channels": [8, 16, 16], "layers_per_block": 1,
 "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
 "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
 "norm_num_groups": 4, "latent_channels": 4, "sample_size": 32}
END
small_sizes sizes

steps=6
training=(train vae --data data --config vae.json --batch 4)

echo "== the autoencoder's plan is told before anything is made"
train v --plan >stdout 2>stderr
grep -q "19 pictures of 32x32 (1 more held out), 6 steps of 4" stderr || fail "$(cat stderr)"
[ ! -e v ] || fail "--plan made a folder"

echo "== an autoencoder"
train v --sample-every 3 >stdout 2>stderr
grep -q "^v/vae: autoencoder, .* dB, scaling factor .*, 6 steps, loss" stdout || fail "$(cat stdout)"
for file in vae/config.json vae/diffusion_pytorch_model.safetensors state.safetensors \
    samples/step-00000006.png; do
    [ -s v/$file ] || fail "no $file"
done
train v1 --threads 1 -q >/dev/null
same_files v/vae/config.json v1/vae/config.json
same_files v/state.safetensors v1/state.safetensors

echo "== stopped or killed it goes on; a loss that is not finite, a full disk: the last state stays"
steps=40
train w --threads 1 -q >/dev/null
can_be_interrupted w vae/diffusion_pytorch_model.safetensors vae/config.json
stops_at_nan w
stops_at_full_disk w

echo "== the base model's plan"
steps=6
training=(train base --data data --vae v/vae --config sizes --tokens 12 --batch 4 --samples 2 --sample-steps 2)
train b --plan >stdout 2>stderr
grep -q "20 pictures with 5 texts, latents of 8x8x4, 12 tokens, 6 steps of 4" stderr ||
    fail "$(cat stderr)"
[ ! -e b ] || fail "--plan made a folder"

echo "== a base model; put aside and resumed it has the same bytes"
train b --sample-every 3 >stdout 2>stderr
grep -q "^b/model: model, 6 steps, loss" stdout || fail "$(cat stdout)"
steps=3 train b1 -q >/dev/null
train b1 -q --resume >/dev/null
for file in unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors \
    tokenizer/vocab.json tokenizer/merges.txt model_index.json; do
    same_files b/model/$file b1/model/$file
done

echo "== stopped or killed it goes on; a loss that is not finite, a full disk: the last state stays"
steps=40
train base --threads 1 -q >/dev/null
can_be_interrupted base model/unet/diffusion_pytorch_model.safetensors model/text_encoder/model.safetensors
stops_at_nan base
stops_at_full_disk base

echo "== it is a model like any other"
"$CAGEN" info b/model >stdout || fail "cagen info"
grep -q "U-Net" stdout || fail "$(cat stdout)"
"$CAGEN" tokenize --tokenizer b/model/tokenizer "scratch hex nut" >/dev/null

echo "== further on other pictures, described in metadata.jsonl"
mkdir mine
cp data/hex_nut/train/good/000.png mine/a.png
echo '{"file_name": "a.png", "text": "my hex nut"}' >mine/metadata.jsonl
"$CAGEN" train base -q --data mine --from b/model --steps 2 --batch 2 --out further >/dev/null
same_files b/model/tokenizer/vocab.json further/model/tokenizer/vocab.json
same_files b/model/vae/config.json further/model/vae/config.json

echo "== what a training made goes by the name of its --out too"
"$CAGEN" train base -q --data mine --from b --steps 2 --batch 2 --out further2 >/dev/null
same_files further/state.safetensors further2/state.safetensors
"$CAGEN" train base --data data --vae v --config sizes --steps 1 --out x --plan 2>/dev/null
refused 1 "b: no folder unet in it; a model in diffusers' layout has unet, vae, text_encoder and tokenizer; there is one in b/model" \
    "$CAGEN" train controlnet --model b --data data --steps 1 --out x
! cmp -s b/model/unet/diffusion_pytorch_model.safetensors \
    further/model/unet/diffusion_pytorch_model.safetensors || fail "nothing was learnt"

echo "== additions to it alone (LoRA): merged and by themselves; the same bytes after a pause"
training=(train base -q --data mine --from b/model --lora 2 --lora-alpha 3 --lr 5e-2 --lr-schedule constant --warmup 0
    --batch 2)
steps=4
train additions >/dev/null 2>stderr
steps=2 train parts >/dev/null
train parts --resume >/dev/null
for file in pytorch_lora_weights.safetensors model/unet/diffusion_pytorch_model.safetensors; do
    same_files additions/$file parts/$file
done
same_files b/model/text_encoder/model.safetensors additions/model/text_encoder/model.safetensors
grep -aq '"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight"' \
    additions/pytorch_lora_weights.safetensors || fail "no additions"
! cmp -s b/model/unet/diffusion_pytorch_model.safetensors \
    additions/model/unet/diffusion_pytorch_model.safetensors || fail "nothing was learnt"
"$CAGEN" info additions/model >stdout || fail "cagen info"
"$CAGEN" info additions/pytorch_lora_weights.safetensors >stdout || fail "cagen info"
grep -q "^LoRA .*pytorch_lora_weights" stdout || fail "$(cat stdout)"
grep -q "rank 2, factor 1.5, 32 layers of a U-Net" stdout || fail "$(cat stdout)"
train threads --threads 1 >/dev/null
same_files additions/state.safetensors threads/state.safetensors
train lean --lean >/dev/null
same_files additions/state.safetensors lean/state.safetensors

echo "== a loss that is not finite, a full disk: the last state stays, of additions too"
stops_at_nan parts
stops_at_full_disk parts

echo "== pictures with the additions from their file are those of the merged model"
draw() { # OUT MODEL OPTION...
    "$CAGEN" generate -q --model $2 --normal data/hex_nut/train/good/000.png --steps 2 \
        --mask data/hex_nut/ground_truth/scratch/000_mask.png --prompt "my hex nut" --out "$1" \
        "${@:3}" >/dev/null
}
draw plain b/model
draw merged additions/model
draw added b/model --lora additions # a folder that cagen train made
draw none b/model --lora additions/pytorch_lora_weights.safetensors:0
draw halves b/model --lora additions:0.5 --lora additions:0.5
same_pictures merged added
same_pictures plain none
! diff -rq --exclude manifest.jsonl plain added >/dev/null || fail "the additions change nothing"
! diff -rq --exclude manifest.jsonl plain halves >/dev/null || fail "half of the additions change nothing"
grep -q '"lora":\[{"file":"additions/pytorch_lora_weights.safetensors","weight":1.0,"sha256":' \
    added/manifest.jsonl || fail "$(cat added/manifest.jsonl)"
draw added b/model --lora additions # made already
is "rows" "$(wc -l <added/manifest.jsonl)" 1
! draw added b/model --lora additions:0.7 2>stderr || fail "another weight was taken for the same"

echo "== a ControlNet for it, and a picture"
"$CAGEN" train controlnet -q --model b/model --data data --shots 2 --steps 2 --batch 2 --samples 0 \
    --out c >/dev/null
"$CAGEN" generate -q --model b/model --controlnet c --normal data/hex_nut/train/good/000.png \
    --mask data/hex_nut/ground_truth/scratch/000_mask.png --prompt "scratch hex nut" --steps 2 \
    --out made >/dev/null
[ -s made/manifest.jsonl ] || fail "no picture"

echo "== what cannot be is refused"
refused 2 "--data DIR is missing" "$CAGEN" train vae --steps 1 --out x
refused 2 "train vae: --steps N or --epochs N is needed" "$CAGEN" train vae --data data --out x
refused 2 "multiples of 4" "$CAGEN" train vae --data data --config vae.json --steps 1 --out x --size 30
refused 2 "not negative" "$CAGEN" train vae --data data --steps 1 --out x --kl -1
refused 2 "one of --vae DIR" "$CAGEN" train base --data data --steps 1 --out x
refused 2 "its own sizes" "$CAGEN" train base --data data --from b/model --config sizes --steps 1 --out x
train_lora_from() { # OPTION...
    "$CAGEN" train base -q --data mine --steps 1 --out x "$@"
}
refused 2 "narrowest attention layer has 24 channels" train_lora_from --from b/model --lora 25
refused 2 "give --from DIR" train_lora_from --vae v/vae --lora 2
refused 2 "--lora must be 1 or more" train_lora_from --from b/model --lora 0
refused 2 "--lean goes with --lora" train_lora_from --from b/model --lean
refused 2 "not base with --lora 3" "$CAGEN" train base -q --data mine --from b/model --lora 3 --batch 2 --steps 9 --out additions --resume
refused 2 "a LoRA is FILE or FILE:WEIGHT" draw x b/model --lora additions:much
refused 1 "nowhere" draw x b/model --lora nowhere
refused 1 "is no part of a LoRA" draw x b/model --lora v/vae/diffusion_pytorch_model.safetensors
refused 2 "--vocabulary must be 514" "$CAGEN" train base --data data --vae v/vae --steps 1 --out x --vocabulary 100
refused 1 "no such folder" "$CAGEN" train vae --data nowhere --steps 1 --out x
mkdir empty
refused 1 "empty" "$CAGEN" train vae --data empty --steps 1 --out x
echo '{"block_out_channels": [7]}' >odd.json
refused 1 "odd.json" "$CAGEN" train vae --data data --config odd.json --steps 1 --out x
