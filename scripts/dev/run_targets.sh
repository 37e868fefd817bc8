#!/usr/bin/env bash
# Runs make targets one after another, even if some fail, and ends with a summary. Targets joined by + run side by side; what each of
# them says is shown when it has ended.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
trap 'trap "" TERM; kill 0' INT # what runs side by side ignores Ctrl-C

# Makes one target, and notes its line of the summary.
run_one() {
  local begun=$SECONDS result='ok'
  make "$1" || { result='FAILED'; touch "$results/failed"; }
  printf '  %-18s %-7s %4d s\n' "$1" "$result" $((SECONDS - begun)) >> "$results/summary"
}

run_quietly() {
  run_one "$1" > "$results/$1" 2>&1
  flock "$results/shown" sh -c 'printf "\n\033[1m== %s\033[0m\n" "$1"; cat "$2"' show "$1" "$results/$1"
}

for group in "$@"; do
  if [[ $group == *+* ]]; then
    for part in ${group//+/ }; do run_quietly "$part" & done
    wait
  else
    printf '\n\033[1m== %s\033[0m\n' "$group"
    run_one "$group"
  fi
done

printf '\n\033[1m== summary\033[0m\n'
cat "$results/summary"
[[ ! -e $results/failed ]]
