#!/usr/bin/env bash
# cagen metrics: maps of another program against a data set or masks, and what is wrong with them.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

# draw_map FILE.pgm SIZE HIGH: 16 bits; HIGH in the upper left quarter, a slope elsewhere.
draw_map() {
    mkdir -p "$(dirname "$1")"
    awk -v n="$2" -v high="$3" 'BEGIN {
        print "P2", n, n, 65535
        for (y = 0; y < n; y++) for (x = 0; x < n; x++)
            print (x < n / 2 && y < n / 2) ? high : 1000 + 7 * (y * n + x)
    }' >"$1"
}

for i in 0 1 2; do
    draw_picture set/nut/train/good/00$i.ppm 16 16 "$i"
    draw_picture set/nut/test/good/00$i.ppm 16 16 "1$i"
    draw_picture set/nut/test/hole/00$i.ppm 16 16 "2$i"
    draw_mask set/nut/ground_truth/hole/00${i}_mask.pgm 16 16 0 0 8 8
    draw_map maps/nut/good/00$i.pgm 8 900
    draw_map maps/nut/hole/00$i.pgm 8 $((40000 + i))
done

# The defect's quarter is found, so all is 100 per cent but where the enlarged map's edge is soft.
is "table" "$("$CAGEN" metrics -q --maps maps --data set --mode draem,anomalib | tr -s ' ')" \
    'category mode images defect good+def. image AUROC AP F1 pixel AUROC AP F1 AUPRO IoU
nut draem all all 3+3 100.00 100.00 100.00 100.00 100.00 100.00 100.00 100.00
nut anomalib all all 3+3 100.00 100.00 100.00 100.00 100.00 100.00 100.00 100.00'

# The same by masks alone, in other folders and for one category without its folder.
mkdir -p flat masks
cp -r maps/nut flat/test
cp -r set/nut/ground_truth masks/ground_truth
is "masks alone" "$("$CAGEN" metrics -q --maps flat --masks masks --format csv |
    cut -d, -f2-9 | head -2 | tail -1)" 'strict,0,,3,3,1,,'
is "data set's category" "$("$CAGEN" metrics -q --maps flat --data set/nut --mode draem --format md |
    tail -1 | cut -d'|' -f3-8)" ' draem | all | all | 3+3 | 100.00 | 100.00 '

# A flat folder: the masks tell what is good.
mkdir -p one/maps one/masks
cp maps/nut/hole/000.pgm one/maps/a.pgm
cp maps/nut/good/000.pgm one/maps/b.pgm
draw_mask one/masks/a.pgm 8 8 0 0 4 4
draw_mask one/masks/b.pgm 8 8 0 0 0 0
is "flat folders" "$("$CAGEN" metrics -q --maps one/maps --masks one/masks --mode strict |
    tail -1 | tr -s ' ' | cut -d' ' -f2-6)" 'strict all all 1+1 100.00'

# Intervals, few-shot rows, curves; the same bytes on one thread and on several.
"$CAGEN" dataset split set -k 1 -o shots.json >/dev/null
for threads in 1 3; do
    "$CAGEN" metrics -q --maps maps --data set --split shots.json --bootstrap 50 --curves 16 \
        --threshold 0.5 --format json --threads $threads -o report$threads.json
done
same_files report1.json report3.json
is "few-shot rows" "$(grep -o '"without_few_shot":true,"defect":null,"good":3,"defective":2' \
    report1.json | wc -l)" 3
grep -q '"pixel_auroc":{"value":1.0,"low":1.0,"high":1.0}' report1.json || fail "no interval"
grep -q '"pixel_iou_at":{"value":' report1.json || fail "no IoU at the threshold"
grep -q '"pixel_pro":\[\[0.0,0.0,null\],' report1.json || fail "no PRO curve"

# What cannot be told is said to be so.
cp -r set alone
rm -r alone/nut/test/good
is "no good images" "$("$CAGEN" metrics -q --maps maps --data alone --mode draem 2>/dev/null |
    tail -1)" '(1) undefined: no good images'
rm alone/nut/ground_truth/hole/001_mask.pgm
is "no mask" "$("$CAGEN" metrics -q --maps maps --data alone --mode draem 2>/dev/null | tail -1)" \
    '(2) undefined: 1 of 3 images have no mask (the first: maps/nut/hole/001.pgm)'

both=(--maps maps --data set)
refused 2 '--maps DIR is missing' "$CAGEN" metrics -q --data set
refused 2 'one of --data and --masks' "$CAGEN" metrics -q --maps maps
refused 2 'one of --data and --masks' "$CAGEN" metrics -q "${both[@]}" --masks masks
refused 2 '--split and --layout need --data' "$CAGEN" metrics -q --maps flat --masks masks --split shots.json
refused 2 '--mode knows strict, draem, anomalib, not "official"' "$CAGEN" metrics -q "${both[@]}" --mode draem,official
refused 2 'unknown format "html"' "$CAGEN" metrics -q "${both[@]}" --format html
refused 2 '--bootstrap can be' "$CAGEN" metrics -q "${both[@]}" --bootstrap -1
refused 2 '--seed must not' "$CAGEN" metrics -q "${both[@]}" --seed -1
refused 2 '--fpr-limit must' "$CAGEN" metrics -q "${both[@]}" --fpr-limit 0
refused 2 '--fpr-limit must' "$CAGEN" metrics -q "${both[@]}" --fpr-limit nan
refused 2 '--curves can be' "$CAGEN" metrics -q "${both[@]}" --curves 3 --format json
refused 2 '--curves needs --format json' "$CAGEN" metrics -q "${both[@]}" --curves 100
refused 1 'absent: cannot be listed' "$CAGEN" metrics -q --maps absent --data set
refused 1 'absent: cannot open' "$CAGEN" metrics -q --maps maps --data absent
refused 1 'absent: cannot be listed' "$CAGEN" metrics -q --maps maps --masks absent
refused 1 'no test images of bolt' "$CAGEN" metrics -q "${both[@]}" --category bolt
refused 1 'shots.json' "$CAGEN" metrics -q "${both[@]}" --split absent/shots.json
mkdir empty
refused 1 'empty: no maps (png tif tiff pgm npy) in it' "$CAGEN" metrics -q --maps empty --data set
refused 1 'empty: no masks' "$CAGEN" metrics -q --maps maps --masks empty
refused 1 'No such file' "$CAGEN" metrics -q "${both[@]}" -o absent/report.txt

# broken NAME TEXT: with the first map of a hole replaced by the file NAME.
broken() {
    rm -rf bad
    cp -r maps bad
    rm bad/nut/hole/000.pgm
    cp "$1" bad/nut/hole/000."${1##*.}"
    refused 1 "$2" "$CAGEN" metrics -q --maps bad --data set
}
header="{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}"
printf '\223NUMPY\1\0\72\0%s\n\0\0\200\77\0\0\300\177' "$header" >nan.npy
printf '\223NUMPY\1\0\72\0%s\n\0\0\200\77\0\0\200\377' "$header" >infinite.npy
printf '\223NUMPY\1\0\2\0{}' >empty.npy
printf '\223NUMPY\1\0\377\377{}' >short.npy
"$CAGEN_TOOLS/make_picture" whole.png 20 20 1 16
head -c -30 whole.png >cut.png
echo scores >text.png
cp set/nut/test/good/000.ppm colour.png
: >nothing.tiff
broken nan.npy '000.npy: 1 of 2 scores are NaN'
broken infinite.npy '000.npy: 1 of 2 scores are infinite'
broken empty.npy '000.npy: not an array of numbers'
broken short.npy '000.npy: its header is truncated or corrupt'
broken cut.png '000.png: truncated or corrupt PNG'
broken text.png '000.png: not an image'
broken colour.png '000.png: 3 channels, but a map has one score'
broken nothing.tiff '000.tiff: an empty file'
rm bad/nut/hole/000.*
refused 1 'bad: 1 of 6 test images of set have no map; the first is set/nut/test/hole/000.ppm' "$CAGEN" metrics -q \
    --maps bad --data set
cp -r maps two
cp maps/nut/hole/001.pgm two/nut/hole/001.png
refused 1 'belongs to the same image as' "$CAGEN" metrics -q --maps two --data set
draw_mask masks/ground_truth/hole/000_mask.pgm 16 16 0 0 8 8
cp "$CAGEN" masks/ground_truth/hole/000_mask.pgm
refused 1 '000_mask.pgm: not an image' "$CAGEN" metrics -q --maps flat --masks masks

# A map that belongs to nothing is told, and does no harm.
cp -r maps more
draw_map more/nut/hole/009.pgm 8 5
"$CAGEN" metrics -q --maps more --data set --mode draem >out 2>err || fail "a spare map: $(cat err)"
is "spare map" "$(cat err)" 'cagen: warning: more: 1 files belong to no test image'
