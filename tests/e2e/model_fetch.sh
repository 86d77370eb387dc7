#!/usr/bin/env bash
# cagen model fetch, list and verify against a hub with faults (tests/tools/hub_server.c).
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN HF_HUB_OFFLINE HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH
unset http_proxy all_proxy HTTP_PROXY ALL_PROXY

# ---- what is on the hub: a model, with things beside it that nobody needs
make_mini . --dtype f16
mv model served
mkdir served/safety_checker
for name in unet/diffusion_pytorch_model vae/diffusion_pytorch_model text_encoder/model; do
    cp "served/$name.safetensors" "served/$name.fp16.safetensors"
done
printf pickle >served/unet/diffusion_pytorch_model.bin
printf '{}' >served/safety_checker/config.json
printf 'words' >served/README.md

mkfifo keep
"$CAGEN_TOOLS/hub_server" served requests <keep >address &
exec 7>keep # the server lives as long as this is open
for ((i = 0; i < 500; i++)); do
    [ ! -s address ] || break
    sleep 0.01
done
[ -s address ] || fail "the server did not start" # and nobody else shall be asked
HF_ENDPOINT=$(cat address)
export HF_ENDPOINT HF_HOME=$work/home

# ---- helpers
commit=0123456789abcdef0123456789abcdef01234567
fetch() { # ORG OPTION...: fetches ORG/mini
    "$CAGEN" model fetch -q --pause 0.05 "$1/mini" "${@:2}" >stdout 2>stderr
}
fetched() { # ORG OPTION...: that works and gives the right files
    fetch "$@" || fail "$*: $(cat stderr)"
    local folder
    folder=$(cat stdout)
    is "files of $1" "$(cd "$folder" && find -L . -type f | LC_ALL=C sort | tr '\n' ' ')" "$want"
    for file in $want; do
        cmp "served/$file" "$folder/$file" || fail "$1: $file"
    done
    is "unfinished files" "$(find "$HF_HOME" -path "*--$1--*" -name '*.incomplete')" ""
}
want="./model_index.json ./scheduler/scheduler_config.json ./text_encoder/config.json
./text_encoder/model.safetensors ./tokenizer/merges.txt ./tokenizer/special_tokens_map.json
./tokenizer/tokenizer_config.json ./tokenizer/vocab.json ./unet/config.json ./unet/diffusion_pytorch_model.safetensors
./vae/config.json ./vae/diffusion_pytorch_model.safetensors "
want=${want//$'\n'/ }

echo "== a whole model"
fetched plain
folder=$HF_HOME/hub/models--plain--mini/snapshots/$commit
is "folder" "$(cat stdout)" "$folder"
is "revision" "$(cat "$HF_HOME/hub/models--plain--mini/refs/main")" $commit
sum=$(sha256sum <served/unet/diffusion_pytorch_model.safetensors)
is "link" "$(readlink "$folder/unet/diffusion_pytorch_model.safetensors")" "../../../blobs/${sum%% *}"
if git=$(git hash-object served/model_index.json 2>/dev/null); then
    is "link of a small file" "$(readlink "$folder/model_index.json")" "../../blobs/$git"
fi
before=$(wc -l <requests)
fetched plain
is "requests of a second time" "$(($(wc -l <requests) - before))" 1

echo "== the name is as good as the folder"
"$CAGEN" info plain/mini >info
grep -qF "$folder/unet/diffusion_pytorch_model.safetensors" info || fail "$(cat info)"
"$CAGEN" tokenize --tokenizer plain/mini crack >/dev/null
draw_picture normal.ppm 64 64
draw_mask mask.pgm 64 64 20 20 20 20
generate=("$CAGEN" generate -q --controlnet controlnet --normal normal.ppm --mask mask.pgm
    --prompt crack --steps 2 --size 64 --threads 1)
"${generate[@]}" --model plain/mini --out by-name >/dev/null
"${generate[@]}" --model served --out by-folder >/dev/null
same_pictures by-name by-folder

echo "== without the network"
HF_HUB_OFFLINE=1 fetched plain
is "requests" "$(($(wc -l <requests) - before))" 1
HF_HUB_OFFLINE=1 refused 1 "HF_HUB_OFFLINE forbids the network" fetch other

echo "== choices"
fetch plain --variant fp16 --out half
[ -e half/unet/diffusion_pytorch_model.fp16.safetensors ] || fail "no variant"
[ ! -e half/unet/diffusion_pytorch_model.safetensors ] || fail "both"
fetch plain --variant bf16 --only vae --out vae
grep -q 'warning: .* no variant bf16' stderr || fail "$(cat stderr)"
is "one part" "$(cd vae && find . -type f | sort | tr '\n' ' ')" \
    "./model_index.json ./vae/config.json ./vae/diffusion_pytorch_model.safetensors "
fetch plain --file README.md --file unet/diffusion_pytorch_model.bin --out asked
is "files asked for" "$(cd asked && find . -type f | sort | tr '\n' ' ')" \
    "./README.md ./unet/diffusion_pytorch_model.bin "
fetched plain --out folder
printf 'X' | dd of=folder/unet/diffusion_pytorch_model.safetensors bs=1 seek=5000 conv=notrunc 2>/dev/null
fetched plain --out folder # changed bytes are noticed

echo "== elsewhere, without the token"
HF_TOKEN=secret fetched cdn
grep '^cdn ' requests >elsewhere
is "requests there" "$(wc -l <elsewhere)" 3
is "tokens there" "$(grep -vc 'token=-$' elsewhere)" 0
is "tokens here" "$(grep -c '^hub .*/cdn/mini.* token=secret$' requests)" \
    "$(grep -c '^hub .*/cdn/mini' requests)"

echo "== bad connections"
vae="./model_index.json ./vae/config.json ./vae/diffusion_pytorch_model.safetensors "
for fault in cut cutsilent nolength norange wrongrange wrongonce; do
    want=$vae fetched $fault --only vae
done
ranges() { # ORG: where its requests for the large file began
    grep "^hub .*/$1/mini/resolve.*/vae/.*safetensors" requests | sed 's/.*range=\([^ ]*\).*/\1/' | tr '\n' ' '
}
size=$(stat -c %s served/vae/diffusion_pytorch_model.safetensors)
half=$((size / 2))
is "a cut transfer goes on where it was" "$(ranges cut)" \
    "- $half $((half + (size - half) / 2)) $((half + (size - half) / 2 + (size - half - (size - half) / 2) / 2)) "
small=(--file README.md) # where the fault is what counts
want="./README.md "
fetched flaky "${small[@]}"
is "requests for a file that is busy twice" "$(grep -c 'flaky/mini/resolve' requests)" 3
refused 1 "status 500: something went wrong" fetch broken "${small[@]}" --retries 1
is "requests that always fail" "$(grep -c broken/mini requests)" 2
HF_ENDPOINT=http://127.0.0.1:1 refused 1 "connect" fetch plain "${small[@]}" --retries 0
refused 1 "redirected more than" fetch loop "${small[@]}"

echo "== not for everybody"
refused 1 "terms accepted" fetch gated "${small[@]}"
HF_TOKEN=bad refused 1 "terms accepted first (status 403): do that on its page with the account" fetch gated "${small[@]}"
HF_TOKEN=good fetched gated "${small[@]}"
refused 1 "set HF_TOKEN" fetch private "${small[@]}"
printf 'good\n' >"$HF_HOME/token"
fetched private "${small[@]}"
rm "$HF_HOME/token"
refused 1 "status 404" fetch absent "${small[@]}"
refused 1 "no such revision" fetch plain --revision nosuch "${small[@]}"
refused 1 "it has no file absent.txt" fetch plain --file absent.txt

echo "== hubs that lie"
refused 1 "its hash is not" fetch wrong "${small[@]}"
refused 1 "more than the 5 bytes" fetch longer "${small[@]}"
refused 1 '"unet/../../../escaped" has no usable name' fetch evil "${small[@]}"
refused 1 "/api/models/garbage/mini" fetch garbage "${small[@]}"
is "blobs of a wrong hash" "$(find "$HF_HOME/hub/models--wrong--mini/blobs" -type f)" ""
is "files outside" "$(find . -name escaped)" ""

echo "== stopped, and on it goes"
want=$vae
export HF_HOME=$work/stopped
# stop SIGNAL ORG: fetches from a hub that falls silent after 997 bytes, and is stopped then
stop() {
    "$CAGEN" model fetch -q "$2/mini" --only vae >stdout 2>stderr &
    local pid=$! part="" i
    for ((i = 0; i < 1000; i++)); do
        part=$(find "$HF_HOME" -path "*$2*.incomplete" -size 997c 2>/dev/null || true)
        [ -z "$part" ] || break
        sleep 0.01
    done
    kill "-$1" $pid
    status=0
    wait $pid 2>/dev/null || status=$?
    is "bytes that are kept" "$(find "$HF_HOME" -path "*$2*.incomplete" -size 997c | wc -l)" 1
    [ ! -e "$HF_HOME/hub/models--$2--mini/refs/main" ] || fail "what is not whole has a name"
}
stop INT slow
is "status" $status 130
"$CAGEN" model list >list
grep -q '^slow/mini  -  01234567  .*unfinished' list || fail "$(cat list)"
fetched slow --only vae
is "transfers" "$(ranges slow)" "- 997 "
stop KILL stuck
refused 1 "said nothing for 3 s" fetch stuck --only vae --timeout 3 --retries 0
is "bytes after the next attempt" "$(find "$HF_HOME" -name '*.incomplete' -size 1994c | wc -l)" 1
# Two at once: the second says so.
"$CAGEN" model fetch -q stuck/mini --only vae >/dev/null 2>&1 &
pid=$!
for ((i = 0; i < 1000; i++)); do
    [ -z "$(find "$HF_HOME" -name "*.incomplete" -size 2991c 2>/dev/null || true)" ] || break
    sleep 0.01
done
refused 1 "another program is fetching" fetch stuck --only vae
kill -KILL $pid
wait $pid 2>/dev/null || true
export HF_HOME=$work/home

echo "== places that cannot be written"
HF_HOME=$work/address refused 1 "a part of it is a file" fetch plain "${small[@]}"
refused 1 "cannot" fetch plain "${small[@]}" --out /proc/none

echo "== list and verify"
HF_HOME=$work/empty "$CAGEN" model list 2>stderr
grep -q "no models in .*empty" stderr || fail "$(cat stderr)"
"$CAGEN" model list >list
grep -q '^plain/mini  main  01234567  .*  complete$' list || fail "$(cat list)"
"$CAGEN" model list --json | grep '"id":"cut/mini"' | grep '"problem":"text encoder: the folder is missing"' >/dev/null ||
    fail "$("$CAGEN" model list --json)"
is "verify" "$("$CAGEN" model verify -q plain/mini)" "plain/mini  01234567  12 files  sound"
blob=$(readlink -f "$folder/unet/diffusion_pytorch_model.safetensors")
printf 'X' | dd of="$blob" bs=1 seek=5000 conv=notrunc 2>/dev/null
status=0
"$CAGEN" model verify -q plain/mini >stdout || status=$?
is "status" $status 1
grep -q "problem: $blob: damaged" stdout || fail "$(cat stdout)"
rm "$blob"
"$CAGEN" model list | grep -q 'plain/mini .* unet/diffusion_pytorch_model.safetensors is missing' || fail "list"
want="$(cd served && find . -type f ! -name '*.fp16*' ! -name '*.bin' ! -name README.md ! -path './safety*' | LC_ALL=C sort | tr '\n' ' ')"
fetched plain
"$CAGEN" model verify -q plain/mini >/dev/null

echo "== misuse"
for arguments in "" "a/b c/d" "nameonly" "a/../b" "a/b --only nothing" "a/b --timeout 0" "a/b --retries -1"; do
    status=0
    # shellcheck disable=SC2086 # arguments are words
    "$CAGEN" model fetch $arguments >stdout 2>stderr || status=$?
    [ $status = 2 ] || [ "$arguments" = "a/b --only nothing" ] || fail "$arguments: status $status"
    [ $status != 0 ] && [ "$(wc -l <stderr)" = 1 ] || fail "$arguments: $(cat stderr)"
done

echo "model_fetch: all as expected"
