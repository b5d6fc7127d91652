#!/usr/bin/env bash
# What the tests of the image need. Does nothing where all is there.
# usage: install_container_tools.sh registry               Debian's docker-registry
#        install_container_tools.sh daemon BASE.tar.gz     where no Docker daemon runs: Debian's packages, and a base image
#                                                          in place of the one that the Dockerfile names; needs root
set -euo pipefail

install_missing() {
  local missing=() pair as_root=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  echo "installing ${missing[*]} ..." >&2
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

if [ "$1" = registry ]; then
  install_missing docker-registry:docker-registry
  exit 0
fi

install_missing dockerd:docker.io debootstrap:debootstrap
base="$2"
[ ! -s "$base" ] || exit 0

# Debian 13 has the interpreter of the runtime (3.13). As in the real base, it is called /usr/local/bin/python.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
echo "making $base ..." >&2
debootstrap --variant=minbase --include=python3,ca-certificates trixie "$scratch/root" \
  "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$scratch/log" 2>&1 || { tail -n 5 "$scratch/log" >&2 && exit 1; }
for name in python python3; do ln -sfn /usr/bin/python3 "$scratch/root/usr/local/bin/$name"; done
rm -rf "$scratch/root/var/cache/apt/archives"/*.deb "$scratch/root/var/lib/apt/lists"/* \
  "$scratch/root/usr/share"/{doc,man,locale}
mkdir -p "$(dirname "$base")"
tar -C "$scratch/root" -czf "$base.part" .
mv "$base.part" "$base"
