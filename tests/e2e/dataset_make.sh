#!/usr/bin/env bash
# cagen dataset make as its user runs it.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_set() {
    "$CAGEN" dataset make "$@"
}
small=(--size 32 --train 3 --test-good 2 --per-defect 2)

echo "== the tree, the manifest, the summary"
make_set "${small[@]}" --categories hex_nut --out set >stdout 2>stderr
is "standard output" "$(cat stdout)" "set: 13 images"
grep -q '^drew 13 images; .* images per second on ' stderr || fail "summary: $(cat stderr)"
is "folders" "$(cd set && find . -mindepth 1 -maxdepth 1 | sort | tr '\n' ' ')" \
    "./README.txt ./hex_nut ./manifest.jsonl ./prompts.json "
is "files" "$(cd set/hex_nut && find . -path '*good*.png' -o -path '*crack*.png' | sort | tr '\n' ' ')" \
    "./ground_truth/crack/000_mask.png ./ground_truth/crack/001_mask.png ./test/crack/000.png ./test/crack/001.png ./test/good/000.png ./test/good/001.png ./train/good/000.png ./train/good/001.png ./train/good/002.png "
is "rows" "$(wc -l <set/manifest.jsonl)" 13
grep -q '"image":"hex_nut/test/crack/001.png".*"prompt":"crack hex nut"' set/manifest.jsonl || fail "prompt"

echo "== all categories: sound for our own reader, the same bytes on any number of threads"
make_set --size 32 --train 1 --test-good 1 --per-defect 1 --threads 2 -q --out one >/dev/null
make_set --size 32 --train 1 --test-good 1 --per-defect 1 --threads 3 -q --out other >/dev/null
diff -r one other || fail "depends on threads"
make_set "${small[@]}" --categories hex_nut --threads 1 -q --out single >/dev/null
diff -r single set || fail "depends on threads"
same_files one/hex_nut/test/crack/000.png set/hex_nut/test/crack/000.png
"$CAGEN" dataset check one >stdout 2>stderr || fail "check: $(cat stdout stderr)"
grep -q "^0 problems in " stdout || fail "check: $(cat stdout)"
"$CAGEN" dataset split one -k 1 --aliases one/prompts.json -o shots.json >/dev/null
grep -q '"crack hex nut"' shots.json || fail "no prompt in the split"
grep -q '"hex nut with crack"' shots.json || fail "no second phrasing in the split"
make_set "${small[@]}" --seed 1 --categories hex_nut -q --out seeded >/dev/null
! cmp -s seeded/hex_nut/train/good/000.png set/hex_nut/train/good/000.png || fail "the seed changes nothing"

echo "== sizes"
for size in 64 100 256; do
    make_set --size $size --train 1 --test-good 0 --per-defect 1 --categories wood -q --out size$size >/dev/null
    "$CAGEN" dataset check -q size$size >stdout || fail "size $size: $(cat stdout)"
done

echo "== twins: outside the mask the same picture"
make_set "${small[@]}" --categories wood --twins twins -q --out twinned >/dev/null
same_files twinned/wood/test/hole/000.png one/wood/test/hole/000.png
for twin in twins/wood/*/*.png; do
    defect=$(basename "$(dirname "$twin")") stem=$(basename "$twin" .png)
    changed=$("$CAGEN_TOOLS/compare_pictures" "$twin" "twinned/wood/test/$defect/$stem.png" \
        "twinned/wood/ground_truth/$defect/${stem}_mask.png")
    [[ $changed == *"outside 0 of"* && $changed != "inside 0 of"* ]] || fail "$twin: $changed"
done
"$CAGEN" sheet twinned -o sheet.png --cell 32 >/dev/null
test -s sheet.png || fail "no sheet"

echo "== the same command continues, a larger one adds"
rm set/hex_nut/test/crack/001.png
touch set/hex_nut/test/crack/.cagen-01234567.tmp
make_set "${small[@]}" --categories hex_nut --out set 2>stderr >/dev/null
grep -q '^drew 1 image, 12 were there already; ' stderr || fail "summary: $(cat stderr)"
same_pictures set/hex_nut single/hex_nut
make_set "${small[@]}" --categories wood,hex_nut -q --out set >/dev/null
make_set "${small[@]}" --train 5 --categories hex_nut -q --out set >/dev/null
is "more" "$(find set/hex_nut/train -name '*.png' | wc -l)" 5
same_files set/hex_nut/train/good/002.png single/hex_nut/train/good/002.png
refused 2 "was made with other settings" make_set "${small[@]}" --seed 2 --categories hex_nut --out set
refused 2 "another count of digits" make_set "${small[@]}" --train 1001 --categories hex_nut --out set

echo "== JSON"
make_set "${small[@]}" --categories wood --out json --json >stdout 2>/dev/null
same_files stdout json/manifest.jsonl

echo "== what is wrong is told, and leaves nothing behind"
refused 2 "--out DIR is needed" make_set
refused 2 "unknown category \"teapot\"; there are hex_nut, " make_set --categories wood,teapot --out bad
refused 2 "--categories names none" make_set --categories "" --out bad
refused 2 "--size must be 32 to 1024, not 31" make_set --size 31 --out bad
refused 2 "--size must be 32 to 1024, not 4096" make_set --size 4096 --out bad
refused 2 "--train must be 0 to" make_set --train -1 --out bad
refused 2 "--per-defect must be 0 to" make_set --per-defect 2000000 --out bad
refused 2 "--seed must be 0 or more" make_set --seed -1 --out bad
refused 2 "no image is asked for" make_set --train 0 --test-good 0 --per-defect 0 --out bad
refused 2 "would take it for a category" make_set "${small[@]}" --twins bad/twins --out bad
[ ! -e bad ] || fail "a refused run left a folder"
echo "a file" >file
refused 1 "file" make_set "${small[@]}" --out file/set
mkdir -p foreign/wood/train/good
cp one/wood/train/good/000.png foreign/wood/train/good/
refused 2 "is there already" make_set "${small[@]}" --categories wood --out foreign
is "left alone" "$(find foreign -type f)" "foreign/wood/train/good/000.png"
if [ "$(id -u)" != 0 ]; then
    mkdir -m 555 closed
    refused 1 "Permission denied" make_set "${small[@]}" --out closed/set
fi

echo "== a full disk: an error, and nothing without its row"
if small_disk 48; then
    code=0
    make_set "${small[@]}" --categories wood -q --out disk/set >stdout 2>stderr || code=$?
    images=$(find disk -name '*.png' ! -name '*_mask.png' | wc -l)
    rows=$(cat disk/set/manifest.jsonl 2>/dev/null | wc -l)
    unfinished=$(find disk -name '.cagen-*')
    umount disk
    is "exit code" "$code" 1
    grep -q "No space left on device" stderr || fail "$(cat stderr)"
    is "images and rows" "$images" "$rows"
    is "unfinished files" "$unfinished" ""
fi
