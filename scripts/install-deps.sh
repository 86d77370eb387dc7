#!/usr/bin/env bash
# What cagen needs to be built: checks for it, and on Debian and Ubuntu installs what is missing.
#
#     scripts/install-deps.sh [build|check|asan]
#
# build: compiler, build tools, libraries (the default).  check: and clang-format.  asan: and clang
# with its OpenMP and sanitizer runtimes. Silent when nothing is missing; never asks a question.
# CAGEN_SKIP_DEPS=1 in the environment skips everything.
set -u -o pipefail

level=${1:-build}
case $level in
build | check | asan) ;;
*)
    echo "usage: $0 [build|check|asan]" >&2
    exit 2
    ;;
esac
[ -z "${CAGEN_SKIP_DEPS:-}" ] || exit 0

has_command() { command -v "$1" >/dev/null 2>&1; }
has_package() { pkg-config --exists "$*" 2>/dev/null; }
has_header() { echo "#include <$1>" | ${CC:-cc} -E -x c - >/dev/null 2>&1; }
has_ninja() { has_command ninja || has_command ninja-build; }
# A runtime of clang is there when a program that uses it links.
has_clang_runtime() {
    local out status
    out=$(mktemp)
    echo 'int main(void){return 0;}' | clang "$@" -x c - -o "$out" >/dev/null 2>&1
    status=$?
    rm -f "$out"
    return $status
}

# One row per need: level | test | what it is | Debian, Ubuntu | Fedora | Arch | Homebrew
needs() {
    cat <<'ROWS'
build|has_command cc|C compiler (gcc 10 or clang 12, or newer)|gcc|gcc|gcc|gcc
build|has_header stdio.h|C library headers|libc6-dev|glibc-devel|glibc|-
build|has_command make|make|make|make|make|make
build|has_command cmake|CMake 3.21 or newer|cmake|cmake|cmake|cmake
build|has_ninja|Ninja|ninja-build|ninja-build|ninja|ninja
build|has_command pkg-config|pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf
build|has_package glib-2.0 >= 2.70|GLib 2.70 or newer|libglib2.0-dev|glib2-devel|glib2-devel|glib
build|has_package vips >= 8.13|libvips 8.13 or newer|libvips-dev|vips-devel|libvips|vips
build|has_package cairo >= 1.16|cairo 1.16 or newer|libcairo2-dev|cairo-devel|cairo|cairo
build|has_package jansson >= 2.12|jansson 2.12 or newer|libjansson-dev|jansson-devel|jansson|jansson
build|has_package zlib|zlib|zlib1g-dev|zlib-devel|zlib|zlib
build|has_package libcurl >= 7.85|libcurl 7.85 or newer|libcurl4-openssl-dev|libcurl-devel|curl|curl
build|has_header dnnl.h|oneDNN 2.6 or 3.x|libdnnl-dev|onednn-devel|onednn|onednn
check|has_command clang-format|clang-format 14 (only for the layout check)|clang-format|clang-tools-extra|clang|clang-format
asan|has_command clang|clang|clang|clang|clang|llvm
asan|has_clang_runtime -fopenmp|OpenMP for clang|libomp-dev|libomp-devel|openmp|libomp
asan|has_clang_runtime -fsanitize=address,undefined|sanitizers for clang|libclang-rt-dev|compiler-rt|compiler-rt|-
ROWS
}

included() {
    case $level:$1 in
    *:build | check:check | asan:check | asan:asan) return 0 ;;
    esac
    return 1
}

# Fills the arrays with what is missing; true when something is.
find_missing() {
    local row_level test what deb fedora arch brew
    whats=() debs=() fedoras=() archs=() brews=()
    while IFS='|' read -r row_level test what deb fedora arch brew; do
        included "$row_level" || continue
        # shellcheck disable=SC2086 # a command in words
        $test && continue
        whats+=("$what") debs+=("$deb")
        [ "$fedora" = - ] || fedoras+=("$fedora")
        [ "$arch" = - ] || archs+=("$arch")
        [ "$brew" = - ] || brews+=("$brew")
    done < <(needs)
    [ ${#whats[@]} -gt 0 ]
}

find_missing || exit 0

say() { printf 'cagen: %s\n' "$*" >&2; }

if ! has_command apt-get; then
    say "missing:"
    printf '    %s\n' "${whats[@]}" >&2
    say "this script installs packages on Debian and Ubuntu only; install them yourself, for example:"
    echo "    Fedora:   sudo dnf install ${fedoras[*]}" >&2
    echo "    Arch:     sudo pacman -S --needed ${archs[*]}" >&2
    echo "    Homebrew: brew install ${brews[*]}" >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
    if ! "${as_root[@]}" true 2>/dev/null; then
        how='sudo ' why="sudo would ask for a password. Run this"
        has_command sudo || how='' why="there is no sudo here. Run this as root"
        say "missing:"
        printf '    %s\n' "${whats[@]}" >&2
        say "only root can install that, and $why, then make again:"
        echo "    ${how}apt-get update" >&2
        echo "    ${how}apt-get install --no-install-recommends ${debs[*]}" >&2
        exit 1
    fi
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null; }

say "installing with apt-get: ${debs[*]}"
# The package lists may be absent (a fresh container) or stale (files gone from the mirror): only
# then are they fetched.
updated=
if ! apt install -s --no-install-recommends "${debs[@]}" >/dev/null 2>&1; then
    apt update || say "apt-get update failed; trying with the lists there are"
    updated=1
fi
if ! apt install -y --no-install-recommends "${debs[@]}"; then
    [ -z "$updated" ] && apt update && apt install -y --no-install-recommends "${debs[@]}"
fi || {
    say "apt-get could not install: ${debs[*]}"
    exit 1
}

hash -r
if find_missing; then
    say "installed, but this release is too old for:"
    printf '    %s\n' "${whats[@]}" >&2
    exit 1
fi
