#!/usr/bin/env bash
# `make demo`: draws four brushed-metal washers and four masks, and lets `cagen generate` put a defect
# into each. Everything happens below build/demo; nothing is downloaded.
#
# The model has the structure of Stable Diffusion 1.5 with a ControlNet, at a hundredth of its size,
# and random weights: where the defect lies, the untouched rest and the masks are what real weights
# give, the defect itself is coloured noise. With your own weights: MODEL=DIR CONTROLNET=DIR make demo.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=build/release
work=build/demo
mkdir -p "$work/washer/train/good" "$work/masks"

# A washer on a dark table: NUMBER moves it and changes its grain.
draw_washer() { # NUMBER
    awk -v n="$1" 'BEGIN {
        srand(n + 1); print "P3 256 256 255"
        cx = 124 + 3 * n; cy = 130 - 2 * n
        for (i = 0; i < 256; i++) grain[i] = 14 * rand()
        for (y = 0; y < 256; y++) for (x = 0; x < 256; x++) {
            r = sqrt((x - cx) ^ 2 + (y - cy) ^ 2); a = atan2(y - cy, x - cx)
            v = 34 + 6 * rand() + y / 16
            if (r > 46 && r < 104) {
                edge = r - 46 < 104 - r ? r - 46 : 104 - r
                v = 128 + 46 * cos(2 * a + 0.7) + grain[int(r * 2) % 256] + 6 * rand()
                if (edge < 5) v *= 0.62 + 0.076 * edge
            } else if (r < 112 && r > 46) v *= 0.7
            print int(v), int(v * 1.01), int(v * 1.05)
        }
    }'
}

# A spot on the ring for even numbers, a scratch across it for odd ones.
draw_mask() { # NUMBER
    awk -v n="$1" 'BEGIN {
        print "P2 256 256 255"; a = 0.6 + 1.5 * n
        px = 124 + 3 * n + 75 * cos(a); py = 130 - 2 * n + 75 * sin(a)
        for (y = 0; y < 256; y++) for (x = 0; x < 256; x++) {
            u = (x - px) * cos(a) + (y - py) * sin(a); v = (y - py) * cos(a) - (x - px) * sin(a)
            inside = n % 2 ? (u > -24 && u < 24 && v - 3 * sin(u / 7) > -3 && v - 3 * sin(u / 7) < 3) \
                           : (u * u / 361 + v * v / 210 + 0.22 * sin(u / 3) * cos(v / 4) < 1)
            print inside ? 255 : 0
        }
    }'
}

for n in 0 1 2 3; do
    draw_washer "$n" >"$work/washer/train/good/00$n.ppm"
    draw_mask "$n" >"$work/masks/00$n.pgm"
done
printf 'dented washer\nscratched washer\n' >"$work/prompts.txt"

if [ -z "${MODEL:-}" ]; then
    "$bin/tools/make_model" --config mini --tokenizer tests/fixtures/tokenizer/mini "$work" >/dev/null
    MODEL=$work/model CONTROLNET=$work/controlnet
    echo 'No MODEL given: using a miniature with random weights, so the defects will be coloured noise.'
fi

"$bin/cagen" generate --model "$MODEL" --controlnet "$CONTROLNET" \
    --normal "$work/washer/train/good" --mask "$work/masks" --prompt "@$work/prompts.txt" \
    --steps "${STEPS:-20}" --seed 1 --out "$work/out" --sheet "$work/sheet.png"

echo
echo "Look at $work/sheet.png (normal, mask, result, difference); the data set is in $work/out."
