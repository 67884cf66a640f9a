#!/bin/sh
# Measures OpenBLAS and PyTorch on the shapes of bench, then bench itself, and
# prints all side by side; "vs" is how many times faster a peer is.
#
#   bench/peers/run.sh [MODEL [BATCH [THREADS [RUNS]]]]
#
# Where libopenblas or PyTorch is missing, Debian's packages are installed,
# which takes root. PYTHON chooses another Python, with a PyTorch of its own.
# With HUBEL_CPU=avx2, OpenBLAS too is held to its kernels for AVX2.
set -eu
cd "$(dirname "$0")/../.."
model=${1:-alexnet} batch=${2:-128} threads=${3:-$(nproc)} runs=${4:-5}
python=${PYTHON:-/usr/bin/python3} # the one that Debian's PyTorch belongs to
unset OPENBLAS_CORETYPE # it may hide the machine's best kernels
[ "${HUBEL_CPU:-}" != avx2 ] || export OPENBLAS_CORETYPE=Haswell

missing=
command -v cc >/dev/null || missing="gcc libc6-dev"
echo '#include <cblas.h>' | cc -E - >/dev/null 2>&1 || missing="$missing libopenblas-dev"
"$python" -c 'import torch' 2>/dev/null || missing="$missing python3-torch"
if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "run.sh: missing $missing; run as root, or first: apt-get install $missing" >&2
		exit 1
	fi
	apt-get update -q >&2
	# shellcheck disable=SC2086 # a list
	apt-get install -q -y --no-install-recommends $missing >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bench" ./cmd/bench
cc -O2 -o "$work/openblas" bench/peers/openblas.c -lopenblas -lm
"$work/bench" gemm -model "$model" -batch "$batch" -threads "$threads" -runs 1 -json "$work/shapes.json" >/dev/null
"$python" bench/peers/openblas.py "$work/openblas" "$work/shapes.json" "$runs" "$threads" >"$work/openblas.json"
"$python" bench/peers/torch_layers.py "$model" "$batch" "$runs" "$threads" >"$work/torch.json"
"$work/bench" all -model "$model" -batch "$batch" -threads "$threads" -runs "$runs" -peers "$work/openblas.json,$work/torch.json"
