#!/usr/bin/env bash
# Installs the Debian packages that are not there yet. usage: apt.sh PACKAGE...
set -euo pipefail
missing=()
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || { echo "install as root: apt-get install ${missing[*]}" >&2; exit 2; }
echo "installing Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# runlevel 1: what is installed for tests starts no service
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
