#!/usr/bin/env bash
# What `make install` leaves is enough to build and run a C program against the library.
set -eu -o pipefail
build=$(dirname "$CAGEN")
if [ "${CAGEN_SANITIZE:-OFF}" = ON ]; then
    echo "skipped: a sanitizer build is not for installing"
    exit 77
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root cmake --install "$build" --prefix /opt/cagen >"$root/log" || {
    cat "$root/log"
    exit 1
}
pc=$(find "$root/opt/cagen" -name cagen.pc)
[ -n "$pc" ]
[ -x "$root/opt/cagen/bin/cagen" ]
for file in man/man1/cagen.1 bash-completion/completions/cagen zsh/site-functions/_cagen \
    fish/vendor_completions.d/cagen.fish; do
    [ -s "$root/opt/cagen/share/$file" ]
done
export PKG_CONFIG_PATH=${pc%/*}
libdir=$(cd "${pc%/*}/.." && pwd)

cat >"$root/program.c" <<'C'
#include <cagen/cagen.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    printf("%s\n", cagen_version());
    return argc == 2 && strcmp(cagen_version(), argv[1]) == 0 ? 0 : 1;
}
C
version=$(pkg-config --modversion cagen)
# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -std=c99 -Wall -Wextra -Wpedantic -Werror "$root/program.c" -o "$root/program" \
    $(pkg-config --cflags --libs cagen)
LD_LIBRARY_PATH=$libdir "$root/program" "$version"

# Nothing of ours leaks out of the library but cagen_ names.
foreign=$(nm -D --defined-only "$libdir/libcagen.so" | awk '$3 !~ /^cagen_/ && $2 != "A" { print $3 }')
if [ -n "$foreign" ]; then
    echo "exported beside cagen_*: $foreign"
    exit 1
fi
