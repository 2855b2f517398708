#!/usr/bin/env bash
# tests/tidy.sh "COMPILER OPTIONS" FILE...: clang-tidy over several files as one, since most of its time goes into the
# headers they share. Files that do not go together (names of anonymous namespaces clash), and those with findings, are
# looked at in halves: what a single file is found at is printed.
set -u
options=$1
shift
if [ $# -eq 1 ]; then
  # shellcheck disable=SC2086
  clang-tidy --config-file=.clang-tidy --quiet --warnings-as-errors='*' "$1" -- $options 2>/dev/null
  exit
fi
together=$(mktemp --suffix=.cpp)
trap 'rm -f "$together"' EXIT
printf '#include "%s"  // NOLINT\n' "$@" >"$together"
# shellcheck disable=SC2086
clang-tidy --config-file=.clang-tidy --quiet --warnings-as-errors='*' "$together" -- $options >/dev/null 2>&1 && exit
half=$(($# / 2))
"$0" "$options" "${@:1:half}"
first=$?
"$0" "$options" "${@:half+1}" && exit $first
