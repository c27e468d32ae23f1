#!/usr/bin/env bash
# ZooKeeper 3.9.6 is set up for SASL as its guide says: authProvider.sasl, a JAAS section with DigestLoginModule, and a
# client of its own with the right password. The server starts without complaint, and the client is never known: since
# 3.9 fips-mode is on by default, and takes DIGEST-MD5 away from both, the only mechanism that needs no Kerberos. The
# client's first words say that it is connected, and then that it is not. With zookeeper.fips-mode=false on both sides
# the same files work, and whoami tells sasl.
#
# Needs bash, Java and Debian's tools with an archive to read (deploy/zookeeper/fetch.sh gets ZooKeeper); everything else
# goes into a temporary folder.
# Exits 0 if it behaves like this, 1 if it no longer does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; server=; }
trap 'stop; rm -rf "$work"' EXIT

echo "fetching ZooKeeper (a minute or so) ..."
"$here/../deploy/zookeeper/fetch.sh" "$work/zookeeper" 2>"$work/log" || { cat "$work/log"; exit 2; }
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
jars=$work/zookeeper/usr/share/java
basename "$jars"/zookeeper-3.*.jar .jar
cat >"$work/jaas.conf" <<'JAAS'
Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_shop="secret"; };
Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="shop" password="secret"; };
JAAS

# whoami FIPS: what ZooKeeper's own client prints when it asks by what it is known
whoami() {
  local port=$((20000 + RANDOM % 10000))
  rm -rf "$work/data"
  mkdir "$work/data"
  cat >"$work/zoo.cfg" <<CFG
dataDir=$work/data
clientPort=$port
clientPortAddress=127.0.0.1
admin.enableServer=false
authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
CFG
  local run=("$java" "-Djava.security.auth.login.config=$work/jaas.conf" $1 -cp "$jars/*")
  "${run[@]}" org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" >"$work/log" 2>&1 &
  server=$!
  for _ in $(seq 600); do # until it takes connections
    if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.1
  done
  printf 'whoami\nquit\n' | timeout 60 "${run[@]}" org.apache.zookeeper.ZooKeeperMain -waitforconnection \
    -server "127.0.0.1:$port" 2>/dev/null | grep -E '^(sasl|ip|WatchedEvent|Not connected)' || true
  stop
}

default=$(whoami "")
off=$(whoami -Dzookeeper.fips-mode=false)
printf 'by default:\n%s\nwith zookeeper.fips-mode=false on both sides:\n%s\n' "$default" "$off"
if grep -q '^sasl' <<<"$default" || ! grep -q '^sasl: *shop\|^sasl.*shop' <<<"$off"; then
  echo "it behaves otherwise now"
  exit 1
fi
echo "so it is: SASL with DIGEST-MD5 is set up as before 3.9, and knows no client"
