# ONNX Runtime's shared library, taken out of its Python wheel: PyPI is where
# it is published for both architectures, with digests. Sourced by setup.sh.

ort_version=1.24.3

# The wheel is chosen for one Python, whatever runs here: only the library in it
# is used. Its digest is pinned.
ort_python=3.12
ort_platform_x86_64=manylinux_2_28_x86_64
ort_platform_aarch64=manylinux_2_28_aarch64
ort_sha256_x86_64=b354afce3333f2859c7e8706d84b6c552beac39233bcd3141ce7ab77b4cabb5d
ort_sha256_aarch64=0a9847b870b6cb462652b547bc98c49e0efb67553410a082fde1918a38707452

ort_dir=$cache/onnxruntime-$ort_version
ort_lib=$ort_dir/libonnxruntime.so

# pip runs whichever Python has pip, installing it where none has.
pip() {
	local python
	for python in python3 /usr/bin/python3; do
		if "$python" -m pip --version >/dev/null 2>&1; then
			"$python" -m pip "$@"
			return
		fi
	done
	install_packages python3-pip
	/usr/bin/python3 -m pip "$@"
}

provide_onnxruntime() {
	if [ -s "$ort_lib" ]; then
		say "ONNX Runtime $ort_version in place: $ort_lib"
		return
	fi
	local machine platform sha256 dir=$scratch/onnxruntime
	machine=$(uname -m)
	platform=ort_platform_$machine sha256=ort_sha256_$machine
	[ -n "${!platform:-}" ] || die "no ONNX Runtime library for $machine: x86_64 and aarch64 are supported"
	mkdir "$dir"
	say "fetching ONNX Runtime $ort_version"
	printf 'onnxruntime==%s --hash=sha256:%s\n' "$ort_version" "${!sha256}" >"$dir/requirements.txt"
	pip download --quiet --no-deps --only-binary=:all: --require-hashes \
		--python-version "$ort_python" --platform "${!platform}" \
		--requirement "$dir/requirements.txt" --dest "$dir" ||
		die 'the onnxruntime wheel could not be fetched: is PyPI reachable?'
	unpack_onnxruntime "$dir"
	say "ONNX Runtime in place: $ort_lib"
}

# unpack_onnxruntime copies the library out of the wheel in folder $1.
unpack_onnxruntime() {
	python3 -m zipfile --extract "$1"/onnxruntime-*.whl "$1/wheel"
	mkdir -p "$ort_dir"
	cp "$1/wheel/onnxruntime/capi/libonnxruntime.so.$ort_version" "$ort_lib.part"
	cp "$1/wheel/onnxruntime/LICENSE" "$1/wheel/onnxruntime/ThirdPartyNotices.txt" "$ort_dir/"
	mv "$ort_lib.part" "$ort_lib"
}
