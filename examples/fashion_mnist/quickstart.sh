#!/usr/bin/env bash
# Trains recipe.yaml, exports the model to ONNX, checks that the file says what the checkpoint says, and looks at a few
# predictions:
#
#   quickstart.sh <program> <output folder>
#
# Figures are left in <output folder>/summary.json. What is up to date is not done again.
set -euo pipefail

[ $# -eq 2 ] || {
  echo "quickstart: give the program and the folder to write to: quickstart.sh build/release/bin/tenon build/quickstart" >&2
  exit 2
}
program=$1
out=$2
recipe=$(dirname "${BASH_SOURCE[0]}")/recipe.yaml
least_accuracy=0.915
most_difference=0.0001
start=$(date +%s.%N)

say() { printf '== %s\n' "$*"; }
# number <key> <file>: the first number under that key of a JSON file.
number() { grep -oE "\"$1\": *-?[0-9][0-9.eE+-]*" "$2" | head -n 1 | sed 's/.*: *//'; }
text() { grep -oE "\"$1\": *\"[^\"]*\"" "$2" | head -n 1 | sed 's/.*: *"//; s/"$//'; }
holds() { awk "BEGIN { exit !($1) }"; }
# newer <file> <file...>: the first exists, and none of the others changed after it was made.
newer() {
  local made=$1 other
  shift
  [ -s "$made" ] || return 1
  for other in "$@"; do if [ "$other" -nt "$made" ]; then return 1; fi; done
}
# write <file> <command...>: the command's output, as a whole or not at all.
write() {
  local file=$1
  shift
  "$@" >"$file.part"
  mv "$file.part" "$file"
}

mkdir -p "$out"
model=$out/fashion_mnist.onnx

say "train: $recipe"
write "$out/train.json" "$program" train "$recipe" --output "$out/run" --if-changed --json
checkpoint=$(text checkpoint "$out/train.json")

say "export: $model"
if ! newer "$out/export.json" "$checkpoint" "$program" "$model" || [ ! -s "$model" ]; then
  write "$out/export.json" "$program" export "$checkpoint" --output "$model" --check 1000 --json
fi

say "evaluate: $model"
if ! newer "$out/eval.json" "$model" "$recipe" "$program"; then
  write "$out/eval.json" "$program" eval "$model" --recipe "$recipe" --json
fi

say "look: what the model says of some pictures that it has not seen"
"$program" eval "$checkpoint" --show 8

accuracy=$(number accuracy "$out/train.json")
onnx_accuracy=$(number accuracy "$out/eval.json")
difference=$(number max_abs_diff "$out/export.json")
cat >"$out/summary.json.part" <<END
{
  "test_accuracy": $accuracy,
  "onnx_test_accuracy": $onnx_accuracy,
  "onnx_max_abs_diff": $difference,
  "epochs": $(number epochs "$out/train.json"),
  "train_seconds": $(number train_seconds "$out/train.json"),
  "setup_seconds": ${TENON_QUICKSTART_SETUP_SECONDS:-0},
  "build_seconds": ${TENON_QUICKSTART_BUILD_SECONDS:-0},
  "wall_seconds": $(awk "BEGIN { printf \"%.2f\", $(date +%s.%N) - $start }")
}
END
mv "$out/summary.json.part" "$out/summary.json"

say "done: test accuracy $accuracy after $(number epochs "$out/train.json") epochs in $(number train_seconds "$out/train.json") s of training"
say "      $checkpoint"
say "      $model (within $difference of the checkpoint, accuracy $onnx_accuracy)"
say "      $out/run/report.html, $out/summary.json"

failed=0
complain() {
  printf 'quickstart: %s\n' "$1" >&2
  failed=1
}
holds "$accuracy >= $least_accuracy" || complain "the test accuracy is $accuracy; $least_accuracy was expected."
holds "$difference <= $most_difference" || complain "the exported model differs by $difference from the checkpoint; at most $most_difference was expected."
holds "$accuracy == $onnx_accuracy" || complain "the exported model's accuracy is $onnx_accuracy, the checkpoint's $accuracy."
exit $failed
