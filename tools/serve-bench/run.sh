#!/usr/bin/env bash
# Measures serve with LeNet and AlexNet, beside the Predictor without a server and beside
# onnxruntime behind a minimal server in Python, which pip fetches into .tools/serve:
#
#   tools/serve-bench/run.sh [speed|soak]
#
# speed, the default, takes 1, 8 and 64 clients; soak lets 64 ask LeNet for SOAK (10m), with
# malformed requests between the good ones. NETWORKS (lenet alexnet), TIME (10s, for each
# number of clients), THREADS (all cores) and CLIENTS (1,8,64) may be set. Clients and
# server share the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

threads=${THREADS:-$(nproc)} clients=${CLIENTS:-1,8,64}
venv=.tools/serve
work=$(mktemp -d)
server=
end() {
	[ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }
	server=
}
trap 'end; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -o "$work/" ./cmd/serve ./cmd/convert ./tools/serve-bench

# start runs a server in the background, and sets url once it says where it is.
start() {
	: >"$work/said"
	"$@" >"$work/said" 2>"$work/errors" &
	server=$!
	until url=$(grep -o 'http://[^ ]*' "$work/said"); do
		kill -0 "$server" 2>/dev/null || { cat "$work/errors" >&2; exit 1; }
		sleep 0.2
	done
}

# python says whether onnxruntime and Pillow are there, and fetches them.
python() {
	[ -x "$venv/bin/python" ] || python3 -m venv "$venv" || return 1
	local package
	for package in numpy onnxruntime pillow; do
		"$venv/bin/python" -m pip show "$package" >/dev/null 2>&1 ||
			timeout 3600 "$venv/bin/python" -m pip -q --disable-pip-version-check install --retries 1 --timeout 20 "$package" >&2 || return 1
	done
}

# network makes the weights and the picture of a network, and sets batch and scale.
network() {
	batch=64 scale=0.00390625
	picture=$work/$1.jpg
	case $1 in
	lenet) picture=docs/lecture/digits/7/17.png ;;
	alexnet) "$work/serve-bench" picture "$picture" ;;
	*) echo "run.sh: $1 is not lenet or alexnet" >&2; exit 2 ;;
	esac
	"$work/convert" -model "$1" -scale "$scale" -o "$work/$1.safetensors" >/dev/null
	"$work/convert" "$work/$1.safetensors" -o "$work/$1.onnx" >/dev/null
}

speed() {
	local net peer=yes
	python || { peer=; echo "run.sh: onnxruntime and Pillow cannot be installed; their server is left out" >&2; }
	for net in ${NETWORKS:-lenet alexnet}; do
		network "$net"
		"$work/serve-bench" bare -name "$net predictor" -weights "$work/$net.safetensors" -picture "$picture" -clients "$clients" -threads "$threads" -time "${TIME:-10s}"
		start "$work/serve" -weights "$work/$net.safetensors" -addr 127.0.0.1:0 -batch "$batch" -queue 2048 -threads "$threads"
		"$work/serve-bench" load -name "$net serve" -url "$url/predict" -picture "$picture" -clients "$clients" -time "${TIME:-10s}"
		[ "$net" != lenet ] || "$work/serve-bench" load -name "$net serve, 16 each" -url "$url/predict" -picture "$picture" -clients "$clients" -pictures 16 -time "${TIME:-10s}"
		end
		[ -z "$peer" ] || {
			start "$venv/bin/python" tools/serve-bench/peer.py "$work/$net.onnx" "$scale" "$threads"
			"$work/serve-bench" load -name "$net onnxruntime" -url "$url" -picture "$picture" -clients "$clients" -time "${TIME:-10s}"
			end
		}
	done
}

soak() {
	network lenet
	start "$work/serve" -weights "$work/lenet.safetensors" -addr 127.0.0.1:0 -batch "$batch" -threads "$threads"
	"$work/serve-bench" soak -name "lenet serve" -url "$url/predict" -picture "$picture" -clients "$clients" -time "${SOAK:-10m}"
	end
}

case $#,${1:-speed} in
0,* | 1,speed) speed ;;
1,soak) soak ;;
*) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
