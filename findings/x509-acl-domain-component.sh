#!/usr/bin/env bash
# A certificate's subject with domain components is one identity to ZooKeeper 3.9.6 and another to Go. ZooKeeper's x509
# scheme has it as Java writes it by RFC 2253, CN=shop,DC=example; Go's pkix.Name.String (crypto/x509/pkix, which says
# roughly RFC 2253) knows no DC and writes the type's number and the value's DER. An ACL with Go's text is accepted, and
# the client that has set it is locked out of its own znode at once: ErrNoAuth.
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
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/go-zookeeper/zk"
)

// makeFiles makes one certificate that signs itself, for the server and the client alike.
func makeFiles(dir string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	domain := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "example"}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{domain, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "shop"}}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	check(os.WriteFile(dir+"/ca.pem", cert, 0o600))
	check(os.WriteFile(dir+"/both.pem", append(secret, cert...), 0o600))
}

func main() {
	if os.Args[1] == "files" {
		makeFiles(os.Args[2])
		return
	}
	pair, err := tls.LoadX509KeyPair(os.Args[2]+"/both.pem", os.Args[2]+"/both.pem")
	check(err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	check(err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: 10 * timeout}, network, address,
			&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: "127.0.0.1"})
	}
	conn, _, err := zk.Connect([]string{os.Args[1]}, 10*time.Second, zk.WithDialer(dial), zk.WithLogInfo(false))
	check(err)
	for until := time.Now().Add(time.Minute); conn.State() != zk.StateHasSession; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			log.Fatal("no session with ZooKeeper")
		}
	}
	ours := leaf.Subject.String()
	_, err = conn.Create("/by-name", nil, 0, []zk.ACL{{Perms: zk.PermAll, Scheme: "x509", ID: ours}})
	check(err)
	_, _, refused := conn.Get("/by-name")
	_, err = conn.Create("/by-server", nil, 0, zk.AuthACL(zk.PermAll))
	check(err)
	acl, _, err := conn.GetACL("/by-server")
	check(err)
	fmt.Printf("Go says        %s\nZooKeeper says %s\na znode with Go's text as its ACL, read by its creator: %v\n", ours, acl[0].ID, refused)
	if acl[0].ID == ours || acl[0].ID != "CN=shop,DC=example" || !errors.Is(refused, zk.ErrNoAuth) {
		fmt.Println("they behave otherwise now")
		os.Exit(1)
	}
	fmt.Println("so it is: Go's text of a subject with domain components matches no client of ZooKeeper's")
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
./client files "$work"
port=$((20000 + RANDOM % 10000))
cat >"$work/zoo.cfg" <<CFG
dataDir=$work/data
secureClientPort=$port
secureClientPortAddress=127.0.0.1
admin.enableServer=false
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location=$work/both.pem
ssl.trustStore.location=$work/ca.pem
CFG
jars=$work/zookeeper/usr/share/java
basename "$jars"/zookeeper-3.*.jar .jar
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
"$java" -cp "$jars/*" org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 600); do # until it takes connections
  if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done
timeout 90 ./client "127.0.0.1:$port" "$work" || { rc=$?; [ $rc = 1 ] || cat "$work/log"; exit 1; }
