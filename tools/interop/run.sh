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
		"$python" -m pip show "${package%%[=<>]*}" 2>/dev/null | grep -q "^Version: $(version "$package")" || {
			timeout 900 "$python" -m pip -q --disable-pip-version-check install --retries 1 --timeout 20 "$package" >"$work/pip" 2>&1 || {
				reason="pip cannot install $package: $(tail -n 1 "$work/pip")"
				return 1
			}
		}
	done
}

# check_torchvision saves networks of torchvision with random weights, and lets hubel compute
# what they do.
check_torchvision() {
	need numpy torch torchvision || return 77
	# shellcheck disable=SC2086 # names
	"$python" tools/interop/save_torchvision.py "$work/torchvision" ${NETWORKS:-} &&
		HUBEL_TORCHVISION=$work/torchvision go test -count=1 -v -timeout 30m -run Torchvision ./formats/pytorch
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
