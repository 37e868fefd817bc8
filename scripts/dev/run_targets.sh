#!/usr/bin/env bash
# Runs make targets one after another, even if some fail, and ends with a summary.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

failed=0
summary=()
for part in "$@"; do
  printf '\n\033[1m== %s\033[0m\n' "$part"
  begun=$SECONDS
  if make "$part"; then result='ok'; else result='FAILED'; failed=1; fi
  summary+=("$(printf '  %-18s %-7s %4d s' "$part" "$result" $((SECONDS - begun)))")
done

printf '\n\033[1m== summary\033[0m\n'
printf '%s\n' "${summary[@]}"
exit $failed
