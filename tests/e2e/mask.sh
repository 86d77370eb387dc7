#!/usr/bin/env bash
# cagen mask: masks for images and without, the same bytes again, and its errors.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"


# draw_part FILE.ppm: a dark disc on light, grainy ground.
draw_part() {
    mkdir -p "$(dirname "$1")"
    awk 'BEGIN {
        print "P3 96 80 255"
        for (y = 0; y < 80; y++) for (x = 0; x < 96; x++) {
            v = (x - 40) ^ 2 + (y - 40) ^ 2 < 900 ? 40 : 210
            v += (x * 7 + y * 13) % 5
            print v, v, v
        }
    }' >"$1"
}
for n in 1 2 3; do draw_part "parts/$n.ppm"; done

# One mask for each image, on the object; the list is ready for generate.
"$CAGEN" mask --normal parts --out masks --seed 3 --sheet sheet.png --jobs jobs.jsonl \
    >out.txt 2>err.txt
is "results" "$(cat out.txt)" "$(printf 'masks/00%d.png\n' 0 1 2)"
is "files" "$(ls masks)" "$(printf '00%d.png\n' 0 1 2)"
grep -q '3 of 3 show an object' err.txt || fail "the policy is told"
[ -s sheet.png ] || fail "no contact sheet"
is "jobs" "$(wc -l <jobs.jsonl)" 3
is "first job" "$(head -1 jobs.jsonl)" \
    "{\"normal\":\"$PWD/parts/1.ppm\",\"mask\":\"$PWD/masks/000.png\"}"

# The same bytes for any number of threads and masks; others for another seed.
"$CAGEN" mask -q --normal parts --out again --seed 3 --count 5 --threads 1 >out.txt
for n in 0 1 2; do same_files "masks/00$n.png" "again/00$n.png"; done
"$CAGEN" mask -q --normal parts --out other --seed 4 >out.txt
cmp -s masks/000.png other/000.png && fail "the seed changes nothing"

# The object may be given: as one mask, as a folder, as everything.
draw_mask object.pgm 96 80 10 10 30 30
draw_mask left.pgm 96 80 0 0 48 80
mkdir -p objects
for n in 1 2 3; do
    "$CAGEN" mask -q --size 96x80 --shape rectangle:area=0.1,aspect=1 --allowed object.pgm \
        --out made >out.txt
    cp made/000.png "objects/${n}_mask.png"
done
area_of() {
    "$CAGEN" mask -q --json --out made --seed 1 "$@" >area.txt
    sed -n '1s/.*"area":\([^,]*\),"fore.*/\1/p' area.txt
}
big=(--shape ellipse:area=1,aspect=1 --normal parts --min-area 0)
is "in a given mask" "$(area_of "${big[@]}" --foreground object.pgm)" 0.117188
is "in everything but half" "$(area_of --size 96x80 --shape ellipse:area=1,aspect=1,count=100 \
    --forbidden left.pgm)" 0.5
# foreground_is NAME ARGUMENT...
foreground_is() {
    "$CAGEN" mask -q --json --normal parts --out made "${@:2}" >rows.txt
    is "rows with the foreground $1" "$(grep -c "\"foreground\":\"$1\"" rows.txt)" 3
}
foreground_is given --foreground objects
foreground_is texture --foreground texture
foreground_is object

# Real masks.
"$CAGEN" mask -q --shape library --library objects --size 200x160 --count 4 --out real >out.txt
is "real masks" "$(ls real | wc -l)" 4

refused 2 '--out is missing' "$CAGEN" mask --size 64x64
refused 2 'one of --normal and --size' "$CAGEN" mask --out x
refused 2 'one of --normal and --size' "$CAGEN" mask --out x --size 64x64 --normal parts
refused 2 '--size must be' "$CAGEN" mask --out x --size 64
refused 2 '--size must be' "$CAGEN" mask --out x --size 64x64x3
refused 2 '--size must be' "$CAGEN" mask --out x --size 64x99999
refused 2 'no shape "star"' "$CAGEN" mask --out x --size 64x64 --shape star
refused 2 'no parameter "colour"' "$CAGEN" mask --out x --size 64x64 --shape blob:colour=3
refused 2 'needs --library' "$CAGEN" mask --out x --size 64x64 --shape library
refused 2 '--count' "$CAGEN" mask --out x --size 64x64 --count 0
refused 2 '--min-area' "$CAGEN" mask --out x --size 64x64 --min-area 0.5 --max-area 0.1
refused 2 'mask 0: no mask fits' "$CAGEN" mask --out x --size 64x64 --min-area 0.99
refused 1 'absent' "$CAGEN" mask --out x --normal absent
refused 1 'object.pgm: 96x80, but the masks are 64x64' "$CAGEN" mask --out x --size 64x64 --allowed object.pgm
refused 1 'no mask of the object for parts/1.ppm' "$CAGEN" mask --out x --normal parts --foreground parts
refused 1 'nowhere.png' "$CAGEN" mask --out x --normal parts --foreground nowhere.png
printf 'P6 9 9 255\nshort' >broken.ppm
refused 1 'broken.ppm' "$CAGEN" mask --out x --normal broken.ppm
[ -z "$(ls x 2>/dev/null)" ] || fail "failures left files"
