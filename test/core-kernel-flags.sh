#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# core-kernel-flags.sh FILE...
# Compiles the core as the kernel would, but with the user-space side of its
# seam, so that a slip shows without kernel headers at hand.
set -euo pipefail

flags=(-std=gnu11 -O2 -ffreestanding -mgeneral-regs-only
    -Wall -Wextra -Wvla -Wdeclaration-after-statement -Wframe-larger-than=1024
    -Wmissing-prototypes -Werror)
# What the core may call but itself; clang turns floating point into calls of
# its run-time library instead of an error, and those show here as well.
allowed='^(colo_[a-z0-9_]+|mem(cpy|move|set|cmp))$'

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
status=0
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || {
        echo "$compiler is not installed"
        exit 1
    }
    for file in "$@"; do
        object=$objects/$(basename "$file").$compiler.o
        if ! "$compiler" "${flags[@]}" -c "$file" -o "$object"; then
            echo "$file: $compiler refuses it"
            status=1
        elif calls=$(nm -u "$object" | awk '{print $2}' | grep -vE "$allowed"); then
            echo "$file: $compiler makes it call ${calls//$'\n'/ }"
            status=1
        fi
    done
done
[[ $# -gt 0 ]] || status=1
exit $status
