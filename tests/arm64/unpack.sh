#!/usr/bin/env bash
# Downloads Debian packages for arm64 and unpacks them into a folder, beside all that this machine has installed:
# tests/arm64/unpack.sh FOLDER PACKAGE...
set -eu
folder=$(realpath -m "$1") && shift
[ "$(cat "$folder/packages" 2>/dev/null)" = "$*" ] && exit
rm -rf "$folder" && mkdir -p "$folder/apt/"{lists,cache,packages}/partial && : >"$folder/apt/status"
options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
  -o Dir::State="$folder/apt" -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status"
  -o Dir::Cache="$folder/apt/cache")
apt-get "${options[@]}" update
(cd "$folder/apt/packages" && apt-get "${options[@]}" download "$@")
for package in "$folder"/apt/packages/*.deb; do dpkg-deb -x "$package" "$folder"; done
rm -rf "$folder/apt"
echo "$*" >"$folder/packages"
