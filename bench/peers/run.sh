#!/bin/sh
# Measures OpenBLAS and PyTorch on the shapes of bench, and bench itself, and
# prints all side by side, with how many times as fast bench is.
#
#   bench/peers/run.sh                                    all that docs/performance.md shows
#   bench/peers/run.sh gemm|layers|net|all MODEL BATCH    one part of it
#
# THREADS (all cores) and RUNS (5) may be set. OUT is a folder for the reports
# and pictures. HUBEL_CPU=avx2 holds OpenBLAS to its kernels for AVX2 too.
#
# Where a C compiler, libopenblas or PyTorch is missing, Debian's packages are
# installed, which takes root. The newest PyTorch of PyPI goes into .tools/, some
# GB; PYPI=no leaves it out.
set -eu
cd "$(dirname "$0")/../.."
threads=${THREADS:-$(nproc)} runs=${RUNS:-5}

wrong() {
	echo "run.sh: $1" >&2
	exit 2
}
number() { # NAME VALUE
	case $2 in
	'' | *[!0-9]* | 0*) wrong "$1 \"$2\" is not a whole number above 0" ;;
	esac
}
number THREADS "$threads"
number RUNS "$runs"
if [ $# -gt 0 ]; then
	[ $# = 3 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
	case $1 in gemm | layers | net | all) ;; *) wrong "\"$1\" is not gemm, layers, net or all" ;; esac
	case $1,$2 in gemm,* | *,alexnet | *,lenet) ;; *) wrong "PyTorch has no \"$2\" here; there are alexnet and lenet" ;; esac
	number BATCH "$3"
fi
command -v go >/dev/null || wrong "there is no go in the PATH"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # they may hide the machine's best kernels
[ "${HUBEL_CPU:-}" != avx2 ] || export OPENBLAS_CORETYPE=Haswell

openblas() { cc -O2 -Wall -Werror -o "$work/openblas" bench/peers/openblas.c -lopenblas -lm; }
missing=
command -v cc >/dev/null || missing="gcc libc6-dev "
openblas 2>/dev/null || missing="${missing}libopenblas-dev "
/usr/bin/python3 -c 'import torch' 2>/dev/null || missing="${missing}python3-torch "
if [ "${PYPI:-yes}" != no ]; then
	/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="${missing}python3-venv "
fi
if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "run.sh: missing ${missing% }; run as root on Debian, or first: apt-get install ${missing% }" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list
	{ apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >&2 || {
		echo "run.sh: could not install ${missing% }" >&2
		exit 1
	}
	openblas
fi
pythons=/usr/bin/python3
newest=.tools/pytorch/bin/python
if [ "${PYPI:-yes}" != no ]; then
	if "$newest" -c 'import torch' 2>/dev/null ||
		{ /usr/bin/python3 -m venv .tools/pytorch && .tools/pytorch/bin/pip install -q torch numpy >&2; }; then
		pythons="$pythons $newest"
	else
		echo "run.sh: the newest PyTorch could not be installed from PyPI; it is left out" >&2
	fi
fi

out=${OUT:-$work}
mkdir -p "$out"
go build -o "$work/bench" ./cmd/bench

# part KIND MODEL BATCH measures one part, peers first.
part() {
	name=$2-$3-$1${HUBEL_CPU:+-$HUBEL_CPU} peers=
	case $1 in gemm | all)
		"$work/bench" gemm -model "$2" -batch "$3" -threads "$threads" -runs 1 -json "$work/shapes.json" >"$work/shapes.txt"
		/usr/bin/python3 bench/peers/openblas.py "$work/openblas" "$work/shapes.json" "$runs" "$threads" >"$work/openblas.json"
		peers=$work/openblas.json
		;;
	esac
	case $1 in layers | net | all)
		for python in $pythons; do
			json=$work/torch$(echo "$python" | tr / -).json
			"$python" bench/peers/torch_layers.py "$1" "$2" "$3" "$runs" "$threads" >"$json"
			peers=$peers${peers:+,}$json
		done
		;;
	esac
	pictures=
	case $1 in layers | all) pictures="-plot $out/$name.png -roofline $out/$name-roofline.png" ;; esac
	# shellcheck disable=SC2086 # flags
	"$work/bench" "$1" -model "$2" -batch "$3" -threads "$threads" -runs "$runs" -peers "$peers" -json "$out/$name.json" $pictures
}

if [ $# -gt 0 ]; then
	part "$@"
	exit
fi
part all alexnet 128
part net alexnet 1
part all lenet 64
export HUBEL_CPU=avx2 OPENBLAS_CORETYPE=Haswell
part gemm alexnet 128
part gemm lenet 64
