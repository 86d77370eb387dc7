#!/usr/bin/env bash
# The man page and the completions know every command and option that --help knows.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

for form in man bash zsh fish; do
    "$CAGEN" help --as $form >$form 2>stderr || fail "$form: $(cat stderr)"
    is "standard error of $form" "$(cat stderr)" ""
done

# commands [GROUP]: the names in a list of commands
commands() {
    # shellcheck disable=SC2086 # a group is a word or none
    "$CAGEN" ${1:-} --help | sed -n '/^commands:/,/^$/s/^  \([a-z_]*\) .*/\1/p'
}
all=()
for name in $(commands); do
    if "$CAGEN" "$name" --help | grep -q '^commands:'; then
        for below in $(commands "$name"); do
            all+=("$name $below")
        done
    else
        all+=("$name")
    fi
done
[ ${#all[@]} -gt 15 ] || fail "only ${#all[@]} commands: ${all[*]}"

# section FILE BEGIN END: the lines from the one with BEGIN to the next with END
section() {
    awk -v begin="$2" -v end="$3" 'index($0, begin) { on = 1; print; next } on && index($0, end) { exit } on' "$1"
}
# missing FORM PATTERN FILE: options of ./help that FILE has not, where sed finds them by PATTERN
missing() {
    sed -n "s/$2/\\1/gp" "$3" | tr ' ' '\n' | LC_ALL=C sort -u >found
    LC_ALL=C comm -23 wanted found >absent
    is "options of cagen $command that are not in the form for $1" "$(cat absent)" ""
}
: >counted
for command in "${all[@]}"; do
    # shellcheck disable=SC2086 # a command in words
    "$CAGEN" $command --help >help
    sed -n '/^Application Options:/,/^$/s/^  \(-[a-zA-Z], \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' help | grep -vx help | LC_ALL=C sort >wanted
    cat wanted >>counted
    section man ".SS \"cagen $command" ".SS " | sed 's/\\-/-/g' >in_man
    section bash "    '$command')" "values=" | tr ' ' '\n' >in_bash
    section zsh "    ('$command')" ";;" >in_zsh
    grep -F "__cagen_is \"$command\"'" fish >in_fish || true
    missing man '.*\\fB--\([a-z0-9-]*\)\\fR.*' in_man
    missing bash '.*--\([a-z0-9-]*\)=\{0,1\}.*' in_bash
    sed "s/^ *{-[a-zA-Z]+*,/{/; s/^ *'*{*//" in_zsh >in_zsh_plain
    missing zsh '^--\([a-z0-9-]*\).*' in_zsh_plain
    missing fish '.* -l \([a-z0-9-]*\) .*' in_fish
    grep -q -F -- "-a ${command##* } " fish || fail "cagen $command is not in fish's completion"
done
[ "$(wc -l <counted)" -gt 200 ] || fail "only $(wc -l <counted) options"

# In bash, as it would ask.
cat >ask.bash <<'B'
source ./bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_cagen 2>/dev/null
echo "${COMPREPLY[*]}"
B
complete_bash() {
    bash --norc ask.bash "$@"
}
is "a command" "$(complete_bash cagen gen)" "generate"
is "a command of a group" "$(complete_bash cagen dataset ma)" "make"
is "an option" "$(complete_bash cagen dataset make --si)" "--size="
is "nothing for a number" "$(complete_bash cagen generate --steps "")" ""
touch picture.png
is "a file" "$(complete_bash cagen generate --normal pic)" "picture.png"
is "a file behind =" "$(complete_bash cagen generate --normal = pic)" "picture.png"
is "an argument" "$(complete_bash cagen info pic)" "picture.png"

# Where there are the tools to say so.
! command -v zsh >/dev/null || zsh -n zsh
! command -v fish >/dev/null || fish -n fish
if command -v mandoc >/dev/null; then
    is "mandoc's warnings" "$(mandoc -Tlint -Wwarning man | grep -v 'missing date')" ""
fi
if command -v groff >/dev/null; then
    is "groff's warnings" "$(groff -man -ww -Tutf8 -z man 2>&1)" ""
fi

is "help of a command of a group" "$("$CAGEN" help dataset make)" "$("$CAGEN" dataset make --help)"
status=0
"$CAGEN" help nonsense >stdout 2>stderr || status=$?
is "status of help for nonsense" $status 2
is "what it says" "$(cat stderr)" 'cagen: unknown command "nonsense"; cagen --help lists them'

for form in "" nonsense; do
    status=0
    "$CAGEN" help --as $form >stdout 2>stderr || status=$?
    is "status of a form \"$form\"" $status 2
done

echo "manual: all as expected"
