#!/usr/bin/env bash
# Installs what tries deploy/, where it is missing, and tries it: image, compose.yaml, units, chart, alerts, dashboard, proxy.
#
#   scripts/dev/packaging.sh        bubblewrap, promtool and nginx from the system's packages, helm with Go, linters from a lock file
#   scripts/dev/packaging.sh lock   takes what the image needs anew from requirements.lock into deploy/docker/*.lock
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/dev/env.sh

BUILD="$PWD/.build/packaging"
HELM_VERSION=v3.22.0
COMPOSE_VERSION=v2.16.2
TOOLS=scripts/dev/packaging-tools.lock

die() { printf 'packaging: %s\n' "$*" >&2; exit 1; }

lock() {
  local options=(-q --universal --python-version 3.11 --no-header --no-annotate --generate-hashes -c requirements.lock)
  uv pip compile "${options[@]}" --extra aws --extra otel --no-emit-package tongdui pyproject.toml -o deploy/docker/runtime.lock
  uv pip compile "${options[@]}" --no-emit-package tongdui loyalty/pyproject.toml -o deploy/docker/loyalty.lock
  uv pip compile "${options[@]}" - -o deploy/docker/build.lock <<< hatchling
}

system_packages() {
  local missing=() policy=/usr/sbin/policy-rc.d status=0
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  command -v promtool >/dev/null || missing+=(prometheus)
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
  command -v systemd-analyze >/dev/null || missing+=(systemd)
  [ ${#missing[@]} != 0 ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -e $policy ] || die "please install: ${missing[*]}"
  printf '#!/bin/sh\nexit 101\n' > $policy # only the programs are wanted: no server is to start
  chmod +x $policy
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || status=$?
  rm -f $policy
  return $status
}

# Go checks the sources against its public log of checksums.
go_tools() {
  if ! go version -m .build/bin/helm 2>/dev/null | grep -q "helm.sh/helm/v3[[:space:]]$HELM_VERSION"; then
    command -v go >/dev/null || die "please install Go 1.25 or newer (https://go.dev/dl): helm $HELM_VERSION is built from source"
    echo "packaging: helm $HELM_VERSION in .build/bin, which takes some minutes"
    GOBIN="$PWD/.build/bin" nice -n 5 go install "helm.sh/helm/v3/cmd/helm@$HELM_VERSION"
  fi
  [ ! -e "$BUILD/compose-spec-$COMPOSE_VERSION.json" ] || return 0
  local sources
  sources="$(cd "$BUILD" && go mod download -json "github.com/compose-spec/compose-go/v2@$COMPOSE_VERSION" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')"
  install -m 644 "$sources/schema/compose-spec.json" "$BUILD/compose-spec-$COMPOSE_VERSION.json"
}

linters() {
  cmp -s "$TOOLS" "$BUILD/tools.lock" && return
  uv venv -q --clear "$BUILD/tools"
  uv pip install -q --python "$BUILD/tools" --require-hashes -r "$TOOLS"
  cp "$TOOLS" "$BUILD/tools.lock"
}

if [ "${1:-}" = lock ]; then lock; exit; fi
mkdir -p "$BUILD"
system_packages
go_tools
linters
PACKAGING=1 exec pytest -n 0 "${@:-tests/packaging}"
