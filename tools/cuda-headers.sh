#!/usr/bin/env bash
# Fetches the headers of CUDA 12.9 or 13.5 from PyPI, where NVIDIA keeps them in
# the wheel of the CUDA runtime, and prints the folder that cuda.h is in:
#
#	tools/cuda-headers.sh 12.9|13.5
#
# They stay in .tools/cuda-VERSION. Downloads 3 MB; needs python3 with pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'cuda-headers: %s\n' "$1" >&2; exit 1; }

case ${1:-} in
12.9) wheel='nvidia-cuda-runtime-cu12==12.9.79 --hash=sha256:25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3' ;;
13.5) wheel='nvidia-cuda-runtime==13.5.37 --hash=sha256:df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d' ;;
*) fail "which headers: 12.9 or 13.5" ;;
esac
folder=$PWD/.tools/cuda-$1
if [ ! -e "$folder/include/cuda.h" ]; then
	python3 -m pip --version >/dev/null 2>&1 || fail "needs python3 with pip"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	printf '%s\n' "$wheel" >"$work/wheel.txt"
	python3 -m pip -q --disable-pip-version-check download --no-deps --require-hashes -d "$work" -r "$work/wheel.txt" >&2 ||
		fail "${wheel%% *} could not be fetched from PyPI"
	python3 -m zipfile -e "$work"/*.whl "$work/wheel"
	mkdir -p "$folder"
	rm -rf "$folder/include"
	mv "$work"/wheel/nvidia/*/include "$folder/include"
fi
printf '%s\n' "$folder/include"
