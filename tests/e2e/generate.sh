#!/usr/bin/env bash
# cagen generate as its user runs it: single pictures, folders, job files, reproduction, and what
# happens when it is interrupted. The models are small and random; everything else is real.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
# One thread: on the small model two only wait for each other.
generate() {
    "$CAGEN" generate --model model --controlnet controlnet --steps 2 --threads 1 "$@"
}
draw_picture normal.ppm 80 60
draw_mask mask.pgm 80 60 20 10 30 25

echo "== one image"
generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --out one >stdout 2>stderr
is "files" "$(cd one && find . -type f | sort | tr '\n' ' ')" \
    "./manifest.jsonl ./object/ground_truth/broken_large_bottle/000_mask.png ./object/test/broken_large_bottle/000.png "
is "standard output" "$(cat stdout)" "one/object/test/broken_large_bottle/000.png"
# Memory and time are told before and after.
grep -q '^plan: 1 image of 128x128, 2 steps; memory .* GB .* per image' stderr || fail "no plan: $(cat stderr)"
grep -q '^made 1 image; .* s per image; peak memory .* GB$' stderr || fail "no summary: $(cat stderr)"
# The image has the normal image's size and lies outside the mask unchanged; the mask is exact.
changed=$("$CAGEN_TOOLS/compare_pictures" normal.ppm one/object/test/*/000.png mask.pgm)
[[ $changed == *"outside 0 of 4050" && $changed != "inside 0 of"* ]] || fail "changed: $changed"
is "mask" "$("$CAGEN_TOOLS/compare_pictures" mask.pgm one/object/ground_truth/*/000_mask.png mask.pgm)" \
    "inside 0 of 750, outside 0 of 4050"
# Everything that made it stands in the manifest.
is "rows" "$(wc -l <one/manifest.jsonl)" 1
for key in image mask category defect prompt normal_sha256 mask_sha256 job window working_size model \
    model_fingerprint controlnet controlnet_fingerprint vae_fingerprint text_encoder_fingerprint dtype \
    version seconds kept scores seed sample sampler steps guidance control_scale fuse; do
    grep -q "[{,]\"$key\":" one/manifest.jsonl || fail "no \"$key\" in the manifest"
done
grep -q "\"normal_sha256\":\"$(sha256sum <normal.ppm | cut -d' ' -f1)\"" one/manifest.jsonl || fail "SHA-256"

echo "== the same bytes again, with any number of threads"
generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --threads 2 -q --out two >/dev/null
same_pictures one two
generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --seed 1 -q --out other >/dev/null
! cmp -s one/object/test/*/000.png other/object/test/*/000.png || fail "the seed changes nothing"

echo "== every option changes the picture, and no two the same way"
n=0
while read -r options; do
    # shellcheck disable=SC2086 # options are words
    generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" $options -q \
        --out "option$((n += 1))" >/dev/null
done <<'OPTIONS'
--control-scale 0
--control-scale 0.5
--control-end 0.5
--guess-mode
--guidance 1
--guidance 3
--negative-prompt good
--clip-skip 1
--steps 3
--sampler euler
--sampler dpmpp-2m
--sampler unipc-karras
--sampler ddpm
--eta 1
--fuse step
--fuse off
--paste feather
--paste off
--posterior-sample
--window full
--size 64
OPTIONS
is "different pictures" "$(sha256sum one/*/test/*/000.png option*/*/test/*/000.png | cut -d' ' -f1 | sort -u | wc -l)" $((n + 1))
# A ControlNet is no must.
"$CAGEN" generate --model model --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --steps 2 \
    --threads 1 --out without >/dev/null 2>stderr
grep -q "no --controlnet" stderr || fail "nothing said of the missing ControlNet"
same_pictures without option1

echo "== a folder of normal images, a folder of masks, a file of prompts"
for i in 0 1 2; do draw_picture "bottle/train/good/$i.ppm" 64 64 $i; done
for i in 0 1; do draw_mask "masks/$i.pgm" 64 64 $((10 + 20 * i)) 12 16 20; done
printf 'broken large bottle\n\n  scratched bottle  \n' >prompts.txt
generate --normal bottle/train/good --mask masks --prompt @prompts.txt --count 5 -q --out folders >stdout
is "images" "$(tr '\n' ' ' <stdout)" "folders/bottle/test/broken_large/000.png \
folders/bottle/test/scratched/000.png folders/bottle/test/broken_large/001.png \
folders/bottle/test/scratched/001.png folders/bottle/test/broken_large/002.png "
is "masks" "$(cd folders/bottle/ground_truth && echo */*)" \
    "broken_large/000_mask.png broken_large/001_mask.png broken_large/002_mask.png \
scratched/000_mask.png scratched/001_mask.png"
# Image i takes the i-th of each list, which start over.
is "normal images" "$(grep -o 'good/[0-9]' folders/manifest.jsonl | tr '\n' ' ')" "good/0 good/1 good/2 good/0 good/1 "
is "all images differ" "$(sha256sum folders/bottle/test/*/*.png | cut -d' ' -f1 | sort -u | wc -l)" 5
# Without --count: as many as the longest list.
generate --normal bottle/train/good/0.ppm --mask masks --prompt broken -q --out longest >stdout
is "images of the longest list" "$(wc -l <stdout)" 2

echo "== a file of jobs, its paths taken from its own folder"
mkdir jobs
printf '%s\n' '{"normal": "../normal.ppm", "mask": "../mask.pgm", "prompt": "broken large bottle"}' '' \
    '{"normal": "../normal.ppm", "mask": "../mask.pgm", "prompt": "bent", "seed": 7, "steps": 3, "sampler": "euler", "defect": "bend"}' \
    >jobs/jobs.jsonl
generate --jobs jobs/jobs.jsonl -q --out from-jobs >stdout
is "images" "$(tr '\n' ' ' <stdout)" \
    "from-jobs/object/test/broken_large_bottle/000.png from-jobs/object/test/bend/000.png "
same_files from-jobs/object/test/broken_large_bottle/000.png one/object/test/broken_large_bottle/000.png
grep -q '"sampler":"euler".*"seed":7.*"steps":3' from-jobs/manifest.jsonl || fail "options of the job"

echo "== a manifest makes its images again"
generate --jobs folders/manifest.jsonl -q --out again >/dev/null
same_pictures folders again
(cd / && generate() { "$CAGEN" generate --model "$work/model" --controlnet "$work/controlnet" "$@"; } &&
    generate --jobs "$work/from-jobs/manifest.jsonl" -q --threads 1 --out "$work/elsewhere" >/dev/null)
same_pictures from-jobs elsewhere

echo "== masks drawn for each image: those of cagen mask, and the manifest draws them again"
# draw_part FILE.ppm: a dark disc on light ground.
draw_part() {
    mkdir -p "$(dirname "$1")"
    awk 'BEGIN {
        print "P3 96 80 255"
        for (y = 0; y < 80; y++) for (x = 0; x < 96; x++) {
            v = ((x - 40) ^ 2 + (y - 40) ^ 2 < 900 ? 40 : 210) + (x * 7 + y * 13) % 5
            print v, v, v
        }
    }' >"$1"
}
for n in 1 2; do draw_part "disc/train/good/$n.ppm"; done
draw_mask left.pgm 96 80 0 0 40 80
shape='perlin|scratch:width=0.03..0.05'
generate --normal disc/train/good --shape "$shape" --forbidden left.pgm --prompt "cut disc" --seed 5 --count 3 -q \
    --out drawn >/dev/null
"$CAGEN" mask --normal disc/train/good --shape "$shape" --forbidden left.pgm --seed 5 --count 3 -q --out masks-alone >/dev/null
for n in 0 1 2; do same_files "drawn/disc/ground_truth/cut/00${n}_mask.png" "masks-alone/00$n.png"; done
! cmp -s drawn/disc/ground_truth/cut/000_mask.png drawn/disc/ground_truth/cut/001_mask.png || fail "one mask for all"
is "recipes in the manifest" "$(grep -c "\"shape\":\"perlin|scratch.*\"foreground\":\"object\".*\"forbidden\":\"$PWD/left.pgm\".*\"seed\":5" drawn/manifest.jsonl)" 3
is "masks that were files" "$(grep -c '"mask_sha256"' drawn/manifest.jsonl || true)" 0
# One row alone: what the object is was decided by all images and stands in it.
sed -n 2p drawn/manifest.jsonl >second.jsonl
generate --jobs second.jsonl -q --out second >/dev/null
same_files second/disc/test/cut/000.png drawn/disc/test/cut/001.png
same_files second/disc/ground_truth/cut/000_mask.png drawn/disc/ground_truth/cut/001_mask.png
generate --normal disc/train/good --shape "$shape" --forbidden left.pgm --prompt "cut disc" --seed 5 --count 4 \
    --out drawn >stdout 2>stderr
grep -q 'made 1 image, 3 were there already' stderr || fail "continued: $(cat stderr)"
# A line of a job list has the recipe of all, or a mask of its own.
printf '%s\n' "{\"normal\": \"$PWD/normal.ppm\", \"prompt\": \"cut\"}" \
    "{\"normal\": \"$PWD/normal.ppm\", \"prompt\": \"cut\", \"mask\": \"$PWD/mask.pgm\"}" >mixed.jsonl
generate --jobs mixed.jsonl --shape blob --foreground texture -q --out mixed >/dev/null
is "mask of its own" "$("$CAGEN_TOOLS/compare_pictures" mask.pgm mixed/object/ground_truth/cut/001_mask.png mask.pgm)" \
    "inside 0 of 750, outside 0 of 4050"
wrong() {
    local code=0
    generate --prompt cut --out wrong "${@:3}" >stdout 2>stderr || code=$?
    is "exit code of ${*:3}" "$code" "$1"
    grep -qF -- "$2" stderr || fail "${*:3}: $(cat stderr)"
}
wrong 2 'no shape "star"' --normal normal.ppm --shape star
wrong 2 'not both' --normal normal.ppm --shape blob --mask mask.pgm
wrong 2 'the shape library needs' --normal normal.ppm --shape library
wrong 2 'masks drawn by --shape' --normal normal.ppm --mask mask.pgm --allowed mask.pgm
wrong 2 '--mask or --shape' --normal normal.ppm
wrong 2 'no mask fits' --normal normal.ppm --shape blob:area=0.01 --min-area 0.9
wrong 1 'left.pgm: 96x80, but normal.ppm is 80x60' --normal normal.ppm --shape blob --allowed left.pgm
[ ! -e wrong ] || fail "a refused run left something"

echo "== latents written and read"
generate --normal normal.ppm --mask mask.pgm --prompt bent --count 2 -q --out saved --save-latents latents.safetensors >/dev/null
generate --normal normal.ppm --mask mask.pgm --prompt bent --count 2 --seed 99 -q --out loaded \
    --init-latents latents.safetensors --save-latents latents2.safetensors >/dev/null
same_pictures saved loaded
same_files latents.safetensors latents2.safetensors
grep -q "\"init_latents_sha256\":\"$(sha256sum <latents.safetensors | cut -d' ' -f1)\"" loaded/manifest.jsonl ||
    fail "the manifest does not tell the initial latents"

echo "== JSON lines for programs"
generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --json --out json >stdout 2>stderr
cmp stdout json/manifest.jsonl || fail "--json prints the rows of the manifest"
! grep -qv '^{"event":"[a-z]*",.*}$' stderr || fail "not JSON on standard error: $(cat stderr)"
grep -q '"event":"progress","what":"sampling","done":2,"total":2' stderr || fail "no progress: $(cat stderr)"

echo "== the same command again makes nothing"
generate --normal bottle/train/good --mask masks --prompt @prompts.txt --count 5 --out folders >stdout 2>stderr
is "standard output" "$(cat stdout)" ""
grep -q '^made 0 images, 5 were there already' stderr || fail "$(cat stderr)"
is "rows" "$(wc -l <folders/manifest.jsonl)" 5
# More of them continue the series; a lost file is made again.
rm folders/bottle/test/scratched/000.png
generate --normal bottle/train/good --mask masks --prompt @prompts.txt --count 6 -q --out folders >stdout
is "images" "$(tr '\n' ' ' <stdout)" "folders/bottle/test/scratched/000.png folders/bottle/test/scratched/002.png "
same_files folders/bottle/test/scratched/000.png again/bottle/test/scratched/000.png
is "rows" "$(wc -l <folders/manifest.jsonl)" 6

echo "== shards, half precision, another autoencoder"
single() { # FOLDER OPTION...: one image into FOLDER
    "$CAGEN" generate --normal normal.ppm --mask mask.pgm --prompt "broken large bottle" --steps 2 \
        --threads 1 -q --out "$@" >/dev/null
}
make_mini sharded --shards
single from-shards --model sharded/model --controlnet sharded/controlnet
same_pictures one from-shards
make_mini half --dtype f16
single from-half --model half/model --controlnet half/controlnet
for file in half/*/diffusion_pytorch_model.safetensors half/*/*/*model.safetensors; do
    mv "$file" "${file%.safetensors}.fp16.safetensors"
done
single from-variant --model half/model --controlnet half/controlnet
same_pictures from-half from-variant
make_mini tiny --tiny-vae
single from-tiny --model model --controlnet controlnet --vae tiny/model/vae
single from-tiny2 --model tiny/model --controlnet tiny/controlnet
same_pictures from-tiny from-tiny2
! cmp -s one/object/test/*/000.png from-tiny/object/test/*/000.png || fail "--vae changes nothing"

echo "== single files in the naming of the original code"
make_mini whole --single-file
single from-file --model whole/model.safetensors --controlnet whole/controlnet.safetensors --config model
same_pictures one from-file
is "fingerprints" "$(grep -o '"[a-z_]*fingerprint":"[0-9a-f]*"' from-file/manifest.jsonl)" \
    "$(grep -o '"[a-z_]*fingerprint":"[0-9a-f]*"' one/manifest.jsonl)"
single from-file2 --model whole/model.safetensors --controlnet whole/controlnet.safetensors --config model \
    --tokenizer "$CAGEN_FIXTURES/tokenizer/mini" --vae whole/model/vae
same_pictures one from-file2

echo "generate: all as expected"
