#!/usr/bin/env bash
# Packs FOLDER/lookhere as FOLDER.tar.gz, with what belongs beside it and the licences of the Debian packages that it is
# made of: tests/dist/archive.sh FOLDER PACKAGE... EMULATOR is what runs the program, if anything has to.
set -eu
folder=$1 && shift
program=$folder/lookhere archive=$folder.tar.gz

rm -rf "$folder/licences" && mkdir "$folder/licences"
for package in "$@"; do cp -L "/usr/share/doc/$package/copyright" "$folder/licences/$package"; done
cp LICENSE tests/dist/README.md "$folder"
${EMULATOR:-} "$program" manual >"$folder/lookhere.1"
${EMULATOR:-} "$program" manual --format bash >"$folder/lookhere.bash"
tar -C "$(dirname "$folder")" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 \
  -c "$(basename "$folder")" | gzip -9n >"$archive.new"
mv "$archive.new" "$archive"
echo "dist: $archive, $(du -h "$archive" | cut -f1); the program in it $(du -h "$program" | cut -f1)"
