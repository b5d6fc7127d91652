#!/usr/bin/env bash
# Builds the image of the jobs, tagged by its content: condvest-jobs:<sha256 of what is in it, 16 digits>.
# usage: build_container.sh [--push REPOSITORY] [--arch x86_64|arm64] [--out DIR]
# The last line on standard output is the tag, or with --push REPOSITORY@sha256:... as the registry has it. The base is the
# one that base.txt pins by digest (pin_base.sh writes it), so that a patched base gives another image; BASE_IMAGE names
# another. CONDVEST_RDS_BUNDLE names a copy of the authorities of RDS.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PACKING="$HERE/../../deploy/packing/packing.py"
OUT="$HERE/../../../build/image"
PYTHON="${PYTHON:-python3}"
DOCKER="${DOCKER:-docker}"
if [ -z "${BASE_IMAGE:-}" ]; then
  BASE_IMAGE="$(cat "$HERE/base.txt" 2>/dev/null)" || BASE_IMAGE="$(sed -n 's/^ARG BASE=//p' "$HERE/Dockerfile")"
fi
REPOSITORY="" ARCH=x86_64

while [ $# -gt 0 ]; do
  case "$1" in
    --push) REPOSITORY="$2" && shift ;;
    --arch) ARCH="$2" && shift ;;
    --out) OUT="$2" && shift ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
case "$ARCH" in
  x86_64) PLATFORM=linux/amd64 ;;
  arm64) PLATFORM=linux/arm64 ;;
  *) echo "--arch is x86_64 or arm64, not $ARCH" >&2 && exit 2 ;;
esac

"$PYTHON" "$PACKING" image --arch "$ARCH" --out "$OUT" >&2
content="$(cat "$OUT/app.zip" "$HERE/Dockerfile" "$HERE/condvest" | "$PYTHON" -c '
import hashlib, sys
digest = hashlib.sha256(sys.argv[1].encode())
digest.update(sys.stdin.buffer.read())
print(digest.hexdigest()[:16])' "$BASE_IMAGE $PLATFORM")"
image="condvest-jobs:$content"

build() {
  context="$(mktemp -d)"
  trap 'rm -rf "$context"' EXIT
  umask 022 # whoever builds, the ordinary user of the image can read it
  "$PYTHON" -m zipfile -e "$OUT/app.zip" "$context/app"
  cp "$HERE/Dockerfile" "$HERE/condvest" "$context/"
  chmod 755 "$context/condvest"
  # One manifest a push, and no index with a provenance beside it: ECR's lifecycle counts manifests. The legacy builder
  # makes none, and does not know the option.
  provenance=""
  if "$DOCKER" build --help 2>/dev/null | grep -q -e --provenance; then provenance=--provenance=false; fi
  "$DOCKER" build --platform "$PLATFORM" ${provenance:+"$provenance"} --build-arg "BASE=$BASE_IMAGE" --tag "$image" "$context" >&2
}

if [ -z "$REPOSITORY" ]; then
  build
  echo "$image"
  exit 0
fi
if [ "${REPOSITORY#*.dkr.ecr.}" != "$REPOSITORY" ]; then
  aws ecr get-login-password | "$DOCKER" login --username AWS --password-stdin "${REPOSITORY%%/*}" >&2
fi
# What was pushed before stays: a tag of ECR is written once, and an image built anew would have another digest.
if ! "$DOCKER" pull --quiet --platform "$PLATFORM" "$REPOSITORY:$content" >/dev/null 2>&1; then
  build
  "$DOCKER" tag "$image" "$REPOSITORY:$content"
  "$DOCKER" push "$REPOSITORY:$content" >&2
fi
"$DOCKER" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$REPOSITORY:$content" \
  | grep -F "$REPOSITORY@" | head -n 1
