#!/usr/bin/env bash
# cagen figure: samples side by side, prompts side by side, and groups as points with numbers.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make -q --out drawn --categories hex_nut --size 32 --train 12 --test-good 4 --per-defect 6 \
    >/dev/null
"$CAGEN" augment -q --method cutpaste --normal drawn/hex_nut/train/good --count 12 --out cut >/dev/null
"$CAGEN" augment -q --method scar --normal drawn/hex_nut/train/good --count 12 --out scar >/dev/null
groups=(--group cut=cut --group "a|<b>=scar")

# Rows of normal, mask, one result of each group, and a real defect: five cells wide.
is "figure 1" "$("$CAGEN" figure 1 "${groups[@]}" --real drawn --rows 2 --cell 32 --out one)" \
    one/figure1.png
is "its width" "$(od -An -tu1 -j16 -N4 one/figure1.png | awk '{print $3 * 256 + $4}')" $((5 * 40 + 8))

# Figure 2 needs several prompts for one normal image and mask.
mkdir -p prompts/nut/test/a prompts/nut/ground_truth/a
cp cut/hex_nut/test/cutpaste/000.png prompts/nut/test/a/0.png
cp cut/hex_nut/test/cutpaste/001.png prompts/nut/test/a/1.png
cp cut/hex_nut/ground_truth/cutpaste/000_mask.png prompts/nut/ground_truth/a/0_mask.png
cp prompts/nut/ground_truth/a/0_mask.png prompts/nut/ground_truth/a/1_mask.png
for i in 0 1; do
    printf '{"image":"nut/test/a/%s.png","mask":"nut/ground_truth/a/%s_mask.png","category":"nut",' $i $i
    printf '"defect":"a","prompt":"prompt %s","job":{"normal":"%s"}}\n' $i \
        "$work/drawn/hex_nut/train/good/000.png"
done >prompts/manifest.jsonl
is "figure 2" "$("$CAGEN" figure 2 --group mine=prompts --cell 32 --out one)" one/figure2.png
is "its width" "$(od -An -tu1 -j16 -N4 one/figure2.png | awk '{print $3 * 256 + $4}')" $((4 * 40 + 8))

# Figure 4: pictures, numbers, points; the same bytes on one thread and on three.
for threads in 1 3; do
    "$CAGEN" figure 4 -q --data drawn "${groups[@]}" --perplexity 5 --iterations 60 --bootstrap 50 \
        --threads $threads --thumbnails 24 --out four$threads >/dev/null
done
for file in figure4.png figure4-pictures.png figure4.svg figure4.json figure4.md; do
    same_files four1/$file four3/$file
done
[ -s four1/figure4.pdf ] || fail "no PDF"
grep -q '^| a\\|<b> | 12 | [0-9.]* ([0-9.]* to [0-9.]*) | .* to .* |' four1/figure4.md || fail "no row of numbers"
is "points" "$(grep -o '\[[0-3],-\?[0-9.]*,-\?[0-9.]*,"' four1/figure4.json | wc -l)" \
    "$(grep -o '"count":[0-9]*' four1/figure4.json | awk -F: '{n += $2} END {print n}')"

# By a network of the user's: other features than pixels, the same on one thread and on three.
"$CAGEN" classify train -q --data drawn --part all --size 32 --width 4 --steps 2 --batch 2 --dtype f32 \
    --out net >/dev/null
for threads in 1 3; do
    "$CAGEN" figure 4 -q --data drawn "${groups[@]}" --features net --perplexity 5 --iterations 20 \
        --bootstrap 20 --dtype f32 --threads $threads --out net$threads >/dev/null
done
same_files net1/figure4.json net3/figure4.json
grep -q '"features":"net, of the part around the mask"' net1/figure4.json || fail "the features' name"
grep -q '^| cut | 12 | [0-9.]* ([0-9.]* to [0-9.]*) | ' net1/figure4.md || fail "no interval of the Fréchet distance"

# A category is seen alike alone and among others, whatever the manifests say and in which order: the windows
# of normal pictures are drawn by name.
"$CAGEN" dataset make -q --out all --categories hex_nut,leather --size 32 --train 6 --test-good 3 --per-defect 3 \
    >/dev/null
mkdir alone
cp -r all/hex_nut alone/
cp -r all/hex_nut all/bolt # of which the manifest knows nothing
cp -r cut turned
tac cut/manifest.jsonl >turned/manifest.jsonl
seen() { # DATA CATEGORY GROUP
    "$CAGEN" figure 4 -q --data "$1" --category "$2" --group "g=$3" --count 10 --perplexity 3 --iterations 10 \
        --bootstrap 10 --out seen >/dev/null
    cat seen/figure4.md
}
seen alone hex_nut cut >expected
seen all hex_nut cut >among
seen alone/hex_nut hex_nut turned >turned.md
same_files expected among
same_files expected turned.md
seen alone hex_nut alone >expected
seen all bolt all >unknown
same_files expected unknown

# Features from files.
make_npy() { # FILE ROWS FIRST: [rows, 2] f4
    {
        printf '\223NUMPY\1\0\166\0'
        printf "%-117s\n" "{'descr': '<f4', 'fortran_order': False, 'shape': ($2, 2), }"
        for ((i = 0; i < 2 * $2; i++)); do
            # shellcheck disable=SC2059 # the byte is in the format
            printf "\\0\\0\\$(printf %03o $(((i * 37 + $3) % 128)))\\102"
        done
    } >"$1"
}
make_npy a.npy 9 0
make_npy b.npy 8 90
"$CAGEN" figure 4 -q --real a.npy --group b=b.npy --perplexity 2 --iterations 20 --bootstrap 0 \
    --out files >/dev/null
grep -q '"name":"b","path":"b.npy","count":8' files/figure4.json || fail "features of a file"

refused 2 "which figure" "$CAGEN" figure -q 3 --group a=cut
refused 2 "--group NAME=PATH is needed" "$CAGEN" figure -q 4
refused 2 "NAME=PATH" "$CAGEN" figure -q 1 --group cut
refused 2 "--thumbnails" "$CAGEN" figure -q 4 --group a=cut --thumbnails 4
refused 2 "one --group" "$CAGEN" figure -q 2 --group a=cut --group b=scar
refused 2 "shows pictures" "$CAGEN" figure -q 1 --group a=a.npy
refused 2 "too few for a perplexity" "$CAGEN" figure -q 4 --group a=cut --real drawn --perplexity 30
refused 1 "no normal image and mask with results for two prompts" "$CAGEN" figure -q 2 --group a=cut
refused 1 "no defective images of category bolt" "$CAGEN" figure -q 4 --group a=cut --category bolt
refused 1 "nowhere" "$CAGEN" figure -q 4 --group a=nowhere
refused 1 "not a safetensors file" "$CAGEN" figure -q 4 --group a=cut --features four1/figure4.json
refused 1 "x has 2 features for each picture, but b has 768" "$CAGEN" figure -q 4 --group b=cut --group x=a.npy
mkdir broken
cp -r cut/. broken
head -c 100 cut/hex_nut/test/cutpaste/003.png >broken/hex_nut/test/cutpaste/003.png
refused 1 "broken/hex_nut/test/cutpaste/003.png" "$CAGEN" figure -q 4 --group a=broken --real drawn --perplexity 3
refused 1 "broken/hex_nut/test/cutpaste/003.png" "$CAGEN" figure -q 1 --group a=broken --rows 12 --cell 32
mkdir nothing
refused 1 "nothing" "$CAGEN" figure -q 4 --group a=nothing
refused 1 "cut/manifest.jsonl/x: cannot create" "$CAGEN" figure -q 4 --group a=cut --out cut/manifest.jsonl/x
mkdir -p taken/figure4.png
refused 1 "taken/figure4.png: cannot write" "$CAGEN" figure -q 4 --group a=cut --out taken
{ head -c 128 a.npy && printf '\0\0\300\177' && tail -c +133 a.npy; } >nan.npy
refused 1 "nan.npy: row 0 has NaN" "$CAGEN" figure -q 4 --group a=nan.npy
: >empty.npy
refused 1 "empty.npy" "$CAGEN" figure -q 4 --group a=empty.npy
