#!/bin/sh
# Install the system libraries that the window and its tests need; without root, say which line installs them.
set -eu

packages="
    libdbus-1-3 libegl1 libfontconfig1 libgl1 libgl1-mesa-dri libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0
    libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxkbcommon-x11-0 xauth xvfb
"

# elsewhere than on Debian and its kin the Qt wheels bring what they need, or the user knows better than this script
command -v dpkg >/dev/null || exit 0

installed() {
    for name in "$1" "$1t64"; do # Ubuntu renamed some packages for 64-bit time
        dpkg -s "$name" 2>/dev/null | grep -q '^Status: install ok installed' && return
    done
    return 1
}

missing=""
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "System libraries for the window are missing. Install them once, then run make again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
apt-get update -q
# shellcheck disable=SC2086 # the list is meant to split into words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
