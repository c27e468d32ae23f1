#!/usr/bin/env bash
# vulnerabilities.sh FOLDER...: looks for known vulnerabilities in what the Go modules in these folders, relative to the
# checkout, are built from.
#
# Its exit code is 0 when there is none that the code calls, 3 when there is one, and 2 when nothing was found out, most
# often since the database cannot be reached.
#
# Environment:
#   GOVULNDB  URL of the database, instead of https://vuln.go.dev; file:// takes a copy of it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly GOVULNCHECK=golang.org/x/vuln/cmd/govulncheck@v1.9.0

say() { printf 'vulnerabilities.sh: %s\n' "$*" >&2; }

mkdir -p .cache/bin
if ! GOBIN=$PWD/.cache/bin go install "$GOVULNCHECK"; then
  say "$GOVULNCHECK cannot be built: nothing was checked."
  exit 2
fi

found=0
for module in "$@"; do
  echo "== $module"
  code=0
  (cd "$module" && "$OLDPWD/.cache/bin/govulncheck" ${GOVULNDB:+-db="$GOVULNDB"} -test ./...) || code=$?
  case $code in
    0) ;;
    3) found=3 ;;
    *)
      say "nothing was found out about $module: see the line above. If the database cannot be reached from here, run this" \
        "where it can be, or set GOVULNDB to a copy of it."
      exit 2
      ;;
  esac
done
exit "$found"
