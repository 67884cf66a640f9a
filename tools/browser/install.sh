#!/usr/bin/env bash
# Installs Debian's chromium, unless there is a chromium, or says in one line why it cannot.
set -euo pipefail
for name in "${HUBEL_CHROMIUM:-}" chromium chromium-browser google-chrome; do
	[ -n "$name" ] && command -v "$name" >/dev/null && exit 0
done
command -v apt-get >/dev/null || { echo "there is no chromium, and no apt-get to install it: HUBEL_CHROMIUM=PROGRAM names one"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "there is no chromium: sudo apt-get install chromium, or HUBEL_CHROMIUM=PROGRAM"; exit 1; }
{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core; } >/dev/null 2>&1 ||
	{ echo "apt-get cannot install chromium"; exit 1; }
