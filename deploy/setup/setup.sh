#!/usr/bin/env bash
# Installs what Winnow's two cgo programs link: ONNX Runtime (a library from its
# Python wheel) and a small static FFmpeg 7.1 (built from Debian's source package).
#
#   usage: bash deploy/setup/setup.sh        (root, or a user who may sudo)
#
# Takes: Debian 12 or 13, or Ubuntu 24.04, with Go, Python 3 and make.
# Gives: $XDG_CACHE_HOME/winnow (else ~/.cache/winnow) with
#   onnxruntime-<version>/libonnxruntime.so
#   ffmpeg-<version>-<digest of its build flags>/{lib,include}
#   env.mk, env.sh   the same variables for make and for `source`
# What is in place is kept; run it again whenever in doubt. Nothing outside the
# cache is touched but for packages installed with apt.
set -euo pipefail

ORT_VERSION=1.24.3                 # the C API of onnxruntime_go v1.27.0 (ORT_API_VERSION 24)
FFMPEG_PACKAGE=7:7.1.5-0+deb13u1   # go-astiav v0.39.0 links 7.0 and 7.1, neither older nor newer
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/winnow"
JOBS="$(nproc)"
WORK=

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
have_package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# install_packages NAME...: apt-get install of those that are missing. The lists
# are refreshed only where the install fails without.
install_packages() {
  local missing=() name
  for name in "$@"; do have_package "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing packages: ${missing[*]}"
  local install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" >"$WORK/apt.log" 2>&1 && return 0
  as_root apt-get update -q >"$WORK/apt.log" 2>&1 || die "apt-get update failed: $(tail -3 "$WORK/apt.log")"
  as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" >"$WORK/apt.log" 2>&1 ||
    die "apt-get install ${missing[*]} failed: $(tail -5 "$WORK/apt.log")"
}

# onnxruntime puts the CPU library in place. Any CPython's wheel holds the same
# library, so one is named: the host's Python need not be one that has a wheel.
onnxruntime() {
  local home="$CACHE/onnxruntime-$ORT_VERSION"
  ORT_LIB="$home/libonnxruntime.so"
  if [ -s "$ORT_LIB" ]; then say "ONNX Runtime $ORT_VERSION: in place"; return; fi
  python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
  say "ONNX Runtime $ORT_VERSION: downloading its wheel (17 MB)"
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 \
    -d "$WORK/ort" "onnxruntime==$ORT_VERSION"
  mkdir -p "$home"
  python3 - "$WORK/ort" "$ORT_LIB" <<'PY'
import glob, os, shutil, sys, zipfile
folder, target = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    name = next(n for n in wheel.namelist() if "/libonnxruntime.so." in n)
    with wheel.open(name) as source, open(target + ".part", "wb") as sink:
        shutil.copyfileobj(source, sink)
os.rename(target + ".part", target)
PY
  say "ONNX Runtime $ORT_VERSION: $ORT_LIB"
}

# ffmpeg_flags prints the configure flags, one a line: what videos and pictures
# in data sets are stored as, and nothing else. No protocol and no network: the
# decoder process reads through its parent. Audio only as parsers, so that a
# stream's description is complete without decoding it.
ffmpeg_flags() {
  printf '%s\n' --disable-everything --disable-autodetect --disable-doc --disable-programs --disable-network \
    --disable-debug --disable-shared --enable-static --enable-pic --enable-libdav1d --enable-zlib \
    --enable-decoder=h264,hevc,libdav1d,vp8,vp9,vp6f,mpeg1video,mpeg2video,mpeg4,msmpeg4v2,msmpeg4v3,h263,flv \
    --enable-decoder=wmv1,wmv2,wmv3,vc1,mjpeg,prores,theora,png,webp,gif \
    --enable-parser=h264,hevc,av1,vp8,vp9,mpegvideo,mpeg4video,h263,vc1,vp3,mjpeg,png,webp,gif \
    --enable-parser=aac,ac3,mpegaudio,opus,vorbis,flac \
    --enable-demuxer=mov,matroska,avi,mpegts,mpegps,flv,asf,ogg,gif,image2,image2pipe \
    --enable-demuxer=image_jpeg_pipe,image_png_pipe,image_webp_pipe \
    --enable-bsf=vp9_superframe_split,av1_frame_split
}

# debian_mirror prints the address of a Debian archive: the one this system
# installs from or, on another distribution, the default of debootstrap.
debian_mirror() {
  local mirror
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^[[:space:]]*#' | grep -oE 'https?://[^[:space:]]+/debian/?([[:space:]]|$)' | head -1 | tr -d '[:space:]') || true
  if [ -z "$mirror" ]; then
    mirror=$(grep -hoE 'default_mirror +https?://[^[:space:]]+/debian/?' /usr/share/debootstrap/scripts/{trixie,sid} |
      awk '{print $2; exit}') || true
  fi
  [ -n "$mirror" ] || die "no Debian archive found, neither in /etc/apt nor in debootstrap's scripts"
  printf '%s\n' "${mirror%/}"
}

# ffmpeg_source unpacks Debian 13's FFmpeg to $WORK/ffmpeg. apt checks it
# against Debian's archive key, through a configuration of its own: the
# system's package lists and sources stay as they are.
ffmpeg_source() {
  local mirror key=/usr/share/keyrings/debian-archive-keyring.gpg apt="$WORK/apt"
  [ "$(. /etc/os-release && echo "$ID")" = debian ] || install_packages debootstrap
  install_packages debian-archive-keyring dpkg-dev xz-utils ca-certificates
  mirror=$(debian_mirror)
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,parts} "$WORK/download"
  printf 'deb-src [signed-by=%s] %s %s main\n' "$key" "$mirror" trixie \
    "$key" "$mirror" trixie-updates "$key" "$mirror-security" trixie-security >"$apt/sources.list"
  local options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/parts"
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User="$(id -un)")
  say "FFmpeg: fetching Debian's source package (11 MB)"
  apt-get "${options[@]}" update >"$WORK/apt.log" 2>&1 || die "no package lists from $mirror: $(tail -3 "$WORK/apt.log")"
  (cd "$WORK/download" &&
    { apt-get "${options[@]}" source --download-only "ffmpeg=$FFMPEG_PACKAGE" ||
      { say "FFmpeg: $FFMPEG_PACKAGE is gone from the archive; taking Debian 13's current one" &&
        apt-get "${options[@]}" source --download-only ffmpeg; }; }) >"$WORK/source.log" 2>&1 ||
    die "no FFmpeg source from $mirror: $(tail -3 "$WORK/source.log")"
  grep '^setup:' "$WORK/source.log" || true
  dpkg-source --no-check -x "$WORK"/download/ffmpeg_*.dsc "$WORK/ffmpeg" >"$WORK/unpack.log" 2>&1 ||
    die "cannot unpack FFmpeg: $(tail -3 "$WORK/unpack.log")"
}

# ffmpeg builds the static libraries. The folder's name has a digest of the
# flags, so that other flags are another build beside it.
ffmpeg() {
  local digest found version
  digest=$({ ffmpeg_flags; echo "$FFMPEG_PACKAGE"; } | sha256sum | cut -c1-8)
  found=$(find "$CACHE" -maxdepth 2 -path "*/ffmpeg-*-$digest/complete" 2>/dev/null | head -1)
  if [ -n "$found" ]; then
    FFMPEG_HOME=$(dirname "$found")
    say "FFmpeg: in place, $(basename "$FFMPEG_HOME")"
    return
  fi
  ffmpeg_source
  version=$(cat "$WORK/ffmpeg/RELEASE")
  FFMPEG_HOME="$CACHE/ffmpeg-$version-$digest"
  say "FFmpeg $version: building $FFMPEG_HOME (about 5 minutes on two cores)"
  mkdir -p "$WORK/build"
  (cd "$WORK/build" && mapfile -t flags < <(ffmpeg_flags) &&
    nice "$WORK/ffmpeg/configure" --prefix="$FFMPEG_HOME" "${flags[@]}" &&
    nice make -j"$JOBS" && make install) >"$WORK/build.log" 2>&1 ||
    { cp "$WORK/build.log" "$CACHE/ffmpeg-build.log"; die "FFmpeg did not build; see $CACHE/ffmpeg-build.log"; }
  rm -rf "$FFMPEG_HOME/share"
  ls "$WORK/download" >"$FFMPEG_HOME/complete"
  say "FFmpeg $version: built"
}

# environment writes what a build needs to know, for make and for the shell.
# CGO_CFLAGS names the FFmpeg folder because Go's build cache notices a change
# of flags but not of pkg-config's answers.
environment() {
  local wrapper="$CACHE/pkg-config-static" name
  printf '#!/bin/sh\nexec pkg-config --static "$@"\n' >"$wrapper"
  chmod +x "$wrapper"
  local -A value=(
    [CGO_ENABLED]=1 [PKG_CONFIG]="$wrapper" [PKG_CONFIG_PATH]="$FFMPEG_HOME/lib/pkgconfig"
    [CGO_CFLAGS]="-O2 -g -I$FFMPEG_HOME/include" [WINNOW_ORT_LIB]="$ORT_LIB")
  for name in CGO_ENABLED PKG_CONFIG PKG_CONFIG_PATH CGO_CFLAGS WINNOW_ORT_LIB; do
    printf 'export %s=%q\n' "$name" "${value[$name]}" >&3
    printf 'export %s := %s\n' "$name" "${value[$name]}" >&4
  done 3>"$CACHE/env.sh" 4>"$CACHE/env.mk"
  say "wrote $CACHE/env.mk and env.sh"
}

main() {
  command -v apt-get >/dev/null || die "apt-get is missing: Debian 12, Debian 13 and Ubuntu 24.04 are supported"
  command -v python3 >/dev/null || die "python3 is missing: install it and run this again"
  mkdir -p "$CACHE"
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  exec 9>"$CACHE/setup.lock"
  flock -n 9 || { say "waiting for another setup to finish"; flock 9; }
  onnxruntime
  install_packages gcc libc6-dev make pkg-config nasm zlib1g-dev libdav1d-dev ffmpeg
  ffmpeg
  environment
}

main "$@"
