# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by the scripts in this folder: where the cache is, how to take a lock,
# and how to fetch packages without touching what is installed.
#
# The archive's address is never written down here: it is asked of apt, so a
# machine with a local mirror uses it.

CTIHA_CACHE="${CTIHA_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/ctiha}"

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "error: $*"
	exit 1
}

host_codename()
{
	(. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-unknown}")
}

# cache_lock NAME: serialise with every other process that takes the same lock;
# it is held until this shell exits. Children inherit the descriptor, so a
# background process started under it has to close fd 9.
cache_lock()
{
	mkdir -p "$CTIHA_CACHE/locks"
	exec 9>"$CTIHA_CACHE/locks/$1"
	flock 9
}

# Only Debian's own archive can serve other suites; a vendor's list cannot.
archive_uri()
{
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)' |
		awk -F'|' -v c="$(host_codename)" \
			'$1 == "Debian" && $2 == c { print $3; exit }'
}

# apt_private DIR COMMAND...: an apt command on its own lists and caches, so
# that it needs no privileges and the system's apt never learns of the suite.
apt_private()
{
	local dir=$1 cmd=$2

	shift 2
	"$cmd" -qq -o Dir::Etc::SourceList="$dir/sources.list" \
		-o Dir::Etc::SourceParts="$dir/none" \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

apt_own_archive()
{
	local opts=(-o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
	local cmd=$1

	shift
	"$cmd" -qq "${opts[@]}" "$@"
}

# suite_apt SUITE COMMAND...: apt-get or apt-cache against one suite. The
# host's own suite goes through the system's lists (they include security).
suite_apt()
{
	local suite=$1

	shift
	if [ "$suite" = "$(host_codename)" ]; then
		apt_own_archive "$@"
	else
		apt_private "$CTIHA_CACHE/apt/$suite" "$@"
	fi
}

# suite_prepare SUITE: make its package lists available; fresh for a day.
suite_prepare()
{
	local suite=$1 dir="$CTIHA_CACHE/apt/$1" uri key

	if [ "$suite" = "$(host_codename)" ]; then
		[ -n "$(archive_uri)" ] || own_archive_update
		return
	fi
	[ -z "$(find "$dir/fresh" -mtime -1 2>/dev/null)" ] || return 0
	uri=$(archive_uri)
	[ -n "$uri" ] || { own_archive_update; uri=$(archive_uri); }
	[ -n "$uri" ] || die "apt knows no Debian archive on this machine"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$dir/none" "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb [signed-by=%s] %s %s main\n' "$key" "$uri" "$suite" \
		> "$dir/sources.list"
	say "reading the package list of $suite"
	apt_private "$dir" apt-get update ||
		die "cannot read the package list of suite $suite"
	touch "$dir/fresh"
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
		return
	fi
	command -v sudo >/dev/null ||
		die "this needs root: run as root, or install sudo ($*)"
	say "using sudo: $*"
	sudo "$@"
}

own_archive_update()
{
	say "reading the package lists (apt-get update)"
	as_root apt-get -qq update
}

# suite_download SUITE DIR PACKAGE...: fetch .deb files. A failure most often
# means that the lists are older than the archive: renew them once.
suite_download()
{
	local suite=$1 dir=$2

	shift 2
	(
		cd "$dir" || exit
		suite_apt "$suite" apt-get download "$@" && exit
		rm -f "$CTIHA_CACHE/apt/$suite/fresh"
		if [ "$suite" = "$(host_codename)" ]; then
			own_archive_update
		else
			suite_prepare "$suite"
		fi
		suite_apt "$suite" apt-get download "$@"
	)
}

# suite_depends SUITE PACKAGE REGEX: the newest version of PACKAGE's first
# dependency that matches; this is how a meta package names the real one.
suite_depends()
{
	suite_apt "$1" apt-cache show --no-all-versions "$2" |
		sed -n 's/^Depends: //p' | tr ',' '\n' | awk '{ print $1 }' |
		grep -E -m1 -- "$3"
}
