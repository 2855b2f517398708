#!/bin/bash
# All that a GPU proves, in under ten minutes, as one file of text: first what it was run on, then a line for each check
# with its figure, "ok", "FAILED" or "not run" and why, and below it, indented, what there is to know. The file grows as
# checks end, each has a time limit, and each is run whatever became of the others. Exit code 0: nothing failed.
#
#   check.sh [FILE]             FILE: gpu-check.txt; lies in the folder that `make gpu-bundle` makes
#   check.sh can-run            says in one line why not, if so
#   check.sh step NAME ...      one check: prints details, and as its last line a figure; exit code 77: not run
#   check.sh differences A B MOST      two runs' metrics.jsonl
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export work=${work:-} raw=${raw:-}

# Left out on a GPU: tests of memory that the host may not touch, and of the benches and an environment variable of the
# processor's products, which start programs that are not here. Tests of the emulator are not in the program.
left_out='ClosedMemory*:Bench.*:GemmBackendDeathTest.*'

# -- What there is to run on -------------------------------------------------------------------------------------------
can_run() {
  [ -e /dev/nvidiactl ] || [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null && return
  echo "gpu-check: no NVIDIA driver is installed here;" \
    "make gpu-bundle makes a folder to run on a machine that has a GPU"
  return 1
}

about() { sed -n "s/^$1 //p" "$here/about"; }

# Where the toolkit or PyTorch has put cuBLAS; it wants cublasLt beside it.
find_cublas() {
  local name folder packages
  name=$(about cublas)
  packages=$(python3 -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null)
  for folder in "${CUDA_HOME:-}"/lib64 /usr/local/cuda*/lib64 ${packages:+$packages/cu*/lib $packages/cublas/lib}; do
    [ -e "$folder/$name" ] && [ -e "$folder/${name/cublas/cublasLt}" ] && echo "$folder" && return
  done
}

find_sanitizer() {
  local folder
  for folder in "$(dirname "$(command -v compute-sanitizer || echo /none/none)")" "${CUDA_HOME:-}"/bin \
    /usr/local/cuda*/bin; do
    [ -x "$folder/compute-sanitizer" ] && echo "$folder/compute-sanitizer" && return
  done
}

# -- Parts that need no GPU --------------------------------------------------------------------------------------------

# The worst relative differences of loss and gradient norm between two runs; exit code 1 beyond `most`.
differences() {
  awk -v most="$3" '
    function value(name) {
      if (!match($0, "\"" name "\": [^,}]*")) return "none"
      return substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4)
    }
    function note(name, want, got, off) {
      if (want !~ /^-?[0-9]/ || got !~ /^-?[0-9]/) { wrong = "line " FNR " has " name " " want " and " got; return }
      off = want - got; if (off < 0) off = -off
      if (want < 0) want = -want
      if (off > 0) off = want > 0 ? off / want : 1
      if (off > worst[name]) worst[name] = off
    }
    FNR == NR { loss[FNR] = value("loss"); norm[FNR] = value("grad_norm"); steps = FNR; next }
    { note("loss", loss[FNR], value("loss")); note("grad_norm", norm[FNR], value("grad_norm")); again = FNR }
    END {
      if (!wrong && (!steps || steps != again)) wrong = steps + 0 " steps and " again + 0
      if (wrong) { print wrong; exit 1 }
      printf "%d steps, worst relative difference of the loss %.1e, of the gradient norm %.1e (at most %.0e)\n", steps,
             worst["loss"], worst["grad_norm"], most
      exit worst["loss"] > most || worst["grad_norm"] > most
    }' "$1" "$2"
}

# Failed tests with what they said first, and the one that did not end, of what a run of tests printed.
failures() {
  awk '
    /^\[ RUN      \]/ { name = $4; said = 0; next }
    /^\[       OK \]/ || /^\[  SKIPPED \]/ { name = ""; next }
    /^\[  FAILED  \]/ && name { print "FAILED " name; for (i = 0; i < said; ++i) print "  " line[i]; name = ""; next }
    name && said < 6 { line[said++] = substr($0, 1, 200) }
    END { if (name) { print "FAILED " name ", which did not end"; for (i = 0; i < said; ++i) print "  " line[i] } }'
}

# -- The checks --------------------------------------------------------------------------------------------------------
step_conformance() { "$here/bin/conformance" "$work/conformance" "$here/conformance.expected"; }

# Each suite in a process of its own: what a kernel breaks, later suites have again. Where kernels get the tests' own
# memory, each has to end before the host looks. Whole runs do not, and start programs, which pinned memory cannot.
step_suite() {
  [ "$1" = OnCuda ] || export CUDA_LAUNCH_BLOCKING=1
  BUILD=$here/bin timeout --foreground -s KILL 90 "$here/bin/tests" --gtest_filter="$1.*:-$left_out" \
    >"$work/suites/$1" 2>&1
  echo "exit code $?" >>"$work/suites/$1"
}
step_tests() {
  local suites suite said counts p f s passed=0 failed=0 skipped=0
  suites=$("$here/bin/tests" --gtest_list_tests --gtest_filter="-$left_out" | sed -n 's/^\([A-Za-z0-9]*\)\..*/\1/p')
  mkdir -p "$work/suites"
  { echo "$suites" | timeout -s KILL 105 xargs -P $(($(nproc) / 3 + 1)) -n 1 "$here/check.sh" step suite; } 2>/dev/null
  for suite in $suites; do
    said=$work/suites/$suite
    [ -e "$said" ] || echo "no time left" >"$said"
    failures <"$said"
    grep '^memory of the tests: [0-9]' "$said"
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$said")
    [ "$counts" ] || { echo "FAILED $suite, which ended with: $(tail -n 1 "$said")" && counts="0 1 0"; }
    read -r p f s <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done
  echo "$passed passed, $failed failed, $skipped skipped"
  [ $failed = 0 ] && [ $passed -gt 0 ]
}

tiny() { # FOLDER OPTIONS: 20 steps of a tiny model
  "$here/bin/lookhere" train --data shapes --shapes-train 160 --shapes-test 16 --img-size 16 --dim 48 --depth 2 \
    --heads 3 --batch-size 8 --epochs 1 --shards 1 --output "$@" >>"$raw" 2>&1 || { tail -n 3 "$raw" && return 1; }
}

# Every instruction, and two updates of a tiny model: nearly every kernel.
step_sanitizer() {
  local sanitizer end
  sanitizer=$(find_sanitizer)
  [ "$sanitizer" ] || { echo "compute-sanitizer is not installed" && return 77; }
  "$sanitizer" --tool "$1" --error-exitcode 9 "$here/bin/conformance" "$work/sanitized" >"$raw" 2>&1 &&
    "$sanitizer" --tool "$1" --error-exitcode 9 "$here/bin/lookhere" train --data shapes --shapes-train 16 \
      --shapes-test 8 --img-size 16 --dim 48 --depth 1 --heads 3 --batch-size 8 --epochs 1 --dtype "$2" \
      --device cuda --output "$work/sanitized-$1" >>"$raw" 2>&1
  end=$?
  if grep -q 'not supported' "$raw"; then grep 'not supported' "$raw" | head -n 1 | sed 's/^=* *//' && return 77; fi
  [ $end = 0 ] || grep '=========' "$raw" | head -n 20
  grep 'SUMMARY' "$raw" | sed 's/^=* *//' | paste -sd ';' | grep . || { tail -n 1 "$raw" && return 1; }
  return $end
}

step_training() { # DTYPE MOST
  local device
  for device in cpu cuda; do tiny "$work/$1-$device" --dtype "$1" --device $device || return 1; done
  differences "$work/$1-cpu/metrics.jsonl" "$work/$1-cuda/metrics.jsonl" "$2"
}
step_repeated() { # DTYPE, after `training`
  tiny "$work/$1-again" --dtype "$1" --device cuda || return 1
  cmp "$work/$1-cuda/last.safetensors" "$work/$1-again/last.safetensors" || return 1
  echo "two runs leave the same $(stat -c %s "$work/$1-again/last.safetensors") bytes"
}

step_graph() { # after `training`
  local file
  tiny "$work/graph" --dtype f32 --device cuda --cuda-graph || return 1
  for file in best.safetensors metrics.jsonl; do cmp "$work/f32-cuda/$file" "$work/graph/$file" || return 1; done
  for file in "" --cuda-graph; do
    "$here/bin/lookhere" bench step --model vit_tiny --batch-size 16 --dtype bf16 --device cuda --steps 30 $file \
      >"$raw" 2>&1 || { tail -n 3 "$raw" && return 1; }
    sed -n "s/^time */vit_tiny, 16 images, bf16 ${file:-launch by launch}: /p" "$raw"
  done | paste -sd ';' | sed 's/^/the same bytes; /'
}

step_devices() { # after `training`
  local file
  tiny "$work/devices" --dtype f32 --device cuda --devices 0 --no-deterministic-reduce || return 1
  for file in best.safetensors metrics.jsonl; do cmp "$work/f32-cuda/$file" "$work/devices/$file" || return 1; done
  echo "the same bytes"
}

# Every encoding, each other way of attention, and several of LookHere's options.
variants="$(printf -- '--position %s\n' lh180 lh90 lh45 alibi manhattan axial learned none sincos rope factorized fourier \
  rpe gpsa rope-mixed fire window pape pape-ri)
--attention sigmoid
--learned-slopes layer
--fill zero --distance sqrt
--position pape --attention sigmoid"
step_variant() { # DTYPE MOST OPTIONS, these in one word
  local device said end name=$1${3//[^a-z0-9]/}
  for device in cpu cuda; do
    # shellcheck disable=SC2086
    tiny "$work/$name-$device" --dtype "$1" --device $device $3 || { echo "$3: no run on $device" && return 1; }
  done
  said=$(differences "$work/$name-cpu/metrics.jsonl" "$work/$name-cuda/metrics.jsonl" "$2")
  end=$?
  echo "$3: $said"
  return $end
}
step_variants() { # DTYPE MOST
  local end
  echo "$variants" | xargs -P $(($(nproc) / 2 + 1)) -d '\n' -n 1 "$here/check.sh" step variant "$1" "$2" 2>&1 |
    tee "$work/variants-$1"
  end=${PIPESTATUS[1]}
  echo "$(grep -c 'worst' "$work/variants-$1") of $(echo "$variants" | wc -l) have trained on both"
  return "$end"
}

step_nano() { # DEVICE: an epoch of the demo's model
  local begin end
  begin=$(date +%s.%N)
  "$here/bin/lookhere" train --data shapes --epochs 1 --device "$1" --output "$work/nano-$1" >"$raw" 2>&1 ||
    { tail -n 3 "$raw" && return 1; }
  end=$(date +%s.%N)
  awk -v seconds="$(echo "$begin $end" | awk '{ print $2 - $1 }')" '
    /^top1/ { top1 = $2 } /training and/ { images = $1 } /train loss/ { sub(/.*train loss/, ""); loss = $1 }
    END {
      printf "%.0f images/s, start and evaluation included, ", images / seconds
      printf "train loss %s, top-1 %s %%\n", loss, top1
    }' "$raw"
}

step_bench() {
  [ -x "$here/bin/bench_cuda" ] || { echo "the bundle has no bin/bench_cuda" && return 77; }
  "$here/bin/bench_cuda" 2>&1 && echo "the table above"
}

step_pytorch() {
  [ -e "$here/rivals/$1.py" ] || { echo "the bundle has no rivals/$1.py" && return 77; }
  python3 -c 'import torch' 2>/dev/null || { echo "python3 has no torch" && return 77; }
  python3 "$here/rivals/$1.py" "${@:2}" 2>&1 && echo "the table above"
}

# -- All of them -------------------------------------------------------------------------------------------------------
check() { # NAME SECONDS STEP ...
  local begin=$SECONDS end figure
  printf '%s: ' "$1" | tee -a "$file"
  raw=$(mktemp -p "$work") # of its own: what is killed may still write
  { timeout -s KILL "$2" "$here/check.sh" step "${@:3}" >"$work/said" 2>&1 </dev/null; } 2>/dev/null
  end=$?
  figure=$(tail -n 1 "$work/said")
  case $end in
  0) figure="ok, $figure" ;;
  77) figure="not run: $figure" ;;
  *) figure="FAILED: $figure" ;;
  esac
  [ $end != 137 ] || figure="FAILED: killed after $((SECONDS - begin)) s of at most $2"
  echo "$figure ($((SECONDS - begin)) s)" | tee -a "$file"
  [ $end = 0 ] || [ $end = 77 ] || failed=$((failed + 1))
  head -n -1 "$work/said" | head -n 150 | cut -c1-300 | sed 's/^/    /' >>"$file"
  [ $end != 137 ] || tail -n 8 "$raw" | cut -c1-300 | sed 's/^/    /' >>"$file"
}

check_all() {
  can_run || exit 1
  file=$(realpath -m "${1:-gpu-check.txt}") failed=0
  cd "$here" || exit 1
  tar -xzf programs.tar.gz
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  local cublas nccl info
  cublas=$(find_cublas)
  nccl=$(python3 -c 'import nvidia.nccl; print(*nvidia.nccl.__path__)' 2>/dev/null)
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${cublas:+:$cublas}${nccl:+:$nccl/lib}:/usr/local/nvidia/lib64:/usr/local/nvidia/lib"
  info=$(bin/lookhere info 2>&1 | sed -n 's/^gpu *//p')
  {
    echo "date: $(date -u '+%Y-%m-%d %H:%M UTC')"
    echo "device: $info"
    echo "driver: $(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null || echo unknown)"
    echo "CUDA: $(about cuda); cuBLAS: $(about cublas) in ${cublas:-the system\'s folders}"
    echo "revision: $(about revision)"
    echo "processors: $(nproc)"
  } | tee "$file"
  [[ $info == *"(sm_"* ]] || { echo "gpu: FAILED: $info" | tee -a "$file" && exit 1; }
  check "instructions, device against emulator" 20 conformance
  check "tests" 120 tests
  for tool in memcheck racecheck initcheck synccheck; do
    check "compute-sanitizer $tool" 35 sanitizer $tool "$([ $tool = racecheck ] && echo bf16 || echo f32)"
  done
  check "training in f32, cpu against cuda" 20 training f32 1e-4
  check "training in f32, cuda twice" 10 repeated f32
  check "training in bf16, cpu against cuda" 20 training bf16 5e-2
  check "training in bf16, cuda twice" 10 repeated bf16
  check "training as a CUDA graph" 30 graph
  check "training with --devices 0" 10 devices
  check "encodings in f32, cpu against cuda" 60 variants f32 1e-4
  check "encodings in bf16, cpu against cuda" 60 variants bf16 1e-2
  check "nano on the processor" 40 nano cpu
  check "nano on the GPU" 30 nano cuda
  check "kernels" 90 bench
  check "attention against PyTorch" 90 pytorch gpu_attention
  check "training steps against PyTorch" 100 pytorch gpu_step --quick
  echo "$failed failed" | tee -a "$file"
  [ $failed = 0 ]
}

case ${1:-} in
can-run) can_run ;;
step) "step_$2" "${@:3}" ;;
differences) differences "${@:2}" ;;
failures) failures ;;
*) check_all "$@" ;;
esac
