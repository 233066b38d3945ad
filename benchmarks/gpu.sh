#!/bin/sh
# Every check of a GPU within ten minutes, as one Markdown table: benchmarks/gpu.sh [NETWORK ...] [--device cuda] [--small]
# PYTHON=python3 benchmarks/gpu.sh   chooses another interpreter than .venv's.
root=$(dirname "$0")/..
exec timeout 600 "${PYTHON:-$root/.venv/bin/python}" "$root/docs/scripts/measure_gpu.py" "$@"
