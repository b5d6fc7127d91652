#!/usr/bin/env bash
# Installs what the tests of the AWS side need beside Terraform: two environments under build/aws-tools, apart from .venv
# since their dependencies would fight with the project's. Does nothing where they are up to date.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${CONDVEST_AWS_TOOLS:-$here/../../build/aws-tools}"
python="${PYTHON:-python3}"

for name in emulator checkov; do
  wanted="$here/requirements-$name.txt"
  [ ! -x "$tools/$name/bin/python" ] || ! cmp -s "$wanted" "$tools/$name/requirements.txt" || continue
  echo "installing $name into $tools/$name ..." >&2
  "$python" -m venv --clear "$tools/$name"
  "$tools/$name/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$tools/$name/requirements.txt"
done

command -v terraform >/dev/null || echo "still needed: terraform 1.7 or later (https://developer.hashicorp.com/terraform/install)" >&2
command -v shellcheck >/dev/null || echo "still needed: shellcheck (apt-get install shellcheck, brew install shellcheck)" >&2
