#!/usr/bin/env bash
# tests/lint.sh CLANG "COMPILER OPTIONS" FILE...: clang-tidy over the program's sources, and the tests through clang, which
# refuses some of what g++ takes. Prints what is wrong.
set -u
clang=$1 options=$2 jobs=$(nproc)
shift 2
files_of() { printf '%s\n' "${files[@]}" | grep "$@"; }
files=("$@")
files_of -v ^tests/ | xargs -P "$jobs" -n 8 tests/tidy.sh "$options" || exit

# shellcheck disable=SC2086
files_of ^tests/fuzz/ | xargs -P "$jobs" -n 4 "$clang" $options -Werror -fsyntax-only || exit
# What all other tests include is read once. Those of a GPU want CUDA's headers.
common=$(mktemp -d)
trap 'rm -rf "$common"' EXIT
printf '#include <gmock/gmock.h>\n#include "tests/testing.h"\n' >"$common/tests.h"
# shellcheck disable=SC2086
"$clang" $options -Werror -x c++-header "$common/tests.h" -o "$common/tests.pch" || exit
files_of ^tests/ | grep -vE '^tests/(gpu|fuzz)/' |
  xargs -P "$jobs" -n 8 "$clang" $options -Werror -include-pch "$common/tests.pch" -fsyntax-only
