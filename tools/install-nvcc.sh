#!/usr/bin/env bash
# Installs the pinned CUDA compiler, nvcc 11.8.89 of Debian 12, into a folder
# of its own:
#
#	tools/install-nvcc.sh [FOLDER]
#
# FOLDER is $HUBEL_CUDA or ~/.cache/hubel/cuda-11.8 by default; nvcc, ptxas,
# cuobjdump and nvdisasm are then in FOLDER/bin. The packages come from
# Debian's contrib and non-free components through apt with lists of its own,
# so neither apt's configuration nor the set of installed packages changes and
# root is not needed. Downloads 0.9 GB, keeps 0.3 GB. Needs an amd64 Debian or
# a derivative with apt, the Debian archive's keyring and libc6-dev.
set -euo pipefail

cuda=11.8.89~11.8.0-5~deb12u1
gcc=11.3.0-12
folder=${1:-${HUBEL_CUDA:-$HOME/.cache/hubel/cuda-11.8}}
mirror=${DEBIAN_MIRROR:-}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() { printf 'install-nvcc: %s\n' "$1" >&2; exit 1; }

if [ -x "$folder/bin/nvcc" ] && "$folder/bin/nvcc" --version | grep -q 'V11\.8\.89'; then
	printf '%s\n' "$folder/bin/nvcc"
	exit
fi
# What is not from here is not to be replaced.
if [ -e "$folder" ] && [ ! -e "$folder/.hubel" ] && [ -n "$(ls -A "$folder")" ]; then
	fail "$folder is not empty and not an installation of this script: name another folder, or remove it"
fi
for tool in apt-get dpkg-deb tar; do
	command -v $tool >/dev/null || fail "needs $tool: run it on Debian 12 or a derivative"
done
# The archive that this machine already takes Debian's main component from.
[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^main //p' | head -n 1)
[ -n "$mirror" ] || fail "apt knows no archive of Debian's: set DEBIAN_MIRROR to the URI of one"
[ "$(dpkg --print-architecture)" = amd64 ] || fail "Debian carries this compiler for amd64 only"
[ -e $keyring ] || fail "needs $keyring: install debian-archive-keyring"
[ -e /usr/include/stdlib.h ] || fail "needs the C library's headers: install libc6-dev"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{sources,lists/partial,cache/archives/partial,debs}
cat >"$work/sources/debian.sources" <<EOF
Types: deb
URIs: $mirror
Suites: bookworm
Components: main contrib non-free
Architectures: amd64
Signed-By: $keyring
EOF
apt() {
	apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
		-o Dir::Etc::preferencesparts=/dev/null -o Dir::State::lists="$work/lists" \
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
apt update
(
	cd "$work/debs"
	# The host compiler is pinned too: nvcc 11.8 takes none after gcc 11, and
	# its preprocessor and headers stand at the start of every kernel.
	apt download nvidia-cuda-toolkit=$cuda nvidia-cuda-dev=$cuda \
		{cpp,gcc,g++}-11=$gcc lib{gcc,stdc++}-11-dev=$gcc libgmp10 libisl23 libmpc3 libmpfr6 libzstd1
)

new=$work/root
mkdir -p "$new/bin"
for deb in "$work"/debs/*.deb; do
	case $deb in
	# Of its 2.8 GB only the headers are needed.
	*/nvidia-cuda-dev_*) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --wildcards './usr/include/*' ;;
	*) dpkg-deb -x "$deb" "$new" ;;
	esac
done
rm -rf "$new"/usr/share "$new"/usr/lib/nvidia-cuda-toolkit/compute-sanitizer
cat >"$new/usr/lib/nvidia-cuda-toolkit/bin/profile" <<EOF
NVVMIR_LIBRARY_DIR = \$(_HERE_)/../libdevice
PATH += \$(_HERE_):\$(_HERE_)/../../../bin:
EOF
mv -f "$new/usr/lib/nvidia-cuda-toolkit/bin/profile" "$new/usr/lib/nvidia-cuda-toolkit/bin/nvcc.profile"
cat >"$new/bin/nvcc" <<'EOF'
#!/bin/sh
top=$(dirname "$(dirname "$(readlink -f "$0")")")
export LD_LIBRARY_PATH="$top/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$top/usr/lib/nvidia-cuda-toolkit/bin/nvcc" -ccbin "$top/usr/bin/x86_64-linux-gnu-g++-11" -I"$top/usr/include" "$@"
EOF
chmod +x "$new/bin/nvcc"
for tool in ptxas cuobjdump nvdisasm; do ln -s ../usr/bin/$tool "$new/bin/$tool"; done

touch "$new/.hubel"
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
mv "$new" "$folder"
"$folder/bin/nvcc" --version | grep -q 'V11\.8\.89' || fail "$folder/bin/nvcc does not run"
printf '%s\n' "$folder/bin/nvcc"
