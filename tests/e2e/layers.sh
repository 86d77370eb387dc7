#!/usr/bin/env bash
# The order of the layers: a file includes only from its own folder or from one before it in the
# list; each foreign library is seen by one place; processor #ifdefs stay in the engine.
#
# Every rule is first shown to fire on a planted violation, so that a pass means something.
set -eu -o pipefail
top=${CAGEN_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

# Prints "file:line: what is wrong" for each violation below ROOT; the exit status is 1 if any.
check_tree() {
    local root=$1
    # shellcheck disable=SC2016 # the program is awk's
    (cd "$root" && { find include src examples -name '*.[ch]' 2>/dev/null || true; } |
        LC_ALL=C sort | xargs -r awk '
    BEGIN {
        count = split("cagen base hub tensor engine autograd ops nn models diffusion image synthesis " \
                      "datasets metrics embedding pipeline report cli", layers, " ")
        for (i = 1; i <= count; i++) rank[layers[i]] = i
    }
    function wrong(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
    FNR == 1 {
        split(FILENAME, part, "/")
        layer = part[1] == "include" ? "cagen" : part[2]
        example = part[1] == "examples"
        if (!example && !(layer in rank)) wrong("the folder " layer " is not in the list of layers")
        engine = FILENAME ~ /^src\/engine\// || FILENAME ~ /^src\/base\/(system|cpu)\.c$/
    }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        name = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", name)
        sub(/[>"].*/, "", name)
        ours = $0 ~ /include[ \t]*"/ || name ~ /^cagen\//
        if (example && ours && name != "cagen/cagen.h") wrong("an example includes " name)
        if (ours && !example) {
            if (name !~ /\//) wrong("include \"" name "\" without its folder")
            else {
                split(name, target, "/")
                if (!(target[1] in rank)) wrong("include of " name ", which is in no layer")
                else if (layer in rank && rank[target[1]] > rank[layer])
                    wrong(layer "/ includes " name ", which comes later")
                if (name ~ /-private\.h$/ && target[1] != layer)
                    wrong("include of " name ", which is private to " target[1] "/")
            }
        }
        if (name ~ /^dnnl/ && FILENAME !~ /^src\/engine\/cpu\/onednn/)
            wrong("only src/engine/cpu/onednn* includes " name)
        if (name ~ /^(vips|cairo)/ && FILENAME !~ /^src\/image\//)
            wrong("only src/image/ includes " name)
        if (name ~ /^curl\// && FILENAME !~ /^src\/hub\//)
            wrong("only src/hub/ includes " name)
        if (name ~ /^(cuda|cudnn|cublas)/ && FILENAME !~ /^src\/engine\/cuda\//)
            wrong("only src/engine/cuda/ includes " name)
        if (name ~ /(intrin|arm_neon|cpuid)\.h$/ && !engine)
            wrong("only src/engine/ includes " name)
        if (layer == "cagen" && name !~ /^std(int|def|bool)\.h$/ && name !~ /^cagen\//)
            wrong("the public header includes " name)
    }
    /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/ {
        if (!engine && $0 ~ /__(SSE|AVX|AMX|FMA|F16C|x86_64|amd64|i386|aarch64|arm|ARM|riscv|powerpc|CUDA)|USE_CUDA/)
            wrong("processor test outside src/engine/ and src/base/cpu.c")
    }
    END { exit bad }')
}

# plant FILE LINE: a tree with this one line must be refused.
plant() {
    local root
    root=$(mktemp -d)
    mkdir -p "$root/$(dirname "$1")"
    printf '%s\n' "$2" >"$root/$1"
    if check_tree "$root" >/dev/null; then
        echo "not noticed: '$2' in $1"
        rm -rf "$root"
        return 1
    fi
    rm -rf "$root"
}
# allow FILE LINE: and with this one it must pass.
allow() {
    local root
    root=$(mktemp -d)
    mkdir -p "$root/$(dirname "$1")"
    printf '%s\n' "$2" >"$root/$1"
    if ! check_tree "$root"; then
        echo "wrongly refused: '$2' in $1"
        rm -rf "$root"
        return 1
    fi
    rm -rf "$root"
}

plant src/base/a.c '#include "tensor/tensor.h"'
plant src/nn/a.h '#  include "models/unet.h"'
plant src/engine/ref/a.c '#include "ops/ops.h"'
plant src/nn/a.c '#include "nowhere/a.h"'
plant src/nn/a.c '#include "linear.h"'
plant src/nn/a.c '#include "ops/tape-private.h"'
plant src/somewhere/a.c 'int a;'
plant src/ops/a.c '#include <dnnl.h>'
plant src/engine/cpu/attention.c '#include <dnnl.h>'
plant src/pipeline/a.c '#include <vips/vips.h>'
plant src/pipeline/a.c '#include <cairo.h>'
plant src/pipeline/a.c '#include <curl/curl.h>'
plant src/tensor/a.c '#include <immintrin.h>'
plant src/ops/a.c '#ifdef __AVX512F__'
plant src/ops/a.c '#if defined(__x86_64__)'
plant include/cagen/cagen.h '#include <glib.h>'
plant include/cagen/cagen.h '#include "base/error.h"'
plant examples/a.c '#include "base/error.h"'
allow src/cli/a.c '#include "base/error.h"'
allow src/nn/a.c '#include "nn/linear-private.h"'
allow src/engine/cpu/onednn_conv.c '#include <dnnl.h>'
allow src/image/a.c '#include <vips/vips.h>'
allow src/engine/cpu/a.c '#if defined(__x86_64__)'
allow src/base/cpu.c '#if defined(__x86_64__)'
allow src/pipeline/a.c '#include <cagen/cagen.h>'
allow examples/a.c '#include <cagen/cagen.h>'

check_tree "$top"
