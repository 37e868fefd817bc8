#!/usr/bin/env bash
# Prepares a checkout so that everything runs. Idempotent: each step leaves a stamp named after the hash of its
# inputs, so a second run does nothing.
#
#   scripts/dev/setup.sh            Python environment, Solidity toolchain, static files of the pages
#   scripts/dev/setup.sh services   PostgreSQL, Redis, RabbitMQ and mosquitto from the system's packages, where missing
#   scripts/dev/setup.sh proxy      nginx and iproute2, where missing
#   scripts/dev/setup.sh browser    Chromium, where missing
#   scripts/dev/setup.sh geth       the last geth that seals Clique blocks, built from source into .build/bin
#   scripts/dev/setup.sh lock       renews requirements.lock and package-lock.json from their sources
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PYTHON="${PYTHON:-python3}"
VENV=.venv
STAMPS=.build/stamps
GETH_VERSION=1.13.15
UV_VERSION="$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)"

say() { printf '\033[1msetup:\033[0m %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# unless_done STEP RESULT INPUT...: runs setup_STEP unless RESULT exists and was made from exactly these inputs
unless_done() {
  local step=$1 made=$2 stamp
  shift 2
  stamp="$STAMPS/$step-$(cat "$@" | sha256sum | cut -c1-16)"
  if [ -e "$made" ] && [ -e "$stamp" ]; then return; fi
  "setup_$step"
  rm -f "$STAMPS/$step"-*
  touch "$stamp"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  command -v apt-get >/dev/null || die "please install: $*"
  say "installing $*"
  # Tests start services themselves, on their own ports; nothing should start at boot.
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
    made_policy=1
  fi
  local status=0
  local patient=(-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  as_root apt-get "${patient[@]}" update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
  [ -z "$made_policy" ] || as_root rm -f $policy
  return $status
}

check_interpreters() {
  command -v "$PYTHON" >/dev/null || apt_install python3 python3-venv
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed"
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  command -v npm >/dev/null || apt_install nodejs npm
  node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' || die "Node 18 or newer is needed"
}

setup_python() {
  say "Python environment in $VENV"
  [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
  # uv is much faster but not available everywhere; pip installs the same locked set.
  if "$VENV/bin/python" -m pip install -q --disable-pip-version-check "uv==$UV_VERSION" 2>/dev/null &&
     "$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --require-hashes -r requirements.lock; then
    "$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --no-deps --no-build-isolation -e sdk -e . -e loyalty
  else
    say "uv cannot reach the packages, trying pip"
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e sdk -e . -e loyalty
  fi
}

setup_node() {
  say "Solidity toolchain in node_modules"
  # Foundry's packages ask for a newer Node than Debian has, but their programs need no Node at all; --force accepts that.
  # Only Linux on x86-64 can use them. Elsewhere scripts/dev/env.sh leaves them out, and Foundry has its own installer.
  npm ci --force --loglevel=error
  [ "$(uname -sm)" = "Linux x86_64" ] || command -v forge >/dev/null || die "please install Foundry 1.7"
}

# ape takes its compilers from a directory and would download a missing one. scripts/dev/env.sh names the first of these
# two directories; the second serves an ape that is called without it.
setup_ape_compiler() {
  local version directory
  version="$(sed -n 's/.*"solc": "\([0-9.]*\)".*/\1/p' package.json)"
  for directory in "$PWD/.build/solcx" "$HOME/.solcx"; do
    [ ! -e "$directory/solc-v$version" ] || continue
    mkdir -p "$directory"
    ln -sfn "$PWD/scripts/dev/solc" "$directory/solc-v$version" # replaces the link of a deleted checkout, too
  done
}

# The Debian package of PostgreSQL keeps its server programs off PATH.
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

setup_pages() {
  say "static files of the pages in pages/static/dist"
  node pages/build/build.mjs
}

# So does the package of mosquitto.
has_mosquitto() { [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null; }

setup_services() {
  local missing=()
  has_postgres || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  has_mosquitto || missing+=(mosquitto)
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null || missing+=(rabbitmq-server)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

setup_proxy() {
  local missing=()
  command -v nginx >/dev/null || missing+=(nginx-light)
  command -v ip >/dev/null || missing+=(iproute2)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

setup_browser() {
  command -v chromium >/dev/null || apt_install chromium fonts-noto-cjk
}

# Go checks the sources against its public log of checksums. The flag is for a package that reaches into Go's runtime, which Go has
# refused to link since 1.23.
setup_geth() {
  local go_minor built=.build/bin/geth
  if [ "$([ ! -x $built ] || $built --version)" = "geth version $GETH_VERSION-stable" ]; then return; fi
  command -v go >/dev/null || die "please install Go 1.23 or newer (https://go.dev/dl): geth $GETH_VERSION is built from source"
  go_minor="$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')"
  [ "${go_minor:-0}" -ge 23 ] || die "Go 1.23 or newer is needed, this is $(go env GOVERSION)"
  say "geth $GETH_VERSION in .build/bin, which takes some minutes"
  GOBIN="$PWD/.build/bin" nice -n 5 go install -ldflags=-checklinkname=0 "github.com/ethereum/go-ethereum/cmd/geth@v$GETH_VERSION"
}

# Locks name no index and no path, so that they work on any machine.
renew_locks() {
  "$VENV/bin/uv" pip compile -q --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
    --upgrade --extra dev --no-emit-package tongdui pyproject.toml -o requirements.lock
  npm install --package-lock-only --omit-lockfile-registry-resolved --loglevel=error
}

mkdir -p "$STAMPS"
exec 9>"$STAMPS/lock"
flock 9 # two runs at once, as in `make -j`, would disturb each other

case "${1:-base}" in
  base)
    check_interpreters
    unless_done python "$VENV/bin/ape" requirements.lock pyproject.toml sdk/pyproject.toml loyalty/pyproject.toml
    unless_done node node_modules/solc package-lock.json .npmrc
    setup_ape_compiler
    mapfile -t page_sources < <(find pages/build -type f | LC_ALL=C sort)
    unless_done pages pages/static/dist/manifest.json package-lock.json "${page_sources[@]}"
    ;;
  services) setup_services ;;
  proxy) setup_proxy ;;
  browser) setup_browser ;;
  geth) setup_geth ;;
  lock) renew_locks ;;
  *) die "unknown step: $1" ;;
esac
