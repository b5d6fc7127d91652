#!/usr/bin/env bash
# Builds the package of the function that serves: our code and what it needs, to build/lambda/serving.zip.
# usage: build_package.sh [--arch x86_64|arm64] [--python 3.13] [--out DIR]
# The same inputs give the same bytes.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$HERE/../../batch_layer/deploy/packing/packing.py" serving "$@"
