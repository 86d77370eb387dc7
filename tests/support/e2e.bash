# For the scripts in tests/e2e: pictures without any tool, a model in small, and checks.
#
#     source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"
#
# Makes a folder of its own ($work), goes there and removes it at the end.
set -euo pipefail
export LC_ALL=C OMP_WAIT_POLICY=passive
work=$(mktemp -d)
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# draw_picture FILE.ppm WIDTH HEIGHT [NUMBER]: a smooth colour picture; another one for each NUMBER.
draw_picture() {
    mkdir -p "$(dirname "$1")"
    awk -v w="$2" -v h="$3" -v n="${4:-0}" 'BEGIN {
        print "P3", w, h, 255
        for (y = 0; y < h; y++) for (x = 0; x < w; x++)
            print (2 * x + 40 * n) % 256, (3 * y + 20 * n) % 256, (x + y) % 256
    }' >"$1"
}

# draw_mask FILE.pgm WIDTH HEIGHT X Y W H: white in the rectangle, black elsewhere.
draw_mask() {
    mkdir -p "$(dirname "$1")"
    awk -v w="$2" -v h="$3" -v x0="$4" -v y0="$5" -v mw="$6" -v mh="$7" 'BEGIN {
        print "P2", w, h, 255
        for (y = 0; y < h; y++) for (x = 0; x < w; x++)
            print (x >= x0 && x < x0 + mw && y >= y0 && y < y0 + mh) ? 255 : 0
    }' >"$1"
}

# make_mini FOLDER [OPTION...]: FOLDER/model and FOLDER/controlnet, the structure of Stable Diffusion
# in small with random weights.
make_mini() {
    "$CAGEN_TOOLS/make_model" --config mini --tokenizer "$CAGEN_FIXTURES/tokenizer/mini" \
        "${@:2}" "$1" >"$work/make_model.log" || {
        cat "$work/make_model.log"
        fail "make_model"
    }
}

# same_files A B: the same bytes.
same_files() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# same_pictures A B: two folders of results hold the same images and masks, byte for byte.
same_pictures() {
    diff -r --exclude manifest.jsonl "$1" "$2" || fail "the results in $1 and $2 differ"
}

# is WHAT FOUND EXPECTED
is() {
    [ "$2" = "$3" ] || fail "$1: found \"$2\", expected \"$3\""
}

# await_step PREFIX: until the program in the background, $pid, has told in PREFIX.stderr (--json) that
# two steps are done.
await_step() {
    local i
    for ((i = 0; i < 3000; i++)); do
        ! grep -q '"done":2' "$1.stderr" 2>/dev/null || return 0
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    fail "no step was made: $(cat "$1.stderr")"
}
