#!/usr/bin/env bash
# Set-up for building and running Winnow on Debian 12, 13 or Ubuntu 24.04, as
# root or with sudo. Needs Go, Python 3 and make; installs or builds the rest:
#
#   system packages   C compiler, pkg-config, nasm, dav1d, the ffmpeg tool for tests
#   ONNX Runtime      the CPU library, out of its pinned PyPI wheel
#   FFmpeg 7.1        minimal, static, from Debian's source package
#
# What it makes lies in ${XDG_CACHE_HOME:-~/.cache}/winnow, each under a name
# that says how it was made, so it can be run again: what is in place is skipped.
# It ends by writing env.mk and env.sh there, which tell Go where things are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/winnow

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

. "$here/packages.sh"
. "$here/onnxruntime.sh"
. "$here/ffmpeg.sh"
. "$here/variables.sh"

one_at_a_time() {
	mkdir -p "$cache"
	exec 9>"$cache/.lock"
	flock --nonblock 9 && return
	say 'another set-up is running, waiting for it'
	flock 9
}

main() {
	for tool in go python3 make; do
		command -v "$tool" >/dev/null || die "$tool is missing: install it first"
	done
	one_at_a_time
	scratch=$(mktemp -d "$cache/scratch.XXXXXX")
	trap 'rm -rf "$scratch"' EXIT
	install_packages gcc libc6-dev pkg-config ca-certificates
	provide_onnxruntime
	install_packages nasm zlib1g-dev libdav1d-dev dpkg-dev ffmpeg
	provide_ffmpeg
	write_env
	say 'done'
}

main "$@"
