#!/usr/bin/env bash
# cagen generate is stopped, killed, run twice at once: finished images stay, nothing half-written is
# left, the same command continues and ends with the bytes of a run that nobody disturbed.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

make_mini .
draw_picture bottle/train/good/0.ppm 64 64
draw_mask mask.pgm 64 64 20 10 25 25
images=5
command=("$CAGEN" generate --model model --controlnet controlnet --normal bottle/train/good
    --mask mask.pgm --prompt "scratched bottle" --count "$images" --steps 40 --size 64 --threads 1)
generate() { # FOLDER OPTION...
    "${command[@]}" --out "$@"
}
rows() { # FOLDER: lines of its manifest that are complete
    { wc -l <"$1/manifest.jsonl"; } 2>/dev/null || echo 0
}
# start FOLDER: generates in the background, in $pid, and returns when the first image is finished.
start() {
    "${command[@]}" --out "$1" >"$1.stdout" 2>"$1.stderr" & # not the function: $! must be cagen
    pid=$!
    for ((i = 0; i < 3000; i++)); do
        [ "$(rows "$1")" -lt 1 ] || return 0
        kill -0 $pid 2>/dev/null || break
        sleep 0.02
    done
    fail "no image was made: $(cat "$1.stderr")"
}
# finished FOLDER STATUS: waits for $pid.
finished() {
    local status=0
    wait $pid || status=$?
    is "exit status" "$status" "$2"
    made=$(rows "$1")
    [ "$made" -ge 1 ] && [ "$made" -lt $images ] || fail "stopped too late: $made rows"
}
# whole FOLDER: every image and mask of a row is there, complete, and the same as undisturbed.
whole() {
    local file
    for file in $(grep -o '^{"image":"[^"]*","mask":"[^"]*"' "$1/manifest.jsonl" | grep -o 'bottle/[^"]*'); do
        same_files "$1/$file" "undisturbed/$file"
    done
}
nothing_hidden() {
    local hidden
    hidden=$(find "$1" -name '.*' ! -name "$(basename "$1")" -o -name '*.tmp')
    is "unfinished files in $1" "$hidden" ""
}

generate undisturbed -q >/dev/null
is "rows" "$(rows undisturbed)" $images

for signal in INT TERM; do
    echo "== SIG$signal"
    out=stopped-$signal
    start $out
    kill -$signal $pid
    finished $out 130
    tail -n1 $out.stderr | grep -q "^cagen: stopped after $made of $images images; the same command continues$" ||
        fail "last line: $(tail -n1 $out.stderr)"
    is "images" "$(find $out -name '*.png' | wc -l)" $((2 * made))
    is "standard output" "$(wc -l <$out.stdout)" "$made"
    nothing_hidden $out
    whole $out
    # The images that are there count.
    generate $out >stdout 2>stderr
    is "images made by the second run" "$(wc -l <stdout)" $((images - made))
    grep -q "^made $((images - made)) images\?, $made were there already" stderr || fail "$(cat stderr)"
    is "rows" "$(rows $out)" $images
    same_pictures $out undisturbed
done

echo "== SIGKILL"
start killed
kill -KILL $pid
finished killed 137
whole killed
# What such an end can leave: a torn row, a picture without its row, a file under construction.
printf '{"image":"bottle/test/scratched/00' >>killed/manifest.jsonl
cp undisturbed/bottle/test/scratched/004.png killed/bottle/test/scratched/
head -c 100 undisturbed/bottle/test/scratched/004.png >killed/bottle/test/scratched/.cagen-0123abcd.tmp
head -c 100 undisturbed/bottle/ground_truth/scratched/004_mask.png >killed/bottle/ground_truth/scratched/.cagen-fedc4567.tmp
generate killed >stdout 2>stderr
grep -q "^cagen: warning: killed/manifest.jsonl: the last line is incomplete" stderr || fail "$(cat stderr)"
is "images made by the second run" "$(wc -l <stdout)" $((images - made))
is "rows" "$(rows killed)" $images
nothing_hidden killed
same_pictures killed undisturbed

echo "== two at once"
"${command[@]}" --out shared -q >shared.stdout 2>shared.stderr &
pid=$!
# Opening and locking are two steps: wait for the lock.
for ((i = 0; i < 3000; i++)); do
    [ ! -e shared/manifest.jsonl ] || ! grep -q ":$(stat -c %i shared/manifest.jsonl) " /proc/locks || break
    sleep 0.01
done
# While the manifest is still empty: the second must not take it away.
kill -STOP $pid
is "rows" "$(rows shared)" 0
status=0
generate shared -q >stdout 2>stderr || status=$?
kill -CONT $pid
is "exit status" $status 1
is "the second one's error" "$(cat stderr)" \
    "cagen: shared/manifest.jsonl: another cagen is writing here; choose another --out or wait"
is "standard output" "$(cat stdout)" ""
wait $pid || fail "the first one was disturbed: $(cat shared.stderr)"
is "rows" "$(rows shared)" $images
same_pictures shared undisturbed

echo "interrupt: all as expected"
