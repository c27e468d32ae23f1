#!/usr/bin/env bash
# go-zookeeper 1.0.4 has no name for ZooKeeper's error -125, with which ZooKeeper 3.9 refuses what would exceed a quota
# (KeeperException calls it QUOTAEXCEEDED; enforceQuota=true). Its caller gets "unknown error: -125", which is none of
# the package's errors, so errors.Is cannot tell it.
#
# Needs bash, go, access to Go modules, Java and Debian's tools with an archive to read (deploy/zookeeper/fetch.sh gets
# ZooKeeper); everything else goes into a temporary folder.
# Exits 0 if they behave like this, 1 if they no longer do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || true; } 2>/dev/null; rm -rf "$work"' EXIT

echo "fetching ZooKeeper (a minute or so) ..."
"$here/../deploy/zookeeper/fetch.sh" "$work/zookeeper" 2>"$work/log" || { cat "$work/log"; exit 2; }
mkdir "$work/client" "$work/data"
cd "$work/client"
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/go-zookeeper/zk"
)

func main() {
	conn, _, err := zk.Connect([]string{os.Args[1]}, 10*time.Second, zk.WithLogInfo(false))
	check(err)
	for until := time.Now().Add(time.Minute); conn.State() != zk.StateHasSession; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			log.Fatal("no session with ZooKeeper")
		}
	}
	acl := zk.WorldACL(zk.PermAll)
	for _, n := range [][2]string{{"/a", ""}, {"/zookeeper/quota/a", ""},
		{"/zookeeper/quota/a/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2"},
		{"/zookeeper/quota/a/zookeeper_stats", "count=1,bytes=0"}, {"/a/1", ""}} {
		_, err := conn.Create(n[0], []byte(n[1]), 0, acl)
		check(err)
	}
	_, err = conn.Create("/a/2", nil, 0, acl)
	named := false
	for _, e := range []error{zk.ErrConnectionClosed, zk.ErrUnknown, zk.ErrAPIError, zk.ErrNoNode, zk.ErrNoAuth,
		zk.ErrBadVersion, zk.ErrNoChildrenForEphemerals, zk.ErrNodeExists, zk.ErrNotEmpty, zk.ErrSessionExpired,
		zk.ErrInvalidACL, zk.ErrInvalidFlags, zk.ErrAuthFailed, zk.ErrClosing, zk.ErrNothing, zk.ErrSessionMoved,
		zk.ErrReconfigDisabled, zk.ErrBadArguments, zk.ErrNoServer, zk.ErrInvalidPath} {
		named = named || errors.Is(err, e)
	}
	fmt.Printf("one znode too many: %v; errors.Is finds it among the package's errors: %v\n", err, named)
	if err == nil || err.Error() != "unknown error: -125" || named {
		fmt.Println("they behave otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: a used-up quota has no name in go-zookeeper")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/go-zookeeper/zk@v1.0.4 >/dev/null 2>&1
go build -mod=mod -o client .
cat >"$work/zoo.cfg" <<CFG
dataDir=$work/data
clientPort=0
clientPortAddress=127.0.0.1
admin.enableServer=false
enforceQuota=true
CFG
basename "$work"/zookeeper/usr/share/java/zookeeper-3.*.jar .jar
port=$((20000 + RANDOM % 10000))
sed -i "s/^clientPort=0/clientPort=$port/" "$work/zoo.cfg"
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
"$java" -cp "$work/zookeeper/usr/share/java/*" org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" \
  >"$work/log" 2>&1 &
server=$!
for _ in $(seq 600); do # until it takes connections
  if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done
timeout 90 ./client "127.0.0.1:$port" || { rc=$?; [ $rc = 1 ] || cat "$work/log"; exit 1; }
