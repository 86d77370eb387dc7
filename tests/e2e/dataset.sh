#!/usr/bin/env bash
# cagen dataset: info, check and split of a small data set, and their errors.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"


for i in 0 1 2; do
    draw_picture set/nut/train/good/$i.ppm 12 8 "$i"
    draw_picture set/nut/test/bent_wire/$i.ppm 12 8 "1$i"
    draw_mask set/nut/ground_truth/bent_wire/${i}_mask.pgm 12 8 2 2 3 3
done

is "info" "$("$CAGEN" dataset info set | tr -s ' ')" \
    'set: layout mvtec, 1 category, 6 images
category split defect images masks
nut train good 3 0
nut test bent_wire 3 3
total 6 3'
is "info as JSON" "$("$CAGEN" dataset info --json set)" \
    '{"path":"set","layout":"mvtec","images":6,"unlabelled":0,"split_drawn":false,"problems":0,"groups":[{"category":"nut","split":"train","defect":"good","images":3,"masks":0},{"category":"nut","split":"test","defect":"bent_wire","images":3,"masks":3}]}'
is "another layout" "$("$CAGEN" dataset info --layout textures set | head -1)" \
    'set: layout textures, 2 categories, 9 images'

is "check of sound data" "$("$CAGEN" dataset check -q set)" '0 problems in 6 images'

# A few shots: drawn by the seed, written with their prompts.
is "split" "$("$CAGEN" dataset split set -k 2 --seed 1 -o shots.json | tail -1 | tr -s ' ')" \
    'nut bent_wire 2 1 bent wire nut'
"$CAGEN" dataset split set -k 2 --seed 1 -o copied.json --copy few >/dev/null
is "images of the split alone" "$(find few -path '*/test/*.png' | wc -l) $(find few -name '*_mask.png' | wc -l)" "2 2"
is "images in the split" "$(grep -c '"image":' shots.json)" 2
"$CAGEN" dataset split set -k 2 --seed 1 -o again.json >/dev/null
same_files shots.json again.json
echo '{"defects": {"bent_wire": ["bent wire", "crooked lead"]}}' >aliases.json
"$CAGEN" dataset split set -o named.json --aliases aliases.json >/dev/null
grep -q '"crooked lead nut"' named.json || fail "no alias in the split"

# Everything that can be wrong is told at once, with exit code 1.
rm set/nut/test/bent_wire/1.ppm
draw_mask set/nut/ground_truth/bent_wire/0_mask.pgm 8 12 2 2 3 3
cp set/nut/train/good/0.ppm set/nut/test/bent_wire/2.ppm
echo nothing >set/nut/train/good/2.ppm
echo notes >set/nut/notes.docx
got=0
"$CAGEN" dataset check -q set >found || got=$?
is "status with problems" "$got" 1
is "problems" "$(sed -n 's/^\([^:]*\):.* \[\(.*\)\]$/\2 \1/p' found)" \
    'size set/nut/ground_truth/bent_wire/0_mask.pgm
unpaired-mask set/nut/ground_truth/bent_wire/1_mask.pgm
stray set/nut/notes.docx
duplicate set/nut/test/bent_wire/2.ppm
unreadable set/nut/train/good/2.ppm'
is "last line" "$(tail -1 found)" '5 problems in 5 images'
"$CAGEN" dataset check -q --json set >found && fail "no status with --json"
is "last JSON line" "$(tail -1 found)" '{"layout":"mvtec","images":5,"problems":5}'
is "names alone" "$("$CAGEN" dataset check --names set | tail -1)" '2 problems in 5 images'

refused 2 'unknown command "chekc"' "$CAGEN" dataset chekc
refused 2 'one folder is needed' "$CAGEN" dataset info
refused 2 'one folder is needed' "$CAGEN" dataset check set set
refused 2 'unknown layout "imagenet"' "$CAGEN" dataset info --layout imagenet set
refused 2 '--out FILE is missing' "$CAGEN" dataset split set
refused 2 '--shots must be' "$CAGEN" dataset split set -k 0 -o x.json
refused 1 'absent: cannot open' "$CAGEN" dataset check absent
refused 1 'no images found' "$CAGEN" dataset info "$CAGEN_SOURCE_DIR/cmake"
echo '[' >aliases.json
refused 1 'aliases.json: not valid JSON' "$CAGEN" dataset split set -o x.json --aliases aliases.json
[ ! -e x.json ] || fail "a split file after an error"
