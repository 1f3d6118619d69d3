# System packages, through apt-get. Sourced by setup.sh.

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

installed() {
	[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

may_install() {
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "run this as root, or install sudo: $* must be installed"
}

# apt_get runs apt-get with what it says kept in apt.log.
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet "$@" >>"$cache/apt.log" 2>&1; }

apt_install() { apt_get install --yes --no-install-recommends "$@"; }

# apt_update refreshes the package lists, once a run.
apt_updated=no
apt_update() {
	[ "$apt_updated" = no ] || return 0
	say 'refreshing package lists'
	apt_get update || say "some package lists could not be refreshed (see $cache/apt.log); going on with what is there"
	apt_updated=yes
}

# install_packages installs those of the named packages that are missing. Lists
# may be absent or name versions that mirrors no longer hold, so a failure is
# tried again with fresh ones.
install_packages() {
	local missing=() package
	for package in "$@"; do
		installed "$package" || missing+=("$package")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		say "packages in place: $*"
		return
	fi
	may_install "${missing[@]}"
	say "installing ${missing[*]}"
	apt_install "${missing[@]}" && return
	apt_update
	apt_install "${missing[@]}" || die "apt-get cannot install ${missing[*]}: $(tail -n 3 "$cache/apt.log")"
}
