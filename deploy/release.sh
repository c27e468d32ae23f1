#!/usr/bin/env bash
# release.sh DIR: makes the files of a release in DIR, which must not exist yet: for each platform an archive with the
# program, manual pages, completions, units and documents, and a list of what the program is built from (SBOM, CycloneDX);
# and SHA256SUMS. The same sources and Go release make the same bytes, anywhere and at any time.
#
# Environment:
#   VERSION            what zkine version says (default: git's description)
#   SOURCE_DATE_EPOCH  the time of all files, in seconds (default: the commit's)
#   PLATFORMS          what to build for (default: all of them, below)
#   CYCLONEDX          the program cyclonedx-gomod (default: conformance/components builds it); "none" leaves the lists out
#
# The one for Windows serves no ZooKeeper of its own: a local ZooKeeper is kept by means of Unix.
set -euo pipefail

[ $# = 1 ] || { echo "usage: release.sh DIR" >&2; exit 2; }
[ ! -e "$1" ] || { echo "release.sh: $1 is there already" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${VERSION:-$(git describe --tags --match 'v[0-9]*' --always --dirty)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export CGO_ENABLED=0 LC_ALL=C TZ=UTC
umask 022
if [ -z "${CYCLONEDX:-}" ]; then
  conformance/components/build.sh cyclonedx-gomod
  CYCLONEDX=.cache/bin/cyclonedx-gomod
fi

build() { # build FILE [FLAG]...: as make build does
  local file=$1
  shift
  go build -trimpath -buildvcs=false "$@" -ldflags "-s -w -X main.version=$version" -o "$file" ./cmd/zkine
}

parts() { # parts PROGRAM FILE: what it is built from, by the build's own record in it
  # The time is the release's, and there is no serial number: it would be random.
  "$CYCLONEDX" bin -json -std -noserial -version "$version" -output "$work/parts" "$1" 2>"$work/log" ||
    { cat "$work/log" >&2; exit 1; }
  sed "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)\"/" "$work/parts" >"$2"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The same for all platforms; written by the program itself, on this one.
common=$work/common
mkdir -p "$common/man/man1" "$common/completions"
build "$work/writer" -tags manpages
"$work/writer" man "$common/man/man1"
"$work/writer" completion bash >"$common/completions/zkine.bash"
"$work/writer" completion zsh >"$common/completions/_zkine"
"$work/writer" completion fish >"$common/completions/zkine.fish"
cp LICENSE README.md CHANGELOG.md SECURITY.md "$common"
cp -r docs deploy "$common"

for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}; do
  name=zkine_${version#v}_${platform/\//_}
  mkdir "$work/$name"
  cp -r "$common"/. "$work/$name"
  program=$work/$name/zkine
  case $platform in windows/*) program=$program.exe ;; esac
  GOOS=${platform%/*} GOARCH=${platform#*/} build "$program"
  if [ "$CYCLONEDX" != none ]; then parts "$program" "$out/$name.sbom.json"; fi
  chmod -R u=rwX,go=rX "$work/$name"
  tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -cf - "$name" |
    gzip -9n >"$out/$name.tar.gz"
  echo "release.sh: $name" >&2
done
cd "$out"
sha256sum -- * >"$work/sums"
mv "$work/sums" SHA256SUMS
