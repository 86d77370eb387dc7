#!/usr/bin/env bash
# The whole way once, without any download: a drawn metal disc, three drawn masks, and a model of
# the real structure at a hundredth of its size whose weights are random numbers. What appears inside
# the masks is therefore no crack or scratch, only what an untrained model paints; that it appears
# there, and that nothing else changes, is what this shows.
#
#     scripts/demo.sh [BUILD]        results in BUILD/demo/
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
demo=$build/demo
rm -rf "$demo"
mkdir -p "$demo/disc/train/good" "$demo/masks"

# A turned disc on a dark ground: rings, a highlight that goes round, and a hole.
awk 'BEGIN {
    n = 256
    printf "P3 %d %d 255\n", n, n
    for (y = 0; y < n; y++) for (x = 0; x < n; x++) {
        dx = x - n / 2 + 0.5; dy = y - n / 2 + 0.5
        r = sqrt(dx * dx + dy * dy)
        if (r > 112 || r < 26) v = 38 + 6 * sin(x * 0.9) * sin(y * 0.7)
        else {
            highlight = cos(2 * atan2(dy, dx) - 0.8)
            v = 138 + 46 * highlight * highlight * highlight + 9 * sin(r * 2.1) + 4 * sin(r * 0.37)
        }
        printf "%d %d %d\n", v, v, v * 1.04 < 255 ? v * 1.04 : 255
    }
}' >"$demo/disc/train/good/000.ppm"

# mask FILE EXPRESSION: white where the expression of x and y is true.
mask() {
    awk "BEGIN { print \"P2 256 256 255\"
        for (y = 0; y < 256; y++) for (x = 0; x < 256; x++) print ($2) ? 255 : 0 }" >"$demo/masks/$1"
}
mask 000.pgm '(x - 180) ^ 2 / 400 + (y - 96) ^ 2 / 144 < 1'
mask 001.pgm 'x > 48 && x < 112 && y - 170 - (x - 48) * 0.45 < 3 && y - 170 - (x - 48) * 0.45 > -3'
mask 002.pgm '(x - 120) ^ 2 + (y - 52) ^ 2 < 240 || (x - 140) ^ 2 + (y - 60) ^ 2 < 90'

"$build/tools/make_model" --config mini --tokenizer tests/fixtures/tokenizer/mini "$demo"
"$build/cagen" generate --model "$demo/model" --controlnet "$demo/controlnet" \
    --normal "$demo/disc/train/good" --mask "$demo/masks" --prompt "scratch disc" \
    --steps 20 --seed 1 --out "$demo/generated"
echo "look at $demo/generated/disc/test/scratch/ and at $demo/generated/manifest.jsonl"
