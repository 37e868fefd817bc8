#!/bin/sh
# Builds wheels of this checkout and installs them, with what they need, into a new environment: what the image contains.
#
#   deploy/docker/build.sh /opt/tongdui              the network: tongdui-clearing and tongdui
#   deploy/docker/build.sh /opt/tongdui programme    a merchant's programme: tongdui-loyalty and tongdui
#
# All that comes from elsewhere is named by the lock files with its hash, and comes as a wheel: nothing is compiled. The pages' static
# files have to be built already.
set -eu
target=$1
part=${2:-network}
case $part in
  network) sources=". sdk" lock=runtime.lock ;;
  programme) sources="loyalty sdk" lock=loyalty.lock ;;
  *) echo "there is no part $part: network or programme" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/../.."
[ -f pages/static/dist/manifest.json ] || { echo "first build the pages' static files: node pages/build/build.mjs" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/builder"
install="$work/builder/bin/python -m pip --disable-pip-version-check --no-cache-dir --quiet"
$install install --only-binary :all: --require-hashes -r deploy/docker/build.lock
for source in $sources; do
  (cd "$source" && "$work/builder/bin/python" -m hatchling build -t wheel -d "$work/wheels")
done

# Without pip: what runs in production installs nothing.
python3 -m venv --without-pip "$target"
$install --python "$target/bin/python" install --no-deps --only-binary :all: --require-hashes -r "deploy/docker/$lock"
$install --python "$target/bin/python" install --no-deps --no-index "$work"/wheels/*.whl
