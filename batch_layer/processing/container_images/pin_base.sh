#!/usr/bin/env bash
# Writes base.txt: the base image of the Dockerfile by the digest that its tag has today. Run it again to take a patched
# base, and commit the file: the image's tag is made of it, so the next deployment builds and pushes anew.
# usage: pin_base.sh            needs Docker and the registry; takes no login
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
DOCKER="${DOCKER:-docker}"
BASE="$(sed -n 's/^ARG BASE=//p' "$HERE/Dockerfile")"

# The digest of the index of all platforms, as the registry has it: pulling by it works for x86_64 and arm64 alike.
"$DOCKER" pull --quiet "$BASE" >/dev/null
digest="$("$DOCKER" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$BASE" \
  | sed -n 's/.*@\(sha256:[0-9a-f]\{64\}\)$/\1/p' | head -n 1)"
[ -n "$digest" ] || { echo "error: $DOCKER tells no digest of $BASE" >&2 && exit 1; }
printf '%s@%s\n' "$BASE" "$digest" >"$HERE/base.txt"
echo "$HERE/base.txt: $(cat "$HERE/base.txt")"
