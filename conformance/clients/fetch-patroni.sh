#!/usr/bin/env bash
# fetch-patroni.sh DEST: unpacks Debian's Patroni, with the Python packages that it speaks to etcd and PostgreSQL by, into
# DEST, and writes DEST/patroni and DEST/patronictl, which run it there. Python, libpq and PostgreSQL are the system's
# (Debian: apt-get install python3 postgresql).
#
# Nothing of the system changes: dpkg only unpacks. The packages come from this machine's own apt sources, and are verified
# as always.
set -euo pipefail

readonly PACKAGES=(
  patroni python3-etcd python3-dnspython python3-click python3-dateutil python3-prettytable python3-psutil
  python3-psycopg2 python3-six python3-urllib3 python3-yaml python3-cdiff python3-wcwidth python3-pkg-resources
)

[ $# = 1 ] && [ -n "$1" ] || { echo "usage: fetch-patroni.sh DEST" >&2; exit 2; }
mkdir -p "$(dirname "$1")"
dest=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
exec 9>"$dest.lock"
flock 9
if [ -x "$dest/patroni" ]; then exit; fi

work=$(mktemp -d "$dest.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/debs" "$work/tree"
fetch() { (cd "$work/debs" && apt-get -o APT::Sandbox::User= download "${PACKAGES[@]}" >"$work/log" 2>&1); }
fetch || { apt-get update >"$work/log" 2>&1 && fetch; } || {
  tail -n 5 "$work/log" >&2
  echo "fetch-patroni.sh: the download failed: see apt's words above; this needs Debian's archive" >&2
  exit 1
}
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/tree"; done
for program in patroni patronictl; do
  cat >"$work/tree/$program" <<'RUN'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$here/usr/lib/python3/dist-packages"
exec /usr/bin/python3 "$here/usr/bin/$(basename "$0")" "$@"
RUN
  chmod 755 "$work/tree/$program"
done
chmod 755 "$work/tree"
"$work/tree/patroni" --version >/dev/null
rm -rf "$dest"
mv -T "$work/tree" "$dest"
echo "fetch-patroni.sh: $("$dest/patroni" --version) is in $dest" >&2
