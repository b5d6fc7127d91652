#!/bin/sh
# Lean: its data folder, with map and factor files.
set -eu
condvest export lean for-lean
ls for-lean/equity/usa/daily
