#!/usr/bin/env bash
# cagen quality: groups against real defects by pixels, a ResNet and LPIPS, in three views; features of files.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make -q --out drawn --categories hex_nut --size 64 --train 6 --test-good 3 --per-defect 3 \
    >/dev/null
"$CAGEN" dataset split drawn -k 1 -o shots.json --copy few >/dev/null 2>&1
"$CAGEN" augment -q --method cutpaste --normal drawn/hex_nut/train/good --count 8 --out cut >/dev/null
"$CAGEN" classify train -q --data drawn --part all --size 32 --width 4 --steps 2 --batch 2 --dtype f32 --out net \
    >/dev/null
mkdir nets
"$CAGEN_TOOLS/make_lpips" nets
lpips=(--lpips nets/alexnet.safetensors --lpips nets/alex.safetensors)

quality() {
    "$CAGEN" quality -q --data drawn --group "a|<b>=cut" --bootstrap 50 "$@"
}

# Pixels alone, in the views asked for; the same text on one thread and on three.
for threads in 1 3; do
    quality --threads $threads -f csv >pixels$threads
done
same_files pixels1 pixels3
is "rows of groups and views" "$(cut -d, -f1,2 pixels1 | tr '\n' ' ')" \
    'group,view normal,window real,window a|<b>,window normal,masked real,masked a|<b>,masked '
is "views that were asked for" "$(quality --view whole -f csv | cut -d, -f2 | sort -u | tr '\n' ' ')" 'view whole '
grep -qE '^a\|<b>,window,8,[0-9.]+,[0-9.]+,[0-9.]+,-?[0-9.e-]+,-?[0-9.e-]+,[0-9.e-]+,,,,,,$' pixels1 ||
    fail "$(cat pixels1)"

# What lies outside the masks is seen in the window, and not in what is masked.
framed() { # DIR OUTSIDE: two pictures with squares of 50 and 150 in OUTSIDE, and their masks
    local i
    mkdir -p "$1/nut/test/a" "$1/nut/ground_truth/a"
    for i in 0 1; do
        awk -v o="$2" -v s=$((50 + 100 * i)) 'BEGIN {
            print "P2 16 16 255"
            for (i = 0; i < 256; i++) print (i % 16 > 4 && i % 16 < 11 && i > 80 && i < 176) ? s : o
        }' >"$1/nut/test/a/$i.png" # told by its content
        draw_mask "$1/nut/ground_truth/a/${i}_mask.png" 16 16 5 5 6 6
    done
}
framed dark 10
framed bright 200
value() { # VIEW: Fréchet distance of the two
    "$CAGEN" quality -q --real dark --group x=bright --view "$1" -f csv | awk -F, '$1 == "x" {printf "%.6f", $4}'
}
is "distance of what is masked" "$(value masked)" 0.000000
[ "$(value window)" != 0.000000 ] || fail "outside the masks nothing is seen"

# By networks: scores between 1 and the number of classes, clusters with all pictures in them.
for threads in 1 3; do
    quality --features net "${lpips[@]}" --side 64 --shots few --dtype f32 --threads $threads -f json >nets$threads
done
same_files nets1 nets3
is "clusters and shots" "$(grep -o '"clusters":\[[^]]*\]' nets1 | head -1 | grep -o count | wc -l)" \
    "$(grep -o '"shots":\[[^]]*\]' nets1 | grep -o 'png"' | wc -l)"
is "pictures in clusters" "$(grep -o '"clusters":\[[^]]*\]' nets1 | head -1 | grep -o '"count":[0-9]*' |
    awk -F: '{n += $2} END {print n}')" 8
grep -o '"inception_score":{"value":[0-9.]*' nets1 | awk -F: '$3 < 1 || $3 > 5 {exit 1}' || fail "Inception scores"
[ "$(grep -o '"ic_lpips":{"value":0.[0-9]*' nets1 | wc -l)" = 2 ] || fail "IC-LPIPS of one group in two views"
quality --features net "${lpips[@]}" --side 64 --shots few -f md >table.md
grep -qE '^\| a\\\|<b> \| masked \| 8 \| [0-9.]+ \([0-9.]+ to [0-9.]+\) \| .* \| 1\.[0-9]+ \(1\.[0-9]+ to 1\.[0-9]+\) \| 0\.[0-9]+' \
    table.md || fail "$(cat table.md)"
grep -q "not comparable with published" table.md || fail "no word about Inception-v3"

# Copies of the shots are near them and all alike: no diversity.
"$CAGEN" quality -q --real few --group copies=few "${lpips[@]}" --side 64 --view whole -f json >copies
grep -q '"distance":null' copies || fail "clusters of one picture have no pairs"

# VGG-16 besides, and a page of it all.
quality --lpips nets/vgg16.safetensors --lpips nets/vgg.safetensors --side 64 --count 3 --view window -f json \
    -o quality.json >out
[ ! -s out ] || fail "text beside the file"
"$CAGEN" report -q quality.json -o page.html >/dev/null
grep -q '<th scope="row">a|&lt;b&gt;</th><td>window</td><td class="n">3</td>' page.html || fail "no row in the page"
grep -q 'IC-LPIPS: VGG-16 at 64 pixels' page.html || fail "no note in the page"

# Features of files: one row each.
"$CAGEN" classify run -q --model net --features cut.npy cut/hex_nut/test >/dev/null
"$CAGEN" classify run -q --model net --features real.npy drawn/hex_nut/test/scratch >/dev/null
is "features of files" "$("$CAGEN" quality -q --real real.npy --group cut=cut.npy -f csv | cut -d, -f1-3 | tr '\n' ' ')" \
    'group,view,pictures real,given,3 cut,given,8 '

group=(--real drawn --group a=cut)
refused 2 "--group NAME=PATH is needed" "$CAGEN" quality -q --real drawn
refused 2 "real defects are needed" "$CAGEN" quality -q --group a=cut
refused 2 "NAME=PATH" "$CAGEN" quality -q --real drawn --group cut
refused 2 '--view knows whole, window, masked, not "half"' "$CAGEN" quality -q "${group[@]}" --view window,half
refused 2 "--shots needs --lpips" "$CAGEN" quality -q "${group[@]}" --shots few
refused 2 "--side can be 64" "$CAGEN" quality -q "${group[@]}" --side 8
refused 2 "files of features have none" "$CAGEN" quality -q --real real.npy --group cut=cut.npy "${lpips[@]}"
refused 1 "no heads of LPIPS" "$CAGEN" quality -q "${group[@]}" --lpips nets/alexnet.safetensors
refused 1 "no AlexNet and no VGG-16" "$CAGEN" quality -q "${group[@]}" --lpips nets/alex.safetensors
refused 1 "neither a network nor heads" "$CAGEN" quality -q "${group[@]}" --lpips net/model.safetensors
refused 1 "is in nets/alexnet.safetensors too" "$CAGEN" quality -q "${group[@]}" --lpips nets/alexnet.safetensors --lpips nets/alexnet.safetensors
refused 1 "lin1.model.1.weight is [1, 128, 1, 1] instead of [1, 192, 1, 1]" "$CAGEN" quality -q "${group[@]}" \
    --lpips nets/alexnet.safetensors --lpips nets/vgg.safetensors
refused 1 "not the weights of a ResNet" "$CAGEN" quality -q "${group[@]}" --features nets/alexnet.safetensors
refused 1 "equally many features" "$CAGEN" quality -q --real drawn --group cut=cut.npy
mkdir -p empty one/nut/test/a one/nut/ground_truth/a
refused 1 "empty" "$CAGEN" quality -q --real drawn --group a=empty
cp cut/hex_nut/test/cutpaste/000.png one/nut/test/a/0.png
cp cut/hex_nut/ground_truth/cutpaste/000_mask.png one/nut/ground_truth/a/0_mask.png
refused 1 "at least two pictures" "$CAGEN" quality -q --real drawn --group a=one
cp -r cut broken
head -c 100 cut/hex_nut/test/cutpaste/003.png >broken/hex_nut/test/cutpaste/003.png
refused 1 "broken/hex_nut/test/cutpaste/003.png" "$CAGEN" quality -q --real drawn --group a=broken
refused 1 "nowhere/out.json" "$CAGEN" quality -q "${group[@]}" --out nowhere/out.json
draw_picture small.ppm 20 10
cp small.ppm one/nut/test/a/0.png
refused 1 "but one/nut/test/a/0.png is 20x10" "$CAGEN" quality -q --real drawn --group a=one
