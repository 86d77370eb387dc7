#!/usr/bin/env bash
# Whatever is wrong with files, options or the machine: cagen says so in one line that names it, ends
# with a status other than 0, and leaves nothing half-written.
#
# One line per case:
#     bad STATUS "words & words" 'how to break it' OPTION...
#     works "words of a warning, or nothing" 'what is unusual' OPTION...
# Each case has a folder of its own with a model, a ControlNet, an image and a mask.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

chmod 755 .
cp "$CAGEN" cagen # where an unprivileged user can run it
picture="$CAGEN_TOOLS/make_picture"
make_mini original
draw_picture original/normal.ppm 80 60
draw_mask original/mask.pgm 80 60 20 10 30 25
count=0

# ---- running a case

# prepare BREAK: a fresh case folder, broken. The files in it are links: replace them, do not write.
prepare() {
    rm -rf case
    cp -as "$work/original" case
    cd case
    eval "$1" || fail "could not set the case up: $1"
    cd ..
    count=$((count + 1))
}
# run COMMAND...: in the case folder; its streams in ../stdout and ../stderr, its status in $status.
run() {
    status=0
    (cd case && "$@" >../stdout 2>../stderr) || status=$?
}
as_anyone() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}
generate=(../cagen generate --quiet --model model --controlnet controlnet --normal normal.ppm
    --mask mask.pgm --prompt "broken bottle" --steps 2 --threads 1 --out out)
# one_line STATUS WORDS: how the last run failed.
one_line() {
    local words
    [ "$status" = "$1" ] || fail "case $count ($what): status $status instead of $1: $(cat stderr)"
    [ "$(wc -l <stderr)" = 1 ] && grep -q '^cagen: ' stderr ||
        fail "case $count ($what): not one line: $(cat stderr)"
    [ ! -s stdout ] || fail "case $count ($what): standard output: $(cat stdout)"
    while read -r words; do
        grep -qF -- "$words" stderr || fail "case $count ($what): \"$words\" is not in: $(cat stderr)"
    done <<<"${2// & /$'\n'}"
}
nothing_written() {
    is "case $count ($what): files in out" "$(find case/out -type f 2>/dev/null)" ""
    is "case $count ($what): temporary files" "$(find case -name '.cagen-*')" ""
}
bad_with() { # STATUS WORDS BREAK COMMAND...
    what="$2"
    prepare "$3"
    run "${@:4}"
    one_line "$1" "$2"
    nothing_written
}
bad() {
    bad_with "$1" "$2" "$3" "${generate[@]}" "${@:4}"
}
# The command without what it usually has.
plain() { # STATUS WORDS ARGUMENT...
    bad_with "$1" "$2" true ../cagen "${@:3}"
}
works() {
    what="works: $2"
    prepare "$2"
    run "${generate[@]}" "${@:3}"
    [ "$status" = 0 ] || fail "case $count ($what): $(cat stderr)"
    is "case $count ($what): images" "$(find case/out -path '*/test/*.png' | wc -l)" 1
    if [ -z "$1" ]; then
        is "case $count ($what): standard error" "$(cat stderr)" ""
    else
        [ "$(wc -l <stderr)" = 1 ] && grep -q "^cagen: warning: .*$1" stderr ||
            fail "case $count ($what): $(cat stderr)"
    fi
}

# ---- ways to break things

unet=model/unet/diffusion_pytorch_model.safetensors
vae=model/vae/diffusion_pytorch_model.safetensors
text=model/text_encoder/model.safetensors
control=controlnet/diffusion_pytorch_model.safetensors
replace() { # FILE COMMAND...: FILE becomes what COMMAND makes of it
    "${@:2}" <"$1" >new
    mv new "$1"
}
edit() { replace "$1" sed -E "$2"; }          # FILE SED-EXPRESSION
value() { edit "$1" "s/^( *\"$2\": ).*[^,](,?)$/\1$3\2/"; } # CONFIG KEY JSON-VALUE
cut_to() { replace "$1" head -c "$2"; }       # FILE BYTES
write() { rm -rf "$1" && printf '%b' "$2" >"$1"; } # FILE TEXT
append() { replace "$1" sh -c "cat; printf '%b' '$2'"; } # FILE TEXT
poison() { # FILE: its last number becomes NaN
    replace "$1" sh -c 'head -c -4; printf "\000\000\300\177"'
}
poison_first() { # FILE: its first number becomes NaN
    local size
    size=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    { head -c $((8 + size)) "$1" && printf '\000\000\300\177' && tail -c +$((13 + size)) "$1"; } >new
    mv new "$1"
}
little_endian() { # NUMBER: as 8 bytes, in printf's notation
    local i
    for i in 0 8 16 24 32 40 48 56; do printf '\\%03o' $((($1 >> i) & 255)); done
}
safetensors() { # FILE JSON BYTES: with this header and so many zero bytes of data
    rm -f "$1"
    { printf '%b' "$(little_endian ${#2})" && printf '%s' "$2" && head -c "$3" /dev/zero; } >"$1"
}
header() { # FILE SED-EXPRESSION: the header of a safetensors file edited
    local size text
    size=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    text=$(tail -c +9 "$1" | head -c "$size" | sed -E "$2")
    { printf '%b' "$(little_endian ${#text})" && printf '%s' "$text" && tail -c +$((9 + size)) "$1"; } >new
    mv new "$1"
}
rename_tensor() { # FILE OLD NEW
    header "$1" "s/\"$2\":/\"$3\":/"
}
add_tensor() { # FILE NAME: one number more
    local size data
    size=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    data=$(($(stat -Lc %s "$1") - 8 - size))
    header "$1" "s/\\} *$/,\"$2\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[$data,$((data + 4))]}}/"
    append "$1" '\000\000\200\077'
}

echo "== options"
plain 2 'unknown command "generat"' generat
CAGEN_MODEL=absent plain 1 "absent: no such model" generate --normal normal.ppm --mask mask.pgm --prompt x --out out
plain 2 "--out is missing" generate --model model --normal normal.ppm --mask mask.pgm --prompt x
plain 2 "--normal, --prompt and --mask or --shape are needed" generate --model model --out out
plain 2 "--jobs brings its own" generate --model model --out out --jobs j --count 3
bad 2 "--sampels" true --sampels 3
bad 2 'unexpected "extra"' true extra
bad 2 "steps & 0" true --steps 0
bad 2 "steps & -3" true --steps -3
bad 2 "abc & --steps" true --steps abc
bad 2 "--steps & 99999999999999999999" true --steps 99999999999999999999
bad 2 "1 step & use 2 steps or more" true --steps 1
bad 2 "--count must be 1 to" true --count 0
bad 2 "--count must be 1 to" true --count -2
bad 2 "--threads -1" true --threads -1
bad 2 "--threads 5000" true --threads 5000
bad 2 'sampler "fast" & ddim, ' true --sampler fast
bad 2 'fusion "often" & final' true --fuse often
bad 2 'paste mode "glue" & exact' true --paste glue
bad 2 'window "door" & auto' true --window door
bad 2 'mask policy "min" & max' true --mask-policy min
bad 2 '--dtype "f16" & bf16' true --dtype f16
bad 2 "guidance" true --guidance nan
bad 2 "guidance" true --guidance -1
bad 2 "guidance" true --guidance 1e300
bad 2 "eta is 2; 0 to 1 are possible" true --eta 2
bad 2 "seed is -1" true --seed -1
bad 2 "size is -8" true --size -8
bad 2 "size is 99999" true --size 99999
bad 2 "clip skip 9: 0 to 2" true --clip-skip 9
bad 2 "control" true --control-start 0.8 --control-end 0.2
bad 2 'category "../up"' true --category ../up
bad 2 'defect ".x"' true --defect .x
bad 2 'can'"'"'t be called "good"' true --defect good
bad 2 "--config is for single files" true --config model
bad 2 "prompt is not valid UTF-8 at byte 5" true --prompt $'bent\xff'
bad 2 "negative prompt is not valid UTF-8" true --negative-prompt $'\xc3('

echo "== files of prompts and jobs"
bad 1 "nowhere.txt" true --prompt @nowhere.txt
bad 1 "prompts.txt: holds no prompts" 'write prompts.txt "\n  \n"' --prompt @prompts.txt
bad 1 "prompts.txt: not text in UTF-8" 'write prompts.txt "\0377\0376b\0000"' --prompt @prompts.txt
bad 1 "model & folder" true --prompt @model
job='{"normal": "normal.ppm", "mask": "mask.pgm", "prompt": "bent"}'
job_file() { # STATUS WORDS LINES: a file of these jobs
    bad_with "$1" "$2" "write jobs.jsonl '$3'" ../cagen generate -q --model model --controlnet controlnet \
        --steps 2 --threads 1 --out out --jobs jobs.jsonl
}
job_file 1 "jobs.jsonl: holds no jobs" '\n'
job_file 1 "jobs.jsonl line 2: not valid JSON & column" "$job\n{\"normal\": \n"
job_file 1 'jobs.jsonl line 1: a JSON object' '["normal.ppm"]\n'
job_file 1 'jobs.jsonl line 2: unknown key "promt"' "$job\n"'{"promt": "bent"}\n'
job_file 1 'jobs.jsonl line 1: a job needs "normal", "prompt" and "mask" or "shape"' '{"normal": "normal.ppm"}\n'
job_file 1 'jobs.jsonl line 1: "steps" must be an integer' "${job%\}}"', "steps": "many"}\n'
job_file 1 'jobs.jsonl line 1: "steps" is 0' "${job%\}}"', "steps": 0}\n'
job_file 2 'jobs.jsonl line 1: there is no sampler "fast"' "${job%\}}"', "sampler": "fast"}\n'
job_file 1 "jobs.jsonl line 1" "${job%\}}"', "steps": 3, "steps": 4}\n'
job_file 1 "jobs.jsonl: holds a zero byte" "$job\n"'\0000\n'
job_file 1 "gone.ppm" '{"normal": "gone.ppm", "mask": "mask.pgm", "prompt": "bent"}\n'
job_file 1 "model: is a folder" '{"normal": "model", "mask": "mask.pgm", "prompt": "bent"}\n'
bad_with 1 "nowhere.jsonl" true ../cagen generate -q --model model --out out --jobs nowhere.jsonl

echo "== images and masks"
bad 1 "gone.ppm & No such file" true --normal gone.ppm
bad 1 "gone.pgm & No such file" true --mask gone.pgm
bad 1 "empty: the folder holds no images" 'mkdir empty' --normal empty
bad 1 "text.png & not an image" 'write text.png "hello, I am text\n"' --normal text.png
bad 1 "nothing.png & empty" 'write nothing.png ""' --normal nothing.png
bad 1 "cut.png & truncated" "$picture cut.png 80 60 && cut_to cut.png 3000" --normal cut.png
bad 1 "cut.png & truncated" "$picture cut.png 80 60 1 && cut_to cut.png 60" --mask cut.png
bad 1 "notes.txt" 'mkdir many && cp normal.ppm many/a.ppm && write many/notes.txt "bent is best\n"' --normal many
bad 1 "tiny.png & 1x1 & too small" "$picture tiny.png 1 1" --normal tiny.png --mask tiny.png --fit-mask
bad 1 "huge.ppm & pixels" 'write huge.ppm "P6 2000000 2000000 255\n"' --normal huge.ppm
bad 1 "narrow.pgm: 40x60, but normal.ppm is 80x60 & --fit-mask" 'draw_mask narrow.pgm 40 60 5 5 20 20' --mask narrow.pgm
bad 2 "black.pgm: the mask is empty" 'draw_mask black.pgm 80 60 0 0 0 0' --mask black.pgm
bad 1 "dark.pgm: no value reaches 128 (the largest is 1)" 'draw_mask dark.pgm 80 60 20 10 30 25 && edit dark.pgm "2,\$s/^255$/1/"' --mask dark.pgm
# The last of many is looked at before the first is made.
bad 2 "b.pgm: the mask is empty" 'mkdir many && cp mask.pgm many/a.pgm && draw_mask many/b.pgm 80 60 0 0 0 0' --mask many
works "" 'draw_mask narrow.pgm 40 60 5 5 20 20' --mask narrow.pgm --fit-mask
works "white.pgm: the mask covers the whole image" 'draw_mask white.pgm 80 60 0 0 80 60' --mask white.pgm
works "" "$picture grey.png 80 60 1" --normal grey.png
works "" "$picture grey-alpha.png 80 60 2" --normal grey-alpha.png
works "" "$picture rgba.png 80 60 4" --normal rgba.png
works "" "$picture deep.png 80 60 3 16" --normal deep.png
works "" "$picture deep-alpha.png 80 60 4 16" --normal deep-alpha.png
works "" "$picture deep-grey.png 80 60 1 16" --normal deep-grey.png
works "" 'mv mask.pgm "m a\nsk.pgm"; mv normal.ppm "$(printf "n\303\251\377.ppm")"' --mask 'm a\nsk.pgm' --normal $'n\xc3\xa9\xff.ppm'
works "" 'draw_picture small.ppm 16 16; draw_mask dot.pgm 16 16 8 8 1 1' --normal small.ppm --mask dot.pgm
works "tokens too many; they are ignored" true --prompt "$(printf 'broken %.0s' {1..1428})bent"
works "" true --prompt ""

echo "== folders and files to write"
bad 1 "out & file" 'write out ""; rm out; write outfile x' --out outfile
bad 1 "outfile/below & file" 'write outfile x' --out outfile/below
bad 1 "nowhere/latents & No such file" true --save-latents nowhere/latents
bad 1 "model & folder" true --save-latents model
bad 1 "nowhere/sheet.png & No such file" true --sheet nowhere/sheet.png
bad 1 "manifest.jsonl line 1: not valid JSON" 'mkdir taken && write taken/manifest.jsonl "{\n"' --out taken
bad 2 "000.png: is there already, and no manifest" 'mkdir -p taken/object/test/broken_bottle && write taken/object/test/broken_bottle/000.png x' --out taken
bad_with 1 "closed/out & Permission denied" 'mkdir closed && chmod 555 closed' as_anyone "${generate[@]}" --out closed/out
bad_with 1 "closed/manifest.jsonl & Permission denied" 'mkdir closed && chmod 555 closed' as_anyone "${generate[@]}" --out closed
bad_with 1 "secret.ppm & Permission denied" 'cp normal.ppm secret.ppm && chmod 000 secret.ppm' as_anyone "${generate[@]}" --normal secret.ppm
what="standard output on a full disk"
prepare true
run sh -c '"$@" >/dev/full' sh "${generate[@]}"
one_line 1 "standard output: No space left"

echo "== the model's files"
bad 1 "nowhere: no such model" true --model nowhere
bad 1 "hollow: no folder unet" 'mkdir hollow' --model hollow
bad 1 "model: no folder tokenizer" 'rm -r model/tokenizer'
bad 1 "model: no folder vae" 'rm -r model/vae'
bad 1 "model: no folder text_encoder" 'rm -r model/text_encoder'
bad 1 "model/tokenizer & vocab.json" 'rm model/tokenizer/vocab.json'
bad 1 "vocab.json: not valid JSON" 'cut_to model/tokenizer/vocab.json 1000'
bad 1 "model/unet: no U-Net weights" "rm $unet"
bad 1 "diffusion_pytorch_model.bin: 1 bytes are too few" "rm $unet && write model/unet/diffusion_pytorch_model.bin x"
bad 1 "controlnet & no ControlNet weights" "rm $control"
bad 1 "config.json" 'rm model/unet/config.json'
bad 1 "nowhere: no such ControlNet" true --controlnet nowhere
bad 1 "nowhere: no such VAE" true --vae nowhere
bad 1 "nowhere: no such tokenizer" true --tokenizer nowhere
bad 2 "whole.safetensors: a single file holds no tokenizer; give --tokenizer" "cp $unet whole.safetensors" --model whole.safetensors
bad 1 "whole.safetensors: holds no tensors of a text encoder" 'safetensors whole.safetensors "{\"betas\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"model.diffusion_model.x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}" 8' --model whole.safetensors --tokenizer model/tokenizer
bad 1 "whole: no such folder" "cp $unet whole.safetensors" --model whole.safetensors --config whole
bad 1 "$unet & truncated" "cut_to $unet 100000"
bad 1 "$unet & header" "cut_to $unet 100"
bad 1 "$unet" "cut_to $unet 5"
bad 1 "$unet: 0 bytes are too few" "cut_to $unet 0"
bad 1 "$unet & 4 bytes" "append $unet abcd"
bad 1 "$unet & header" "write $unet '\0377\0377\0377\0377\0377\0377\0377\0177{}'"
bad 1 "$unet: corrupt safetensors header" "safetensors $unet '{\"conv_in.weight\":' 8"
bad 1 "$unet" "write $unet '<!DOCTYPE html><html><body>Not Found</body></html>'"
bad 1 "$unet" "write $unet 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3438167536\n'"
bad 1 "$unet & conv_in.weight" "safetensors $unet '{\"conv_in.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}' 4"
bad 1 "$unet & a & b" "safetensors $unet '{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}' 6"
bad 1 "$unet & a" "safetensors $unet '{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}' 4"
bad 1 "$unet & a" "safetensors $unet '{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}' 4"
bad 1 "$unet: corrupt: two tensors are named" "safetensors $unet '{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}' 8"
bad 1 "$unet: the weights do not fit & tensor conv_in.weight is [32, 4, 3, 3], expected [32, 8, 3, 3]" 'value model/unet/config.json in_channels 8'
bad 1 "$unet: the weights do not fit & missing tensor conv_in.weight [32, 4, 3, 3] & extra tensor konv_in.weight" "rename_tensor $unet conv_in.weight konv_in.weight"
bad 1 "$control: the weights do not fit & missing tensor controlnet_mid_block.bias" "rename_tensor $control controlnet_mid_block.bias kontrolnet_mid_block.bias"
bad 1 "$vae & missing tensor quant_conv.bias & extra tensor want_conv.bias" "rename_tensor $vae quant_conv.bias want_conv.bias"
bad 1 "$text & text_model.final_layer_norm.bias" "rename_tensor $text text_model.final_layer_norm.bias text_model.finel_layer_norm.bias"
bad 1 "$unet & tensor conv_in.bias has the type I32, not a float" "header $unet 's/(\"conv_in.bias\":\\{\"dtype\":)\"F32\"/\\1\"I32\"/'"
bad 1 "$unet & tensor conv_in.bias has the type F8_E4M3" "header $unet 's/(\"conv_in.bias\":\\{\"dtype\":)\"F32\",\"shape\":\\[32\\]/\\1\"F8_E4M3\",\"shape\":[128]/'"
works "1 tensor is not part of the U-Net and not used: more" "add_tensor $unet more"
bad 1 "model.safetensors.index.json" "rm $text && write model/text_encoder/model.safetensors.index.json '{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}'"
bad 1 "../unet" "rm $text && write model/text_encoder/model.safetensors.index.json '{\"weight_map\": {\"a\": \"../unet/diffusion_pytorch_model.safetensors\"}}'"

echo "== configurations"
for part in unet vae text_encoder; do
    config=model/$part/config.json
    bad 1 "$config: not valid JSON" "cut_to $config 100"
    bad 1 "$config: a JSON object" "write $config '[1, 2]'"
    bad 1 "$config" "write $config ''"
done
config=model/unet/config.json
bad 1 "$config: \"act_fn\" is \"relu\", but only \"silu\"" "value $config act_fn '\"relu\"'"
bad 1 "$config: \"down_block_types\" & AttnDownBlock2D; supported are" "edit $config 's/\"DownBlock2D\"/\"AttnDownBlock2D\"/'"
bad 1 "$config: \"in_channels\" holds -4" "value $config in_channels -4"
bad 1 "$config: \"in_channels\" is a string" "value $config in_channels '\"four\"'"
bad 1 "$config: \"layers_per_block\" holds 1000000000" "value $config layers_per_block 1000000000"
bad 1 "$config: \"cross_attention_dim\" holds 99999999999" "value $config cross_attention_dim 99999999999"
bad 1 "$config: \"block_out_channels\" holds 0" "edit $config 's/^ *96,$/0,/'"
bad 1 "$config: 32 channels at level 0 do not divide into 7 groups" "value $config norm_num_groups 7"
bad 1 "$config & 5 heads" "edit $config '/attention_head_dim/,/\\]/c\\  \"attention_head_dim\": 5,'"
bad 1 "$config: \"sample_size\" holds" "value $config sample_size 1000000"
bad 1 "model: made for pictures of 32768 pixels & --size" "value $config sample_size 4096"
# About 44 GB; a machine that has them would start to compute.
if [ "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" -lt 40000000 ]; then
    bad 1 "GB of memory are needed, & GB are free; use a smaller --size" true --size 8192 --dtype f32
fi
bad 1 "$config: \"time_embedding_type\"" "edit $config 's/^\\{/{\"time_embedding_type\": \"fourier\",/'"
config=model/vae/config.json
bad 1 "$config: \"act_fn\" is \"gelu\", but only \"silu\" is supported" "value $config act_fn '\"gelu\"'"
bad 1 "$config & latent_channels" "value $config latent_channels -1"
bad 1 "$config: \"scaling_factor\" is 0, but only a positive number is supported" "edit $config 's/^\\{/{\"scaling_factor\": 0,/; /^ +\"scaling_factor\"/d'"
bad 1 "$config: \"_class_name\" is AutoencoderVQ; an AutoencoderKL" "value $config _class_name '\"AutoencoderVQ\"'"
config=model/text_encoder/config.json
bad 1 "$config & hidden_act" "value $config hidden_act '\"swish\"'"
bad 1 "$config: hidden_size 40 does not divide into 7 heads" "value $config num_attention_heads 7"
bad 1 "$text & token_embedding.weight is [1024, 40], expected [9999, 40]" "value $config vocab_size 9999"
config=model/scheduler/scheduler_config.json
bad 1 "$config & beta_schedule" "value $config beta_schedule '\"cosinus\"'"
bad 1 "$config & num_train_timesteps" "value $config num_train_timesteps -5"
bad 1 "$config & beta_start" "value $config beta_start '\"low\"'"
bad 1 "$config & prediction_type" "edit $config 's/^\\{/{\"prediction_type\": \"sample\",/'"
bad 1 "controlnet/config.json & controlnet_conditioning_channel_order" 'edit controlnet/config.json "s/^\{/{\"controlnet_conditioning_channel_order\": \"gbr\",/; /^ +\"controlnet_cond.*order/d"'

echo "== parts that do not fit together"
make_mini wide --text-width 48
make_mini deep --latent-channels 8
bad 1 "controlnet: this ControlNet was made for a U-Net of other sizes than model" true --controlnet "$work/wide/controlnet"
bad 1 "model: the parts do not fit together: latent channels of the VAE and of the U-Net (8, 4)" true --vae "$work/deep/model/vae"
bad 1 "model: the parts do not fit together: width of the text encoder" "rm -r model/text_encoder && cp -r $work/wide/model/text_encoder model"
bad 1 "model/unet/config.json: this is a UNet2DConditionModel, a ControlNetModel is needed" true --controlnet model/unet

echo "== weights that are not finite"
bad 1 "$unet: the tensor up_blocks.3.resnets.2.time_emb_proj.weight holds NaN" "poison $unet"
bad 1 "$control: the tensor time_embedding.linear_2.weight holds NaN" "poison $control"
bad 1 "$vae: the tensor decoder.conv_in.bias holds NaN" "poison_first $vae"
bad 1 "$text: the tensor text_model.final_layer_norm.weight holds NaN" "poison $text"
bad 1 "other/diffusion_pytorch_model.safetensors: the tensor decoder.conv_in.bias holds NaN" 'cp -rL model/vae other && poison_first other/diffusion_pytorch_model.safetensors' --vae other

echo "== initial latents"
prepare true
run "${generate[@]}" --save-latents ../latents.safetensors
run "${generate[@]}" --size 64 --out smaller --save-latents ../smaller.safetensors
latents() { # STATUS WORDS BREAK [OPTION...]
    bad "$1" "$2" "$3" --init-latents latents.safetensors "${@:4}"
}
latents 1 "latents.safetensors & No such file" true
latents 1 "latents.safetensors" 'write latents.safetensors "hello, I am text and no tensors\n"'
latents 1 "the initial latents are [1, 4, 8, 8]; this picture needs [1, 4, 16, 16]" 'cp ../smaller.safetensors latents.safetensors'
latents 1 'no tensor "init.000000", "init" or "latents"' 'cp ../latents.safetensors . && rename_tensor latents.safetensors init.000000 start'
latents 1 'no tensor "init.000000", "init" or "latents" of floats' 'safetensors latents.safetensors "{\"init\":{\"dtype\":\"I32\",\"shape\":[1,4,16,16],\"data_offsets\":[0,4096]}}" 4096'
latents 1 'no tensor "init.000000", "init" or "latents" of floats' 'safetensors latents.safetensors "{\"init\":{\"dtype\":\"F32\",\"shape\":[4,16,16],\"data_offsets\":[0,4096]}}" 4096'
latents 1 '"init.000000" holds NaN' 'cp ../latents.safetensors . && poison latents.safetensors'

# ---- a full disk: a file system of so many kilobytes

small_disk() { # KILOBYTES COMMAND...: with an empty disk in case/disk
    if [ "$(id -u)" = 0 ] && mount -t tmpfs -o "size=$1k" tmpfs case/disk 2>/dev/null; then
        run "${@:2}"
        left=$(find case/disk -type f -printf '%P ')
        umount case/disk
    else
        return 1
    fi
}
echo "== a full disk"
what="full disk"
full=0
for kilobytes in 4 8 12 16 20 24 28 32 48 64; do
    prepare 'mkdir disk'
    if ! small_disk $kilobytes "${generate[@]}" --out disk/out; then
        echo "skipped: no file system can be mounted here"
        full=skipped
        break
    fi
    if [ $status != 0 ]; then
        one_line 1 "disk/out & No space left on device"
        is "files on a disk of $kilobytes kB" "$left" ""
        full=$((full + 1))
    fi
done
if [ "$full" != skipped ]; then
    [ "$full" -ge 2 ] || fail "the disk was never full"
    is "status with enough room" $status 0
    prepare 'mkdir disk'
    small_disk 12 "${generate[@]}" --save-latents disk/latents.safetensors
    : >stdout # the image is made; its latents are not written
    one_line 1 "disk/latents.safetensors & No space left on device"
    is "files on the disk" "$left" ""
fi

# ---- memory that the system refuses, in spite of what it said

if [ "${CAGEN_SANITIZE:-OFF}" != ON ]; then
    echo "== no memory"
    # shellcheck disable=SC2016 # the inner shell expands
    bad_with 1 "out of memory" true bash -c 'ulimit -v 8000000 && exec "$@"' bash "${generate[@]}" --size 8192
fi

echo "bad_input: $count cases, all as expected"
