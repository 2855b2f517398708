#!/bin/bash
# What `plan` says against what a step takes: a table of models, sizes, batches and types with memory (all of the
# process, the most it had) and time (the fastest step), planned and measured, and how far apart in percent.
#
#   plan.sh [--models "vit_tiny vit_small"] [--sizes "224 512"] [--batches "1 8"] [--dtypes "f32 bf16"]
#
# BUILD=build/clang++-14 takes another build than build/.
set -euo pipefail

models="vit_tiny vit_small" sizes="224 512" batches="1 8" dtypes="f32 bf16"
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || { echo "plan.sh: $1: wanted a value" >&2; exit 2; }
  case $1 in
    --models) models=$2 ;;
    --sizes) sizes=$2 ;;
    --batches) batches=$2 ;;
    --dtypes) dtypes=$2 ;;
    *) echo "plan.sh: there is no option $1" >&2; exit 2 ;;
  esac
  shift 2
done
program=${BUILD:-build}/lookhere
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first number of this name in a file of JSON.
number() { tr ',{}' '\n' <"$2" | sed -n "s/^ *\"$1\": \([-0-9.e+]*\) *$/\1/p" | sed 1q; }

# What went wrong, of what the program says on the way.
said() { grep '^lookhere: ' >&2 || true; }

echo "| model | px | batch | dtype | GB planned | measured | off | s planned | measured | off |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for model in $models; do
  for size in $sizes; do
    for batch in $batches; do
      for dtype in $dtypes; do
        run=(--model "$model" --img-size "$size" --batch-size "$batch" --dtype "$dtype")
        "$program" plan "${run[@]}" --json 2>&1 >"$work/plan" | said
        "$program" bench step "${run[@]}" --steps 4 --json "$work/step" 2>&1 >"$work/table" | said
        awk -v row="| $model | $size | $batch | $dtype" -v planned="$(number bytes "$work/plan")" \
          -v measured="$(number peak_rss_bytes "$work/step")" -v seconds="$(number seconds "$work/plan")" \
          -v fastest="$(number seconds_min "$work/step")" 'BEGIN {
            printf "%s | %.3f | %.3f | %+.1f %% | %.3g | %.3g | %+.0f %% |\n", row, planned / 1e9, measured / 1e9,
              100 * (planned / measured - 1), seconds, fastest, 100 * (seconds / fastest - 1)
          }'
      done
    done
  done
done
