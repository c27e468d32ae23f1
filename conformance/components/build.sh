#!/usr/bin/env bash
# Builds pinned third-party programs for the tests into .cache/bin at the root of the checkout.
#
#   build.sh NAME...     etcd etcdctl etcdutl benchmark kine kube-apiserver kube-controller-manager kube-scheduler kubectl kubeadm helm
#                        versitygw cyclonedx-gomod prometheus promtool jsonnet etcd2topo.test vtctldclient etcd-3.6 kwok
#   build.sh all         every one of them
#
# A program is built again only when its wrapper module (go.mod, go.sum), its flags or the Go release changed:
# the hash of these stands beside it, in .cache/bin/.stamp/<name>.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$here/../.." && pwd)/.cache/bin
all="etcd etcdctl etcdutl benchmark kine kube-apiserver kube-controller-manager kube-scheduler kubectl kubeadm helm versitygw cyclonedx-gomod prometheus promtool jsonnet etcd2topo.test vtctldclient etcd-3.6 kwok"

# version_of FOLDER MODULE prints the version that the wrapper in the folder requires of a module.
version_of() {
  awk -v module="$2" '{ sub(/^require /, "") } $1 == module { print $2; exit }' "$here/$1/go.mod"
}

# recipe NAME sets module (a folder here), package, cgo, tags, ldflags, and command: a name that ends with .test is of the
# package's own tests.
recipe() {
  cgo=0
  command=build
  case $1 in *.test) command="test -c" ;; esac
  tags=
  ldflags="-s -w"
  case $1 in
    etcd) module=etcd package=go.etcd.io/etcd/server/v3 ;;
    etcdctl | etcdutl) module=etcd package=go.etcd.io/etcd/$1/v3 ;;
    # A server of S3, on a folder.
    versitygw) module=versitygw package=github.com/versity/versitygw/cmd/versitygw ;;
    # etcd's own load generator, released only with etcd's main module.
    benchmark) module=benchmark package=go.etcd.io/etcd/v3/tools/benchmark ;;
    # kine's default datastore is SQLite, by way of a C library, built with the tags of kine's own script.
    kine)
      module=kine package=github.com/k3s-io/kine cgo=1
      tags=sqlite_unlock_notify,sqlite_vtable,sqlite_stat4,sqlite_preupdate_hook,sqlite_math_functions,sqlite_dbstat,sqlite_column_metadata
      ldflags+=" -X github.com/k3s-io/kine/pkg/version.Version=$(version_of "$module" "$package")"
      ;;
    # Vitess' tests of its topology on etcd, and the program that one of them runs.
    etcd2topo.test) module=vitess package=vitess.io/vitess/go/vt/topo/etcd2topo ;;
    vtctldclient) module=vitess package=vitess.io/vitess/go/cmd/vtctldclient ;;
    # The etcd of the client that Vitess has.
    etcd-3.6) module=vitess package=go.etcd.io/etcd/server/v3 ;;
    cyclonedx-gomod) module=cyclonedx package=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod ;;
    # Without the page that it serves, which its own build has Node make, and without the clouds that it can discover.
    prometheus | promtool)
      module=prometheus package=github.com/prometheus/prometheus/cmd/$1
      tags=remove_all_sd
      ;;
    jsonnet) module=jsonnet package=github.com/google/go-jsonnet/cmd/jsonnet ;;
    # A controller that plays kubelets.
    kwok) module=kwok package=sigs.k8s.io/kwok/cmd/kwok ;;
    helm) module=helm package=helm.sh/helm/v3/cmd/helm ;;
    kube-apiserver | kube-controller-manager | kube-scheduler | kubectl | kubeadm)
      module=kubernetes package=k8s.io/kubernetes/cmd/$1
      # Apart from the others, which need not be built again for it.
      if [ "$1" = kubeadm ]; then module=kubeadm; fi
      local version
      version=$(version_of "$module" k8s.io/kubernetes)
      # The API server decides by its own version which APIs and gates exist: without these it calls itself v0.0.0.
      local v=k8s.io/component-base/version
      ldflags+=" -X $v.gitVersion=$version"
      ldflags+=" -X $v.gitMajor=$(cut -d. -f1 <<<"${version#v}") -X $v.gitMinor=$(cut -d. -f2 <<<"$version")"
      ;;
    *)
      echo "build.sh: unknown program $1 (there are: $all)" >&2
      return 2
      ;;
  esac
}

build() {
  local name=$1 want
  recipe "$name"
  want=$( (cat "$here/$module/go.mod" "$here/$module/go.sum"; go version; echo "$package $cgo $tags $ldflags") | sha256sum | cut -d' ' -f1)
  if [ -x "$bin/$name" ] && [ "$(cat "$bin/.stamp/$name" 2>/dev/null)" = "$want" ]; then
    return
  fi
  echo "build.sh: building $name" >&2
  # Hundreds of modules are downloaded, and go gives up at the first that is not to be had. What is there is kept.
  local try
  for try in 1 2 3; do
    CGO_ENABLED=$cgo go -C "$here/$module" $command -mod=readonly -trimpath -tags "$tags" -ldflags "$ldflags" \
      -o "$bin/.stamp/$name.new" "$package" && break
    [ $try -lt 3 ] || return 1
    echo "build.sh: trying $name again" >&2
  done
  # Renamed into place, so that a program that runs meanwhile keeps its file.
  mv "$bin/.stamp/$name.new" "$bin/$name"
  echo "$want" >"$bin/.stamp/$name"
}

[ $# -gt 0 ] || { echo "usage: build.sh NAME... | all    ($all)" >&2; exit 2; }
[ "$*" = all ] && set -- $all
mkdir -p "$bin/.stamp"
for name in "$@"; do
  # One builder a program at a time: whoever waited finds it built.
  (flock 9; build "$name") 9>"$bin/.stamp/$name.lock"
done
