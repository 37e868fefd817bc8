# Puts the project's own tools first on PATH and tells ape where the compiler is. Source it, as the Makefile does:
# `. scripts/dev/env.sh`.
_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/../.." && pwd)"
_tools=""
if [ "$(uname -sm)" = "Linux x86_64" ]; then
  for _bin in "$_root"/node_modules/@foundry-rs/*-*-*/bin; do
    [ -d "$_bin" ] && _tools="$_tools$_bin:"
  done
fi
export PATH="$_root/.venv/bin:$_tools$PATH"
export SOLCX_BINARY_PATH="$_root/.build/solcx"
unset _root _tools _bin
# With it, each process compiles all that it imports anew, and the tests start hundreds.
unset PYTHONDONTWRITEBYTECODE
