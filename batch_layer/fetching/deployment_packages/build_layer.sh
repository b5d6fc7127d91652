#!/usr/bin/env bash
# Builds the layer: the heavy dependencies (pandas, numpy, yfinance, pandas-market-calendars), to build/lambda/layer.zip.
# usage: build_layer.sh [--publish] [--arch x86_64|arm64] [--python 3.13] [--out DIR]
# The same inputs give the same bytes. With --publish what was built before is published under its SHA-256.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PACKING="$HERE/../../deploy/packing/packing.py"
PYTHON="${PYTHON:-python3}"
LAYER_NAME="${LAYER_NAME:-condvest-batch-dependencies}"

field() {
  "$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

publish() {
  local manifest="$1/layer.json"
  [ -f "$manifest" ] || "$HERE/build_layer.sh" --out "$1"
  aws lambda publish-layer-version --layer-name "$LAYER_NAME" \
    --description "sha256:$(field "$manifest" sha256)" \
    --zip-file "fileb://$(field "$manifest" path)" \
    --compatible-runtimes "$(field "$manifest" runtime)" \
    --compatible-architectures "$(field "$manifest" architecture)" \
    --query LayerVersionArn --output text
}

if [ "${1:-}" = --publish ]; then
  publish "${2:-$HERE/../../../build/lambda}"
else
  exec "$PYTHON" "$PACKING" layer "$@"
fi
