#!/bin/sh
# Measures OpenBLAS, PyTorch, ONNX Runtime and OpenVINO on the networks of bench, and bench
# itself, and prints all side by side, with how many times as fast bench is.
#
#   bench/peers/run.sh                                    all that docs/performance.md shows
#   bench/peers/run.sh nets                               whole networks of ImageNet alone
#   bench/peers/run.sh layers                             their layers, with 1 and all threads
#   bench/peers/run.sh gemm|layers|net|all MODEL BATCH    one part of it
#
# THREADS (all cores), RUNS (5) and, for nets and layers, MODELS may be set, for layers BATCHES
# too. OUT is a folder for the reports and pictures. HUBEL_CPU=avx2 holds OpenBLAS to its kernels for AVX2 too.
#
# PyTorch is measured in both of its layouts and, for whole steps, compiled. ONNX Runtime and
# OpenVINO only do inference. Where a C compiler or libopenblas is missing, Debian's packages
# are installed, which takes root. The newest programs of PyPI go into .tools/, some GB; with
# PYPI=no there is Debian's PyTorch instead, which is measured too wherever it is installed.
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
case $#,${1:-} in
0,* | 1,nets | 1,layers) ;;
3,*)
	case $1 in gemm | layers | net | all) ;; *) wrong "\"$1\" is not gemm, layers, net or all" ;; esac
	number BATCH "$3"
	;;
*) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
models=${MODELS:-alexnet vgg16 resnet18 resnet50 googlenet squeezenet1.1 mobilenet-v2 densenet121}
batches=${BATCHES:-1 8 32}
for batch in $batches; do number BATCHES "$batch"; done
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
if [ "${PYPI:-yes}" != no ]; then
	/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="${missing}python3-venv "
else
	/usr/bin/python3 -c 'import torch' 2>/dev/null || missing="${missing}python3-torch "
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
debian=/usr/bin/python3
newest=.tools/pytorch/bin/python
programs= # of PyPI, beside bench
if [ "${PYPI:-yes}" != no ]; then
	[ -x "$newest" ] || /usr/bin/python3 -m venv .tools/pytorch
	for program in torch onnxruntime openvino; do
		if "$newest" -c "import $program" 2>/dev/null || .tools/pytorch/bin/pip install -q "$program" numpy >&2; then
			programs="$programs $program"
		else
			echo "run.sh: the newest $program could not be installed from PyPI; it is left out" >&2
		fi
	done
fi

out=${OUT:-$work}
mkdir -p "$out"
go build -o "$work/" ./cmd/bench ./cmd/convert

# peer FILE COMMAND… runs another program, whose report becomes one of the peers.
peer() {
	json=$work/$1.json
	shift
	if "$@" >"$json"; then
		peers=$peers${peers:+,}$json
	else
		echo "run.sh: $* failed; it is left out" >&2
	fi
}

# part KIND MODEL BATCH measures one part, peers first.
part() {
	name=$2-$3-$1-$threads${HUBEL_CPU:+-$HUBEL_CPU} peers=
	case $1 in gemm | all)
		"$work/bench" gemm -model "$2" -batch "$3" -threads "$threads" -runs 1 -json "$work/shapes.json" >"$work/shapes.txt"
		/usr/bin/python3 bench/peers/openblas.py "$work/openblas" "$work/shapes.json" "$runs" "$threads" >"$work/openblas.json"
		peers=$work/openblas.json
		;;
	esac
	case $1 in layers | net | all)
		net=$work/$2.json
		"$work/convert" -model "$2" -o "$net" >&2
		torch="bench/peers/torch_layers.py $1 $net $3 $runs $threads"
		# shellcheck disable=SC2086 # a list
		{
			if "$debian" -c 'import torch' 2>/dev/null; then
				peer torch-debian "$debian" $torch
			fi
			case $programs in *torch*)
				peer torch "$newest" $torch
				peer torch-channels-last "$newest" $torch channels_last
				;;
			esac
		}
		;;
	esac
	case $1 in net | all)
		case $programs in *torch*)
			peer torch-compile "$newest" bench/peers/torch_layers.py net "$net" "$3" "$runs" "$threads" compile
			;;
		esac
		"$work/convert" -model "$2" -o "$work/$2.onnx" >&2
		for program in onnxruntime openvino; do
			case $programs in *$program*)
				peer "$program" "$newest" bench/peers/onnx_net.py "$program" "$work/$2.onnx" "$2" "$3" "$runs" "$threads"
				;;
			esac
		done
		;;
	esac
	pictures=
	case $1 in layers | all) pictures="-plot $out/$name.png -roofline $out/$name-roofline.png" ;; esac
	# shellcheck disable=SC2086 # flags
	"$work/bench" "$1" -model "$2" -batch "$3" -threads "$threads" -runs "$runs" -peers "$peers" -json "$out/$name.json" $pictures
}

# nets measures whole networks, training and inference at a batch of 32, and one image.
nets() {
	for model in $models; do
		part net "$model" 32
		part net "$model" 1
	done
}

# layers_of_nets measures the layers of the same networks.
layers_of_nets() {
	for threads in ${THREADS:-1 $(nproc)}; do
		for model in $models; do
			for batch in $batches; do
				part layers "$model" "$batch"
			done
		done
	done
}

case $# in
1)
	case $1 in nets) nets ;; layers) layers_of_nets ;; esac
	exit
	;;
3)
	part "$@"
	exit
	;;
esac
nets
part all alexnet 128
part net alexnet 1
part all lenet 64
export HUBEL_CPU=avx2 OPENBLAS_CORETYPE=Haswell
part gemm alexnet 128
part gemm lenet 64
