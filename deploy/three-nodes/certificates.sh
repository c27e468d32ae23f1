#!/usr/bin/env bash
# certificates.sh DIR NAME=ADDRESS...: makes three authorities in DIR, and in DIR/NAME what goes to that machine:
#
#   zookeeper/    server.pem, quorum.pem and the two authorities, for ZooKeeper
#   zkine/        zkine's certificate towards ZooKeeper with a password, and its own for its clients
#   client.crt, client.key, clients-ca.crt   for a client of zkine's, such as kube-apiserver
#
# What is there already is kept: a second run adds a machine, or replaces certificates (*.crt) that were removed. The keys
# of the authorities, DIR/*-ca.key, belong on none of the machines. docs/security.md says why there are three.
set -euo pipefail
umask 077

[ $# -gt 1 ] || { echo "usage: certificates.sh DIR NAME=ADDRESS..." >&2; exit 2; }
mkdir -p "$1"
cd "$1"
shift

authority() { # authority NAME
  [ ! -e "$1-ca.crt" ] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj "/CN=$1 authority" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$1-ca.key" -out "$1-ca.crt" 2>/dev/null
}

certificate() { # certificate AUTHORITY FILE SUBJECT USAGE [ADDRESSES]
  [ ! -e "$2.crt" ] || return 0
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "$3" -keyout "$2.key" 2>/dev/null |
    openssl x509 -req -CA "$1-ca.crt" -CAkey "$1-ca.key" -days "${DAYS:-365}" -out "$2.crt" 2>/dev/null -extfile <(
      echo "basicConstraints = critical, CA:FALSE"
      echo "keyUsage = critical, digitalSignature"
      echo "extendedKeyUsage = $4"
      if [ -n "${5:-}" ]; then echo "subjectAltName = $5"; fi
    )
}

authority quorum
authority zookeeper
authority clients
# One password for all: it is by which ZooKeeper's ACLs know zkine, beside the certificate's subject.
[ -e zookeeper.auth ] || echo "digest:zkine:$(openssl rand -hex 24)" >zookeeper.auth

everyone=$(for node in "$@"; do printf 'DNS:%s,IP:%s,' "${node%%=*}" "${node#*=}"; done)
for node in "$@"; do
  name=${node%%=*} addresses="DNS:${node%%=*},IP:${node#*=}"
  mkdir -p "$name/zookeeper" "$name/zkine"
  # A server that connects to another is compared with the name of its address.
  certificate quorum "$name/zookeeper/quorum" "/CN=$name" serverAuth,clientAuth "${everyone%,}"
  certificate zookeeper "$name/zookeeper/server" "/CN=$name" serverAuth "$addresses"
  for kind in quorum server; do
    cat "$name/zookeeper/$kind.key" "$name/zookeeper/$kind.crt" >"$name/zookeeper/$kind.pem"
  done
  cp quorum-ca.crt "$name/zookeeper/quorum-ca.pem"
  cp zookeeper-ca.crt "$name/zookeeper/clients-ca.pem"

  certificate zookeeper "$name/zkine/zookeeper" /O=zkine/CN=zkine clientAuth
  certificate clients "$name/zkine/server" "/CN=$name" serverAuth "$addresses,DNS:localhost,IP:127.0.0.1"
  cp zookeeper-ca.crt zookeeper.auth clients-ca.crt "$name/zkine/"

  certificate clients "$name/client" "/CN=client of $name" clientAuth
  cp clients-ca.crt "$name/"
done
