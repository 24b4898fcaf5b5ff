# A bare Debian in a folder: sourced by the scripts that need one, not run. Everything lies in one temporary folder and one private mount namespace, and goes
# with them.
# shellcheck shell=bash

# bare_unshare ARGUMENT... : once more in namespaces of our own: the binds below vanish with this process, whatever happens to it.
bare_unshare() {
	if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
		echo "SKIPPED: $(basename "$0") needs root and debootstrap" >&2
		exit 77
	fi
	if [ "${NJ_BARE_UNSHARED:-}" != 1 ]; then
		export NJ_BARE_UNSHARED=1
		exec unshare --mount --propagation unchanged --pid --fork --kill-child "$0" "$@"
	fi
	mount --make-rprivate / 2>/dev/null || true # in a chroot, whose root need not be a mount, it has no effect
}

# bare_bootstrap SUITE MIRROR KEEP : sets work and root.
bare_bootstrap() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-bare.XXXXXX")
	root=$work/root
	bare_keep=$3
	trap bare_finish EXIT
	echo "== bootstrapping Debian $1 from $2" >&2
	debootstrap --variant=minbase "$1" "$root" "$2" >"$work/debootstrap.log" 2>&1 || { tail -20 "$work/debootstrap.log" >&2; exit 3; }
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --make-rslave "$root/dev"
}

bare_finish() {
	umount -R "$root/proc" "$root/dev" 2>/dev/null || true
	if [ "$bare_keep" = 1 ]; then echo "kept: $root" >&2; else rm -rf --one-file-system "$work"; fi
}

inside() { chroot "$root" env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
