#!/usr/bin/env bash
# Compares hubel with other programs, which pip fetches from PyPI into .tools/interop:
#
#   tools/interop/run.sh [CHECK...]
#
# Without arguments it runs every check: each function check_NAME below. One whose packages
# cannot be fetched is skipped, with the reason. NETWORKS names those of torchvision.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=$PWD/.tools/interop
python=$venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# need installs packages of PyPI, and says why where it cannot.
need() {
	if [ ! -x "$python" ]; then
		python3 -c 'import ensurepip' 2>/dev/null || { reason='needs python3 with venv: apt-get install python3-venv'; return 1; }
		python3 -m venv "$venv" || { reason="python3 -m venv $venv fails"; return 1; }
	fi
	local package
	for package in "$@"; do
		"$python" -m pip show -q "${package%%[=<>]*}" 2>/dev/null || {
			timeout 3600 "$python" -m pip -q --disable-pip-version-check install --retries 1 --timeout 20 "$package" >"$work/pip" 2>&1 || {
				reason="pip cannot install $package: $(tail -n 1 "$work/pip")"
				return 1
			}
		}
	done
}

# check_torchvision compares the networks of torchvision, one after the other: a large one
# takes 3 GB. Where PyTorch's step does not depend on rounding, hubel's still may, so that a
# network has three tries.
check_torchvision() {
	need numpy torch torchvision onnx onnxscript safetensors || return 77
	local name names try bad=
	go build -o "$work/convert" ./cmd/convert && go test -c -o "$work/pytorch.test" ./formats/pytorch || return 1
	names=${NETWORKS:-$("$python" tools/interop/save_torchvision.py)} || return 1
	for name in $names; do
		for try in 0 1 2 none; do
			[ $try != none ] || { bad="$bad $name"; break; }
			TRY=$try one_of_torchvision "$name" && break
		done
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

# check_onnx runs the node cases of the newest ONNX, made from its code, and gives a network
# with each layer to ONNX's checker and onnxruntime.
check_onnx() {
	need numpy onnx onnxruntime || return 77
	local nodes=$PWD/.tools/onnx-nodes
	mkdir -p "$nodes"
	{ [ -n "$(ls "$nodes")" ] || "$python" tools/interop/onnx-nodes.py "$nodes"; } &&
		HUBEL_ONNX_NODES=$nodes go test -count=1 -v -run 'NodeCases|WhatIsWritten' ./formats/onnx
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
