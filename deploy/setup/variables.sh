# What Go must know: where FFmpeg and ONNX Runtime lie. Sourced by setup.sh.

# variables prints NAME=value lines. Go's build cache does not see what pkg-config
# answers, but it does see CGO_CFLAGS: naming the build there makes Go notice another one.
variables() {
	local ffmpeg
	ffmpeg=$(ffmpeg_prefix)
	printf '%s=%s\n' \
		PKG_CONFIG "$cache/pkg-config-static" \
		PKG_CONFIG_PATH "$ffmpeg/lib/pkgconfig" \
		CGO_CFLAGS "-O2 -g -I$ffmpeg/include" \
		WINNOW_ORT_LIB "$ort_lib"
}

# write_env writes env.mk for the Makefile, env.sh for shells, and the pkg-config
# that answers for static linking. env.mk comes last: make takes it as done.
write_env() {
	printf '#!/bin/sh\nexec pkg-config --static "$@"\n' >"$cache/pkg-config-static"
	chmod +x "$cache/pkg-config-static"
	variables | sed "s/=\(.*\)/='\1'/; s/^/export /" >"$cache/env.sh"
	variables | sed 's/=/ := /; s/^/export /' >"$cache/env.mk.part"
	mv "$cache/env.mk.part" "$cache/env.mk"
	say "wrote $cache/env.mk and env.sh"
}
