#!/usr/bin/env bash
# cagen tokenize: the table, the JSON, the warning, and its errors.
set -eu -o pipefail
if ! "$CAGEN" --help 2>&1 | grep -q tokenize; then
    echo "skipped: this program has no command tokenize"
    exit 77
fi
mini=$CAGEN_FIXTURES/tokenizer/mini
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same WHAT FOUND EXPECTED
same() {
    [ "$2" = "$3" ] && return
    printf '%s:\n%s\nexpected:\n%s\n' "$1" "$2" "$3"
    exit 1
}
# refused STATUS TEXT ARGUMENT...: fails with STATUS, nothing on stdout, one line with TEXT on stderr.
refused() {
    local status=$1 text=$2 got=0
    shift 2
    "$CAGEN" tokenize "$@" >"$work/out" 2>"$work/err" || got=$?
    if [ "$got" != "$status" ] || [ -s "$work/out" ] || [ "$(wc -l <"$work/err")" != 1 ] ||
        ! grep -qF -- "$text" "$work/err"; then
        echo "tokenize $*: status $got, expected $status and \"$text\""
        cat "$work/out" "$work/err"
        exit 1
    fi
}

same "table" "$("$CAGEN" tokenize --tokenizer "$mini" 'Broken large bottle é')" \
    '   1    696  broken</w>          broken
   2    807  large</w>           large
   3    733  bottle</w>          bottle
   4    127  Ã                   \xc3
   5    358  ©</w>               \xa9
5 tokens of at most 75'

same "JSON" "$("$CAGEN" tokenize -t "$mini" --json 'broken "' | sed 's/,999,999.*/.../')" \
    '{"prompt":"broken \"","count":2,"dropped":0,"ids":[696,257],"pieces":["broken</w>","\"</w>"],"frame":[998,696,257...'

same "two prompts" "$("$CAGEN" tokenize -t "$mini" cut '' 2>&1)" \
    '"cut"
   1    656  cut</w>             cut
1 token of at most 75

""
0 tokens of at most 75'

# Any locale reads UTF-8.
same "C locale" "$(LC_ALL=C "$CAGEN" tokenize -t "$mini" 'é' | tail -1)" '2 tokens of at most 75'

prompt=$(printf 'bottle %.0s' $(seq 80))
"$CAGEN" tokenize -t "$mini" "$prompt" >"$work/out" 2>"$work/err"
same "rows of a long prompt" "$(grep -c 'bottle</w>' "$work/out")" 80
same "rows beyond the frame" "$(grep -c '^   -' "$work/out")" 5
same "warnings" "$(wc -l <"$work/err")" 1
grep -q 'the last 5 are ignored' "$work/err"
"$CAGEN" tokenize -t "$mini" "$(printf 'bottle %.0s' $(seq 75))" 2>"$work/err" >/dev/null
[ ! -s "$work/err" ]

refused 2 '--tokenizer' 'a prompt'
refused 2 'PROMPT' -t "$mini"
refused 2 '--nonsense' --nonsense
refused 2 'not UTF-8' -t "$mini" $'crack\xff'
refused 2 'at most 65536' -t "$mini" "$(head -c 70000 /dev/zero | tr '\0' a)"
refused 1 "$work: no tokenizer" -t "$work" crack
refused 1 'absent: cannot open' -t "$work/absent" crack
if [ -w /dev/full ]; then
    got=0
    "$CAGEN" tokenize -t "$mini" crack >/dev/full 2>"$work/err" || got=$?
    same "status with a full disk" "$got" 1
    same "lines about a full disk" "$(wc -l <"$work/err")" 1
fi
