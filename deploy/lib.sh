# Shared by the scripts in deploy/: sourced, not run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this
BUILD=${NJ_BUILD:-$ROOT/build}
STEP="start"

say() { printf '\n== %s\n' "$*" >&2; }

# Names the step that failed: a bare "exit 1" in a log helps nobody.
on_error() {
	local status=$?
	printf '\n%s: FAILED while: %s (exit %d)\n' "$(basename "$0")" "$STEP" "$status" >&2
	exit "$status"
}
trap on_error ERR
set -E

step() {
	STEP=$*
	say "$STEP"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		printf '%s needs root to run: %s\nRun it as root, or install sudo.\n' "$(basename "$0")" "$*" >&2
		return 1
	fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
# Reads all of the answer: under pipefail, a grep that stops at its first match would make apt-cache fail.
known() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

# The first of "a|b|c" that is installed, or else known to apt.
choose() {
	local name
	for name in ${1//|/ }; do installed "$name" && { printf '%s\n' "$name"; return; }; done
	for name in ${1//|/ }; do known "$name" && { printf '%s\n' "$name"; return; }; done
	return 1
}

missing_from() {
	local line name
	while read -r line; do
		case $line in '' | '#'*) continue ;; esac
		if name=$(choose "$line"); then
			installed "$name" || printf '%s\n' "$name"
		else
			printf '?%s\n' "$line"
		fi
	done <"$1"
}

# Servers among the packages are for the tests to start, in namespaces of their own: Debian is kept from starting them here as it installs them.
apt_install() (
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'as_root rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
)

# install_packages FILE... : what the files list and the machine lacks. "optional:FILE" may leave unknown names out, loudly.
install_packages() {
	if ! command -v apt-get >/dev/null; then
		printf 'These scripts install packages with apt (Debian 12 or 13); apt-get was not found.\n' >&2
		return 1
	fi
	local list optional wanted
	for list in "$@"; do
		optional=${list%%:*}
		wanted=$(missing_from "${list#optional:}")
		[ -n "$wanted" ] || continue
		case $wanted in *'?'*) as_root apt-get update -qq && wanted=$(missing_from "${list#optional:}") ;; esac
		if [[ $wanted == *'?'* ]]; then
			printf 'not known to apt: %s\n' "$(grep '^?' <<<"$wanted" | tr -d '?' | tr '\n' ' ')" >&2
			[ "$optional" = optional ] || return 1
			wanted=$(grep -v '^?' <<<"$wanted" || true)
		fi
		[ -n "$wanted" ] || continue
		say "installing: $(tr '\n' ' ' <<<"$wanted")"
		# shellcheck disable=SC2086
		apt_install $wanted
	done
}

# Suricata 7 (the JA4 oracle) is a backport on Debian 12. A stranger's apt sources are not ours to extend: only in CI, or when asked.
install_suricata() {
	installed suricata && return
	. /etc/os-release
	if [ "${VERSION_CODENAME:-}" = bookworm ]; then
		if [ "${CI:-}" != true ] && [ "${NJ_BACKPORTS:-0}" != 1 ]; then
			printf 'Suricata 7 is not installed: its comparison will be skipped. NJ_BACKPORTS=1 adds Debian backports and installs it.\n' >&2
			return
		fi
		printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: %s\n' \
			/usr/share/keyrings/debian-archive-keyring.gpg | as_root tee /etc/apt/sources.list.d/bookworm-backports.sources >/dev/null
		as_root apt-get update -qq
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t bookworm-backports suricata </dev/null >&2
	else
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends suricata </dev/null >&2
	fi
}

build() {
	local folder=$1
	shift
	cmake -S "$ROOT" -B "$folder" -G Ninja "$@" >&2
	cmake --build "$folder" >&2
}
