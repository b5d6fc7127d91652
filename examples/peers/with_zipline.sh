#!/bin/sh
# zipline: a bundle that it ingests; for-zipline/condvest-symbols.csv says which name stands for which symbol.
set -eu
condvest export zipline for-zipline
zipline -e for-zipline/extension.py ingest -b condvest
zipline -e for-zipline/extension.py bundles
