#!/usr/bin/env bash
# What README.md and docs/ say is there: every command and option that they name, every file and
# picture that they link to. The rules are first shown to fire on planted mistakes.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

# "command: --option --option": from the tables behind --help (e2e_manual compares the two).
"$CAGEN" help --as bash |
    sed -n "s/^    '\([a-z_ ]*\)')$/\1/; T options; h; d; :options; s/^        options='\(.*\)'$/\1/; T; s/=//g; H; x; s/\n/: /p" >table
[ "$(wc -l <table)" -gt 15 ] || fail "$(cat table)"

# check_page TABLE FILE: prints what FILE names and TABLE has not.
check_page() {
    awk -v table="$1" '
    BEGIN {
        while ((getline line < table) > 0) {
            split(line, part, ": ")
            options[part[1]] = part[2] " -h --version "
            all = all part[2] " --help "
            word = part[1]
            if (sub(/ .*/, "", word)) group[word] = 1
        }
    }
    function wrong(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
    # One command line: "cagen dataset make --out DIR ...", up to a pipe or the like.
    function command(text,    n, word, name, i, option) {
        gsub(/\047[^\047]*\047|"[^"]*"/, "X", text) # what is quoted is a value
        gsub(/[|&;].*/, "", text)
        gsub(/[\[\]()"`,]|\047/, " ", text)
        n = split(text, word, " ")
        if (n < 2 || word[2] !~ /^[a-z]/) return
        name = word[2]
        if (name == "help") return
        i = 3
        if (name in group) {
            if (n < 3 || word[3] !~ /^[a-z]/) return
            name = name " " word[3]
            i = 4
        }
        if (!(name in options)) { wrong("there is no command cagen " name); return }
        for (; i <= n; i++) {
            option = word[i]
            if (option !~ /^--[a-z]/) continue
            sub(/=.*/, "", option)
            sub(/[.:]+$/, "", option)
            if (index(options[name] " --help ", option " ") == 0)
                wrong("cagen " name " has no option " option)
        }
    }
    # Code between backticks.
    function span(text) {
        if (text ~ /^cagen /) { command(text); return }
        if (text ~ /^--[a-z][a-z0-9-]*/) {
            sub(/[ =].*/, "", text)
            if (index(all, text " ") == 0) wrong("no command has an option " text)
        }
    }
    # A line with the ones that a backslash joins to it.
    { line = $0 }
    joined != "" { line = joined " " line; joined = "" }
    line ~ /^```/ { fence = !fence; next }
    line ~ /\\$/ { sub(/\\$/, "", line); joined = line; next }
    fence || line ~ /^(    |\t)/ {
        text = line
        sub(/#.*/, "", text)
        sub(/^[ \t$]+/, "", text)
        sub(/^[^ ]*\/cagen /, "cagen ", text)
        if (text ~ /^cagen /) command(text)
        next
    }
    {
        n = split(line, part, "`")
        if (n % 2 == 0) { joined = line; next } # the code goes on in the next line
        for (i = 2; i <= n; i += 2) span(part[i])
        while (match(line, /\]\([^)]*\)/)) {
            target = substr(line, RSTART + 2, RLENGTH - 3)
            line = substr(line, RSTART + RLENGTH)
            sub(/#.*/, "", target)
            if (target == "" || target ~ /^[a-z]+:/) continue
            folder = FILENAME
            if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
            if (system("test -e \"" folder "/" target "\"") != 0) wrong("there is no " target)
        }
    }' "$2"
}

# ---- the rules fire
mkdir -p planted
plant() { # WORDS LINE: a page with this line is found wrong
    printf '%s\n' "$2" >planted/page.md
    check_page table planted/page.md >found
    grep -qF -- "$1" found || fail "not noticed: $2"
}
allow() { # LINE
    printf '%s\n' "$1" >planted/page.md
    is "complaints about $1" "$(check_page table planted/page.md)" ""
}
plant "no command cagen fly" "    cagen fly --high"
plant "no command cagen dataset fly" "Type \`cagen dataset fly\`."
plant "has no option --high" "    cagen generate --model m --high 3"
plant "has no option --high" "    cagen mask --shape 'a|b' --high"
plant "has no option --high" "    build/release/cagen info --high"
plant "has no option --model" "See \`cagen dataset make --model\`"
plant "no command has an option --high" "With \`--high 3\` it flies."
plant "page.md:2: cagen generate has no option --high" "    cagen generate --model m \\
        --high"
plant "page.md:2: no command has an option --high" "With \`--steps 3\` and \`--high
3\` it flies."
plant "has no option --high" '```sh
cagen info --high
```'
plant "there is no absent.md" "See [this](absent.md)."
plant "there is no ../absent.png" "![picture](../absent.png)"
allow "    cagen generate --model m --steps=3 --json | other --high"
allow "    python other.py --high"
allow "\`cagen dataset check DIR\`, \`--threads N\` and \`cagen COMMAND --help\`"
allow "See [this](page.md#part), [that](https://example.org/x) and [here](#part)."

# ---- and the pages keep them
cd "$CAGEN_SOURCE_DIR"
find README.md ARCHITECTURE.md docs -name '*.md' | while IFS= read -r page; do
    check_page "$work/table" "$page"
done >"$work/wrong"
[ ! -s "$work/wrong" ] || fail "$(cat "$work/wrong")"

echo "docs: all as expected"
