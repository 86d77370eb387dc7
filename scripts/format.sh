#!/usr/bin/env bash
# Formats the C sources with the committed .clang-format; with --check only reports and exits 1.
# Exits 77 when clang-format 14 is not there: other versions lay out some lines differently.
set -eu -o pipefail
cd "$(dirname "$0")/.."

format=
for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" --version | grep -q 'version 14\.'; then
        format=$candidate
        break
    fi
done
if [ -z "$format" ]; then
    echo "no clang-format 14 here" >&2
    exit 77
fi

folders=()
for folder in include src tests bench examples; do
    [ -d "$folder" ] && folders+=("$folder")
done
mapfile -t files < <(find "${folders[@]}" -name '*.[ch]' | LC_ALL=C sort)
if [ "${1:-}" = --check ]; then
    "$format" --dry-run --Werror "${files[@]}"
else
    "$format" -i "${files[@]}"
fi
