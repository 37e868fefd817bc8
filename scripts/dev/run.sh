#!/usr/bin/env bash
# Runs one command in the project's own environment, wherever it is called from: `scripts/dev/run.sh mypy`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/dev/env.sh
exec "$@"
