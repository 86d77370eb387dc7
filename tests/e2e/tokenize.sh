#!/usr/bin/env bash
# cagen tokenize: the table, the JSON, the warning, and its errors.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

mini=$CAGEN_FIXTURES/tokenizer/mini

is "table" "$("$CAGEN" tokenize --tokenizer "$mini" 'Broken large bottle é')" \
    '   1    696  broken</w>          broken
   2    807  large</w>           large
   3    733  bottle</w>          bottle
   4    127  Ã                   \xc3
   5    358  ©</w>               \xa9
5 tokens of at most 75'

is "JSON" "$("$CAGEN" tokenize -t "$mini" --json 'broken "' | sed 's/,999,999.*/.../')" \
    '{"prompt":"broken \"","count":2,"dropped":0,"ids":[696,257],"pieces":["broken</w>","\"</w>"],"frame":[998,696,257...'

is "two prompts" "$("$CAGEN" tokenize -t "$mini" cut '' 2>&1)" \
    '"cut"
   1    656  cut</w>             cut
1 token of at most 75

""
0 tokens of at most 75'

# Any locale reads UTF-8.
is "C locale" "$(LC_ALL=C "$CAGEN" tokenize -t "$mini" 'é' | tail -1)" '2 tokens of at most 75'

prompt=$(printf 'bottle %.0s' $(seq 80))
"$CAGEN" tokenize -t "$mini" "$prompt" >out 2>err
is "rows of a long prompt" "$(grep -c 'bottle</w>' out)" 80
is "rows beyond the frame" "$(grep -c '^   -' out)" 5
is "warnings" "$(wc -l <err)" 1
grep -q 'the last 5 are ignored' err
"$CAGEN" tokenize -t "$mini" "$(printf 'bottle %.0s' $(seq 75))" 2>err >/dev/null
[ ! -s err ]

refused 2 '--tokenizer' "$CAGEN" tokenize 'a prompt'
refused 2 'PROMPT' "$CAGEN" tokenize -t "$mini"
refused 2 '--nonsense' "$CAGEN" tokenize --nonsense
refused 2 'not UTF-8' "$CAGEN" tokenize -t "$mini" $'crack\xff'
refused 2 'at most 65536' "$CAGEN" tokenize -t "$mini" "$(head -c 70000 /dev/zero | tr '\0' a)"
refused 1 "$work: no tokenizer" "$CAGEN" tokenize -t "$work" crack
refused 1 'absent: cannot open' "$CAGEN" tokenize -t absent crack
if [ -w /dev/full ]; then
    got=0
    "$CAGEN" tokenize -t "$mini" crack >/dev/full 2>err || got=$?
    is "status with a full disk" "$got" 1
    is "lines about a full disk" "$(wc -l <err)" 1
fi
