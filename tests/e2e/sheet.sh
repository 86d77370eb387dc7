#!/usr/bin/env bash
# cagen sheet: a picture of a generated folder, from its manifest alone.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

size() { # of a PNG: width x height
    od -An -t u1 -j 16 -N 8 "$1" | awk '{ print ($3 * 256 + $4) "x" ($7 * 256 + $8) }'
}

mkdir -p out
for i in 0 1 2 3 4; do
    defect=hole
    [ "$i" -lt 3 ] || defect=scratch
    draw_picture "normals/$i.ppm" 40 30 "$i"
    draw_picture "out/bolt/test/$defect/00$i.png" 40 30 $((i + 7))
    draw_mask "out/bolt/ground_truth/$defect/00${i}_mask.png" 40 30 10 5 12 8
    kept=true
    [ "$i" -ne 4 ] || kept=false
    printf '{"image":"bolt/test/%s/00%d.png","mask":"bolt/ground_truth/%s/00%d_mask.png","category":"bolt","defect":"%s","prompt":"%s bolt","job":{"normal":"%s/normals/%d.ppm"},"kept":%s}\n' \
        "$defect" "$i" "$defect" "$i" "$defect" "$defect" "$work" "$i" "$kept"
done >out/manifest.jsonl

echo "== all that was kept, with its place told"
"$CAGEN" sheet out --cell 64 >stdout 2>stderr
is "output" "$(cat stdout)" out/sheet.png
grep -q "4 of 4 results" stderr || fail "$(cat stderr)"
wide=$(size out/sheet.png)
is "width of four columns" "${wide%x*}" $((4 * (64 + 8) + 8))

echo "== fewer, of one kind, somewhere else; the same picture each time"
"$CAGEN" sheet out --cell 64 --defect hole --count 2 -o few.png 2>stderr >/dev/null
grep -q "2 of 3 results" stderr || fail "$(cat stderr)"
"$CAGEN" sheet out --cell 64 --defect hole --count 2 -o again.png 2>/dev/null >/dev/null
same_files few.png again.png
tall=$(size few.png)
is "half as many rows" $((2 * (${tall#*x} - 8))) $((${wide#*x} - 8))
is "picture of what was put aside" "$("$CAGEN" sheet out --dropped 2>stderr)" out/dropped.png
grep -q "1 of 1 results" stderr || fail "$(cat stderr)"

echo "== a lost normal image leaves its place empty; a torn last line is left alone"
rm normals/0.ppm
printf '{"image":' >>out/manifest.jsonl
cp out/manifest.jsonl before
"$CAGEN" sheet out --cell 64 -o lost.png 2>stderr >/dev/null
grep -q "normals/0.ppm" stderr || fail "nothing said of the lost image"
is "size" "$(size lost.png)" "$wide"
same_files before out/manifest.jsonl

echo "== what is wrong is told in a line, and nothing is written"
sheet() {
    "$CAGEN" sheet "$@" -o never.png
}
refused 2 "exactly one DIR" sheet
refused 2 "--count can be 1 to 1000" sheet out --count 0
refused 1 "nowhere/manifest.jsonl" sheet nowhere
refused 1 "no such result" sheet out --defect dent
rm out/bolt/ground_truth/hole/000_mask.png
refused 1 "000_mask.png" sheet out
draw_mask out/bolt/ground_truth/hole/000_mask.png 30 30 3 3 4 4
refused 1 "30x30" sheet out
[ ! -e never.png ] || fail "written"
