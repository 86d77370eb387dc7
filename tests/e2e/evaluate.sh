#!/usr/bin/env bash
# cagen evaluate: cells are trained, tested and compared; stopped or killed it goes on, and ends
# with the bytes of a run that nobody disturbed, side by side or not.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make --categories hex_nut,leather --size 32 --train 6 --test-good 3 --per-defect 2 --out data -q >/dev/null
"$CAGEN" dataset split data --shots 1 --out shots.json >/dev/null
steps=4
options=(--data data --size 32 --width 2 --batch 2 --lr 2e-3 --dtype f32 --seeds 0,1 --bootstrap 40
    --methods "draem,cutpaste,draem+crop-paste" --split shots.json)
evaluate() { # OUT OPTION...
    "$CAGEN" evaluate "${options[@]}" --steps $steps --out "$@"
}
# fewer cells
some=(--categories hex_nut --methods "draem,cutpaste")
same_cells() { # A B: those of B are in A too
    (cd "$2/cells" && find . -type f) | while read -r file; do same_files "$1/cells/$file" "$2/cells/$file"; done
}

echo "== the plan is told before anything is made"
evaluate planned --plan >stdout 2>/dev/null
grep -q "^12 cells, 0 of them done; .* TFLOP to do" stdout || fail "$(cat stdout)"
[ ! -e planned ] || fail "--plan made a folder"

echo "== tables in four formats, with and without the few-shot images, beside the paper's figures"
evaluate undisturbed --jobs 1 --threads 1 >stdout 2>stderr
same_files stdout undisturbed/table.md
grep -q "^| category | draem | cutpaste | draem+crop-paste:0.3 | paper: DRAEM | paper: CAGen |$" stdout || fail "no head"
grep -q "^| leather | .* | 98.6 / 75.3 | 99.1 / 71.4 |$" stdout || fail "no row of the paper"
grep -q "mode draem, without the few-shot images" stdout || fail "no table without few-shot images"
grep -q "Per cent; means over 2 seeds" stdout || fail "no number of seeds"
grep -q '"pixel_roc": \[$' undisturbed/cells/hex_nut/draem/0.json || fail "no curves in a cell"
for file in table.csv table.tex table.json; do [ -s undisturbed/$file ] || fail "no $file"; done
is "rows of the CSV" "$(wc -l <undisturbed/table.csv)" $((1 + 3 * 2 * 3 * 3 * 4))
[ ! -e undisturbed/trainings ] || fail "trainings were left"

echo "== side by side gives the same bytes"
evaluate beside "${some[@]}" --jobs 2 --threads 2 >stdout 2>stderr
is "cells" "$(find beside/cells -name '*.json' | wc -l)" 4
same_cells undisturbed beside

echo "== a killed run goes on, with the bytes of one that was not"
"$CAGEN" evaluate "${options[@]}" "${some[@]}" --steps $steps --out killed --jobs 2 --threads 2 -q >/dev/null 2>&1 &
pid=$!
for ((i = 0; i < 3000; i++)); do
    [ -z "$(find killed/trainings -name settings.json 2>/dev/null)" ] || break
    sleep 0.01
done
kill -KILL $pid
wait $pid 2>/dev/null || true
[ "$(find killed -path "*cells*" -name '*.json' | wc -l)" -lt 4 ] || fail "it was done already"
for ((i = 0; i < 500; i++)); do # what it had begun stops by itself
    ! evaluate killed "${some[@]}" --jobs 2 --threads 2 >stdout 2>stderr || break
    grep -q "another cagen is at this cell" stderr || fail "$(cat stderr)"
    sleep 0.02
done
is "cells" "$(find killed/cells -name '*.json' | wc -l)" 4
same_cells undisturbed killed

echo "== Ctrl-C stops, the same command goes on"
"$CAGEN" evaluate "${options[@]}" "${some[@]}" --steps $steps --out stopped --jobs 1 --threads 1 --json >/dev/null 2>stopped.stderr &
pid=$!
for ((i = 0; i < 3000; i++)); do
    ! grep -q '"done":2' stopped.stderr 2>/dev/null || break
    sleep 0.01
done
kill -INT $pid
status=0
wait $pid || status=$?
is "exit status" $status 130
evaluate stopped "${some[@]}" --jobs 1 --threads 1 -q >/dev/null
same_cells undisturbed stopped

echo "== what is there is taken over by a longer run, and not made again"
cp -r undisturbed longer
evaluate longer "${some[@]}" --seeds 0,1,2 --jobs 1 >stdout 2>stderr
is "new cells" "$(grep -c '^cell ' stderr)" 2
same_files undisturbed/cells/hex_nut/draem/0.json longer/cells/hex_nut/draem/0.json

echo "== one cell alone, as a job of a cluster"
evaluate one --only leather/cutpaste/1 -q
same_files undisturbed/cells/leather/cutpaste/1.json one/cells/leather/cutpaste/1.json
[ ! -e one/table.md ] || fail "a table of one cell"
evaluate one --table-only >stdout
grep -q "^| leather | - ([0-9]) / - ([0-9]) | [0-9.]* / " stdout || fail "$(cat stdout)"
grep -q "undefined: not measured yet" stdout || fail "no reason"

echo "== its figures are those of cagen detect"
"$CAGEN" detect train --data data --category leather --size 32 --width 2 --steps $steps --batch 2 --lr 2e-3 \
    --dtype f32 --seed 1 --synthesis cutpaste --out alone -q >/dev/null
"$CAGEN" detect test --model alone --data data --dtype f32 --mode draem --format csv >alone.csv 2>/dev/null
want=$(awk -F, 'NR == 2 { print $19 }' alone.csv)
got=$(awk -F, '$1 == "leather" && $2 == "cutpaste" && $3 == "draem" && $4 == 0 && $5 == "pixel_auroc" { print $7 }' one/table.csv)
awk -v a="$want" -v b="$got" 'BEGIN { d = a - b; exit !(a > 0 && d < 1e-9 && d > -1e-9) }' || fail "AUROC $got, not $want"

echo "== generated images by name, a sweep of ratios and its chart"
mkdir textures
draw_picture textures/a.ppm 40 50 3
"$CAGEN" augment --method scar --normal data/hex_nut/train/good --category hex_nut --count 4 --out mine -q >/dev/null
"$CAGEN" evaluate --data data --categories hex_nut --size 32 --width 2 --steps 2 --batch 2 --dtype f32 --seeds 0 \
    --bootstrap 0 --mode draem --synthetic mine=mine --methods draem+mine,cutpaste --ratio 0,0.5,1 --textures textures --out sweep -q >stdout
grep -q "^| category | draem | draem+mine:0.5 | draem+mine:1 | cutpaste |$" stdout || fail "$(cat stdout)"
[ -s sweep/ratio.svg ] && [ -s sweep/ratio.png ] || fail "no chart"

echo "== what was made with other settings is refused, or made anew"
steps=5 refused 2 'was made with "steps" 4, not 5; --redo makes it anew' evaluate undisturbed -q
steps=5 evaluate one --only leather/cutpaste/1 --redo -q
! cmp -s undisturbed/cells/leather/cutpaste/1.json one/cells/leather/cutpaste/1.json || fail "not made anew"

echo "== a category without defects: undefined, with the reason"
mkdir -p good/part/test
cp -r data/hex_nut/train good/part/
cp -r data/hex_nut/test/good good/part/test/
"$CAGEN" evaluate --data good --size 32 --width 2 --steps 1 --batch 2 --dtype f32 --seeds 0 --mode draem --out none -q >stdout
grep -q "^| part | - (1) / - (1) |$" stdout || fail "$(cat stdout)"
grep -q "(1) undefined: no defective pixels" stdout || fail "$(cat stdout)"
grep -q "undefined: no defective images" stdout || fail "$(cat stdout)"

echo "== a test set of defects alone, masks that are missing"
mkdir -p bad/part
cp -r data/hex_nut/train data/hex_nut/test data/hex_nut/ground_truth bad/part/
rm -r bad/part/test/good
rm bad/part/ground_truth/crack/001_mask.png
"$CAGEN" evaluate --data bad --size 32 --width 2 --steps 1 --batch 2 --dtype f32 --seeds 0 --mode draem --out bad-out -q >stdout
grep -q "undefined: 1 of 8 images have no mask (the first: bad/part/test/crack/001.png)" stdout || fail "$(cat stdout)"
grep -q "undefined: no good images" stdout || fail "$(cat stdout)"
grep -q "means over 1 seed\.$" stdout || fail "$(cat stdout)"

echo "== what cannot be is told in one line"
refused 2 "--data DIR is missing" "$CAGEN" evaluate --out x
refused 1 "nowhere" evaluate x -q --data nowhere
refused 2 'method "magic": it must begin with draem' evaluate x -q --methods magic
refused 2 'there is no source "cagen"; --synthetic cagen=DIR' evaluate x -q --methods draem+cagen
refused 2 "--ratio is numbers from 0 to 1" evaluate x -q --ratio 0.3,2
refused 2 "--seeds are whole numbers" evaluate x -q --seeds 0,a
refused 2 "--seeds has 1 twice" evaluate x -q --seeds 1,1
refused 2 "--size must be a multiple of 32" evaluate x -q --size 40
refused 1 'category "gear": there is no such category' evaluate x -q --categories gear
refused 1 "no category has both" "$CAGEN" evaluate --data data/hex_nut/train -q --out x
refused 1 "manifest.jsonl" evaluate x -q --synthetic data --methods draem+cagen --jobs 1
refused 1 "nowhere: no such folder of textures" evaluate x -q --textures nowhere
refused 2 "NAME=DIR" evaluate x -q --synthetic 9=data
refused 2 "--only a/b/0 is none of the cells" evaluate x -q --only a/b/0
refused 2 "--split FILE is needed" "$CAGEN" evaluate --data data --methods draem+crop-paste --out x
refused 1 "hex_nut/draem+cagen:0.3/0: " evaluate x -q --synthetic data --methods draem+cagen --categories hex_nut --seeds 0 --jobs 2
mkdir -p broken/cells/hex_nut/draem
cp undisturbed/cells/hex_nut/draem/0.* broken/cells/hex_nut/draem/
head -c 200 undisturbed/cells/hex_nut/draem/0.json >broken/cells/hex_nut/draem/0.json
refused 1 "broken/cells/hex_nut/draem/0.json" evaluate broken -q
