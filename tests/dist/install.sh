#!/usr/bin/env bash
# Lays a program out as Debian does, with its page for man, what bash completes and the licence:
# tests/dist/install.sh PROGRAM DESTDIR PREFIX. STRIP is what strips it, EMULATOR what runs it, if anything has to.
set -eu -o pipefail

# A shell may leave ~ behind a = as it is.
from_home() {
  case $1 in
    \~ | \~/*) echo "$HOME${1#?}" ;;
    \~*) echo "install: wanted a folder's path, got $1" >&2 && exit 2 ;;
    *) echo "$1" ;;
  esac
}
program=$1
destination=$(from_home "$2")
into=$destination$(from_home "$3")
manual() { ${EMULATOR:-} "$program" manual "$@"; }

install -D -s --strip-program="${STRIP:-strip}" "$program" "$into/bin/lookhere"
manual | install -D -m 644 /dev/stdin "$into/share/man/man1/lookhere.1"
manual --format bash | install -D -m 644 /dev/stdin "$into/share/bash-completion/completions/lookhere"
install -D -m 644 LICENSE "$into/share/doc/lookhere/copyright"
echo "install: lookhere, its manual, completion and licence are in $into"
