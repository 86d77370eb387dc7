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
mkdir -p sizes/unet sizes/text_encoder
cat >sizes/unet/config.json <<'END'
{"block_out_channels": [16, 32], "cross_attention_dim": 24, "layers_per_block": 1,
 "norm_num_groups": 8, "attention_head_dim": 4,
 "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
 "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}
END
cat >sizes/text_encoder/config.json <<'END'
{"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
END

train_vae() { # OUT OPTION...
    "$CAGEN" train vae --data data --config vae.json --steps 6 --batch 4 --out "$@"
}
train_base() { # OUT OPTION...
    "$CAGEN" train base --data data --vae v/vae --config sizes --tokens 12 --steps 6 --batch 4 \
        --samples 2 --sample-steps 2 --out "$@"
}

echo "== the autoencoder's plan is told before anything is made"
train_vae v --plan >stdout 2>stderr
grep -q "19 pictures of 32x32 (1 more held out), 6 steps of 4" stderr || fail "$(cat stderr)"
[ ! -e v ] || fail "--plan made a folder"

echo "== an autoencoder"
train_vae v --sample-every 3 >stdout 2>stderr
grep -q "^v: autoencoder, .* dB, scaling factor .*, 6 steps, loss" stdout || fail "$(cat stdout)"
for file in vae/config.json vae/diffusion_pytorch_model.safetensors state.safetensors \
    samples/step-00000006.png; do
    [ -s v/$file ] || fail "no $file"
done
train_vae v1 --threads 1 -q >/dev/null
same_files v/vae/config.json v1/vae/config.json

echo "== the base model's plan"
train_base b --plan >stdout 2>stderr
grep -q "20 pictures with 5 texts, latents of 8x8x4, 12 tokens, 6 steps of 4" stderr ||
    fail "$(cat stderr)"
[ ! -e b ] || fail "--plan made a folder"

echo "== a base model; put aside and resumed it has the same bytes"
train_base b --sample-every 3 >stdout 2>stderr
grep -q "^b: model, 6 steps, loss" stdout || fail "$(cat stdout)"
train_base b1 -q --steps 3 >/dev/null
train_base b1 -q --resume >/dev/null
for file in unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors \
    tokenizer/vocab.json tokenizer/merges.txt model_index.json; do
    same_files b/model/$file b1/model/$file
done
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
! cmp -s b/model/unet/diffusion_pytorch_model.safetensors \
    further/model/unet/diffusion_pytorch_model.safetensors || fail "nothing was learnt"

echo "== additions to it alone (LoRA): merged and by themselves; the same bytes after a pause"
train_lora() { # OUT OPTION...
    "$CAGEN" train base -q --data mine --from b/model --lora 2 --lora-alpha 3 --lr 5e-2 \
        --lr-schedule constant --warmup 0 --batch 2 --out "$@"
}
train_lora additions --steps 4 >/dev/null 2>stderr
train_lora parts --steps 2 >/dev/null
train_lora parts --steps 4 --resume >/dev/null
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
train_lora threads --steps 4 --threads 1 >/dev/null
same_files additions/state.safetensors threads/state.safetensors
train_lora lean --steps 4 --lean >/dev/null
same_files additions/state.safetensors lean/state.safetensors

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
refuse() { # CODE TEXT COMMAND...
    local code=0
    "${@:3}" >stdout 2>stderr || code=$?
    is "exit code of ${*:3}" $code "$1"
    grep -q -e "$2" stderr || fail "no \"$2\" in: $(cat stderr)"
    is "lines on standard error" "$(wc -l <stderr)" 1
}
refuse 2 "--data DIR is missing" "$CAGEN" train vae --steps 1 --out x
refuse 2 "train vae: --steps N or --epochs N is needed" "$CAGEN" train vae --data data --out x
refuse 2 "multiples of 4" train_vae x --size 30
refuse 2 "not negative" train_vae x --kl -1
refuse 2 "one of --vae DIR" "$CAGEN" train base --data data --steps 1 --out x
refuse 2 "its own sizes" "$CAGEN" train base --data data --from b/model --config sizes --steps 1 --out x
train_lora_from() { # OPTION...
    "$CAGEN" train base -q --data mine --steps 1 --out x "$@"
}
refuse 2 "narrowest attention layer has 24 channels" train_lora_from --from b/model --lora 25
refuse 2 "give --from DIR" train_lora_from --vae v/vae --lora 2
refuse 2 "--lora must be 1 or more" train_lora_from --from b/model --lora 0
refuse 2 "--lean goes with --lora" train_lora_from --from b/model --lean
refuse 2 "not base with --lora 3" "$CAGEN" train base -q --data mine --from b/model --lora 3 --batch 2 --steps 9 --out additions --resume
refuse 2 "a LoRA is FILE or FILE:WEIGHT" draw x b/model --lora additions:much
refuse 1 "nowhere" draw x b/model --lora nowhere
refuse 1 "is no part of a LoRA" draw x b/model --lora v/vae/diffusion_pytorch_model.safetensors
refuse 2 "--vocabulary must be 514" train_base x --vocabulary 100
refuse 1 "no such folder" "$CAGEN" train vae --data nowhere --steps 1 --out x
mkdir empty
refuse 1 "empty" "$CAGEN" train vae --data empty --steps 1 --out x
echo '{"block_out_channels": [7]}' >odd.json
refuse 1 "odd.json" "$CAGEN" train vae --data data --config odd.json --steps 1 --out x
