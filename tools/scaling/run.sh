#!/usr/bin/env bash
# Measures exchange and training between network namespaces of this machine, which pairs
# of virtual Ethernet and a bridge join, and prints lines of tools/scaling/measured.json:
#
#   sudo tools/scaling/run.sh [none 1gbit]
#
# The arguments are rates that tc limits what each rank sends to. DELAY (such as 0.1ms)
# is added to each packet where the kernel has netem. Needs root, ip and tc (Debian's
# iproute2), Open MPI (libopenmpi-dev, openmpi-bin) and Go. RANKS ("2 4"), NETWORKS
# ("lenet:64 resnet18:4", each with the batch of a rank) and ITERS (8) may be set. What
# it makes, namespaces hubel-0 to hubel-3 and the bridge hubelbr0, is gone when it ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

ranks=${RANKS:-2 4} networks=${NETWORKS:-lenet:64 resnet18:4} iters=${ITERS:-8} delay=${DELAY:-}
[ "$(id -u)" = 0 ] || { echo "run.sh: network namespaces need root" >&2; exit 2; }
for tool in ip tc mpirun.openmpi mpicc.openmpi; do
	command -v $tool >/dev/null || { echo "run.sh: there is no $tool: apt-get install iproute2 openmpi-bin libopenmpi-dev" >&2; exit 2; }
done
work=$(mktemp -d)
clear() {
	for i in 0 1 2 3; do ip netns del hubel-$i 2>/dev/null || true; done
	ip link del hubelbr0 2>/dev/null || true
}
trap 'clear; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

CGO_ENABLED=1 CC=mpicc.openmpi go build -tags mpi -o "$work/" ./cmd/train ./tools/scaling

# mpirun starts a rank of host 10.77.0.N in namespace hubel-(N-1) by this program.
cat >"$work/agent" <<'EOF'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "hubel-$((${host##*.} - 1))" sh -c "$*"
EOF
chmod +x "$work/agent"

# join N RATE makes N namespaces whose links send at that rate.
join() {
	clear
	ip link add hubelbr0 type bridge
	ip link set hubelbr0 up
	for i in $(seq 0 $(($1 - 1))); do
		ip netns add hubel-$i
		ip link add hubelv$i type veth peer name eth0 netns hubel-$i
		ip link set hubelv$i master hubelbr0 up
		ip -n hubel-$i addr add 10.77.0.$((i + 1))/24 dev eth0
		ip -n hubel-$i link set eth0 up
		ip -n hubel-$i link set lo up
		[ "$2" = none ] && [ -z "$delay" ] && continue
		local netem="netem limit 10000${delay:+ delay $delay}"
		[ "$2" = none ] || netem="$netem rate $2"
		tc -n hubel-$i qdisc add dev eth0 root $netem 2>/dev/null && continue
		[ -z "$delay" ] || { echo "run.sh: this kernel has no netem, which DELAY needs" >&2; exit 2; }
		tc -n hubel-$i qdisc add dev eth0 root tbf rate "$2" burst 128kb latency 100ms
	done
}

# mpi N COMMAND... runs a command on N ranks. Several of Open MPI's daemons on one machine
# take each other's shared memory for hwloc, so that is off.
mpi() {
	local n=$1 hosts
	shift
	hosts=$(for i in $(seq 1 "$n"); do printf '10.77.0.%d,' "$i"; done)
	ip netns exec hubel-0 mpirun.openmpi --allow-run-as-root -n "$n" -H "${hosts%,}" --bind-to none \
		--mca plm_rsh_agent "$work/agent" --mca rtc ^hwloc --mca pml ob1 --mca btl tcp,self \
		--mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 ${MCA:-} "$@"
}

# step prints the median time of a step, in seconds, that a run's log has.
step() {
	sed -n 's/.*"images_per_second":\([0-9.e+]*\).*/\1/p' "$1/log.jsonl" | tail -n +3 | sort -g |
		awk -v images="$2" '{x[NR] = $1} END {print images / x[int((NR + 1) / 2)]}'
}

# trained N RATE NETWORK BATCH [FLAGS...] trains, and prints the line.
trained() {
	local n=$1 rate=$2 network=$3 batch=$4 images=$4
	shift 4
	rm -rf "$work"/run*
	local common=(-model "$network" -data "synthetic:$((batch * n * iters)),1" -batch "$batch" -iters "$iters" -threads 1 -log-every 1 -checkpoint 1000000)
	local more=
	case "$rate" in
	alone) # so many processes at a time, which exchange nothing
		for i in $(seq 1 "$n"); do
			"$work/train" "${common[@]}" -out "$work/run$i" >/dev/null 2>&1 &
		done
		wait
		more=",\"cores\":$(nproc)" ;;
	*)
		mpi "$n" "$work/train" -dist mpi "${common[@]}" "$@" -out "$work/run1" >/dev/null
		[ $# = 0 ] || more=',"sharded":true'
		images=$((batch * n)) ;;
	esac
	printf '{"link":"%s","ranks":%d,"what":"training","network":"%s","batch":%d%s,"seconds":%s}\n' \
		"$rate" "$n" "$network" "$batch" "$more" "$(step "$work/run1" "$images")"
}

for n in $ranks; do
	for network in $networks; do
		trained "$n" alone "${network%:*}" "${network#*:}"
	done
	for rate in ${*:-none 1gbit}; do
		join "$n" "$rate"
		mpi "$n" "$work/scaling" -rank -link "$rate"
		for network in $networks; do
			trained "$n" "$rate" "${network%:*}" "${network#*:}"
			trained "$n" "$rate" "${network%:*}" "${network#*:}" -zero
		done
	done
done
