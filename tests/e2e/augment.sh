#!/usr/bin/env bash
# cagen augment as its user runs it.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

augment() {
    "$CAGEN" augment "$@"
}
# draw_grain FILE.ppm WIDTH HEIGHT N: noise, another for every N; smooth pictures have no detail to blend.
draw_grain() {
    mkdir -p "$(dirname "$1")"
    awk -v w="$2" -v h="$3" -v n="$4" 'BEGIN {
        print "P3", w, h, 255
        for (i = 0; i < 3 * w * h; i++) print (i * 7919 + int(i / 7) * (104 + n) + n * i * i) % 256
    }' >"$1"
}
for i in 0 1 2; do draw_grain "bottle/train/good/$i.ppm" 64 48 $i; done

echo "== the tree, the manifest, the summary"
augment --method cutpaste --normal bottle/train/good --out one >stdout 2>stderr
is "files" "$(cd one && find . -type f | sort | tr '\n' ' ')" \
    "./bottle/ground_truth/cutpaste/000_mask.png ./bottle/ground_truth/cutpaste/001_mask.png ./bottle/ground_truth/cutpaste/002_mask.png ./bottle/test/cutpaste/000.png ./bottle/test/cutpaste/001.png ./bottle/test/cutpaste/002.png ./manifest.jsonl "
is "standard output" "$(head -1 stdout)" "one/bottle/test/cutpaste/000.png"
grep -q '^made 3 images; .* images per second$' stderr || fail "summary: $(cat stderr)"
is "rows" "$(wc -l <one/manifest.jsonl)" 3
for key in image mask category defect method seed sample normal normal_sha256 parameters version kept scores key; do
    is "\"$key\"" "$(grep -c "[{,]\"$key\":" one/manifest.jsonl)" 3
done
grep -q "\"normal_sha256\":\"$(sha256sum <bottle/train/good/1.ppm | cut -d' ' -f1)\"" one/manifest.jsonl || fail "SHA-256"

echo "== each method: same bytes with any number of threads, outside the mask the normal image"
for i in 0 1 2 3; do draw_picture "textures/kind$((i % 2))/$i.ppm" 30 70 $((i + 9)); done
echo "not a texture" >textures/README
for i in 0 1 2; do
    draw_picture "defects/$i.ppm" 80 60 $((i + 20))
    draw_mask "masks/${i}_mask.pgm" 80 60 $((20 * i)) 20 $((9 + i)) 14
done
for method in cutpaste scar cutpaste-union draem nsa memseg crop-paste; do
    textures=()
    [[ $method != crop-paste ]] || textures=(--defects defects --defect-masks masks)
    [[ $method != draem && $method != memseg ]] || textures=(--textures textures)
    augment --method $method "${textures[@]}" --normal bottle/train/good --count 40 --threads 1 --sheet sheet.png -q --out "$method-1" >/dev/null
    augment --method $method "${textures[@]}" --normal bottle/train/good --count 40 --threads 3 -q --out "$method-3" >/dev/null
    diff -r "$method-1" "$method-3" || fail "$method depends on threads"
    test -s sheet.png || fail "no sheet"
    rm sheet.png
    for i in 000 017 039; do
        n=$((10#$i % 3))
        changed=$("$CAGEN_TOOLS/compare_pictures" bottle/train/good/$n.ppm "$method-1/bottle/test/$method/$i.png" \
            "$method-1/bottle/ground_truth/$method/${i}_mask.png")
        [[ $changed == *"outside 0 of"* && $changed != "inside 0 of"* ]] || fail "$method $i: $changed"
    done
    augment --method $method "${textures[@]}" --normal bottle/train/good --seed 1 -q --out "$method-other" >/dev/null
    ! cmp -s "$method-1/bottle/test/$method/000.png" "$method-other/bottle/test/$method/000.png" ||
        fail "$method: the seed changes nothing"
done

echo "== an image does not depend on how many are made; the same command continues"
augment --method scar --normal bottle/train/good --count 25 -q --out part >/dev/null
augment --method scar --normal bottle/train/good --count 40 --out part >stdout 2>stderr
is "made again" "$(wc -l <stdout)" 15
grep -q 'made 15 images, 25 were there already' stderr || fail "summary: $(cat stderr)"
diff -r part scar-1 || fail "continued differs"
rm part/bottle/test/scar/007.png
augment --method scar --normal bottle/train/good --count 40 -q --out part >stdout
is "made again" "$(cat stdout)" "part/bottle/test/scar/007.png"
diff -r part scar-1 || fail "mended differs"
refused 2 "was made with other settings" augment --method scar --normal bottle/train/good --count 40 --seed 2 --out part
refused 2 "another count of digits" augment --method scar --normal bottle/train/good --count 1001 --out part

grep -q "\"texture_sha256\":\"$(sha256sum <textures/kind1/1.ppm | cut -d' ' -f1)\"" draem-1/manifest.jsonl || fail "texture"

echo "== NSA and MemSeg know the object, and where from"
draw_mask object.pgm 64 48 20 10 25 30
for method in nsa memseg; do
    augment --method $method --normal bottle/train/good --foreground object.pgm -q --out "$method-object" >/dev/null
    is "rows" "$(grep -c "\"foreground\":\"$PWD/object.pgm\"" "$method-object/manifest.jsonl")" 3
done
changed=$("$CAGEN_TOOLS/compare_pictures" bottle/train/good/0.ppm memseg-object/bottle/test/memseg/000.png object.pgm)
[[ $changed == *"outside 0 of"* ]] || fail "outside of the object: $changed"
grep -q "\"source\":\"$PWD/bottle/train/good/[12].ppm\"" <(head -1 nsa-object/manifest.jsonl) || fail "another image"
augment --method nsa --normal bottle/train/good --foreground texture --blend mixed -q --out nsa-mixed >/dev/null
is "blend" "$(grep -c '"blend":"mixed"' nsa-mixed/manifest.jsonl)" 3
is "kinds" "$(grep -o '"kind":"[a-z]*"' memseg-1/manifest.jsonl | sort -u | wc -l)" 2

echo "== one grey image; names"
draw_mask grey.pgm 40 40 10 10 20 9
augment --method cutpaste-union --normal grey.pgm --count 2 --category part --defect pasted -q --out grey --json >stdout
is "rows" "$(diff stdout grey/manifest.jsonl && wc -l <stdout)" 2
ls grey/part/test/pasted/001.png grey/part/ground_truth/pasted/001_mask.png >/dev/null

echo "== what is wrong is told, and leaves nothing behind"
refused 2 "--method is missing" augment --normal grey.pgm --out bad
refused 2 "unknown method \"copy\"; there are cutpaste" augment --method copy --normal grey.pgm --out bad
refused 2 "needs a folder of --textures" augment --method draem --normal grey.pgm --out bad
refused 2 "uses no --textures" augment --method scar --normal grey.pgm --textures textures --out bad
refused 1 "nowhere" augment --method draem --normal grey.pgm --textures nowhere --out bad
refused 2 "needs --defects and --defect-masks" augment --method crop-paste --normal grey.pgm --out bad
refused 2 "uses no --defects" augment --method scar --normal grey.pgm --defects defects --out bad
refused 2 "exact, poisson or mixed" augment --method crop-paste --normal grey.pgm --defects defects --defect-masks masks --blend off --out bad
refused 1 "has no partner" augment --method crop-paste --normal grey.pgm --defects defects --defect-masks textures/kind0 --out bad
refused 2 "knows no --blend mixed" augment --method crop-paste --normal grey.pgm --defects defects --defect-masks masks --blend mixed --out bad
refused 2 "knows no --blend exact" augment --method nsa --normal grey.pgm --blend exact --out bad
refused 2 "uses no --foreground" augment --method scar --normal grey.pgm --foreground object.pgm --out bad
refused 1 "64x48, but grey.pgm is 40x40" augment --method nsa --normal grey.pgm --foreground object.pgm --out bad
refused 2 "--normal is missing" augment --method scar --out bad
refused 2 "--out is missing" augment --method scar --normal grey.pgm
refused 2 "--count must be" augment --method scar --normal grey.pgm --count 0 --out bad
refused 2 "--seed must be" augment --method scar --normal grey.pgm --seed -1 --out bad
refused 2 "\"good\"" augment --method scar --normal grey.pgm --defect good --out bad
refused 1 "nothing.png" augment --method scar --normal nothing.png --out bad
mkdir empty && refused 1 "holds no images" augment --method scar --normal empty --out bad
draw_picture tiny.ppm 15 40
refused 1 "too small" augment --method scar --normal tiny.ppm --out bad
echo "not a picture" >bottle/train/good/1.ppm
status=0
augment --method scar --normal bottle/train/good --threads 2 -q --out half >stdout 2>stderr || status=$?
is "exit status" $status 1
grep -q "^cagen: .*1.ppm" stderr || fail "$(cat stderr)"
is "printed before the broken one" "$(cat stdout)" half/bottle/test/scar/000.png
is "made before the broken one" "$(cd half && find . -type f | sort | tr '\n' ' ')" \
    "./bottle/ground_truth/scar/000_mask.png ./bottle/test/scar/000.png ./manifest.jsonl "
