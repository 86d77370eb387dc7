#!/usr/bin/env bash
# clang-format would change nothing (skipped where clang-format 14 is not installed).
exec "$CAGEN_SOURCE_DIR/scripts/format.sh" --check
