#!/usr/bin/env bash
# secrets.sh DIR: makes the authorities and certificates that deploy/kubernetes/base asks for, and three Secrets of them,
# DIR/secrets.yaml, for kubectl apply -f. Needs openssl 3.0 or newer.
#
# The authorities' keys are DIR/*-ca.key: they belong into no cluster. What is there already is kept, so that a second run,
# after the certificates (*.crt) were removed, makes new ones of the same authorities.
#
# Environment: NAMESPACE (zkine), DAYS (365) that certificates last.
set -euo pipefail
umask 077

[ $# = 1 ] || { echo "usage: secrets.sh DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
namespace=${NAMESPACE:-zkine}

authority() { # authority NAME
  [ ! -e "$1-ca.crt" ] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 \
    -subj "/CN=$1 authority" -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$1-ca.key" -out "$1-ca.crt" 2>openssl.log
}

certificate() { # certificate AUTHORITY FILE SUBJECT USAGE [ADDRESSES]
  [ ! -e "$2.crt" ] || return 0
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "$3" -keyout "$2.key" 2>openssl.log |
    openssl x509 -req -CA "$1-ca.crt" -CAkey "$1-ca.key" -days "${DAYS:-365}" -out "$2.crt" 2>openssl.log -extfile <(
      echo "basicConstraints = critical, CA:FALSE"
      echo "keyUsage = critical, digitalSignature"
      echo "extendedKeyUsage = $4"
      if [ -n "${5:-}" ]; then echo "subjectAltName = $5"; fi
    )
}

names() { # names SERVICE HOST...: a Service's hosts, by each of the names that it has in the cluster
  local service=$1 host suffix all=
  shift
  for host in "$@"; do
    for suffix in "" ".$namespace" ".$namespace.svc" ".$namespace.svc.cluster.local"; do
      all="$all,DNS:$host$service$suffix"
    done
  done
  echo "${all#,}"
}

authority quorum
authority zookeeper
authority clients
servers=$(names zookeeper zookeeper-0. zookeeper-1. zookeeper-2.)
certificate quorum quorum /CN=zookeeper serverAuth,clientAuth "$servers"
certificate zookeeper server /CN=zookeeper serverAuth "$servers"
certificate zookeeper zookeeper /O=zkine/CN=zkine clientAuth
certificate clients zkine /CN=zkine serverAuth "$(names zkine ""),DNS:localhost,IP:127.0.0.1"
certificate clients client /CN=client clientAuth
[ -e zookeeper.auth ] || echo "digest:zkine:$(openssl rand -hex 24)" >zookeeper.auth

# ZooKeeper wants key and certificate in one file, whose name ends in .pem.
for name in server quorum; do cat "$name.key" "$name.crt" >"$name.pem"; done
cp zookeeper-ca.crt clients-ca.pem
cp quorum-ca.crt quorum-ca.pem

secret() { # secret NAME FILE...
  local file
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\ntype: Opaque\ndata:\n' "$1" "$namespace"
  shift
  for file in "$@"; do printf '  %s: %s\n' "$file" "$(base64 -w0 <"$file")"; done
}

{
  secret zookeeper-tls server.pem clients-ca.pem quorum.pem quorum-ca.pem
  secret zkine-zookeeper zookeeper.crt zookeeper.key zookeeper-ca.crt zookeeper.auth
  secret zkine-server zkine.crt zkine.key clients-ca.crt
} >secrets.yaml
rm -f openssl.log
echo "$PWD/secrets.yaml is ready; client.crt, client.key and clients-ca.crt are for a first client"
