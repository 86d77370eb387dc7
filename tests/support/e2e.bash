# For the scripts in tests/e2e: pictures without any tool, a model in small, and checks.
#
#     source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"
#
# Makes a folder of its own ($work), goes there and removes it at the end.
set -euo pipefail
export LC_ALL=C OMP_WAIT_POLICY=passive
work=$(mktemp -d)
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
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

# small_sizes FOLDER: unet/config.json and text_encoder/config.json for cagen train base.
small_sizes() {
    mkdir -p "$1/unet" "$1/text_encoder"
    cat >"$1/unet/config.json" <<'END'
{"block_out_channels": [16, 32], "cross_attention_dim": 24, "layers_per_block": 1,
 "norm_num_groups": 8, "attention_head_dim": 4,
 "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
 "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}
END
    cat >"$1/text_encoder/config.json" <<'END'
{"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
END
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

# refused STATUS TEXT COMMAND...: fails with STATUS, tells why in one line, which has TEXT, and prints
# no results.
refused() {
    local status=0
    "${@:3}" >stdout 2>stderr || status=$?
    if [ $status != "$1" ] || [ -s stdout ] || [ "$(wc -l <stderr)" != 1 ] || ! grep -qF -- "$2" stderr; then
        cat stdout stderr
        fail "${*:3}: status $status, expected $1 and one line with \"$2\""
    fi
}

# small_disk KILOBYTES: an empty file system of that size in the folder disk, until umount disk.
small_disk() {
    mkdir -p disk
    [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o "size=$1k" tmpfs disk 2>/dev/null || return 0
    echo "skipped: no file system can be mounted here"
    return 1
}

# ---- trainings: $training is a command with its options but for --steps, which is $steps, and --out

# train OUT OPTION...
train() {
    "$CAGEN" "${training[@]}" --steps "$steps" --out "$@"
}

# await_step PREFIX: until the program in the background, $pid, has told in PREFIX.stderr (--json) that
# two steps are done.
await_step() {
    local i
    for ((i = 0; i < 3000; i++)); do
        ! grep -q '"what":"training","done":2,' "$1.stderr" 2>/dev/null || return 0
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    fail "no step was made: $(cat "$1.stderr")"
}

# start OUT OPTION...: trains in the background, in $pid, and returns after a step or two.
start() {
    # not train: $! must be cagen
    "$CAGEN" "${training[@]}" --steps "$steps" --threads 1 --json --out "$@" >"$1.stdout" 2>"$1.stderr" &
    pid=$!
    await_step "$1"
}

# goes_on OUT LIKE FILE...: resumed, it ends with the state and the FILEs of LIKE.
goes_on() {
    local file
    train "$1" --threads 1 --resume >stdout 2>stderr
    grep -q "^resumed at step" stderr || fail "$(cat stderr)"
    for file in state.safetensors "${@:3}"; do
        same_files "$1/$file" "$2/$file"
    done
}

# can_be_interrupted LIKE FILE...: what Ctrl-C stopped and what was killed goes on, and ends like LIKE,
# which nobody disturbed. No FILE is written before.
can_be_interrupted() {
    local status=0
    start "$1-stopped" --save-minutes 0
    kill -INT $pid
    wait $pid || status=$?
    is "exit status" $status 130
    tail -n1 "$1-stopped.stderr" | grep -q "the state is saved, --resume goes on" ||
        fail "$(tail -n1 "$1-stopped.stderr")"
    [ ! -e "$1-stopped/$2" ] || fail "$2 of a half-trained model"
    goes_on "$1-stopped" "$@"

    start "$1-killed" --save-minutes 0.00001
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    goes_on "$1-killed" "$@"
}

# stops_at_nan OUT [OPTION...]: resumed with OPTIONs, or with a step beyond all measure, it stops where
# the loss is not finite, says where, and leaves the state of OUT.
stops_at_nan() {
    local options=("${@:2}")
    [ $# -gt 1 ] || options=(--lr 1 --weight-decay 1e38)
    cp "$1/state.safetensors" before
    steps=$((steps + 4)) refused 1 "$1/state.safetensors stays as it was after step $steps" \
        train "$1" --threads 1 --resume -q "${options[@]}"
    grep -q "^cagen: step $((steps + 1)): .*is not finite\|^cagen: step $((steps + 2)): .*is not finite" stderr ||
        fail "$(cat stderr)"
    same_files before "$1/state.safetensors"
}

# stops_at_full_disk OUT: resumed where there is no room for another state it says so, and leaves the
# one that is there.
stops_at_full_disk() {
    local size free
    size=$(stat -c %s "$1/state.safetensors")
    small_disk $((size * 3 / 1024 + 100)) || return 0
    mkdir disk/out
    cp "$1/state.safetensors" "$1/journal.jsonl" disk/out/
    free=$(($(stat -f -c "%a * %S" disk)))
    head -c $((free - size / 2)) /dev/zero >disk/ballast
    steps=$((steps + 1)) refused 1 "disk/out/state.safetensors: needs " train disk/out --threads 1 --resume -q
    grep -q "but the disk has .* left" stderr || fail "$(cat stderr)"
    same_files "$1/state.safetensors" disk/out/state.safetensors
    is "unfinished files" "$(find disk -name '.cagen-*')" ""
    umount disk
}
