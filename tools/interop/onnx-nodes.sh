#!/bin/sh
# Makes the node cases of the newest ONNX from its code, and runs those of listed operators
# through import on the CPU. Usage: tools/interop/onnx-nodes.sh, from the repository's root.
# Without the registry of Python packages it says so and skips.
set -eu
venv=.tools/venv
if ! [ -x "$venv/bin/python" ]; then
	python3 -m venv "$venv" || { echo "onnx-nodes: skipped: there is no python3 with venv"; exit 0; }
fi
if ! "$venv/bin/python" -c "import onnx, onnxruntime" 2>/dev/null; then
	"$venv/bin/pip" install -q onnx onnxruntime numpy || { echo "onnx-nodes: skipped: onnx and onnxruntime cannot be installed"; exit 0; }
fi
mkdir -p .tools/onnx-nodes
if [ -z "$(ls .tools/onnx-nodes)" ]; then
	"$venv/bin/python" tools/interop/onnx-nodes.py .tools/onnx-nodes
fi
HUBEL_ONNX_NODES=$PWD/.tools/onnx-nodes go test ./formats/onnx -run 'NodeCases|WhatIsWritten' -v
