#!/usr/bin/env bash
# fetch-systemd.sh DEST: unpacks Debian's systemd with all that it needs into DEST, and writes DEST/systemd-analyze, which
# runs it there. It takes some 40 MB from the archive.
#
# Nothing of the system changes: apt works on lists, cache and state of its own, and dpkg only unpacks. The packages
# come from this machine's own apt sources, and are verified as always.
set -euo pipefail

say() { printf 'fetch-systemd.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ $# = 1 ] && [ -n "$1" ] || die "usage: fetch-systemd.sh DEST"
mkdir -p "$(dirname "$1")"
dest=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
for tool in apt-get dpkg dpkg-deb flock; do
  command -v "$tool" >/dev/null || die "$tool not found: this script needs Debian's tools; elsewhere install systemd 250 or newer."
done

# Two at once would each unpack the same; the second waits and finds it done.
exec 9>"$dest.lock"
flock 9
if [ -x "$dest/systemd-analyze" ]; then exit; fi

work=$(mktemp -d "$dest.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work/tree"
# No package is installed there: so systemd comes with every library, the loader's included, and none of the machine's
# has to fit.
: >"$work/status"

apt() {
  apt-get -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::State::extended_states="$work/extended" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User= -o Acquire::Languages=none -o Debug::NoLocking=true \
    -o Acquire::Retries=3 -o APT::Update::Post-Invoke::= -o APT::Update::Post-Invoke-Success::= "$@" >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    die "$1 failed: see apt's words above; check the network and the proxy settings, or install systemd 250 or newer."
  }
}
apt update
apt install --download-only --yes --no-install-recommends systemd

for deb in "$work"/cache/archives/*.deb; do
  dpkg -x "$deb" "$work/tree"
done
cat >"$work/tree/systemd-analyze" <<'RUN'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
folders=
for folder in "$here"/usr/lib/*-linux-gnu* "$here"/usr/lib/*-linux-gnu*/systemd "$here"/lib/*-linux-gnu* "$here"/usr/lib/systemd "$here"/lib/systemd; do
  if [ -d "$folder" ]; then folders="$folders:$folder"; fi
done
for loader in "$here"/lib*/ld-linux*.so.* "$here"/lib/*/ld-linux*.so.* "$here"/usr/lib*/ld-linux*.so.* "$here"/usr/lib/*/ld-linux*.so.*; do
  if [ -f "$loader" ]; then exec "$loader" --library-path "${folders#:}" "$here/usr/bin/systemd-analyze" "$@"; fi
done
echo "systemd-analyze: there is no loader below $here" >&2
exit 1
RUN
chmod 755 "$work/tree" "$work/tree/systemd-analyze"
"$work/tree/systemd-analyze" --version >/dev/null || die "what was unpacked does not run: fetch-systemd.sh needs a look."
rm -rf "$dest"
mv -T "$work/tree" "$dest"
say "$("$dest/systemd-analyze" --version | head -n 1) is in $dest"
