#!/bin/bash
# Draws Debian's clip art as a folder of pictures to train with: FOLDER/CLASS/NAME.png or .jpg, 16 classes, the longer
# side 96 to 256 pixels, white where there is nothing. The same pictures every time.
#   apt-get install openclipart-svg librsvg2-bin netpbm libjpeg-turbo-progs
#   examples/clip_art.sh FOLDER [MOST]     at most MOST pictures of a class (200)
set -euo pipefail
art=/usr/share/openclipart/svg
folder=${1:?wanted a folder to draw into} most=${2:-200}
classes="animals buildings computer decorations education electronics food geography office people plants recreation
  shapes signs_and_symbols tools transportation"
for tool in rsvg-convert pngtopnm cjpeg; do
  command -v $tool >/dev/null || { echo "clip_art: $tool is missing: see the first lines of this script" >&2 && exit 1; }
done
[ -d $art ] || { echo "clip_art: $art is missing: install openclipart-svg" >&2 && exit 1; }

draw() { # SVG FILE SIDE
  rsvg-convert --background-color white --keep-aspect-ratio --width "$3" --height "$3" "$1" >"$2.png" 2>/dev/null ||
    { rm -f "$2.png" && return 0; } # a few of them are broken
  [ $(($3 % 2)) = 0 ] || { pngtopnm "$2.png" 2>/dev/null | cjpeg -quality 90 >"$2.jpg" && rm "$2.png"; }
}
export -f draw

for class in $classes; do
  mkdir -p "$folder/$class"
  # Many drawings are there under several names. They are taken in the order of their hashes, which mixes subjects.
  find "$art/$class" -name '*.svg' -type f -print0 | xargs -0 sha1sum | sort | awk -v most="$most" '!seen[$1]++ && taken++ < most' |
    while read -r hash file; do
      printf '%s\0%s\0%s\0' "$file" "$folder/$class/${hash:0:12}" $((96 + 16#${hash:0:4} % 161))
    done | xargs -0 -n 3 -P "$(nproc)" bash -c 'draw "$@"' draw
  printf '%-18s %d\n' "$class" "$(find "$folder/$class" -type f | wc -l)"
done
