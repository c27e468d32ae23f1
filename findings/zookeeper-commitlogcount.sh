#!/usr/bin/env bash
# ZooKeeper 3.9 keeps the last 500 transactions in memory, each of which may take up to jute.maxbuffer, and does not let
# it be fewer: started with zookeeper.commitLogCount=10 it says nothing of it, and keeps 500. It does so on a standalone
# server too, which has no follower to whom they could ever be sent.
#
# Needs bash, Java and Debian's tools with an archive to read (deploy/zookeeper/fetch.sh gets ZooKeeper); everything
# goes into a temporary folder.
# Exits 0 if it behaves like this, 1 if it no longer does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; rm -rf "$work"' EXIT

echo "fetching ZooKeeper (a minute or so) ..."
"$here/../deploy/zookeeper/fetch.sh" "$work/zookeeper" 2>"$work/log" || { cat "$work/log"; exit 2; }
jars=$work/zookeeper/usr/share/java
basename "$jars"/zookeeper-3.*.jar .jar
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi

# kept COUNT starts a standalone server that is asked to keep so many, and prints how many it says that it keeps.
kept() {
  rm -rf "$work/data"
  mkdir "$work/data"
  printf '%s\n' "dataDir=$work/data" clientPort=$((20000 + RANDOM % 10000)) clientPortAddress=127.0.0.1 \
    admin.enableServer=false >"$work/zoo.cfg"
  "$java" -Dzookeeper.commitLogCount="$1" -cp "$(echo "$jars"/slf4j-simple-[0-9]*.jar):$jars/*" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" >"$work/log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    if grep -q 'zookeeper.commitLogCount=' "$work/log"; then break; fi
    sleep 0.1
  done
  kill "$server"
  wait "$server" || true
  server=
  sed -n 's/.*zookeeper\.commitLogCount=\([0-9]*\).*/\1/p' "$work/log"
}

few=$(kept 10) many=$(kept 600)
echo "asked to keep 10 transactions it keeps ${few:-?}; asked to keep 600, ${many:-?}"
if [ "$few" != 500 ] || [ "$many" != 600 ]; then
  echo "it behaves otherwise now"
  exit 1
fi
echo "so it is: the least is 500, whatever is asked for"
