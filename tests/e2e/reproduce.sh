#!/usr/bin/env bash
# cagen reproduce: the paper's experiment with everything small: shots, ControlNet, images,
# detectors, tables; stopped between and within stages it goes on, with the same bytes.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini mini
"$CAGEN" dataset make --categories hex_nut,leather --size 64 --train 4 --test-good 2 --per-defect 2 --out data -q >/dev/null
draw_picture dtd/a.ppm 40 50 3
reproduce() { # OUT OPTION...
    "$CAGEN" reproduce table1 --data data --dtd dtd --model mini/model --shots 1 --train-steps 2 --train-batch 1 \
        --train-size 64 --generate-size 64 --generate-steps 2 --ratio 0.5 --size 32 --width 2 --steps 2 --batch 2 \
        --seeds 0,1 --bootstrap 20 --dtype f32 --out "$@"
}

echo "== the plan is told before anything is made"
reproduce planned --plan >stdout 2>stderr
grep -q "TFLOP in all, about .* hours on this machine at best; about .* of disk" stdout || fail "$(cat stdout)"
grep -q "shots: 9 images, at most 1 of each defect type" stderr || fail "$(cat stderr)"
grep -q "detectors: 8 trainings, 0 of them done" stderr || fail "$(cat stderr)"
[ ! -e planned ] || fail "--plan made a folder"

echo "== from raw data to the table"
reproduce whole --threads 1 >stdout 2>stderr
same_files stdout whole/evaluation/table.md
grep -q "^| category | draem | draem+cagen:0.5 | paper: DRAEM | paper: CAGen |$" stdout || fail "$(cat stdout)"
grep -q "without the few-shot images" stdout || fail "no table without the shots"
[ -s whole/shots.json ] && [ -s whole/controlnet/diffusion_pytorch_model.safetensors ] || fail "no ControlNet"
is "generated images" "$(wc -l <whole/generated/manifest.jsonl)" 4
grep -q '"prompt": *"[a-z ]* hex nut"' whole/generated/manifest.jsonl || fail "no prompt"

echo "== what is there is not made again"
reproduce whole --threads 1 >again 2>stderr
same_files stdout again
! grep -q "^cell " stderr || fail "a cell was made again"

echo "== stopped in any stage it goes on, with the same bytes"
for event in '"what":"training"' '"what":"images"' 'cell hex_nut/draem+cagen'; do
    "$CAGEN" reproduce table1 --data data --dtd dtd --model mini/model --shots 1 --train-steps 2 --train-batch 1 \
        --train-size 64 --generate-size 64 --generate-steps 2 --ratio 0.5 --size 32 --width 2 --steps 2 --batch 2 \
        --seeds 0,1 --bootstrap 20 --dtype f32 --out stopped --threads 1 --json >/dev/null 2>stopped.stderr &
    pid=$!
    for ((i = 0; i < 3000; i++)); do
        ! grep -qF "$event" stopped.stderr 2>/dev/null || break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
done
reproduce stopped --threads 1 -q >stdout
same_files whole/evaluation/table.json stopped/evaluation/table.json
same_pictures whole/generated stopped/generated

echo "== another ControlNet may be given: none is trained"
reproduce given --categories hex_nut --controlnet whole/controlnet --seeds 0 -q >stdout
[ ! -e given/controlnet ] || fail "a ControlNet was trained"

echo "== what cannot be is told in one line"
refused 2 "table1 or table2 is needed" "$CAGEN" reproduce table3
refused 2 "--model DIR is missing" "$CAGEN" reproduce table1 --data data --dtd dtd --out x
refused 2 'settings.json: was made with "shots" 1, not 2' reproduce whole -q --shots 2
refused 1 "nowhere" reproduce x -q --data nowhere
refused 1 "nowhere: no such folder of textures" reproduce x -q --dtd nowhere
refused 2 'was made with "textures"' reproduce whole -q --dtd data
refused 2 "--ratio must be above 0" reproduce x -q --ratio 0
