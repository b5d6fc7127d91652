#!/usr/bin/env bash
# Builds the package of the functions: our code and its light dependencies, to build/lambda/functions.zip.
# usage: build_packages.sh [--arch x86_64|arm64] [--python 3.13] [--out DIR]
# The same inputs give the same bytes. CONDVEST_RDS_BUNDLE names a copy of the authorities of RDS, which are fetched
# from AWS otherwise.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PACKING="$HERE/../../deploy/packing/packing.py"
exec "${PYTHON:-python3}" "$PACKING" function "$@"
