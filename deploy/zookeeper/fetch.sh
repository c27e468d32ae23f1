#!/usr/bin/env bash
# fetch.sh DEST: unpacks ZooKeeper 3.9 and the jars it runs with into DEST (DEST/usr/share/java/*.jar).
#
# The packages come from Debian's forky suite, through this machine's own Debian mirror, and are verified by apt as
# always. Nothing of the system changes: apt works on lists, cache and state of its own beside DEST, and dpkg only
# unpacks. The one exception: when no java is found and we are root, default-jre-headless is installed.
#
# Environment:
#   ZKINE_DEBIAN_MIRROR   URL of a Debian archive, instead of what this machine's apt sources name
#   ZKINE_DEBIAN_KEYRING  the keyring that its signature is checked with, instead of the system's trusted keys
#   ZKINE_APT_ETC         where the apt sources are read from (default /etc/apt)
set -euo pipefail

readonly SUITE=forky
# What a standalone and a quorum server load with java 17. libzookeeper-java depends on more (jetty, jackson, guava,
# junit), for the admin server and for tests, which zkine never runs.
readonly PACKAGES=(
  libzookeeper-java
  libslf4j-java libreload4j-java
  libdropwizard-metrics-java libsnappy-java
  libcommons-cli-java libcommons-io-java
  libnetty-java libnetty-buffer-java libnetty-common-java libjctools-java
)
readonly STAMP="1 $SUITE ${PACKAGES[*]}"

say() { printf 'fetch.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# mirrors prints one line for each Debian main archive that this machine's apt uses: "<suite> <url> <options>".
# A third party's archive can look alike; apt's signature check and the look at the version sort it out.
mirrors() {
  if [ -n "${ZKINE_DEBIAN_MIRROR:-}" ]; then
    echo "stable $ZKINE_DEBIAN_MIRROR ${ZKINE_DEBIAN_KEYRING:+signed-by=$ZKINE_DEBIAN_KEYRING}"
    return
  fi
  local etc=${ZKINE_APT_ETC:-/etc/apt}
  {
    local f
    for f in "$etc"/sources.list "$etc"/sources.list.d/*.{list,sources}; do
      if [ ! -f "$f" ]; then continue; fi
      case $f in
        *.sources) deb822_sources "$f" ;;
        *) one_line_sources "$f" ;;
      esac
    done
  } | awk '!seen[$0]++'
}

# usable is awk: a release's main suite (not -security, -updates, -backports) that has the component main.
readonly USABLE='
  function usable(suite, components) {
    return suite ~ /^(stable|oldstable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)$/ &&
           components ~ /(^| )main( |$)/
  }'

one_line_sources() { # FILE
  awk "$USABLE"'
    $1 != "deb" { next }
    {
      options = ""
      if (match($0, /\[[^]]*\]/)) {
        options = substr($0, RSTART + 1, RLENGTH - 2)
        $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
      }
      components = ""
      for (i = 4; i <= NF && $i !~ /^#/; i++) components = components " " $i
      if (!usable($3, components)) next
      n = split(options, all, " "); kept = ""
      for (i = 1; i <= n; i++) if (all[i] ~ /^(signed-by|trusted)=/) kept = kept " " all[i]
      print $3, $2 kept
    }' "$1"
}

deb822_sources() { # FILE
  awk "$USABLE"'
    function flush(  n, m, i, j, s, u, options) {
      if (f["types"] ~ /(^| )deb( |$)/ && f["enabled"] !~ /^(no|false)$/) {
        # A key written out in the stanza cannot be carried over; the trusted keys of the system decide then.
        gsub(/^ +| +$/, "", f["signed-by"]); gsub(/ +/, ",", f["signed-by"])
        if (f["signed-by"] ~ /^\//) options = " signed-by=" f["signed-by"]
        if (f["trusted"] != "") options = options " trusted=" f["trusted"]
        n = split(f["suites"], s, " "); m = split(f["uris"], u, " ")
        for (i = 1; i <= n; i++) if (usable(s[i], f["components"]))
          for (j = 1; j <= m; j++) print s[i], u[j] options
      }
      delete f; name = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[ \t]/ { sub(/^[ \t]+/, ""); f[name] = f[name] " " $0; next }
    { name = tolower(substr($0, 1, index($0, ":") - 1))
      value = substr($0, index($0, ":") + 1); gsub(/^[ \t]+|[ \t]+$/, "", value); f[name] = value }
    END { flush() }' "$1"
}

# apt_root DIR makes a private apt root. The machine's settings (proxies and the like) are kept, its hooks are not:
# they would run programs of the system after our update.
apt_root() {
  mkdir -p "$1"/{parts,preferences,lists/partial,cache/archives/partial,state}
  : >"$1/state/status"
  {
    apt-config dump | grep -vE '^(Dir|DPkg|APT::Update|APT::Default-Release|Acquire::IndexTargets)(::| )' || true
    cat <<CONF
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$1/parts";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "$1/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$1/preferences";
Dir::State "$1/state";
Dir::State::status "$1/state/status";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
  } >"$1/apt.conf"
}

# update ROOT SUITE URL OPTIONS: points ROOT at one suite of one archive and reads its lists; the log is ROOT/log.
update() {
  echo "deb ${4:+[$4] }$3 $2 main" >"$1/sources.list"
  APT_CONFIG=$1/apt.conf apt-get -o APT::Update::Error-Mode=any update >"$1/log" 2>&1 ||
    APT_CONFIG=$1/apt.conf apt-cache show libzookeeper-java >/dev/null 2>&1
}

# keyring ROOT OWN-SUITE URL OPTIONS: prints a newer Debian keyring, taken from the suite that the machine trusts
# already; for a machine whose keyring is older than the keys of $SUITE.
keyring() {
  say "this machine's keyring does not know $SUITE's key; taking debian-archive-keyring from $2"
  local s
  for s in "$2-updates" "$2"; do
    update "$1" "$s" "$3" "$4" || continue
    (cd "$1" && APT_CONFIG=$1/apt.conf apt-get download debian-archive-keyring >>"$1/log" 2>&1) || continue
    dpkg -x "$1"/debian-archive-keyring_*.deb "$1/keyring"
    echo "$1/keyring/usr/share/keyrings/debian-archive-keyring.gpg"
    return
  done
  return 1
}

# connect ROOT: finds an archive that has ZooKeeper in $SUITE.
connect() {
  local own url options ring tried=
  while read -r own url options; do
    tried="$tried $url"
    update "$1" "$SUITE" "$url" "$options" && return
    grep -q NO_PUBKEY "$1/log" || continue
    ring=$(keyring "$1" "$own" "$url" "$options") || continue
    update "$1" "$SUITE" "$url" "signed-by=$ring" && return
  done < <(mirrors)
  [ -n "$tried" ] || die "no Debian archive among this machine's apt sources." \
    "Set ZKINE_DEBIAN_MIRROR to one's URL (and ZKINE_DEBIAN_KEYRING to its keyring), or unpack an Apache ZooKeeper" \
    "3.9.5 or newer and set ZOOKEEPER_HOME."
  tail -n 5 "$1/log" >&2
  die "cannot read suite $SUITE from$tried: see apt's words above. Check the network and the proxy settings," \
    "set ZKINE_DEBIAN_MIRROR to another archive, or unpack an Apache ZooKeeper 3.9.5 or newer and set ZOOKEEPER_HOME."
}

download() { # DEST
  local tool
  for tool in apt-get dpkg dpkg-deb; do
    command -v "$tool" >/dev/null || die "$tool not found: this script needs Debian's tools." \
      "Elsewhere, unpack an Apache ZooKeeper 3.9.5 or newer and set ZOOKEEPER_HOME."
  done
  work=$(mktemp -d "$1.fetch.XXXXXX") # not local: the trap reads it after we returned
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  apt_root "$work"
  connect "$work"
  mkdir "$work/debs" "$work/tree"
  (cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get download "${PACKAGES[@]}" >"$work/log" 2>&1) || {
    tail -n 5 "$work/log" >&2
    die "the download failed: see apt's words above; run it again, or set ZKINE_DEBIAN_MIRROR to another archive."
  }
  local deb
  for deb in "$work"/debs/*.deb; do
    dpkg -x "$deb" "$work/tree"
  done
  local jars=("$work"/tree/usr/share/java/zookeeper-3.*.jar)
  [ -f "${jars[0]}" ] || die "libzookeeper-java of $SUITE holds no zookeeper-3.*.jar; its layout changed: fetch.sh needs a look."
  echo "$STAMP" >"$work/tree/.stamp"
  chmod 755 "$work/tree"
  rm -rf "$1.old"
  if [ -e "$1" ]; then mv -T "$1" "$1.old"; fi
  mv -T "$work/tree" "$1"
  rm -rf "$1.old"
  say "$(basename "${jars[0]}" .jar) is in $1"
}

ensure_java() {
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then return; fi
  if command -v java >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    die "no java found: install a Java runtime, 11 or newer (Debian: apt-get install default-jre-headless), or set JAVA_HOME."
  say "no java found: installing default-jre-headless with apt-get"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends default-jre-headless >&2 ||
    { apt-get update >&2 && apt-get install -y --no-install-recommends default-jre-headless >&2; } ||
    die "apt-get could not install default-jre-headless: see its words above, or set JAVA_HOME to a Java runtime."
}

main() {
  [ $# = 1 ] && [ -n "$1" ] || die "usage: fetch.sh DEST"
  local dest
  mkdir -p "$(dirname "$1")" || die "cannot make the folder of $1"
  dest=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
  # Two makes at once would each unpack the same; the second waits and finds it done.
  exec 9>"$dest.lock"
  flock 9
  if [ "$(cat "$dest/.stamp" 2>/dev/null)" != "$STAMP" ]; then
    download "$dest"
  fi
  ensure_java
}

main "$@"
