#!/usr/bin/env bash
# The C API as a program outside the project uses it: examples/generate.c, built against the public
# header and the shared library alone, makes the picture that the command line makes.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$CAGEN_TOOLS/make_model" --config mini --tokenizer "$CAGEN_FIXTURES/tokenizer/mini" "$work" >"$work/log"

awk 'BEGIN { print "P3 160 140 255"
    for (y = 0; y < 140; y++) for (x = 0; x < 160; x++) print x, y, (x * y) % 256 }' >"$work/normal.ppm"
awk 'BEGIN { print "P2 160 140 255"
    for (y = 0; y < 140; y++) for (x = 0; x < 160; x++)
        print (x > 50 && x < 90 && y > 60 && y < 80) ? 255 : 0 }' >"$work/mask.pgm"

"$CAGEN_EXAMPLES/generate" "$work/model" "$work/controlnet" "$work/normal.ppm" "$work/mask.pgm" \
    "broken large bottle" "$work/api.png" 2 2>>"$work/log"
"$CAGEN" generate --quiet --model "$work/model" --controlnet "$work/controlnet" \
    --normal "$work/normal.ppm" --mask "$work/mask.pgm" --prompt "broken large bottle" --steps 2 \
    --out "$work/out" >>"$work/log"
cmp "$work/api.png" "$work/out/object/test/broken_large_bottle/000.png"

# A failure is one line from cagen_last_error(), and nothing is written.
if "$CAGEN_EXAMPLES/generate" "$work/model" "$work/nowhere" "$work/normal.ppm" "$work/mask.pgm" \
    "broken" "$work/bad.png" 2 2>"$work/error"; then
    echo "a missing ControlNet was accepted"
    exit 1
fi
grep -q nowhere "$work/error"
[ "$(wc -l <"$work/error")" -eq 1 ]
[ ! -e "$work/bad.png" ]
