#!/usr/bin/env bash
# cagen doctor: threads that wait sleep, unless the user says otherwise.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

says() { # TEXT VARIABLE=VALUE...
    env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT "${@:2}" "$CAGEN" doctor --threads 2 >stdout 2>stderr
    if ! grep -q "^threads       2, $1 while they wait" stdout; then
        echo "FAILED: ${*:2}: $(cat stdout stderr)"
        exit 1
    fi
}

echo "== waiting threads sleep"
says asleep
echo "== the user's own word holds"
says spinning OMP_WAIT_POLICY=active
