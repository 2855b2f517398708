#!/bin/bash
# Makes FOLDER, which runs where there is no Debian package: the programs in bin/ and their libraries, packed, the check and
# what that reads. Says its size; fails where it is too large, or where a program wants a C library that is too new.
#   bundle.sh FOLDER PROGRAMS CUDA_HOME EMULATED_CONFORMANCE
set -euo pipefail
folder=$1 programs=$2 cuda=$3 emulated=$4
most_bytes=40000000
newest_glibc=2.35 # Ubuntu 22.04's

fail() { echo "gpu-bundle: $*" >&2 && exit 1; }

# The C library and the driver are the other machine's; libstdc++ is in the programs.
rm -rf "${folder:?}" && mkdir -p "$folder/lib" && cp -r "$programs" "$folder/bin"
ldd "$folder"/bin/* | awk '$2 == "=>" && $1 !~ /^(libc|libm|libdl|librt|libpthread|libcuda)\.so/ { print $1, $3 }' |
  sort -u | while read -r name path; do
  [ "$path" != not ] || fail "$name is not found"
  cp -L "$path" "$folder/lib/$name" && strip "$folder/lib/$name"
done

for file in "$folder"/bin/* "$folder"/lib/*; do
  [ "$(basename "$file" | cut -d. -f1)" != libstdc++ ] || fail "a program needs libstdc++.so, which may be older there"
  wanted=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -Vu | tail -n 1)
  [ "$(printf '%s\n' "$wanted" $newest_glibc | sort -V | tail -n 1)" = $newest_glibc ] ||
    fail "$file wants GLIBC $wanted, at most $newest_glibc: $(objdump -T "$file" | grep -m 1 -o "GLIBC_$wanted.*")"
done

tar -C "$folder" -czf "$folder/programs.tar.gz" bin lib && rm -r "${folder:?}/bin" "${folder:?}/lib"

"$emulated" "$folder/conformance.expected"
install -m 755 tests/gpu/check.sh "$folder/check.sh"
mkdir -p "$folder/tests/golden" && cp tests/golden/lookhere.json "$folder/tests/golden/"
mkdir -p "$folder/rivals" && cp tests/rivals/*.py "$folder/rivals/"
cat >"$folder/about" <<END
revision $(git describe --always --dirty 2>/dev/null || echo unknown)
cuda $("$cuda/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
cublas libcublas.so.$(sed -n 's/#define CUBLAS_VER_MAJOR *//p' "$cuda/include/cublas_api.h")
END

bytes=$(du -sb "$folder" | cut -f1)
[ "$bytes" -le $most_bytes ] || fail "$folder has $bytes bytes, at most $most_bytes may be"
echo "$folder: $((bytes / 1000000)) MB; on a machine with a GPU: bash $folder/check.sh"
