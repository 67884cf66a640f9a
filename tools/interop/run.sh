#!/usr/bin/env bash
# Compares hubel with other programs, which pip fetches from PyPI into .tools/interop:
#
#   tools/interop/run.sh [CHECK...]
#
# Without arguments it runs every check: each function check_NAME below. One whose packages
# cannot be fetched is skipped, with the reason. NETWORKS names those of torchvision or tflite,
# or of lenet and alexnet those of accuracy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=$PWD/.tools/interop
python=$venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The counts in docs/interop/onnx.md are those of this version's node cases.
onnx=1.23.2

# version is the one that a package is wanted in, nothing if any will do.
version() { case $1 in *==*) echo "${1#*==}\$" ;; esac; }

# need installs packages of PyPI, and says why where it cannot.
need() {
	if [ ! -x "$python" ]; then
		python3 -c 'import ensurepip' 2>/dev/null || { reason='needs python3 with venv: apt-get install python3-venv'; return 1; }
		python3 -m venv "$venv" || { reason="python3 -m venv $venv fails"; return 1; }
	fi
	local package
	for package in "$@"; do
		# Not grep -q: it ends at once, and pip fails at the closed pipe.
		"$python" -m pip show "${package%%[=<>[]*}" 2>/dev/null | grep "^Version: $(version "$package")" >/dev/null || {
			timeout 3600 "$python" -m pip -q --disable-pip-version-check install --retries 1 --timeout 20 "$package" >"$work/pip" 2>&1 || {
				reason="pip cannot install $package: $(tail -n 1 "$work/pip")"
				return 1
			}
		}
	done
}

# check_torchvision compares the networks of torchvision, one after the other: a large one
# takes 3 GB.
check_torchvision() {
	need numpy torch torchvision onnx onnxscript safetensors || return 77
	local name names bad=
	go build -o "$work/convert" ./cmd/convert && go test -c -o "$work/pytorch.test" ./formats/pytorch || return 1
	names=${NETWORKS:-$("$python" tools/interop/save_torchvision.py)} || return 1
	for name in $names; do
		one_of_torchvision "$name" || bad="$bad $name"
		rm -rf "$work/torchvision"
	done
	[ -z "$bad" ] || { echo "torchvision: not the same:$bad"; return 1; }
}

# one_of_torchvision saves a network with random weights. hubel computes what it does, and takes
# a step; torchvision loads what hubel has written.
one_of_torchvision() {
	local name=$1 folder=$work/torchvision
	rm -rf "$folder"
	"$python" tools/interop/save_torchvision.py "$folder" "$name" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	grep "^$name:" "$work/log"
	(cd formats/pytorch && HUBEL_TORCHVISION=$folder "$work/pytorch.test" -test.v -test.timeout 30m -test.run 'Torchvision$') || return 1
	[ -e "$folder/$name.pth" ] || return 0
	"$work/convert" "$folder/$name.pth" -o "$folder/$name.pt.safetensors" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	"$python" tools/interop/load_torchvision.py "$folder" "$name"
}

# check_onnx runs ONNX's node cases, made from its code, and gives a network with each layer to
# ONNX's checker and onnxruntime.
check_onnx() {
	need numpy onnx==$onnx onnxruntime || return 77
	local nodes=$PWD/.tools/onnx-nodes-$onnx
	mkdir -p "$nodes"
	{ [ -e "$nodes/VERSION" ] || "$python" -W ignore tools/interop/onnx-nodes.py "$nodes"; } &&
		HUBEL_ONNX_NODES=$nodes go test -count=1 -v -run 'NodeCases|WhatIsWritten' ./formats/onnx
}

# check_triton asks serve by Triton's client.
check_triton() {
	need numpy 'tritonclient[http]' || return 77
	go build -o "$work/bin/" ./cmd/serve ./cmd/convert &&
		"$work/bin/convert" -model lenet -scale 0.00390625 -o "$work/lenet.safetensors" || return 1
	"$work/bin/serve" -weights "$work/lenet.safetensors" -addr 127.0.0.1:0 -features ip1 >"$work/address" 2>&1 &
	local server=$! code=0 address
	until address=$(grep -o '127.0.0.1:[0-9]*' "$work/address"); do
		kill -0 $server 2>/dev/null || { cat "$work/address"; return 1; }
		sleep 0.2
	done
	"$python" tools/interop/triton-client.py "$address" lenet docs/lecture/digits/7/17.png || code=1
	kill -TERM $server && wait $server || code=1
	return $code
}

# same_answers lets hubel and onnxruntime look at the pictures of a folder, with the weights of
# a run, and compares what they say. The third argument is what train tests the weights on.
same_answers() {
	local weights=$1/weights.safetensors pictures=$2
	"$work/bin/convert" "$weights" -o "$work/plain.onnx" &&
		"$work/bin/convert" "$weights" -with-preprocessing -o "$work/whole.onnx" &&
		"$work/bin/train" -eval -weights "$weights" -data "$3" | tee "$work/test" &&
		"$work/bin/predict" -weights "$weights" -json -top 1000 "$pictures" >"$work/answers" &&
		"$python" tools/interop/onnx-accuracy.py compare "$weights" "$work/test" "$work/answers" "$pictures" "$work/plain.onnx" "$work/whole.onnx"
}

# check_accuracy trains LeNet and AlexNet for a short while, and compares their answers with
# those of onnxruntime.
check_accuracy() {
	need numpy onnxruntime pillow || return 77
	go build -o "$work/bin/" ./cmd/train ./cmd/convert ./cmd/predict || return
	local network code why=
	for network in ${NETWORKS:-lenet alexnet}; do
		code=0
		"accuracy_$network" || code=$?
		case $code in
		0) ;;
		77) why="$why${why:+; }$reason" ;;
		*) return 1 ;;
		esac
	done
	[ -z "$why" ] || { reason=$why; return 77; }
}

# accuracy_lenet trains an epoch on MNIST, and takes its whole test set.
accuracy_lenet() {
	go run ./cmd/fetch mnist >"$work/log" 2>&1 || { reason="of lenet, MNIST cannot be fetched: $(tail -n 1 "$work/log")"; return 77; }
	"$work/bin/train" -model lenet -data mnist -epochs 1 -lr 0.04 -lr-policy cosine -out "$work/lenet" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
	"$python" tools/interop/onnx-accuracy.py digits datasets/mnist "$work/digits" &&
		same_answers "$work/lenet" "$work/digits" mnist
}

# accuracy_alexnet trains on 300 photographs of Imagenette, whose files are in the folder
# IMAGENETTE, and takes 300 others.
accuracy_alexnet() {
	local from=${IMAGENETTE:-../shared/data} folder=$work/alexnet part
	for part in train val; do
		[ -e "$from/imagenette-$part.tar" ] || { reason="of alexnet, there is no $from/imagenette-$part.tar: IMAGENETTE=FOLDER names its folder"; return 77; }
		"$python" tools/interop/onnx-accuracy.py photographs "$from/imagenette-$part.tar" "$folder/$part" 30 227 || return
	done
	"$work/bin/train" -model alexnet -init msra -data "$folder/train" -val "$folder/val" -augment resize=227,crop=227 -preprocess mean,std \
		-batch 20 -epochs 8 -lr 0.005 -checkpoint 1h -out "$folder/run" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
	same_answers "$folder/run" "$folder/val" "$folder/val"
}

# check_tflite makes networks with TensorFlow's converter, and compares what hubel computes with
# its interpreter.
check_tflite() {
	need numpy tensorflow-cpu || return 77
	local name bad=
	go build -o "$work/convert" ./cmd/convert || return
	for name in ${NETWORKS:-every_layer flattened twins mobilenet mobilenet_v2 mobilenet_v3 efficientnet_b0 resnet50 densenet121}; do
		"$python" tools/interop/tflite.py "$work/tflite" "$name" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
		echo "$name"
		"$work/convert" "$work/tflite/$name.tflite" -verify "$work/tflite/$name.npz" || bad="$bad $name"
		rm -rf "$work/tflite"
	done
	[ -z "$bad" ] || { echo "tflite: not the same:$bad"; return 1; }
}

# check_tensorboard trains LeNet on MNIST for a short while, lets the run go on from a checkpoint
# before its last one, as after a kill, and has TensorBoard read its event files.
check_tensorboard() {
	need tensorboard pillow || return 77
	go run ./cmd/fetch mnist >"$work/log" 2>&1 || { reason="MNIST cannot be fetched: $(tail -n 1 "$work/log")"; return 77; }
	local run=$work/tensorboard
	local more=(-log-every 7 -checkpoint 40 -tensorboard -log-csv)
	go build -o "$work/train" ./cmd/train || return
	"$work/train" -model lenet -data mnist -batch 64 -iters 120 -lr 0.04 -lr-policy cosine -ema 0.9 -monitor=25 -out "$run" "${more[@]}" >"$work/log" 2>&1 &&
		mv "$run/checkpoint-previous.safetensors" "$run/checkpoint.safetensors" &&
		"$work/train" -resume "$run" -iters 150 -monitor=25 "${more[@]}" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
	"$python" tools/interop/tensorboard-run.py "$run" 2
}

if [ $# -eq 0 ]; then
	mapfile -t checks < <(declare -F | sed -n 's/^declare -f check_//p')
	set -- "${checks[@]}"
fi
failed=
for name in "$@"; do
	declare -F "check_$name" >/dev/null || { echo "interop: there is no check $name" >&2; exit 1; }
	code=0 reason=
	# Not in a subshell: reason comes back. errexit is off in what || follows, so each
	# check joins its steps.
	"check_$name" || code=$?
	case $code in
	0) echo "interop: $name passed" ;;
	77) echo "interop: $name skipped, $reason" ;;
	*) echo "interop: $name FAILED"; failed="$failed $name" ;;
	esac
done
[ -z "$failed" ] || { echo "interop: failed:$failed" >&2; exit 1; }
