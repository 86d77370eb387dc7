#!/usr/bin/env bash
# cagen dataset export as its user runs it: what is printed, what is refused.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

for i in 0 1 2; do draw_picture "set/train/good/00$i.png" 48 32 "$i"; done
draw_picture set/test/good/000.png 48 32 8
draw_picture set/test/dent/000.png 48 32 9
draw_mask set/ground_truth/dent/000_mask.png 48 32 10 10 9 7
export_set() { "$CAGEN" dataset export set "$@"; }

echo "== every format"
while read -r format images masks; do
    export_set --to "$format" --out "$format" >stdout 2>stderr
    is "$format" "$(cat stdout)" "$format: $images images, $masks masks"
    grep -q '"done": true' "$format/export.json" || fail "$format is not done"
done <<'FORMATS'
mvtec 5 1
btad 5 1
folder 5 1
texture-bank 1 0
pairs 1 1
coco 5 0
yolo-seg 5 0
FORMATS
is "MVTec tree" "$(cd mvtec && find set -type f | sort | tr '\n' ' ')" \
    "set/ground_truth/dent/000_mask.png set/test/dent/000.png set/test/good/000.png set/train/good/000.png set/train/good/001.png set/train/good/002.png "
is "YOLO tree" "$(cd yolo-seg && find . -name '*.txt' | sort | tr '\n' ' ')" \
    "./labels/test/000.txt ./labels/test/001.txt ./labels/train/000.txt ./labels/train/001.txt ./labels/train/002.txt "

echo "== the same export again is done at once; another one is refused"
is "again" "$(export_set --to mvtec --out mvtec 2>/dev/null)" "mvtec: 5 images, 1 masks (5 were there)"
refused 2 "mvtec: holds another export" export_set --to btad --out mvtec
refused 2 "set: is not empty" export_set --to mvtec --out set
refused 2 "unknown format \"voc\"; there are mvtec, btad" export_set --to voc --out voc
refused 2 "--to FORMAT is needed" export_set --out nothing
refused 2 "only coco and yolo-seg" export_set --to mvtec --split train --out nothing
refused 1 "nothing to export as triplet" export_set --to triplet --out nothing
[ ! -e nothing ] || fail "a refused export left a folder"

echo "== a lost mask is told"
rm set/ground_truth/dent/000_mask.png
export_set --to coco --out lost >stdout 2>stderr
grep -q "1 defective images have no mask; left out" stderr || fail "$(cat stderr)"
is "images" "$(cat stdout)" "lost: 4 images, 0 masks"
is "JSON" "$(export_set --to coco --json --out lost 2>/dev/null)" \
    '{"out":"lost","format":"coco","images":4,"masks":0,"present":4,"linked":0,"left_out":{"without_mask":1,"without_normal":0,"not_in_format":0,"dropped":0}}'

echo "== outlines come in"
printf '{"imagePath":"000.png","shapes":[{"label":"dent","points":[[2,2],[9,2],[9,8]]}]}' >set/test/dent/000.json
is "import" "$("$CAGEN" dataset import set/test/dent --category bolt --out drawn)" "drawn: 1 images, 1 masks"
is "tree" "$(cd drawn && find . -type f | sort | tr '\n' ' ')" \
    "./bolt/ground_truth/dent/000_mask.png ./bolt/test/dent/000.png ./manifest.jsonl "
code=0
"$CAGEN" dataset import set/test/dent --out drawn 2>stderr || code=$?
is "exit code" "$code" 2
grep -q "not an empty folder" stderr || fail "$(cat stderr)"
