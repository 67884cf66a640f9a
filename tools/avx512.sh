#!/usr/bin/env bash
# Runs a static Linux program, such as a test binary, on an emulated CPU with
# AVX-512, for machines whose own has none:
#
#	tools/avx512.sh PROGRAM [ARGUMENT]...
#	CGO_ENABLED=0 go test -count=1 -exec "$PWD/tools/avx512.sh" ./kernels/cpu/vec
#
# Bochs emulates one core of a Skylake-X and boots Debian's kernel on it with
# nothing but the program, the folder testdata if there is one here, and the
# variables HUBEL_*. Output and exit code are the program's; its standard error
# goes to standard output. Expect some hundred times the time that a real core
# takes, and clocks that run by emulated time.
#
# The first call builds Bochs and downloads the rest, some 40 MB, into
# $HUBEL_AVX512 or ~/.cache/hubel/avx512, which takes minutes; `-` as PROGRAM
# does that alone. Packages come from Debian through apt with lists of its own,
# so neither apt's configuration nor the set of installed packages changes and
# root is not needed. Needs an amd64 Debian 12 or a derivative with apt, the
# Debian archive's keyring, g++ and make.
set -euo pipefail

bochs=3.0+dfsg-1
folder=${HUBEL_AVX512:-$HOME/.cache/hubel/avx512}
mirror=${DEBIAN_MIRROR:-}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() { printf 'avx512: %s\n' "$1" >&2; exit 125; }

[ $# -gt 0 ] || fail "name a static Linux program and its arguments"
program=$1
shift
[ "$program" = - ] || [ -x "$program" ] || fail "$program is not a program"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# install puts what the emulation needs into $folder.
install() {
	if [ -e "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
		fail "$folder is not an installation of this script: name another folder in HUBEL_AVX512, or remove it"
	fi
	local tool
	for tool in apt-get dpkg-deb tar g++ make strip; do
		command -v $tool >/dev/null || fail "needs $tool: run it on Debian 12 or a derivative with g++ and make"
	done
	[ "$(dpkg --print-architecture)" = amd64 ] || fail "needs a Debian for amd64"
	[ -e $keyring ] || fail "needs $keyring: install debian-archive-keyring"
	# The archive that this machine already takes Debian's main component from.
	[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^main //p' | head -n 1)
	[ -n "$mirror" ] || fail "apt knows no archive of Debian's: set DEBIAN_MIRROR to the URI of one"

	mkdir -p "$work"/{sources,lists/partial,cache/archives/partial,debs,source,new}
	cat >"$work/sources/debian.sources" <<-END
		Types: deb
		URIs: $mirror
		Suites: bookworm
		Components: main
		Architectures: amd64
		Signed-By: $keyring

		Types: deb-src
		URIs: $mirror
		Suites: trixie
		Components: main
		Signed-By: $keyring
	END
	local options=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources"
		-o Dir::Etc::preferencesparts=/dev/null -o Dir::State::lists="$work/lists"
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
	apt-get -qq "${options[@]}" update
	# The name of the kernel's package has the version in it.
	local kernel
	kernel=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
	[ -n "$kernel" ] || fail "no package of Debian's kernel at $mirror"
	(
		cd "$work/debs"
		apt-get -qq "${options[@]}" download "$kernel" bochsbios vgabios isolinux syslinux-common busybox-static genisoimage libmagic1
		cd "$work/source"
		apt-get -qq "${options[@]}" source --download-only --tar-only bochs=$bochs
		tar -x --strip-components=1 -f bochs_*.tar.*
	) || fail "cannot download from $mirror"
	local deb new=$work/new
	mkdir "$work/root"
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done

	# Where a masked VBROADCASTF32X8 reads what its mask leaves out, a CPU does
	# not fault, and Bochs does.
	local broadcast=$work/source/cpu/avx/avx512_broadcast.cc
	sed -i '/::VBROADCASTF32x8_MASK_VpsMps(/,/^}/{
		s/read_virtual_ymmword(i->seg(), eaddr, &src);/avx_masked_load32(i, eaddr, \&dst, (opmask | opmask >> 8) \& 0xff);/
		s/ dst\.vmm256(0) = src;//
		s/= src;/= dst.vmm256(0);/
		/BxPackedYmmRegister src;/d
	}' "$broadcast"
	grep -q 'avx_masked_load32(i, eaddr, &dst, (opmask' "$broadcast" || fail "Bochs $bochs is not what this script changes"

	printf 'avx512: building Bochs %s, which takes minutes\n' $bochs >&2
	(
		cd "$work/source"
		CFLAGS=-O2 CXXFLAGS=-O2 ./configure --with-nogui --enable-x86-64 --enable-avx --enable-evex \
			--enable-repeat-speedups --enable-fast-function-calls --enable-handlers-chaining --disable-docbook
		make -j"$(nproc)"
	) >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; fail "Bochs does not build"; }

	mkdir -p "$new/lib" "$new/iso"
	cp "$work/source/bochs" "$work/root/usr/share/bochs/BIOS-bochs-latest" "$work/root/usr/share/vgabios/vgabios.bin" "$new/"
	cp "$work/root/usr/bin/genisoimage" "$work/root/bin/busybox" "$new/"
	cp -P "$work"/root/usr/lib/x86_64-linux-gnu/libmagic.so.1* "$new/lib/"
	cp "$work"/root/boot/vmlinuz-* "$new/iso/vmlinuz"
	cp "$work/root/usr/lib/ISOLINUX/isolinux.bin" "$work/root/usr/lib/syslinux/modules/bios/ldlinux.c32" "$new/iso/"
	strip "$new/bochs"
	mkdir -p "$(dirname "$folder")"
	rm -rf "$folder"
	mv "$new" "$folder"
	touch "$folder/complete"
}

[ -e "$folder/complete" ] || install
[ "$program" != - ] || exit 0

# What the kernel starts with.
mkdir -p "$work"/{root/{bin,dev,proc,sys,tmp,work},iso}
cp "$folder/busybox" "$work/root/bin/"
strip -o "$work/root/program" "$program" 2>/dev/null || cp "$program" "$work/root/program"
[ ! -d testdata ] || cp -r testdata "$work/root/work/"
{
	printf '#!/bin/busybox sh\n'
	printf '/bin/busybox mount -t %s none /%s\n' proc proc sysfs sys devtmpfs dev
	for name in "${!HUBEL_@}"; do printf 'export %s=%q\n' "$name" "${!name}"; done
	printf 'export HOME=/tmp\ncd /work\necho avx512: start\n/program'
	[ $# -eq 0 ] || printf ' %q' "$@"
	# The console has a buffer to empty.
	printf '\necho "avx512: exit $?"\n/bin/busybox sleep 2\n/bin/busybox reboot -f\n'
} >"$work/root/init"
chmod +x "$work/root/init"
(cd "$work/root" && find . | "$folder/busybox" cpio -o -H newc) >"$work/iso/initrd" 2>/dev/null

# No ACPI, which takes longest to start, and restarts by a triple fault, which
# ends Bochs. Its XSAVES and XSAVEC give sizes that the kernel does not take.
cat >"$work/iso/isolinux.cfg" <<EOF
default linux
label linux
kernel /vmlinuz
append initrd=/initrd console=ttyS0,115200 quiet loglevel=1 acpi=off mitigations=off nokaslr nomodule tsc=reliable clearcpuid=xsaves,xsavec reboot=t panic=-1
EOF
ln -s "$folder"/iso/* "$work/iso/"
LD_LIBRARY_PATH="$folder/lib" "$folder/genisoimage" -quiet -f -o "$work/boot.iso" -b isolinux.bin -c boot.cat \
	-no-emul-boot -boot-load-size 4 -boot-info-table "$work/iso" 2>"$work/iso.log" || { cat "$work/iso.log" >&2; fail "cannot write the boot image"; }
cat >"$work/bochsrc" <<EOF
plugin_ctrl: speaker=0, extfpuirq=0, parallel=0, serial=1
display_library: nogui
memory: guest=2048, host=2048
cpu: model=corei7_skylake_x, ips=100000000, reset_on_triple_fault=0
clock: sync=none, time0=1700000000
pci: enabled=1, chipset=i440fx
romimage: file=$folder/BIOS-bochs-latest
vgaromimage: file=$folder/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/log
panic: action=fatal
error: action=ignore
EOF
mkfifo "$work/serial"
# Holds the pipe open until Bochs is gone, so that one that fails at once ends
# the reader too.
(
	exec 3<>"$work/serial" 2>/dev/null
	trap 'kill $emulator 2>/dev/null' TERM
	"$folder/bochs" -q -f "$work/bochsrc" </dev/null >"$work/bochs.out" 2>&1 3>&- &
	emulator=$!
	wait $emulator
	exec 3>&-
) &
machine=$!
trap 'kill $machine 2>/dev/null || true; wait $machine 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
awk -v code="$work/code" -v console="$work/console" '
	{ sub(/\r$/, "") }
	started && match($0, /avx512: exit [0-9]+$/) {
		# The last line of a program may have no end.
		if (RSTART > 1) print substr($0, 1, RSTART - 1)
		print substr($0, RSTART + 13) >code
		started = 0
	}
	started { print; fflush(); next }
	$0 == "avx512: start" { started = 1 }
	{ print >console }
' "$work/serial" &
wait $! || true
[ -s "$work/code" ] || {
	[ ! -s "$work/console" ] || tail -n 5 "$work/console" >&2
	sed -n '/exiting with the following message/{n;p}' "$work/bochs.out" >&2
	fail "the emulated machine ended before the program did"
}
exit "$(cat "$work/code")"
