# FFmpeg 7.1, built from Debian trixie's source package: static, position
# independent, with nothing but what winnow-decode reads. go-astiav v0.39 needs
# 7.0 or 7.1, which neither Debian 12 nor Ubuntu 24.04 has. Sourced by setup.sh.

ffmpeg_wanted=7:7.1.5-0+deb13u1 # a newer 7.1 is taken where the mirror no longer has it

# Videos and pictures as data sets store them. Of audio only the parsers, so that a
# stream is described without reading far into the file.
ffmpeg_decoders=h264,hevc,libdav1d,vp8,vp9,mpeg1video,mpeg2video,mpeg4,msmpeg4v2,msmpeg4v3,h263,flv,vp6f,wmv1,wmv2,wmv3,vc1
ffmpeg_decoders+=,mjpeg,prores,theora,ffv1,rawvideo,png,webp,gif
ffmpeg_decoders+=,av1 # asks a device; without one, libdav1d goes before it
ffmpeg_parsers=h264,hevc,av1,vp3,vp8,vp9,mpegvideo,mpeg4video,h263,vc1,mjpeg,png,webp,gif,aac,ac3,mpegaudio,opus,vorbis,flac
ffmpeg_demuxers=mov,matroska,avi,mpegts,mpegps,mpegvideo,flv,ogg,asf,gif,image_jpeg_pipe,image_png_pipe,image_webp_pipe
ffmpeg_bsfs=vp9_superframe_split,mpeg4_unpack_bframes,av1_frame_split,extract_extradata,null
ffmpeg_filters=buffer,buffersink,format,null,scale

# NVDEC: NVIDIA's libraries are loaded when a decoder is asked for it, so nothing of theirs is
# needed to build or to run without. VAAPI links to libva, which a bare machine lacks: leave it out.
ffmpeg_hwaccels=h264_nvdec,hevc_nvdec,vp8_nvdec,vp9_nvdec,av1_nvdec,mpeg2_nvdec

ffmpeg_flags=(
	--disable-everything --disable-autodetect --disable-programs --disable-doc
	--disable-debug --disable-network --disable-shared --enable-static --enable-pic
	--enable-swscale --enable-swresample --enable-avfilter --enable-avdevice
	--enable-zlib --enable-libdav1d
	"--enable-decoder=$ffmpeg_decoders" "--enable-parser=$ffmpeg_parsers"
	"--enable-demuxer=$ffmpeg_demuxers" "--enable-bsf=$ffmpeg_bsfs"
	"--enable-filter=$ffmpeg_filters" --enable-protocol=file,pipe
	--enable-ffnvcodec --enable-cuda --enable-nvdec "--enable-hwaccel=$ffmpeg_hwaccels"
)

ffmpeg_digest=$(printf '%s\n' "$ffmpeg_wanted" "${ffmpeg_flags[@]}" | sha256sum | cut -c1-12)

# ffmpeg_prefix prints where a build with these flags lies, if one does.
ffmpeg_prefix() {
	local dir
	for dir in "$cache"/ffmpeg-7.1*-"$ffmpeg_digest"; do
		[ -e "$dir/lib/pkgconfig/libavcodec.pc" ] && printf '%s\n' "$dir" && return
	done
	return 1
}

provide_ffmpeg() {
	local prefix
	if prefix=$(ffmpeg_prefix); then
		say "FFmpeg in place: $prefix"
		return
	fi
	fetch_ffmpeg "$scratch/ffmpeg"
	build_ffmpeg "$scratch/ffmpeg"
	say "FFmpeg in place: $(ffmpeg_prefix)"
}

# debian_mirrors prints "suite mirror" lines of trixie's archives: below the mirrors
# that this system installs from or, where it is no Debian, the one debootstrap names.
debian_mirrors() {
	local configured named
	configured=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
		sed -n 's/^Debian /trixie /p; s/^Debian-Security /trixie-security /p' | sort --unique)
	if [ -n "$configured" ]; then
		printf '%s\n' "$configured"
		return
	fi
	install_packages debootstrap >&2
	named=$(grep --no-filename --only-matching --extended-regexp 'https?://[^"[:space:]]+/debian/?' \
		/usr/share/debootstrap/scripts/{trixie,sid,debian-common} /usr/sbin/debootstrap | head -n 1)
	[ -n "$named" ] || die 'no Debian mirror is configured, and debootstrap names none'
	printf 'trixie %s\n' "$named"
}

# private_apt runs an apt tool on trixie's packages alone, below folder $1: the
# system's lists and packages are neither used nor changed.
private_apt() {
	local dir=$1 tool=$2
	shift 2
	"$tool" -o Dir::State="$dir/state" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
		-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/sources" \
		-o Dir::Etc::preferencesparts=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

# fetch_ffmpeg unpacks the source package to $1/source. apt checks its signature
# against Debian's archive keys.
fetch_ffmpeg() {
	local dir=$1 mirrors mirror suite version
	install_packages debian-archive-keyring
	[ -n "$(apt-get indextargets 'Created-By: Packages')" ] || apt_update
	mirrors=$(debian_mirrors)
	mkdir -p "$dir"/{sources,state/lists/partial,cache/archives/partial}
	while read -r suite mirror; do
		printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" \
			/usr/share/keyrings/debian-archive-keyring.gpg >"$dir/sources/$suite.sources"
	done <<<"$mirrors"
	say 'fetching the source package of FFmpeg'
	private_apt "$dir" apt-get update --quiet=2 || die "Debian's source packages cannot be listed: is its mirror reachable?"
	version=$(ffmpeg_version "$dir")
	(cd "$dir" && private_apt "$dir" apt-get source --quiet=2 --download-only "ffmpeg=$version")
	(cd "$dir" && dpkg-source --no-check --extract ffmpeg_*.dsc source >dpkg-source.log 2>&1) || die 'the source package does not unpack'
	fetch_nvidia_headers "$dir"
}

# fetch_nvidia_headers unpacks to $1/nvidia the headers that NVDEC is built with: trixie's, for
# FFmpeg 7.1 refuses Debian 12's. They are text alone, and nothing of them is installed.
fetch_nvidia_headers() {
	local dir=$1
	(cd "$dir" && private_apt "$dir" apt-get download --quiet=2 libffmpeg-nvenc-dev) || die 'the package libffmpeg-nvenc-dev cannot be fetched'
	dpkg-deb --extract "$dir"/libffmpeg-nvenc-dev_*.deb "$dir/nvidia"
	sed -i "s|^prefix=.*|prefix=$dir/nvidia/usr|" "$dir/nvidia/usr/share/pkgconfig/ffnvcodec.pc"
}

# ffmpeg_version prints the wanted version if folder $1's lists have it, else their newest 7.1.
ffmpeg_version() {
	local versions
	versions=$(private_apt "$1" apt-cache showsrc --only-source ffmpeg | sed -n 's/^Version: \(7:7\.1\.\)/\1/p' | sort --unique --version-sort)
	[ -n "$versions" ] || die "the mirror has no source of FFmpeg 7.1: go-astiav v0.39 builds with no other"
	grep --fixed-strings --line-regexp "$ffmpeg_wanted" <<<"$versions" || tail -n 1 <<<"$versions"
}

# build_ffmpeg builds $1/source. The result appears under its name when it is complete.
build_ffmpeg() {
	local dir=$1 release prefix
	release=$(cat "$dir/source/RELEASE")
	prefix=$cache/ffmpeg-$release-$ffmpeg_digest
	say "building FFmpeg $release (about 4 minutes on two cores; log: $cache/ffmpeg.log)"
	(
		cd "$dir/source"
		PKG_CONFIG_PATH=$dir/nvidia/usr/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} \
			./configure --prefix="$prefix" "${ffmpeg_flags[@]}"
		make -j2
		make install DESTDIR="$dir/root"
	) >"$cache/ffmpeg.log" 2>&1 || die "FFmpeg does not build: see $cache/ffmpeg.log"
	rm -rf "$prefix" "$dir/root$prefix/share"
	mv "$dir/root$prefix" "$prefix"
}
