#!/bin/sh
# Installs the Debian packages that retort needs and this machine lacks, and says so; does nothing
# where none is missing.  Needs nothing but sh and apt, and root or sudo.
#   sh scripts/setup.sh            what the build needs
#   sh scripts/setup.sh --test     and what `make test` needs
#   sh scripts/setup.sh --dev      and what lint, asan, valgrind, coverage and test-st need
set -eu

packages='gcc libc6-dev make pkgconf libdnnl-dev libarchive-dev zlib1g-dev libyaml-dev
    libjansson-dev libutf8proc-dev liblapacke-dev libxxhash-dev'
test_packages='check'
dev_packages='clang clang-format universal-ctags valgrind libc6-dbg gcovr python3 python3-venv chromium'

case ${1:-} in
'') ;;
--test) packages="$packages $test_packages" ;;
--dev) packages="$packages $test_packages $dev_packages" ;;
*)
    echo "usage: sh scripts/setup.sh [--test|--dev]" >&2
    exit 2
    ;;
esac

command -v apt-get >/dev/null || {
    echo "setup: no apt-get here; install what these Debian packages hold:" $packages >&2
    exit 1
}

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    'install ok installed' | 'hold ok installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || {
    echo "setup: nothing is missing"
    exit 0
}
echo "setup: missing:$missing"

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup: neither root nor sudo here; let root run:" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    as_root=sudo
    echo "setup: they are installed by sudo"
fi

apt() {
    echo "setup: apt-get $*"
    # Another apt-get may hold the lock; a wait is better than a failure.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 \
        -o Acquire::Retries=3 "$@" </dev/null
}

# A source of packages that does not answer may be one that is not needed.
apt update || echo "setup: not all lists of packages could be renewed; trying with those here" >&2
apt install -y --no-install-recommends $missing
echo "setup: done"
